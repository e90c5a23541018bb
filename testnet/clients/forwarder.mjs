// A real forwarding node in front: users talk to it alone, it talks to /rollup/901 alone.
//
// Optimism's routing server (2020) sends transactions to one URL and reads to another; both are the
// sequencer's endpoint for the rollup, so its reads are passed on from there. It knows legacy
// transactions only.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

import { createPublicClient, defineChain, http, keccak256 } from "viem";
import { mnemonicToAccount } from "viem/accounts";

import { check, finish, mnemonic, receiver, rollup } from "./support.mjs";

const port = Number(process.env.CLOVERLEAF_FORWARDER_PORT ?? 24999);
const url = `http://127.0.0.1:${port}`;
const node = spawn(process.execPath, ["start.cjs"], {
  cwd: fileURLToPath(new URL("forwarder", import.meta.url)),
  env: {
    ...process.env,
    IS_ROUTING_SERVER: "1",
    TRANSACTION_NODE_URL: rollup(901),
    READ_ONLY_NODE_URL: rollup(901),
    L2_RPC_SERVER_HOST: "127.0.0.1",
    L2_RPC_SERVER_PORT: String(port),
  },
  stdio: "ignore",
});
process.on("exit", () => node.kill());

const chain = defineChain({
  id: 901,
  name: "rollup 901",
  nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
  rpcUrls: { default: { http: [url] } },
});
const client = createPublicClient({ chain, transport: http(url, { retryCount: 0 }), pollingInterval: 100 });

const deadline = Date.now() + 30_000;
let id;
while (id === undefined && Date.now() < deadline && node.exitCode === null) {
  id = await client.getChainId().catch(() => undefined);
}
check("the forwarding node is up, and reads through /rollup/901", id === 901, String(id));

const account = mnemonicToAccount(mnemonic, { addressIndex: 5 });
const legacy = (nonce) =>
  account.signTransaction({
    chainId: 901, to: receiver, value: 1n, nonce, gas: 21_000n, type: "legacy", gasPrice: 3_000_000_000n,
  });
const first = await client.getTransactionCount({ address: account.address });
const before = await client.getBalance({ address: receiver });
const raws = await Promise.all([0, 1, 2].map((step) => legacy(first + step)));
const hashes = [];
for (const serializedTransaction of raws) {
  hashes.push(await client.sendRawTransaction({ serializedTransaction }));
}
check("it answers with the transactions' own hashes", hashes.every((it, i) => it === keccak256(raws[i])));
const receipts = await Promise.all(
  hashes.map((hash) => client.waitForTransactionReceipt({ hash, timeout: 30_000 })),
);
check("what it forwarded is ordered and executed", receipts.every((it) => it.status === "success"));
const after = await client.getBalance({ address: receiver });
check("balances say so too", after - before === 3n, String(after - before));
const again = await client.sendRawTransaction({ serializedTransaction: raws[0] });
check("a transaction that it forwards again has its hash", again === hashes[0]);

const call = async (method, params) => {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const headers = { "content-type": "application/json" };
  return (await fetch(url, { method: "POST", headers, body })).json();
};
const stale = await account.signTransaction({
  chainId: 901, to: receiver, value: 2n, nonce: first, gas: 21_000n, type: "legacy", gasPrice: 3_000_000_000n,
});
const { error } = await call("eth_sendRawTransaction", [stale]);
check(
  "a refusal reaches the user with its code, its words and its reason",
  error?.code === -32000 && error.message.startsWith("nonce too low") && error.data?.reason === "nonceTooLow",
  JSON.stringify(error),
);

finish("a real forwarding node");
