//! Bytes from outside are [`Unchecked`]; only a `verify` makes them [`Verified`].

/// A decoded value whose claims nobody has checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unchecked<T>(pub(crate) T);

/// A value whose hashes and signatures were checked on this machine, or that it made itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T>(pub(crate) T);

impl<T> Unchecked<T> {
    /// The value, for routing and reporting: nothing in it is proven.
    #[must_use]
    pub fn claimed(&self) -> &T {
        &self.0
    }
}

impl<T> Verified<T> {
    /// The value.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> core::ops::Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
