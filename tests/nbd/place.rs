//! Where the server is, for how long, and what it leaves behind.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use fve::{Method, SectorSize};
use lastkey_tests::made::Form;
use lastkey_tests::program;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::server::{Server, client, has_clients, must};

/// A small drive and the file that opens it.
pub fn drive() -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let (method, sector_size) = (Method::AesXts128, SectorSize::B512);
    let form = Form { method, sector_size, to_go: false, inside: "NTFS", password: "Grüße 1" };
    let path = form.make(folder.path()).path;
    let bek = folder.path().join("key.BEK");
    (folder, path, bek)
}

/// Runs the server where it cannot be; returns exit code and what it says.
fn refused(arguments: &[&str], drive: &Path, bek: &Path) -> (Option<i32>, String) {
    let mut command = program::lastkey();
    let command = command.arg("nbd").arg(drive).arg("--bek").arg(bek).args(arguments).stdin(Stdio::null());
    let output = command.output().expect("the program");
    assert!(output.stdout.is_empty());
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn a_socket_of_its_own_lets_in_only_its_owner_and_is_gone_afterwards() {
    let (_folder, drive, bek) = drive();
    for signal in [Signal::INT, Signal::TERM] {
        let mut server = Server::start(&[&drive, &"--bek", &bek]);
        let socket = server.socket();
        let own = socket.parent().expect("a folder");
        assert_eq!((mode(own), mode(&socket)), (0o700, 0o600));
        let _client = UnixStream::connect(&socket).expect("a connection");
        assert_eq!(server.end(signal), (Some(0), String::new()));
        assert!(!own.exists());
    }
}

#[test]
fn a_socket_takes_only_the_place_of_one_that_is_dead() {
    let (folder, drive, bek) = drive();
    let socket = folder.path().join("sö cket");
    drop(UnixListener::bind(&socket).expect("a socket"));
    assert!(socket.exists());
    let mut server = Server::start(&[&drive, &"--bek", &bek, &"--socket", &socket]);
    assert!(server.uri.ends_with("s%C3%B6%20cket"), "{}", server.uri);
    assert_eq!(mode(&socket), 0o600);
    if has_clients() {
        assert_eq!(must("nbdinfo", &[&"--size", &server.uri]).trim(), (0xe_0000).to_string());
    }
    let path = socket.to_str().expect("plain text");
    let (code, said) = refused(&["--socket", path], &drive, &bek);
    assert!(code == Some(11) && said.contains("another program listens there"), "{said}");
    assert_eq!(server.end(Signal::TERM).0, Some(0));
    assert!(!socket.exists());

    fs::write(&socket, "a file").expect("a file");
    let (code, said) = refused(&["--socket", path], &drive, &bek);
    assert!(code == Some(11) && said.contains("is no socket"), "{said}");
    assert_eq!(fs::read(&socket).expect("the file"), b"a file");
    let missing = folder.path().join("missing/socket");
    assert_eq!(refused(&["--socket", missing.to_str().expect("plain")], &drive, &bek).0, Some(12));
    let long = folder.path().join("x".repeat(120));
    let (code, said) = refused(&["--socket", long.to_str().expect("plain")], &drive, &bek);
    assert!(code == Some(2) && said.contains("too long for a socket"), "{said}");
}

#[test]
fn what_somebody_else_put_in_the_sockets_place_stays() {
    let (folder, drive, bek) = drive();
    let socket = folder.path().join("socket");
    let mut server = Server::start(&[&drive, &"--bek", &bek, &"--socket", &socket]);
    fs::remove_file(&socket).expect("it is there");
    fs::write(&socket, "another").expect("a file");
    assert_eq!(server.end(Signal::TERM).0, Some(0));
    assert_eq!(fs::read(&socket).expect("the file"), b"another");
}

#[test]
fn once_is_until_the_first_client_has_gone() {
    let (folder, drive, bek) = drive();
    if !has_clients() {
        return;
    }
    let mut server = Server::start(&[&drive, &"--bek", &bek, &"--once"]);
    let copy = folder.path().join("copy");
    must("nbdcopy", &[&server.uri, &copy]);
    assert_eq!(server.wait(), (Some(0), String::new()));
    assert_eq!(fs::metadata(&copy).expect("a copy").len(), 0xe_0000);
}

#[test]
fn an_address_is_this_computers_own_unless_clients_must_show_who_they_are() {
    let (_folder, drive, bek) = drive();
    for address in ["192.0.2.1:10809", "0.0.0.0", "[::]:10809"] {
        let (code, said) = refused(&["--listen", address], &drive, &bek);
        assert!(code == Some(10) && said.contains("read the drive decrypted"), "{said}");
    }
    let (code, said) = refused(&["--listen", "example.com:1"], &drive, &bek);
    assert!(code == Some(2) && said.contains("127.0.0.1:10809"), "{said}");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let (code, said) = refused(&["--listen", &address], &drive, &bek);
    assert!(code == Some(11) && said.contains("another program listens there"), "{said}");

    let mut server = Server::start(&[&drive, &"--bek", &bek, &"--listen", &"0"]);
    let address = server.document["address"].as_str().expect("an address").to_owned();
    assert!(address.starts_with("127.0.0.1:") && !address.ends_with(":0"), "{address}");
    assert_eq!(server.uri, format!("nbd://{address}/"));
    if has_clients() {
        assert_eq!(must("nbdinfo", &[&"--size", &server.uri]).trim(), (0xe_0000).to_string());
    }
    let (code, said) = server.end(Signal::TERM);
    assert!(code == Some(0) && said.contains("every user of this computer"), "{said}");
}

#[test]
fn clients_that_come_go_or_are_killed_leave_nothing_behind() {
    let (_folder, drive, bek) = drive();
    if !has_clients() {
        return;
    }
    let server = Server::start(&[&drive, &"--bek", &bek]);
    let before = server.load();
    let socket = server.socket();
    // Some say nothing, some the beginning of something, some go in the middle of a reply.
    for number in 0..200 {
        let mut stream = UnixStream::connect(&socket).expect("a connection");
        stream.read_exact(&mut [0; 18]).expect("a greeting");
        let all = b"\0\0\0\x03IHAVEOPT\0\0\0\x01\0\0\0\0\x25\x60\x95\x13\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0e\0\0";
        stream.write_all(&all[..number % (all.len() + 1)]).expect("listened to");
    }
    server.settles_at(before);
    thread::scope(|scope| {
        for _ in 0..4 {
            let uri = &server.uri;
            scope.spawn(move || (0..50).for_each(|_| drop(must("nbdinfo", &[&"--size", uri]))));
        }
    });
    server.settles_at(before);
    for _ in 0..10 {
        drop(greedy(&socket, before, &server));
    }
    // One is killed while it copies.
    let mut command = Command::new("nbdcopy");
    let mut copy = command.args([&server.uri, "-"]).stdout(Stdio::piped()).spawn().expect("nbdcopy");
    copy.stdout.as_mut().expect("piped").read_exact(&mut [0; 512]).expect("the first sector");
    copy.kill().expect("it runs");
    copy.wait().expect("it ends");
    server.settles_at(before);
    assert!(client("nbdinfo", &[&"--size", &server.uri]).status.success());
}

/// Connects and asks for much more than it takes; returns once the server has begun to answer.
fn greedy(socket: &Path, before: (usize, usize), server: &Server) -> UnixStream {
    let mut stream = UnixStream::connect(socket).expect("a connection");
    stream.write_all(b"\0\0\0\x03IHAVEOPT\0\0\0\x01\0\0\0\0").expect("listened to");
    stream.read_exact(&mut [0; 28]).expect("a greeting and an export");
    for _ in 0..20 {
        let request = b"\x25\x60\x95\x13\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0e\0\0";
        stream.write_all(request).expect("listened to");
    }
    stream.read_exact(&mut [0; 100]).expect("the beginning of a reply");
    assert!(server.load() > before);
    stream
}

#[test]
fn a_client_that_takes_nothing_holds_up_neither_others_nor_the_end() {
    let (folder, drive, bek) = drive();
    if !has_clients() {
        return;
    }
    let mut server = Server::start(&[&drive, &"--bek", &bek]);
    let load = server.load();
    let _stalled: Vec<_> = (0..5).map(|_| greedy(&server.socket(), load, &server)).collect();
    let copy = folder.path().join("copy");
    must("nbdcopy", &[&server.uri, &copy]);
    assert_eq!(fs::metadata(&copy).expect("a copy").len(), 0xe_0000);
    assert_eq!(server.end(Signal::TERM), (Some(0), String::new()));
}
