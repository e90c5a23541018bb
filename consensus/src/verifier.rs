//! Who signed what, found out once.
//!
//! The core asks for the same signature several times: when a vote arrives, in each certificate
//! that contains it, and again when a decision is certified. A recovery costs about 40 µs, a
//! look-up less than one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cloverleaf_types::{
    Address, B256, CommitCertificate, CommitSignature, Height, NetworkId, Recover, Signature,
    ValidatorSet, VoteKind,
};
use malachite_core_types::CertificateError;

use crate::context::{Candidate, CoreAddress, Ctx};
use crate::message::{Signable, Signed, Vote};

/// Results remembered per generation: four rounds of both votes of 128 validators, for two
/// heights, with room for what certificates bring.
const RESULTS_MAX: usize = 4_096;

/// Results that are remembered in all.
pub(crate) const RESULTS_KEPT_MAX: usize = 2 * RESULTS_MAX;

type Results = BTreeMap<(B256, Signature), Option<Address>>;

/// Recovers signers through an injected function and remembers the results of this height and
/// the one before.
pub(crate) struct Verifier {
    network: NetworkId,
    recover: Arc<dyn Recover>,
    recent: Results,
    older: Results,
}

impl Verifier {
    pub(crate) fn new(network: NetworkId, recover: Arc<dyn Recover>) -> Self {
        Self {
            network,
            recover,
            recent: Results::new(),
            older: Results::new(),
        }
    }

    /// How many results are remembered.
    pub(crate) fn len(&self) -> usize {
        self.recent.len() + self.older.len()
    }

    /// Forgets what was asked before the last height.
    pub(crate) fn turn(&mut self) {
        self.older = core::mem::take(&mut self.recent);
    }

    /// Whether the claimed signer signed.
    pub(crate) fn holds<T: Signable>(&mut self, signed: &Signed<T>) -> bool {
        let digest = signed.message.digest(self.network);
        self.signed_by(digest, signed.signature, signed.message.signer())
    }

    fn signed_by(&mut self, digest: B256, signature: Signature, expected: Address) -> bool {
        let question = (digest, signature);
        let known = self
            .recent
            .get(&question)
            .or_else(|| self.older.get(&question))
            .copied();
        let signer = known.unwrap_or_else(|| self.recover.recover(digest, &signature).ok());
        // A full cache only costs time; a flood must not cost memory.
        if self.recent.len() < RESULTS_MAX {
            self.recent.insert(question, signer);
        }
        signer == Some(expected)
    }

    /// Checks that precommits of more than two thirds of the power, each of another member of the
    /// height's set, decide a value (K3), as whoever gets the certificate will.
    ///
    /// # Errors
    /// What does not hold.
    pub(crate) fn check_certificate(
        &mut self,
        certificate: &CommitCertificate,
        height: Height,
        candidate: &Candidate,
        validators: &ValidatorSet,
    ) -> Result<(), String> {
        if certificate.height != height || certificate.block_hash != candidate.id() {
            return Err("they are for another block".to_owned());
        }
        let vote = |found: &CommitSignature| {
            let voter = validators.get(found.index)?.address;
            let message = Vote {
                height,
                round: certificate.round,
                kind: VoteKind::Precommit,
                block_hash: Some(certificate.block_hash),
                voter,
            };
            let signature = found.signature;
            Some(Signed { message, signature })
        };
        let votes: Option<Vec<_>> = certificate.signatures.iter().map(vote).collect();
        let votes = votes.ok_or("a signer is not in the set")?;
        let enough = |power| validators.is_quorum(power);
        let checked = self.check_votes(&votes, validators, enough);
        checked.map_err(|error| error.to_string())
    }

    /// Checks a certificate's votes: distinct members of the set, each signed, together enough.
    pub(crate) fn check_votes(
        &mut self,
        votes: &[Signed<Vote>],
        validators: &ValidatorSet,
        enough: impl Fn(u64) -> bool,
    ) -> Result<(), CertificateError<Ctx>> {
        let mut power = 0;
        let mut seen = BTreeSet::new();
        for signed in votes {
            let voter = CoreAddress(signed.message.voter);
            if !seen.insert(voter) {
                return Err(CertificateError::DuplicateVote(voter));
            }
            match validators.power_of(voter.0) {
                0 => return Err(CertificateError::UnknownValidator(voter)),
                found => power += found,
            }
        }
        if !enough(power) {
            let (signed, total) = (power, validators.total_power());
            let expected = total * 2 / 3 + 1;
            return Err(CertificateError::NotEnoughVotingPower {
                signed,
                total,
                expected,
            });
        }
        // Signatures last: they are what costs.
        if votes.iter().all(|signed| self.holds(signed)) {
            Ok(())
        } else {
            Err(CertificateError::VerificationError(None))
        }
    }
}
