//! Wallets that send to their rollup as they used to: it hands their transactions on to the sequencer.

use cloverleaf_api::Reason;
use cloverleaf_client::{Error, RpcClient};
use cloverleaf_testnet::load::{Signed, Wallet};
use serde_json::{Value, json};

use crate::devnet::DevNetwork;

async fn send_and_wait(rollup: &RpcClient, signed: &Signed) -> Result<Value, Error> {
    let params = json!([signed.raw, 8_000]);
    rollup.call("eth_sendRawTransactionSync", params).await
}

#[test]
fn transaction_sent_to_the_rollup_is_ordered_executed_and_refused_in_the_sequencers_words() {
    let network = DevNetwork::start("forwarding", &[]);
    let wallet = Wallet::funded();
    for (index, chain_id) in [(0, 901), (1, 902)] {
        let rollup = network.execution(index);
        let run = |signed: &Signed| network.runtime().block_on(send_and_wait(&rollup, signed));
        for nonce in [0, 1] {
            let signed = wallet.transfer(chain_id, nonce);
            let receipt = run(&signed).unwrap();
            assert_eq!(receipt["status"], "0x1", "{receipt}");
            assert_eq!(receipt["transactionHash"], signed.key.1.to_string());
        }
        let Err(Error::Refused { code, reason, .. }) = run(&Wallet::funded().used(chain_id)) else {
            panic!("a used nonce was taken")
        };
        assert_eq!((code, reason), (-32000, Some(Reason::NonceTooLow)));
        let Err(Error::Refused { code, data, .. }) = run(&wallet.transfer(chain_id, 7)) else {
            panic!("what waits behind a gap has a receipt")
        };
        assert_eq!((code, data), (5, json!(wallet.transfer(chain_id, 7).key.1)));
    }
}
