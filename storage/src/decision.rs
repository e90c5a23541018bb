//! A block without its batches: what was decided about them, and by whom.

use alloy_rlp::{Decodable, RlpDecodable, RlpEncodable};
use cloverleaf_types::batch::BatchHeader;
use cloverleaf_types::cut::cut_hash;
use cloverleaf_types::manifest::bundles_tree;
use cloverleaf_types::merkle::{Branch, Climb};
use cloverleaf_types::{
    CommitCertificate, Cut, DecidedBlock, Head, Header, Height, Manifest, NetworkId,
};

/// Everything of a decided block but its batches.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct Decision {
    /// Commits to all else.
    pub header: Header,
    /// How far each lane went.
    pub cut: Cut,
    /// What decided the block.
    pub certificate: CommitCertificate,
    /// The bundles placed, by index.
    pub manifests: Vec<Manifest>,
}

impl Decision {
    /// The decision about a block.
    pub(crate) fn of(decided: &DecidedBlock) -> Self {
        Self {
            header: decided.block.header.clone(),
            cut: decided.block.cut.clone(),
            certificate: decided.certificate.clone(),
            manifests: decided.block.manifests.clone(),
        }
    }

    /// Reads a whole value.
    pub(crate) fn read(mut value: &[u8]) -> Option<Self> {
        let decision = Self::decode(&mut value).ok()?;
        value.is_empty().then_some(decision)
    }

    /// True if header, cut, certificate and manifests belong to each other, to the network and to
    /// the height. The certificate's signatures were verified before the commit, and are not here.
    pub(crate) fn is_of(&self, network: NetworkId, height: Height) -> bool {
        let header = &self.header;
        header.network == network
            && header.height == height
            && header.hash() == self.certificate.block_hash
            && self.certificate.height == height
            && self.certificate.round >= header.round
            && cut_hash(&self.cut) == header.cut_hash
            && bundles_tree(&self.manifests).root() == header.bundles_root
    }

    /// Climbs branches to the header's `heads_root`, one after the other.
    pub(crate) fn climb<'a>(&self) -> Climb<'a> {
        Climb::to(self.header.heads_root)
    }

    /// True if the branch leads from the head that the batch makes to the header's `heads_root`
    /// (M3).
    pub(crate) fn has_batch(&self, batch: &BatchHeader, branch: &Branch) -> bool {
        self.has_batch_by(batch, branch, &mut self.climb())
    }

    /// The same, where the climb has seen branches of this block.
    pub(crate) fn has_batch_by<'a>(
        &self,
        batch: &BatchHeader,
        branch: &'a Branch,
        climb: &mut Climb<'a>,
    ) -> bool {
        let leaf = Head::of(batch).leaf_hash();
        batch.height == self.header.height && climb.reaches(leaf, branch)
    }
}
