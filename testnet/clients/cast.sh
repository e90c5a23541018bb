#!/usr/bin/env bash
# Foundry's cast, unchanged: send, wait, read, fail.
set -u
here=$(cd "$(dirname "$0")" && pwd)
cast="$here/node_modules/@foundry-rs/cast-linux-amd64/bin/cast"
endpoint=${CLOVERLEAF_RPC:-http://127.0.0.1:4545}
alpha="$endpoint/rollup/901"
forwarder=${CLOVERLEAF_ROLLUP_RPC:-http://127.0.0.1:9545}
# Account 4 of the usual test mnemonic: test money on the demo rollups and nothing elsewhere.
key=0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a
to=0x70997970C51812dc3A010C7d01b50e0d17dc79C8
passed=0
failed=0

check() { # what, expected pattern, output
    if grep -qE -- "$2" <<<"$3"; then
        passed=$((passed + 1)); echo "ok   $1"
    else
        failed=$((failed + 1)); echo "FAIL $1: $3"
    fi
}

out=$("$cast" send --rpc-url "$alpha" --private-key "$key" "$to" --value 1ether 2>&1)
check "cast send and its receipt" '^status +1' "$out"
out=$("$cast" send --async --rpc-url "$alpha" --private-key "$key" "$to" --value 1 2>&1)
check "cast send --async" '^0x[0-9a-f]{64}$' "$out"
out=$("$cast" receipt --rpc-url "$alpha" "$out" 2>&1)
check "cast receipt of it" '^status +1' "$out"
out=$("$cast" balance --rpc-url "$alpha" "$to" 2>&1)
check "cast balance" '^[0-9]{20,}$' "$out"
out=$("$cast" chain-id --rpc-url "$alpha" 2>&1)
check "cast chain-id" '^901$' "$out"
out=$("$cast" block --rpc-url "$alpha" latest 2>&1)
check "cast block" '^stateRoot +0x' "$out"
out=$("$cast" nonce --rpc-url "$alpha" "$to" 2>&1)
check "cast nonce" '^[0-9]+$' "$out"
out=$("$cast" send --sync --rpc-url "$alpha" --private-key "$key" "$to" --value 1 2>&1)
check "cast send --sync has the receipt at once" '^status +1' "$out"
out=$("$cast" send --rpc-url "$forwarder" --private-key "$key" "$to" --value 1 2>&1)
check "cast send to the rollup's own port, which forwards" '^status +1' "$out"
out=$("$cast" send --sync --rpc-url "$forwarder" --private-key "$key" "$to" --value 1 2>&1)
check "cast send --sync to the rollup's own port" '^status +1' "$out"
out=$("$cast" rpc --rpc-url "$alpha" rpc_modules 2>&1)
check "cast rpc rpc_modules" '"seq":"1.0"' "$out"
out=$("$cast" rpc --rpc-url "$alpha" arb_checkPublisherHealth 2>&1)
check "cast rpc arb_checkPublisherHealth" '^null$' "$out"

refused() { # call, output
    if node "$here/expectations.mjs" cast "$1" <<<"$2"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
}

sign() { # nonce, chain id, gas limit: a transfer that is not sent
    "$cast" mktx --private-key "$key" --nonce "$1" --chain "$2" --gas-limit "$3" \
        --gas-price 3gwei --priority-gas-price 1gwei "$to" --value 1
}

refused 'nonce too low' "$("$cast" send --rpc-url "$alpha" --private-key "$key" --nonce 0 "$to" --value 1 2>&1)"
refused 'malformed' "$("$cast" publish --rpc-url "$alpha" 0x02deadbeef 2>&1)"
refused 'wrong chain' "$("$cast" publish --rpc-url "$alpha" "$(sign 900 902 21000)" 2>&1)"
refused 'gas below intrinsic' "$("$cast" publish --rpc-url "$alpha" "$(sign 900 901 20999)" 2>&1)"
refused 'unknown method' "$("$cast" rpc --rpc-url "$alpha" eth_doesNotExist 2>&1)"
refused 'unknown rollup' "$("$cast" chain-id --rpc-url "$endpoint/rollup/999" 2>&1)"

next=$(( $("$cast" nonce --rpc-url "$alpha" "$("$cast" wallet address --private-key "$key")") + 1 ))
waiting=$(sign "$next" 901 21000)
refused 'sync behind a nonce gap' "$("$cast" rpc --rpc-url "$alpha" eth_sendRawTransactionSync "$waiting" 2>&1)"
out=$("$cast" tx --rpc-url "$alpha" "$("$cast" keccak "$waiting")" nonce 2>&1)
check "cast tx of a pooled transaction" "^$next\$" "$out"
refused 'nonce too low, forwarded' "$("$cast" send --rpc-url "$forwarder" --private-key "$key" --nonce 0 "$to" --value 1 2>&1)"

echo "cast: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
