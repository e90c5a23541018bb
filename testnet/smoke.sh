#!/usr/bin/env bash
# Brings the testnet up, loads it, perturbs every validator in every way meanwhile, checks it, and takes
# everything down again, whatever happened.
#
#   smoke.sh BINARY [TRANSACTIONS BUNDLES [PERTURBATION…]]
#
# By default 50,000 transactions, 500 bundles, and all of kill, pause, disconnect, restart. A perturbation
# that is named, as kill:node2, happens alone.
set -euo pipefail

[ $# -ge 1 ] || { sed -n '2,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2; exit 2; }
readonly binary=$1 transactions=${2:-50000} bundles=${3:-500}
shift $(($# < 3 ? $# : 3))
if [ $# -eq 0 ]; then
    for kind in kill pause disconnect restart; do
        for node in 0 1 2 3; do set -- "$@" "$kind:node$node"; done
    done
fi
readonly load_seconds_max=1500
cd "$(dirname "$0")/.."

say() { echo "smoke: $*" >&2; }
cloverleaf() { "$binary" "$@"; }

dir=$(mktemp -d)
load=
finish() {
    local status=$?
    trap - EXIT
    [ -z "$load" ] || kill -TERM "$load" 2>/dev/null || true
    if [ "$status" -ne 0 ] && [ -e "$dir/net/containers.json" ]; then
        for node in 0 1 2 3; do
            docker logs --tail 10 "cloverleaf-node$node" 2>&1 | sed "s/^/node$node: /" >&2 || true
        done
        # Nobody waits for an orderly stop of what failed.
        docker ps --all --quiet --filter label=com.docker.compose.project=cloverleaf |
            xargs --no-run-if-empty docker rm --force >/dev/null || true
    fi
    if [ -e "$dir/net/containers.json" ]; then
        cloverleaf testnet down --dir "$dir/net" >&2 || status=1
    fi
    testnet/engine.sh stop || status=1
    rm -rf "$dir"
    [ "$status" -eq 0 ] || say "FAILED with $status after ${SECONDS} s"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

testnet/engine.sh start
DOCKER_HOST=$(testnet/engine.sh host)
export DOCKER_HOST
testnet/image.sh "$binary"
cloverleaf testnet up --dir "$dir/net"
say "up after ${SECONDS} s"

"$binary" testnet load --dir "$dir/net" --seconds "$load_seconds_max" >"$dir/load" &
load=$!
acknowledged() { grep -c "\"$1\"" "$dir/net/promises.jsonl" 2>/dev/null || true; }
for perturbation in "$@"; do
    cloverleaf testnet perturb "${perturbation%%:*}" "${perturbation##*:}" --dir "$dir/net"
    kill -0 "$load" 2>/dev/null || { say 'the load ended by itself'; exit 1; }
done
say "$# perturbations after ${SECONDS} s"
until [ "$(acknowledged transaction)" -ge "$transactions" ] && [ "$(acknowledged bundle)" -ge "$bundles" ]; do
    kill -0 "$load" 2>/dev/null || { say 'the load ended by itself'; exit 1; }
    sleep 1
done
kill -TERM "$load"
wait "$load"
load=
cat "$dir/load"
say "loaded after ${SECONDS} s"

cloverleaf testnet check --dir "$dir/net" --transactions-min "$transactions" --bundles-min "$bundles"
cloverleaf rollup audit 901 902 --rpc http://127.0.0.1:4545
cloverleaf testnet status --dir "$dir/net"
say "$# perturbations, 0 violations, after ${SECONDS} s"
