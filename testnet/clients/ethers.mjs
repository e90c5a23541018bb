// ethers, unchanged; it sends JSON-RPC batches by default.
import { HDNodeWallet, JsonRpcProvider, Mnemonic, parseEther } from "ethers";

import { compare } from "./expectations.mjs";
import { check, finish, forwarder, mnemonic, receiver, rollup } from "./support.mjs";

const provider = new JsonRpcProvider(rollup(902), undefined, {
  pollingInterval: 100,
  cacheTimeout: -1, // ethers would answer the second look at a balance from its own cache
});
const phrase = Mnemonic.fromPhrase(mnemonic);
const wallet = HDNodeWallet.fromMnemonic(phrase, "m/44'/60'/0'/0/3").connect(provider);

const before = await provider.getBalance(receiver);
const response = await wallet.sendTransaction({ to: receiver, value: parseEther("1") });
const receipt = await response.wait(1, 30_000);
check("ethers sendTransaction().wait()", receipt?.status === 1, response.hash);
const after = await provider.getBalance(receiver);
check("ethers reads the balance it sent", after - before === parseEther("1"));

const two = await Promise.all([provider.getBlockNumber(), provider.getBalance(wallet.address)]);
check("ethers batches calls", two[0] > 0 && two[1] > 0n);

const refused = async (call, action) => {
  try {
    await action();
    check(`ethers ${call}`, false, "it was accepted");
  } catch (error) {
    const said = error.info?.error ?? error.error ?? {};
    const { passed, detail } = compare("ethers", call, `${error.code} ${said.code}\n${said.message}`);
    check(`ethers ${call}`, passed, detail);
  }
};
const transfer = {
  to: receiver, value: 1n, nonce: 900, gasLimit: 21_000n, type: 2, chainId: 902,
  maxFeePerGas: 3_000_000_000n, maxPriorityFeePerGas: 1_000_000_000n,
};
const publish = async (changes) =>
  provider.broadcastTransaction(await wallet.signTransaction({ ...transfer, ...changes }));
await refused("nonce too low", () => publish({ nonce: 0 }));
await refused("wrong chain", () => publish({ chainId: 901 }));
await refused("gas below intrinsic", () => publish({ gasLimit: 20_999n }));
await refused("unknown method", () => provider.send("eth_doesNotExist", []));
const nonce = (await wallet.getNonce()) + 1;
const waiting = await publish({ nonce });
const pooled = await provider.getTransaction(waiting.hash);
check("ethers reads a pooled transaction", pooled?.blockNumber === null && pooled.nonce === nonce);

const own = new JsonRpcProvider(forwarder, undefined, { pollingInterval: 100 });
const user = HDNodeWallet.fromMnemonic(phrase, "m/44'/60'/0'/0/5").connect(own);
const sent = await user.sendTransaction({ to: receiver, value: 1n });
const executed = await sent.wait(1, 30_000);
check("ethers sends to the rollup's own port, which forwards", executed?.status === 1, sent.hash);
own.destroy();
provider.destroy();
finish("ethers");
