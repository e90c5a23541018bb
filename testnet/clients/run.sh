#!/usr/bin/env bash
# Runs real wallets' libraries against a network of their own. Says so loudly when npm is out of
# reach, since then nothing was shown.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binary=${1:?usage: run.sh PATH-OF-CLOVERLEAF}
port_base=${CLOVERLEAF_PORT_BASE:-24545}
cd "$here"
if ! npm ci --no-progress >/dev/null 2>&1 ||
    ! npm ci --no-progress --ignore-scripts --prefix forwarder >/dev/null 2>&1; then
    echo "SKIPPED: npm cannot install the clients here; no client was tested"
    exit 0
fi
data=$(mktemp -d)
ready="$data/ready.json"
"$binary" dev --json --data "$data/network" --port-base "$port_base" >"$ready" 2>"$data/log" &
network=$!
finish() {
    kill "$network" 2>/dev/null || true
    wait "$network" 2>/dev/null || true
    rm -rf "$data"
}
trap finish EXIT
for _ in $(seq 1 600); do
    [ -s "$ready" ] && break
    kill -0 "$network" 2>/dev/null || { echo "the network did not start:"; cat "$data/log"; exit 1; }
    sleep 0.1
done
export CLOVERLEAF_RPC="http://127.0.0.1:$port_base"
export CLOVERLEAF_ROLLUP_RPC="http://127.0.0.1:$((port_base + 5000))"
failed=0
bash cast.sh || failed=1
node viem.mjs || failed=1
node ethers.mjs || failed=1
CLOVERLEAF_FORWARDER_PORT=$((port_base + 454)) node forwarder.mjs || failed=1
[ "$failed" -eq 0 ] || { echo "--- log of the network:"; tail -n 50 "$data/log"; }
exit "$failed"
