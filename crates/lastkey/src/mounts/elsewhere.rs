//! Where there is no FUSE nothing is ever mounted.

use std::convert::Infallible;
use std::path::Path;

use super::{Wish, not_here};
use crate::failure::Failure;
use crate::inside::Inside;

/// A drive that is shown in a folder: there is none.
pub struct Shown(Infallible);

impl Shown {
    pub fn folder(&self) -> &Path {
        match self.0 {}
    }

    pub fn is_over(&self) -> bool {
        match self.0 {}
    }

    pub fn is_pulled(&self) -> bool {
        match self.0 {}
    }

    pub fn end(self) -> bool {
        match self.0 {}
    }
}

pub fn show(_: &Inside, _: &Path, _: Wish) -> Result<Shown, Failure> {
    Err(not_here())
}
