//! The one type that holds secret bytes.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// A value that must not leak: wiped when dropped, never printed, never copied by accident.
///
/// There is no `Display`, no `Clone`, no `Deref`; `Debug` shows only that something is there. To
/// look at the value say [`expose`](Self::expose), to copy it say [`duplicate`](Self::duplicate):
/// both are easy to find in a review. The value lives on the heap, so moving a `Secret` does not
/// leave copies of it on the stack.
pub struct Secret<T: Zeroize>(Box<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes ownership of a secret value.
    pub fn new(value: T) -> Self {
        Self(Box::new(value))
    }

    /// Returns the value, to be used and not kept.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// Returns the value for writing into it in place.
    pub fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }

    /// Makes a second copy of the secret, which is wiped on its own.
    #[must_use]
    pub fn duplicate(&self) -> Self
    where
        T: Clone,
    {
        Self(self.0.clone())
    }
}

impl<const N: usize> Secret<[u8; N]> {
    /// Copies `bytes`, or returns `None` when they are not exactly `N` long.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == N).then(|| {
            let mut secret = Self(Box::new([0; N]));
            secret.0.copy_from_slice(bytes);
            secret
        })
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Compares in constant time.
impl<const N: usize> PartialEq for Secret<[u8; N]> {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(other.0.as_ref()).into()
    }
}

impl<const N: usize> Eq for Secret<[u8; N]> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new(*b"hunter2")), "Secret(..)");
    }

    #[test]
    fn equality_is_by_value() {
        assert_eq!(Secret::new([1, 2]), Secret::from_slice(&[1, 2]).expect("two bytes"));
        assert_ne!(Secret::new([1, 2]), Secret::new([1, 3]));
        assert!(Secret::<[u8; 2]>::from_slice(&[1]).is_none());
    }
}
