// viem, unchanged: send, wait, read, fail.
import { createPublicClient, createWalletClient, defineChain, http, parseEther } from "viem";
import { generatePrivateKey, mnemonicToAccount, privateKeyToAccount } from "viem/accounts";

import { compare } from "./expectations.mjs";
import { check, endpoint, finish, forwarder, mnemonic, receiver, rollup, rpc } from "./support.mjs";

const account = mnemonicToAccount(mnemonic, { addressIndex: 2 });

function clients(id, url = rollup(id)) {
  const chain = defineChain({
    id,
    name: `rollup ${id}`,
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: [url] } },
  });
  const transport = http(url);
  return {
    wallet: createWalletClient({ account, chain, transport }),
    public: createPublicClient({ chain, transport, pollingInterval: 100 }),
  };
}

const alpha = clients(901);
const beta = clients(902);

const before = await alpha.public.getBalance({ address: receiver });
const hash = await alpha.wallet.sendTransaction({ to: receiver, value: parseEther("1") });
const receipt = await alpha.public.waitForTransactionReceipt({ hash, timeout: 30_000 });
check("viem sendTransaction + waitForTransactionReceipt", receipt.status === "success", hash);
const after = await alpha.public.getBalance({ address: receiver });
check("viem reads the balance it sent", after - before === parseEther("1"));

const prepare = async (side) =>
  side.wallet.signTransaction(
    await side.wallet.prepareTransactionRequest({ to: receiver, value: 1n }),
  );
const legs = [
  { chainId: "0x385", txs: [await prepare(alpha)] },
  { chainId: "0x386", txs: [await prepare(beta)] },
];
const sent = await rpc(endpoint, "seq_sendBundle", [{ legs }]);
check("viem signs a bundle's legs", sent.result?.bundleHash !== undefined, JSON.stringify(sent));
const raw = legs[1].txs[0];
const { keccak256 } = await import("viem");
const landed = await beta.public.waitForTransactionReceipt({
  hash: keccak256(raw),
  timeout: 30_000,
});
check("the bundle's second leg is executed", landed.status === "success");

const synchronous = await alpha.wallet.sendTransactionSync({ to: receiver, value: 1n });
check("viem sendTransactionSync has the receipt at once", synchronous.status === "success");
const serializedTransaction = await prepare(alpha);
const waited = await alpha.wallet.sendRawTransactionSync({ serializedTransaction, timeout: 5_000 });
check("viem sendRawTransactionSync with a timeout", waited.status === "success");
const through = clients(901, forwarder);
const forwarded = await through.wallet.sendTransactionSync({ to: receiver, value: 1n });
check("viem sends to the rollup's own port, which forwards", forwarded.status === "success");

const refused = async (call, action) => {
  try {
    await action();
    check(`viem ${call}`, false, "it was accepted");
  } catch (error) {
    const cause = error.walk?.((inner) => inner.code !== undefined) ?? error;
    const { passed, detail } = compare("viem", call, `${cause.name} ${cause.code}\n${error.details}`);
    check(`viem ${call}`, passed, detail);
  }
};
const signed = (side, changes) =>
  side.wallet.signTransaction({
    to: receiver, value: 1n, nonce: 900, gas: 21_000n, type: "eip1559",
    maxFeePerGas: 3_000_000_000n, maxPriorityFeePerGas: 1_000_000_000n, ...changes,
  });
const publish = async (raw) =>
  alpha.public.sendRawTransaction({ serializedTransaction: await raw });
await refused("nonce too low", () => publish(signed(alpha, { nonce: 0 })));
await refused("wrong chain", () => publish(signed(beta, {})));
await refused("gas below intrinsic", () => publish(signed(alpha, { gas: 20_999n })));
await refused("malformed", () => publish("0x02deadbeef"));
await refused("unknown method", () => alpha.public.request({ method: "eth_doesNotExist" }));
const nonce = (await alpha.public.getTransactionCount({ address: account.address })) + 1;
const waiting = await signed(alpha, { nonce });
await refused("sync behind a nonce gap", () =>
  alpha.wallet.sendRawTransactionSync({ serializedTransaction: waiting }));
const pooled = await alpha.public.getTransaction({ hash: keccak256(waiting) });
check("viem reads a pooled transaction", pooled.blockHash === null && pooled.nonce === nonce);

// The sequencer orders what the rollup then skips: nobody may wait for that for ever.
const poor = privateKeyToAccount(generatePrivateKey());
const skipped = await poor.signTransaction({
  chainId: 901, to: receiver, value: 1n, nonce: 0, gas: 21_000n, type: "eip1559",
  maxFeePerGas: 3_000_000_000n, maxPriorityFeePerGas: 1_000_000_000n,
});
await refused("skipped by its rollup", () =>
  alpha.wallet.sendRawTransactionSync({ serializedTransaction: skipped, timeout: 5_000 }));
const status = await rpc(endpoint, "seq_getTransactionStatus", [keccak256(skipped)]);
check(
  "its status says why",
  status.result?.status === 500 && status.result?.execution?.outcome === "skipped",
  JSON.stringify(status.result?.execution),
);
await refused("a skipped transaction", () => alpha.public.getTransaction({ hash: keccak256(skipped) }));
finish("viem");
