//! Evidence as it is shown, and whether what is shown is so.

use cloverleaf_api::json::{Evidence, SignedHash};
use cloverleaf_replica::{Misdeed, NotProven};
use cloverleaf_types::{Height, Secp256k1, TrustRoot};

/// Why shown evidence proves nothing to whoever trusts a root.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Doubt {
    /// What is encoded is no evidence.
    #[error("what is encoded is no evidence: {0}")]
    Format(#[from] cloverleaf_types::error::DecodeError),
    /// It was signed for another network than the trusted one.
    #[error("it is of network {found}; trusted is {expected}")]
    Network {
        /// The evidence's.
        found: cloverleaf_types::NetworkId,
        /// The trusted one.
        expected: cloverleaf_types::NetworkId,
    },
    /// It proves nothing to anybody.
    #[error(transparent)]
    NotProven(#[from] NotProven),
    /// The trusted root knows the offender as no validator.
    #[error(
        "{offender} is no validator that the trust root of height {height} knows; take a root of \
         when it was one"
    )]
    Stranger {
        /// Who is accused.
        offender: cloverleaf_types::Address,
        /// The root's height.
        height: Height,
    },
    /// What is said of it is not what is encoded.
    #[error("what it says of itself is not what is encoded")]
    Description,
}

impl Doubt {
    /// The step that failed, in one word.
    pub(crate) const fn step(&self) -> &'static str {
        match self {
            Self::Format(_) => "format",
            Self::Network { .. } => "network",
            Self::NotProven(failed) => failed.step(),
            Self::Stranger { .. } => "validator",
            Self::Description => "description",
        }
    }
}

/// A misdeed as interfaces show it.
pub(crate) fn shown(misdeed: &Misdeed) -> Evidence {
    let signed = misdeed.signatures().into_iter();
    Evidence {
        network: misdeed.network,
        kind: misdeed.kind().name().to_owned(),
        offender: misdeed.offender(),
        height: misdeed.height(),
        slot: misdeed.slot(),
        signed: signed
            .map(|(digest, signature)| SignedHash { digest, signature })
            .collect(),
        encoded: misdeed.encode().into(),
    }
}

/// Checks, from nothing but what is trusted, that a validator did what is shown.
///
/// # Errors
/// The first step that fails.
pub(crate) fn verify(evidence: &Evidence, trust: &TrustRoot) -> Result<Misdeed, Doubt> {
    let misdeed = Misdeed::decode(&evidence.encoded.0)?;
    if misdeed.network != trust.network {
        let (found, expected) = (misdeed.network, trust.network);
        return Err(Doubt::Network { found, expected });
    }
    misdeed.verify(&Secp256k1)?;
    let (offender, height) = (misdeed.offender(), trust.height);
    let is_member = |height| trust.set_at(height).index_of(offender).is_some();
    if !is_member(height) && !is_member(misdeed.height()) {
        return Err(Doubt::Stranger { offender, height });
    }
    if shown(&misdeed) != *evidence {
        return Err(Doubt::Description);
    }
    Ok(misdeed)
}
