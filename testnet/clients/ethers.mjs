// ethers, unchanged; it sends JSON-RPC batches by default.
import { HDNodeWallet, JsonRpcProvider, Mnemonic, parseEther } from "ethers";

import { check, finish, mnemonic, receiver, rollup } from "./support.mjs";

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

try {
  await wallet.sendTransaction({ to: receiver, value: 1n, nonce: 0, gasLimit: 21_000n });
  check("ethers understands a nonce that is too low", false, "it was accepted");
} catch (error) {
  check("ethers understands a nonce that is too low", error.code === "NONCE_EXPIRED", error.code);
}
provider.destroy();
finish("ethers");
