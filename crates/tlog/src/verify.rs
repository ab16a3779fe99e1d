//! Checking proofs, as in RFC 9162, 2.1.3.2 and 2.1.4.2.

use crate::tree::{Hash, node_hash, root_of_nothing};

/// A proof that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refuted {
    /// It is too long or too short for what it is of.
    #[error("the proof does not have the length that it must have")]
    Length,
    /// It leads to another root.
    #[error("the proof leads to another root: the log is not what it was, or the proof is not of it")]
    Root,
}

/// Checks that a leaf with this hash is in the log of `size` leaves with this root.
///
/// # Errors
/// When the proof does not show it.
pub fn verify_inclusion(
    leaf_hash: &Hash,
    leaf: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), Refuted> {
    if leaf >= size {
        return Err(Refuted::Length);
    }
    let (mut place, mut last) = (leaf, size - 1);
    let mut hash = *leaf_hash;
    for beside in proof {
        if last == 0 {
            return Err(Refuted::Length);
        }
        if place % 2 == 1 || place == last {
            hash = node_hash(beside, &hash);
            // Levels on which it is the last without a neighbour add nothing.
            while place % 2 == 0 && place != 0 {
                place /= 2;
                last /= 2;
            }
        } else {
            hash = node_hash(&hash, beside);
        }
        place /= 2;
        last /= 2;
    }
    if last != 0 {
        return Err(Refuted::Length);
    }
    if hash == *root { Ok(()) } else { Err(Refuted::Root) }
}

/// Checks that the log of `to` leaves with the root `to_root` begins with that of `from` leaves.
///
/// # Errors
/// When the proof does not show it.
pub fn verify_consistency(
    from: u64,
    from_root: &Hash,
    to: u64,
    to_root: &Hash,
    proof: &[Hash],
) -> Result<(), Refuted> {
    if from > to {
        return Err(Refuted::Length);
    }
    if from == 0 || from == to {
        let same = from < to || from_root == to_root;
        let nothing = from > 0 || *from_root == root_of_nothing();
        return match (proof.is_empty(), same && nothing) {
            (true, true) => Ok(()),
            (true, false) => Err(Refuted::Root),
            (false, _) => Err(Refuted::Length),
        };
    }
    // Where the old tree is complete its root begins the proof, and is not said in it.
    let (first, rest) = if from.is_power_of_two() {
        (from_root, proof)
    } else {
        proof.split_first().ok_or(Refuted::Length)?
    };
    let (mut place, mut last) = (from - 1, to - 1);
    let skipped = place.trailing_ones();
    place >>= skipped;
    last >>= skipped;
    let (mut old, mut new) = (*first, *first);
    for beside in rest {
        if last == 0 {
            return Err(Refuted::Length);
        }
        if place % 2 == 1 || place == last {
            old = node_hash(beside, &old);
            new = node_hash(beside, &new);
            while place % 2 == 0 && place != 0 {
                place /= 2;
                last /= 2;
            }
        } else {
            new = node_hash(&new, beside);
        }
        place /= 2;
        last /= 2;
    }
    if last != 0 {
        return Err(Refuted::Length);
    }
    if old == *from_root && new == *to_root { Ok(()) } else { Err(Refuted::Root) }
}
