//! Drives that cannot be read everywhere.

use std::fs::File;
use std::io;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fve::ReadAt;
use lastkey_tests::makers::noise;
use nbd::{Export, Listener, Options, serve};
use rustix::process::Signal;

use crate::place::drive;
use crate::server::{Server, client, has_clients, must, qemu_io};

const SIZE: usize = 8 << 20;
/// Every so many bytes there is a sector that cannot be read.
const EVERY: u64 = 1000 * 512;

struct Worn(Vec<u8>);

impl ReadAt for Worn {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let bad = (offset / EVERY + 1) * EVERY - 512;
        if offset < bad + 512 && offset + buf.len() as u64 > bad {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.0.read_at(offset, buf)
    }

    fn size(&self) -> u64 {
        self.0.size()
    }
}

#[test]
fn a_bad_sector_is_an_error_there_and_nowhere_else() {
    if !has_clients() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("socket");
    let listener = Listener::Unix(UnixListener::bind(&socket).expect("a socket"));
    let export = Export::new("", "", Arc::new(Worn(noise(SIZE, 3))));
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    let server = std::thread::spawn(move || {
        serve(&listener, export, Options::default(), &|| asked.load(Ordering::SeqCst), |_| ())
    });
    let uri = format!("nbd+unix:///?socket={}", socket.display());
    // One connection reads beside the bad sectors, over them, and on behind them.
    let mut commands = Vec::new();
    for start in (0..SIZE as u64).step_by(EVERY as usize) {
        let bad = start + EVERY - 512;
        if bad + 512 <= SIZE as u64 {
            commands.push(format!("read {bad} 512"));
            commands.push(format!("read {} 1024", bad - 512));
            commands.push(format!("read {} 512", bad + 512));
        }
        commands.push(format!("read {start} {}", (EVERY - 512).min(SIZE as u64 - start)));
    }
    let (_, said) = qemu_io(&uri, &commands);
    let bad = SIZE / EVERY as usize;
    assert_eq!(said.matches("read failed: Input/output error").count(), 2 * bad, "{said}");
    assert_eq!(said.matches("bytes at offset").count(), commands.len() - 2 * bad, "{said}");
    assert!(!client("nbdcopy", &[&uri, &"null:"]).status.success());
    must("nbdinfo", &[&"--size", &uri]);
    stop.store(true, Ordering::SeqCst);
    server.join().expect("no panic").expect("served");
}

#[test]
fn an_image_that_becomes_shorter_is_read_as_far_as_it_goes_and_the_rest_is_named() {
    let (_folder, drive, bek) = drive();
    if !has_clients() {
        return;
    }
    let mut server = Server::start(&[&drive, &"--bek", &bek]);
    File::options().write(true).open(&drive).expect("the image").set_len(0xd_0000).expect("cut");
    let (good, said) = qemu_io(&server.uri, &["read 0xc0000 0x10000"]);
    assert!(good, "{said}");
    let (_, said) = qemu_io(&server.uri, &["read 0xcf000 0x2000"]);
    assert!(said.contains("Input/output error"), "{said}");
    let (code, said) = server.end(Signal::TERM);
    assert!(code == Some(0) && said.contains(&format!("byte {} cannot be read", 0xd_0000)), "{said}");
}
