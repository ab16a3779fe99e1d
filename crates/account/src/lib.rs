//! The account as seen from outside: what is said on the wire, sealed records, a device's signed requests.
//!
//! [`record`] is what a device keeps with an account, [`signature`] how it signs what it asks, [`wire`] what is said.
//! On the device, [`place`] keeps what it knows of its accounts and what waits to be sent, and a
//! [`Session`] talks to the server.

mod address;
mod client;
mod log;
pub mod place;
pub mod record;
mod session;
pub mod signature;
mod trust;
pub mod wire;

pub use address::{Address, AddressError};
pub use client::{Client, ClientError, Signer};
pub use log::Alarm;
pub use session::{Answered, Login, Session, device_name};
pub use trust::{Fingerprint, Trust, presented};
