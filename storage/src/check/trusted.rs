//! A root that is trusted besides genesis, and that it is on the chain.

use std::cmp::Ordering;

use cloverleaf_types::{Batch, Head, Height, TrustRoot};

/// Validators that have left may lose their keys, and with those a chain can be written that follows from
/// genesis. A root of later binds it: chain 0 must lead to the root's head, and from the root's height
/// on its validators decide.
pub(super) struct Trusted {
    root: TrustRoot,
    /// Where it began, before it followed chain 0.
    from: Height,
    /// Chain 0 has led to where it began.
    is_met: bool,
}

impl Trusted {
    pub(super) fn new(root: TrustRoot) -> Self {
        Self {
            from: root.height,
            is_met: root.control.seq == 0,
            root,
        }
    }

    /// The root, for the heights from its own on.
    pub(super) fn root_at(&self, height: Height) -> Option<&TrustRoot> {
        (height >= self.from).then_some(&self.root)
    }

    /// Takes note of chain 0's next batch.
    pub(super) fn meet(&mut self, batch: &Batch) -> Result<(), String> {
        match batch.header().seq.cmp(&self.root.control.seq) {
            Ordering::Less => Ok(()),
            Ordering::Equal if Head::of(batch.header()) == self.root.control => {
                self.is_met = true;
                Ok(())
            }
            Ordering::Equal => {
                let seq = batch.header().seq;
                Err(format!(
                    "batch {seq} of chain 0 is not the one of the trust root"
                ))
            }
            Ordering::Greater => self.root.follow(batch).map_err(|error| error.to_string()),
        }
    }

    /// Why a chain that ends at a height does not lead to the root.
    pub(super) fn missed(&self, last: Height) -> Option<String> {
        let from = self.from;
        if last < from {
            return Some(format!("it ends before block {from}, which is trusted"));
        }
        let why = || "chain 0 does not lead to the trust root".to_owned();
        (!self.is_met).then(why)
    }
}
