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

# Cheapest first; the budgets are in .ci/run.
STAGES := format lint pure simulation storage network evm node processes
PURE := types bundle api mempool consensus journal stream client replica
packages = $(patsubst %,-p cloverleaf-%,$(1))

.PHONY: help setup dev test clients bench $(addprefix stage-,$(STAGES) clients)

help:
	@echo 'make dev      four validators, two rollups and a faucet in one process (ARGS=… passes flags)'
	@echo 'make test     everything that must pass; a table of stages at the end'
	@echo 'make clients  cast, viem and ethers against a network of their own; needs npm'
	@echo 'make bench    the ordering hot path'
	@echo 'make setup    what the others do first: install clang, libclang-dev, ccache if missing'

setup:
	@.ci/setup

dev: setup
	cargo run -p cloverleaf-node --bin cloverleaf -- dev $(ARGS)

test: setup
	@.ci/run --stages $(STAGES)

clients: setup stage-clients

bench: setup
	cargo bench -p cloverleaf-bench

stage-format:
	cargo fmt --all --check -- -l

stage-lint:
	cargo clippy --workspace --all-targets -- -D warnings

stage-pure:
	cargo test $(call packages,$(PURE))

stage-simulation:
	cargo test -p cloverleaf-testnet --lib --test simulation

stage-storage:
	cargo test -p cloverleaf-storage

stage-network:
	cargo test -p cloverleaf-network

stage-evm:
	cargo test -p cloverleaf-evm

stage-node:
	cargo test -p cloverleaf-node -p cloverleaf-bench

stage-processes:
	cargo build -p cloverleaf-node --bin cloverleaf
	cargo test -p cloverleaf-testnet --test processes

stage-clients:
	@if command -v npm >/dev/null; then \
		cargo build -p cloverleaf-node --bin cloverleaf && \
		testnet/clients/run.sh "$(CARGO_TARGET_DIR)/debug/cloverleaf"; \
	else echo 'SKIPPED: npm is not installed; no client was tested'; fi
