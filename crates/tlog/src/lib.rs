//! Tamper-evident logs: Merkle trees as in RFC 6962, checkpoints and signed notes as in C2SP.
//!
//! A log is a tree of hashes over its entries. Whoever remembers one [`Checkpoint`], its size and root, can later be
//! shown that an entry is in the log ([`verify_inclusion`]) and that nothing before was changed or taken away
//! ([`verify_consistency`]). The keeper of a log keeps the hashes of complete subtrees, each by its [`Node`]: an
//! [`Edge`] says which become complete when entries are added, a [`Plan`] which ones a proof needs.
//!
//! The crate reads no files, keeps no clock and asks no database.

mod checkpoint;
mod note;
mod plan;
mod tree;
mod verify;

pub use checkpoint::Checkpoint;
pub use note::{NOTE_LIMIT, NoteError, NoteSigner, NoteVerifier};
pub use plan::{OutOfRange, Plan};
pub use tree::{Edge, Hash, Node, leaf_hash, node_hash, root_of_nothing};
pub use verify::{Refuted, verify_consistency, verify_inclusion};
