//! `lastkey nbd`, as the clients of others see it: libnbd's and QEMU's programs, and a kernel in a virtual machine.

mod clients;
mod damage;
mod kernel;
mod place;
mod server;
mod tls;
