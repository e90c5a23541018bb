# `make dev` runs the main job, `make test` passes the tests. Both install what is missing first.

SHELL := /bin/bash
ifeq ($(CARGO_TARGET_DIR),)
CARGO_TARGET_DIR := $(HOME)/.cache/cloverleaf/target
endif
export CARGO_TARGET_DIR
export PATH := $(HOME)/.cargo/bin:$(PATH)
# The same compiler name everywhere, or RocksDB would be built once for each. Asked again for every
# command, because `setup` may just have installed ccache.
export CXX = $(shell command -v ccache >/dev/null && echo 'ccache g++' || echo g++)
# RocksDB's library, if `setup` has built it; else its crate builds it, in five times the time.
ROCKSDB := $(shell .ci/rocksdb --folder)
ifneq ($(ROCKSDB),)
export ROCKSDB_LIB_DIR = $(ROCKSDB)
export ROCKSDB_STATIC = 1
endif

# Cheapest first; the budgets are in .ci/run.
STAGES := format lint unit rules simulation network evm node processes benches instructions fuzz
# The whole workspace is always selected and tests are chosen by name, so that every stage builds
# dependencies with the same features, once.
# The node's own tests build the binary too; a plain build would do it again with other features.
binary = cargo test --workspace --no-run --test wire
tests = cargo test --workspace $(addprefix --test ,$(1))

.PHONY: help setup build binary release dev test clients bench bench-full peers instructions fuzz faults faults-long faults-full faults-repeat testnet testnet-down testnet-smoke
.PHONY: $(addprefix stage-,$(STAGES) clients containers)

help:
	@echo 'make dev      four validators, two rollups and a faucet in one process (ARGS=… passes flags)'
	@echo 'make test     everything that must pass; a table of stages at the end'
	@echo 'make clients  cast, viem and ethers against a network of their own; needs npm'
	@echo 'make testnet  four validators and two rollups in containers; testnet-down ends them,'
	@echo '              testnet-smoke loads, perturbs and checks them'
	@echo 'make bench    the ordering hot path; bench-full measures networks too, and writes bench/README.md'
	@echo 'make peers    what others do with the same work: malachite, pools, tonic, jsonrpsee, RocksDB; bench-full is without'
	@echo 'make instructions  how many instructions the hot path takes, against what they were'
	@echo 'make fuzz     every decoder against bytes that a fuzzer makes up, each for SECONDS=15'
	@echo 'make faults   everything broken on purpose, within 20 minutes; faults-long, faults-full ROW=…'
	@echo '              and faults-repeat ROW=… UNIT=… are in docs/faults.md'
	@echo 'make setup    what the others do first: install clang, libclang-dev, ccache if missing'

setup:
	@.ci/setup
	@.ci/rocksdb >/dev/null || echo 'setup: RocksDB is left to its crate'

# Another make, which finds what `setup` has built.
build: setup
	@$(MAKE) --no-print-directory binary

binary:
	cargo build --workspace --bin cloverleaf

dev: build
	@exec "$(CARGO_TARGET_DIR)/debug/cloverleaf" dev $(ARGS)

test: setup
	@.ci/run --stages $(STAGES)

clients: setup stage-clients

# What these two need, they install and start: an engine of their own where none runs.
testnet: build
	@.ci/setup containers
	@testnet/engine.sh start
	@export DOCKER_HOST="$$(testnet/engine.sh host)" && \
		testnet/image.sh "$(CARGO_TARGET_DIR)/debug/cloverleaf" && \
		"$(CARGO_TARGET_DIR)/debug/cloverleaf" testnet up $(ARGS)

testnet-down:
	-@"$(CARGO_TARGET_DIR)/debug/cloverleaf" testnet down $(ARGS)
	@testnet/engine.sh stop

testnet-smoke: setup
	@.ci/setup containers
	$(binary)
	testnet/smoke.sh "$(CARGO_TARGET_DIR)/debug/cloverleaf" $(ARGS)

bench: setup
	cargo bench -p cloverleaf-bench

# All figures of bench/README.md, on a machine that does nothing else: about 50 minutes.
figures = "$(CARGO_TARGET_DIR)/release/figures"
shipped = "$(CARGO_TARGET_DIR)/release/cloverleaf"
bench-full: bench instructions release
	$(figures) micro "$(CARGO_TARGET_DIR)/criterion"
	$(figures) service $(shipped)
	$(figures) load $(shipped)
	$(figures) network $(shipped)

release: setup
	cargo build --release --workspace --bin cloverleaf --bin figures

# A workspace and a target directory of its own; not in bench-full, because it builds for about 20 minutes.
peers: setup release
	cargo bench -p cloverleaf-bench --bench pool --bench height -- 'pattern=senders|replica::height'
	bench/peers/run
	$(figures) peers "$${CLOVERLEAF_PEERS_DIR:-$$HOME/.cache/cloverleaf/peers}/criterion" $(shipped)

# A workspace of its own: what counts must not run where the workspace's benches do.
instructions: setup
	@.ci/setup instructions
	bench/instructions/run

# A workspace and a target directory of its own: its flags are for everything that it builds.
fuzz:
	@.ci/setup
	@fuzz/run $(or $(SECONDS),15) $(TARGETS)

# The programme of docs/faults.md; its binary is built beside the tests of its package. It wants root for what it does to disks and links.
faults faults-long faults-full faults-repeat: setup
	@.ci/setup faults
	$(binary) --test simulation
	@"$(CARGO_TARGET_DIR)/debug/faults" $(FAULTS)

faults: FAULTS = short $(ROWS)
faults-long: FAULTS = long $(ROWS)
faults-full: FAULTS = full $(ROW) $(UNITS)
faults-repeat: FAULTS = repeat $(ROW) $(UNIT)

stage-format:
	cargo fmt --all --check -- -l
	cargo fmt --manifest-path fuzz/Cargo.toml --check -- -l
	cargo fmt --manifest-path bench/instructions/Cargo.toml --check -- -l
	cargo fmt --manifest-path bench/peers/Cargo.toml --check -- -l

stage-lint:
	cargo clippy --workspace --all-targets -- -D warnings

# Every crate's unit tests and examples; RocksDB's are among them.
stage-unit:
	cargo test --workspace --lib
	cargo test --workspace --bin faults
	cargo test --workspace --doc

# Formats, order, consensus, journals, one validator, and what the tree must look like.
stage-rules:
	$(call tests,types order errors_md it journal file_disk properties structure allocations)

stage-simulation:
	$(call tests,simulation)

stage-network:
	$(call tests,mesh)

stage-evm:
	$(call tests,rollup)

stage-node:
	$(call tests,wire)

stage-processes:
	$(binary)
	$(call tests,processes)

# Each bench once, for the work that it asserts; a figure needs `make bench`.
stage-benches:
	cargo test --workspace --bench '*'

stage-instructions:
	@.ci/setup instructions
	bench/instructions/run

# Each target for a while; `make faults-full ROW=fuzz_…` is the whole.
stage-fuzz:
	fuzz/run 15

stage-clients:
	@if command -v npm >/dev/null; then \
		$(binary) && \
		testnet/clients/run.sh "$(CARGO_TARGET_DIR)/debug/cloverleaf"; \
	else echo 'SKIPPED: npm is not installed; no client was tested'; fi

# A short one: each perturbation once. `make testnet-smoke` is the whole.
stage-containers:
	@if .ci/setup containers && testnet/engine.sh start; then \
		$(binary) && \
		testnet/smoke.sh "$(CARGO_TARGET_DIR)/debug/cloverleaf" 2000 50 \
			kill:node0 pause:node1 disconnect:node2 restart:node3; \
	else echo 'SKIPPED: NO CONTAINER ENGINE COULD START; the testnet in containers was not tested'; fi
