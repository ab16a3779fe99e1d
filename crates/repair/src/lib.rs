//! Recovery keys that are damaged.
//!
//! # What makes it possible
//! A recovery key is eight groups of six digits. Each group is a number below 65,536 times eleven
//! (documented by Microsoft), so of a million groups 65,536 exist: a group with one unreadable digit has
//! mostly one value, with two about 9, with three about 91, with all six 65,536. Whether a whole key is
//! the right one only the drive tells: 1,048,576 SHA-256 for each of its recovery keys (see
//! [`fve_crypto::stretch::many`]), then an authenticated decryption, which no other key passes.
//!
//! # What is damaged, and how likely
//! Each damage has a cost, and candidates come by the sum of their costs:
//!
//! | damage | cost |
//! |---|---|
//! | a digit marked as unreadable; a group with plainly too few or too many digits; whole groups missing or too many, wherever | 0 |
//! | a digit read as its look-alike: 1/7, 3/8, 5/6, 6/0, 4/9 | 2 |
//! | two neighbouring digits swapped | 3 |
//! | two neighbouring groups swapped | 3 |
//! | any other wrong digit; two digits swapped across a third; a digit left out or doubled | 4 |
//! | two other groups swapped; one group at a wrong place | 4 |
//! | begun at another group; columns read as lines | 6 |
//! | the groups in any other order | 8 |
//!
//! Up to 4 counts as one slip, and up to three slips are considered, at most two of them in one group. The
//! divisibility rule sees every wrong digit and every swap of neighbours, but only one swap in twelve
//! across a third digit and no swap of groups, so groups that look right are doubted, too.
//!
//! # The parts
//! [`Hints`] is what a person can read. [`Candidates`] is every key it may have been, as one long row of
//! which any place can be computed at once: nothing is stored, and a search can go on where it stopped.
//! [`Search`] tries the row on a drive, on all processors. [`Progress`] is what has to be kept to go on
//! later; no digit is in it. [`Plan`] is how long it will take.
//!
//! Nothing here opens files or asks anybody.

mod candidates;
mod cost;
mod group;
mod hints;
mod order;
mod plan;
mod progress;
mod search;

pub use candidates::Candidates;
pub use cost::MOST_SLIPS;
pub use hints::{GroupState, Hints, HintsError};
pub use plan::Plan;
pub use progress::{OtherSearch, Progress};
pub use search::{Outcome, Search};

/// What stands for a digit that cannot be read.
const UNREADABLE: u8 = 10;
