//! The account as people use it: server, browser, device and a real drive together.

#![allow(clippy::unwrap_used)]

mod abuse;
mod acme;
mod certificates;
mod crash;
mod document;
mod export;
mod person;
mod stolen;
mod story;
mod visitor;
mod webhooks;
