// What the client scripts share: where the network is, its accounts, and how a check reports.

export const endpoint = process.env.CLOVERLEAF_RPC ?? "http://127.0.0.1:4545";
export const rollup = (chainId) => `${endpoint}/rollup/${chainId}`;

// The port of rollup 901 itself, which hands transactions on to the sequencer.
export const forwarder = process.env.CLOVERLEAF_ROLLUP_RPC ?? "http://127.0.0.1:9545";

// The usual test mnemonic: these accounts hold test money on the demo rollups and nothing elsewhere.
export const mnemonic = "test test test test test test test test test test test junk";
export const receiver = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

let failures = 0;
let checks = 0;

export function check(what, passed, detail = "") {
  checks += 1;
  if (!passed) failures += 1;
  console.log(`${passed ? "ok  " : "FAIL"} ${what}${detail === "" ? "" : `: ${detail}`}`);
}

export function finish(client) {
  console.log(`${client}: ${checks - failures} passed, ${failures} failed`);
  process.exit(failures === 0 && checks > 0 ? 0 : 1);
}

export async function rpc(url, method, params) {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  return response.json();
}
