//! Recovery keys in Active Directory and Samba, over LDAPS.
//!
//! A key is an object below its computer, as Windows stores it, so that Windows' own tools find it. A
//! [`Directory`] is a connection on which somebody has signed in: it [`store`](Directory::store)s a key,
//! [`search`](Directory::search)es for key IDs, [`list`](Directory::list)s what a computer has.
//!
//! ```no_run
//! use directory::{Credentials, Directory, DirectoryAddress};
//! use recovery_key::Secret;
//!
//! let address = DirectoryAddress::parse("ldaps://dc.example.com")?;
//! let credentials =
//!     Credentials { user: "ada@example.com".to_owned(), password: Secret::new("secret".to_owned()) };
//! let mut directory = Directory::open(&address, &credentials, None)?;
//! for entry in directory.search(&"063EA4E1".parse()?)? {
//!     println!("{} {}", entry.computer, entry.key_id);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The connection is always encrypted and the server's certificate always checked. One signs in by
//! password: as a user, or as the computer's own account, which may store keys but not see them. Kerberos
//! is left out because every way to it leads through C libraries.

mod address;
mod connection;
mod dn;
mod error;
mod record;
mod search;
mod tls;

pub use address::{AddressError, Computer, DirectoryAddress};
pub use connection::{Credentials, Directory};
pub use error::DirectoryError;
pub use record::{Entry, NewRecord};
