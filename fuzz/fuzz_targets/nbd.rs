//! A client of `lastkey nbd`: what it agrees on with the server, then what it asks for.

#![no_main]

use std::io;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use nbd::{Export, converse};

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let said = if first % 2 == 0 { rest.to_vec() } else { conversation(rest) };
    let export = Export::new("drive", "a drive", Arc::new(vec![0x5a; 0x1_0000]));
    let _ = converse(&export, &*said, io::sink());
});

/// Puts the magic numbers in front of what is said, without which nobody is listened to: options while a record's
/// first byte is small, requests when it is not.
fn conversation(mut records: &[u8]) -> Vec<u8> {
    let mut said = 3_u32.to_be_bytes().to_vec();
    while let Some((&kind, rest)) = records.split_first() {
        if kind < 0x80 {
            let Some((&length, rest)) = rest.split_first() else { break };
            let (data, rest) = rest.split_at(usize::from(length).min(rest.len()));
            said.extend(b"IHAVEOPT");
            said.extend(u32::from(kind % 16).to_be_bytes());
            said.extend((data.len() as u32).to_be_bytes());
            said.extend(data);
            records = rest;
        } else {
            // Flags, cookie, offset and length are as they come.
            let Some((fields, rest)) = rest.split_first_chunk::<22>() else { break };
            said.extend(0x2560_9513_u32.to_be_bytes());
            said.extend(&fields[..2]);
            said.extend(u16::from(kind % 16).to_be_bytes());
            said.extend(&fields[2..]);
            records = rest;
        }
    }
    said
}
