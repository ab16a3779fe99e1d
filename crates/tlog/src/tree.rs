//! The hashes of a tree, and how it grows.

use sha2::{Digest, Sha256};

/// The hash of an entry, or of what stands under a node: SHA-256.
pub type Hash = [u8; 32];

/// Returns the hash of an entry.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

/// Returns the hash of a node over its two halves.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// Returns the root of a log without entries.
#[must_use]
pub fn root_of_nothing() -> Hash {
    Sha256::digest([]).into()
}

/// A complete subtree: that of the leaves from `place << level` to, and without, `(place + 1) << level`.
///
/// Once its hash is known it never changes, however much the log grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// How many levels are below it: 0 is a leaf.
    pub level: u8,
    /// Which it is of its level, from 0.
    pub place: u64,
}

/// Returns the complete subtrees that leaves from `start` to `end` consist of, from left to right.
///
/// `start` must be a multiple of a power of two that is not smaller than the run is long, as all runs are that a
/// root or a proof is made of.
pub(crate) fn subtrees(start: u64, end: u64) -> Vec<Node> {
    let length = end - start;
    let mut nodes = Vec::with_capacity(length.count_ones() as usize);
    let mut at = start;
    for level in (0..64_u8).rev().filter(|level| length >> level & 1 == 1) {
        nodes.push(Node { level, place: at >> level });
        at += 1 << level;
    }
    nodes
}

/// Folds the hashes of [`subtrees`] into that of the whole run.
pub(crate) fn fold(hashes: impl DoubleEndedIterator<Item = Hash>) -> Option<Hash> {
    hashes.rev().reduce(|right, left| node_hash(&left, &right))
}

/// The right edge of a tree: all that is needed to let it grow and to know its root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    // One for each bit that is set in `size`, from the highest.
    hashes: Vec<Hash>,
}

impl Edge {
    /// Takes up a tree of so many leaves. `hashes` are those of the nodes of [`crate::Plan::root`], in that order.
    ///
    /// Returns nothing when there are too few of them or too many, or more leaves than a database can number.
    #[must_use]
    pub fn new(size: u64, hashes: Vec<Hash>) -> Option<Self> {
        let fits = i64::try_from(size).is_ok() && hashes.len() == size.count_ones() as usize;
        fits.then_some(Self { size, hashes })
    }

    /// Returns the number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the root.
    #[must_use]
    pub fn root(&self) -> Hash {
        fold(self.hashes.iter().copied()).unwrap_or_else(root_of_nothing)
    }

    /// Returns the complete subtrees on the edge, with their hashes, from left to right.
    pub fn nodes(&self) -> impl Iterator<Item = (Node, Hash)> {
        subtrees(0, self.size).into_iter().zip(self.hashes.iter().copied())
    }

    /// Adds a leaf, and tells `complete` each subtree that is complete with it: the leaf first, then upwards.
    pub fn push(&mut self, leaf: Hash, mut complete: impl FnMut(Node, Hash)) {
        let place = self.size;
        self.size += 1;
        let mut hash = leaf;
        let mut node = Node { level: 0, place };
        complete(node, hash);
        // A right half completes what is above it.
        while node.place % 2 == 1
            && let Some(left) = self.hashes.pop()
        {
            hash = node_hash(&left, &hash);
            node = Node { level: node.level + 1, place: node.place / 2 };
            complete(node, hash);
        }
        self.hashes.push(hash);
    }
}
