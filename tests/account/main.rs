//! The account as people use it: server, browser, device and a real drive together.

#![allow(clippy::unwrap_used)]

mod abuse;
mod acme;
mod certificates;
mod crash;
mod device;
mod document;
mod export;
mod hostile;
mod logs;
mod operator;
mod packaging;
mod person;
mod running;
mod slow;
mod stolen;
mod story;
mod webhooks;
