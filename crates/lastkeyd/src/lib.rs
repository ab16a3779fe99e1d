//! The account server: keeps recovery keys that it cannot open by itself.
//!
//! What is kept is sealed to its owner's key, and that key is kept only under what the owner has: a password, a
//! passkey, a printed code. So the server can open a record only while it answers a request that carries one of
//! them; before and after, nothing in its memory or on its disks opens anything.

mod answer;
pub mod api;
pub mod app;
pub mod audit;
pub mod cli;
pub mod commands;
pub mod config;
mod connections;
pub mod error;
pub mod gate;
mod log;
mod notices;
pub mod portal;
mod private;
pub mod routes;
mod serve;
pub mod sign_in;
pub mod store;
mod tls;

#[cfg(test)]
mod tests;
