//! Does what its replica says. It is Byzantine because another machine with the same key does so too.

use super::{Behaviour, Outgoing, Scene};

pub(super) struct Twin;

impl Behaviour for Twin {
    fn instead_of(&mut self, _scene: &Scene<'_>, message: Outgoing) -> Vec<Outgoing> {
        vec![message]
    }
}
