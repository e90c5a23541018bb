//! How users reach a node: gRPC for one thing at a time, JSON-RPC for many.

use cloverleaf_api::State;
use cloverleaf_api::json::Progress;
use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_client::{Error, RpcClient, Submitted, Submitter};
use cloverleaf_mempool::Name;

use super::Signed;

/// What a node says to a submission.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It has come as far as was asked for.
    Reached(Name),
    /// It had not come so far when the node gave up waiting.
    Late(State),
    /// It was refused, for this reason.
    Refused(String),
    /// None: nobody knows what became of it.
    Silence,
}

/// A node's gRPC port; clones share the connection, which is made again when it breaks.
#[derive(Clone, Debug)]
pub struct Grpc(Submitter);

impl Grpc {
    /// A client of `http://host:port`, within an async runtime.
    ///
    /// # Errors
    /// `url` is no address.
    pub fn new(url: &str) -> Result<Self, Error> {
        Ok(Self(Submitter::new(url)?))
    }

    /// Submits a transaction, and waits for that acknowledgement.
    pub async fn submit(&mut self, signed: &Signed, wait: Wait) -> Answer {
        let raw = signed.raw.clone();
        let answer = self.0.submit(signed.key.0, raw, wait).await;
        answered(answer, |_| Name::Transaction(signed.key))
    }

    /// Submits a bundle with one transaction on each rollup.
    pub async fn submit_bundle(
        &mut self,
        legs: &[Signed],
        max_timestamp_ms: u64,
        wait: Wait,
    ) -> Answer {
        let legs = legs.iter().map(|leg| (leg.key.0, vec![leg.raw.clone()]));
        let answer = self
            .0
            .submit_bundle(legs.collect(), max_timestamp_ms, wait)
            .await;
        answered(answer, Name::Bundle)
    }
}

fn answered(answer: Submitted, name: impl FnOnce(cloverleaf_types::B256) -> Name) -> Answer {
    match answer {
        Submitted::Reached(hash) => Answer::Reached(name(hash)),
        Submitted::Late(state) => Answer::Late(state),
        Submitted::Refused(reason) => Answer::Refused(reason),
        Submitted::Unknown => Answer::Silence,
    }
}

/// Sends transactions to a node's JSON-RPC port as one batch; what is said to each.
pub async fn send_batch(node: &RpcClient, batch: &[Signed]) -> Vec<Answer> {
    let raws: Vec<_> = batch.iter().map(|signed| signed.raw.clone()).collect();
    let Ok(answers) = node.send_raw_transactions(&raws).await else {
        return vec![Answer::Silence; batch.len()];
    };
    let answer = |(signed, answer): (&Signed, Result<_, Error>)| match answer {
        Ok(id) if id == signed.key.1 => Answer::Reached(Name::Transaction(signed.key)),
        Ok(id) => Answer::Refused(format!("{} was answered with {id}", signed.key.1)),
        Err(Error::Refused {
            reason: Some(reason),
            ..
        }) => Answer::Refused(reason.text().to_owned()),
        Err(error) => Answer::Refused(error.to_string()),
    };
    batch.iter().zip(answers).map(answer).collect()
}

/// What a node knows of something.
///
/// # Errors
/// It does not answer.
pub async fn progress(node: &RpcClient, name: &Name) -> Result<Option<Progress>, Error> {
    Ok(match name {
        Name::Transaction((_, id)) => {
            let status = node.transaction_status(*id).await?;
            status.map(|status| status.progress)
        }
        Name::Bundle(hash) => {
            let status = node.bundle_status(*hash).await?;
            status.map(|status| status.progress)
        }
    })
}
