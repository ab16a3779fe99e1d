//! A server for network block devices (NBD), read-only: it lends the bytes of a [`ReadAt`] to kernels, virtual
//! machines and programs.
//!
//! The protocol is that of <https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md>: the fixed newstyle
//! handshake with structured replies, `base:allocation`, several connections and TLS. Extended headers are not
//! offered: nothing that is read needs them.
//!
//! A connection has its own threads. Each takes the next request, reads what it asks for straight into its buffer
//! and sends that, so requests are answered on all processors and in any order, and a client that stops reading
//! holds up nobody else.

mod connection;
mod export;
mod fields;
mod handshake;
mod protocol;
mod server;
mod socket;
mod tls;
mod transmission;

pub use connection::converse;
pub use export::Export;
pub use handshake::HandshakeError;
pub use server::{Event, Options, serve};
pub use socket::Listener;
pub use tls::{Tls, TlsError};

#[doc(no_inline)]
pub use fve::ReadAt;
