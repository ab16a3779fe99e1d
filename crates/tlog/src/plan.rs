//! Which hashes a root or a proof is made of.

use crate::tree::{Hash, Node, fold, root_of_nothing, subtrees};

/// What a root or a proof is made of: each of its hashes is folded from those of complete subtrees.
///
/// Made without any hash at hand, so that a database can be asked for all nodes at once:
///
/// ```
/// use std::collections::HashMap;
/// use tlog::{Edge, Hash, Node, Plan};
///
/// let mut kept: HashMap<Node, Hash> = HashMap::new();
/// let mut edge = Edge::default();
/// for entry in ["one", "two", "three"] {
///     edge.push(tlog::leaf_hash(entry.as_bytes()), |node, hash| drop(kept.insert(node, hash)));
/// }
/// let proof = Plan::inclusion(1, 3)?.carry_out(|node| kept.get(&node).copied()).ok_or("a node is missing")?;
/// tlog::verify_inclusion(&tlog::leaf_hash(b"two"), 1, 3, &proof, &edge.root())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    hashes: Vec<Vec<Node>>,
}

/// What was asked for is not in a log of that size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log has {size} entries: there is nothing at {asked}")]
pub struct OutOfRange {
    asked: u64,
    size: u64,
}

impl Plan {
    /// Of the root of a tree of so many leaves: one hash.
    #[must_use]
    pub fn root(size: u64) -> Self {
        Self { hashes: vec![subtrees(0, size)] }
    }

    /// Of the proof that a leaf is in a tree of `size` leaves.
    ///
    /// # Errors
    /// When there is no such leaf.
    pub fn inclusion(leaf: u64, size: u64) -> Result<Self, OutOfRange> {
        if leaf >= size {
            return Err(OutOfRange { asked: leaf, size });
        }
        let mut hashes = Vec::new();
        let (mut start, mut end) = (0, size);
        while end - start > 1 {
            let middle = start + half(end - start);
            if leaf < middle {
                hashes.push(subtrees(middle, end));
                end = middle;
            } else {
                hashes.push(subtrees(start, middle));
                start = middle;
            }
        }
        hashes.reverse();
        Ok(Self { hashes })
    }

    /// Of the proof that a tree of `to` leaves begins with that of `from`.
    ///
    /// With the empty tree every tree begins, and each with itself: both proofs are empty.
    ///
    /// # Errors
    /// When `from` is the larger one.
    pub fn consistency(from: u64, to: u64) -> Result<Self, OutOfRange> {
        if from > to {
            return Err(OutOfRange { asked: from, size: to });
        }
        let mut hashes = Vec::new();
        let (mut start, mut end) = (0, to);
        while from > 0 && from < end {
            let middle = start + half(end - start);
            if from <= middle {
                hashes.push(subtrees(middle, end));
                end = middle;
            } else {
                hashes.push(subtrees(start, middle));
                start = middle;
            }
        }
        // Whoever checks the proof knows the old root: it needs saying only when it is not a part by itself.
        if start > 0 {
            hashes.push(subtrees(start, end));
        }
        hashes.reverse();
        Ok(Self { hashes })
    }

    /// Returns the nodes whose hashes it takes. There are fewer than 64² of them.
    pub fn nodes(&self) -> impl Iterator<Item = Node> {
        self.hashes.iter().flatten().copied()
    }

    /// Makes the root or proof. Returns nothing when a node has no hash.
    pub fn carry_out(&self, hash: impl Fn(Node) -> Option<Hash>) -> Option<Vec<Hash>> {
        let folded = |nodes: &Vec<Node>| {
            let hashes = nodes.iter().map(|&node| hash(node)).collect::<Option<Vec<_>>>()?;
            Some(fold(hashes.into_iter()).unwrap_or_else(root_of_nothing))
        };
        self.hashes.iter().map(folded).collect()
    }
}

/// Returns the largest power of two that is smaller than `length`, which is above 1.
fn half(length: u64) -> u64 {
    1 << (u64::BITS - 1 - (length - 1).leading_zeros())
}
