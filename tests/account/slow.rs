//! Clients that are slow, say too much, or are too many: they are shown out within a bounded time and cost little, and
//! others are served meanwhile.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use lastkey_tests::lastkeyd::Lastkeyd;
use lastkey_tests::visitor::Visitor;
use tokio::net::TcpSocket;

use crate::abuse::{Connection, connection, over};

/// The server gives ten seconds for headers and thirty for a request; a busy machine adds some.
const SHOWN_OUT: Duration = Duration::from_secs(100);
/// What an attack may add to the server's memory.
const MEMORY: u64 = 96 << 20;

fn address(server: &Lastkeyd) -> String {
    server.host().replace("localhost", "127.0.0.1")
}

/// Reads until the other side closes; what came is returned.
fn until_shown_out(stream: &mut (impl Read + ?Sized), what: &str) -> Vec<u8> {
    let (mut all, mut piece, started) = (Vec::new(), [0; 4096], Instant::now());
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return all,
            Ok(length) => all.extend(&piece[..length]),
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                panic!("{what} is not shown out");
            }
            // Closed without a word of TLS, or while there was still something to read.
            Err(_) => return all,
        }
        assert!(started.elapsed() < SHOWN_OUT, "{what} is not shown out");
    }
}

/// Memory that the server has had at most, in bytes.
fn peak(server: &Lastkeyd) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() << 10
}

/// Connects from another address of this computer.
fn connect_from(source: Ipv4Addr, to: &str) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((source, 0))).unwrap();
        socket.connect(to.parse().unwrap()).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream
}

/// Asks how the server is, on a connection of its own.
fn is_served(mut stream: Connection, host: &str) -> bool {
    let asked = write!(stream, "GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    let _ = asked.and_then(|()| stream.read_to_end(&mut answer));
    answer.starts_with(b"HTTP/1.1 200")
}

/// The head of a form with so many bytes.
fn form(host: &str, length: &str) -> String {
    format!(
        "POST /sign-in/enter HTTP/1.1\r\nHost: {host}\r\nOrigin: https://{host}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n{length}\r\n"
    )
}

#[test]
fn who_is_slow_is_shown_out_and_others_are_served() {
    let server = Lastkeyd::start(&[]);
    let (address, host, certificate) = (address(&server), server.host(), server.certificate());
    let secured = |begun: &str| {
        let mut stream = connection(&address, "localhost", &certificate);
        stream.write_all(begun.as_bytes()).and_then(|()| stream.flush()).unwrap();
        stream
    };
    let record = format!("POST /api/v1/records HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n\r\nhe");
    let begun = [
        ("who says half a line", "GET / HT".to_owned()),
        ("who says half a head", format!("GET / HTTP/1.1\r\nHost: {host}\r\nX-More: ")),
        ("who never ends a form", form(&host, "Content-Length: 1000\r\n") + "name=A"),
        ("who never ends a piece of a form", form(&host, "Transfer-Encoding: chunked\r\n") + "400\r\nname=A"),
        ("who never ends a record", record),
    ];
    let mut slow: Vec<(&str, Box<dyn Read + Send>)> = Vec::new();
    for _ in 0..20 {
        for (what, begun) in &begun {
            slow.push((what, Box::new(secured(begun))));
        }
        let plain = TcpStream::connect(&address).unwrap();
        plain.set_read_timeout(Some(SHOWN_OUT)).unwrap();
        slow.push(("who does not even begin TLS", Box::new(plain)));
        let mut silent = connection(&address, "localhost", &certificate);
        silent.conn.complete_io(&mut silent.sock).unwrap();
        slow.push(("who begins TLS and says nothing", Box::new(silent)));
    }
    // The preface of HTTP/2 and empty settings, and not even an answer to the server's own.
    for _ in 0..20 {
        let stream = TcpStream::connect(&address).unwrap();
        let mut idle = over(stream, "localhost", &certificate, &[b"h2"]);
        idle.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
        idle.flush().unwrap();
        assert_eq!(idle.conn.alpn_protocol(), Some(&b"h2"[..]));
        slow.push(("who speaks HTTP/2 and asks nothing", Box::new(idle)));
    }
    let mut plain = TcpStream::connect(&address).unwrap();
    plain.set_read_timeout(Some(SHOWN_OUT)).unwrap();
    plain.write_all(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).unwrap();
    slow.push(("who does not speak TLS", Box::new(plain)));

    // A byte now and then does not make a request of it either.
    let mut trickle = secured(&(form(&host, "Content-Length: 1000\r\n") + "name=A"));
    let trickling = thread::spawn(move || {
        let started = Instant::now();
        while trickle.write_all(b"a").and_then(|()| trickle.flush()).is_ok() {
            assert!(started.elapsed() < SHOWN_OUT, "who says a byte now and then is not shown out");
            thread::sleep(Duration::from_millis(300));
        }
    });

    assert_eq!(Visitor::new(&server).get("/").status, 200);
    // They are shown out by the server, not by us, and nobody got a page for it.
    for (what, mut stream) in slow {
        let said = until_shown_out(&mut *stream, what);
        assert!(!said.starts_with(b"HTTP/1.1 200"), "{what}: {}", String::from_utf8_lossy(&said));
    }
    trickling.join().unwrap();
    assert_eq!(Visitor::new(&server).get("/").status, 200);
}

#[test]
fn who_does_not_read_costs_no_memory() {
    let server = Lastkeyd::start(&[]);
    let (address, host) = (address(&server), server.host());
    assert_eq!(Visitor::new(&server).get("/").status, 200);
    let before = peak(&server);
    let ask = format!("GET /api/v1/openapi.json HTTP/1.1\r\nHost: {host}\r\n\r\n").repeat(100);
    let mut deaf = Vec::new();
    for _ in 0..20 {
        let mut stream = connection(&address, "localhost", &server.certificate());
        stream.sock.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        // Until nobody takes any more of it: who does not read is not listened to.
        for _ in 0..50 {
            if stream.write_all(ask.as_bytes()).and_then(|()| stream.flush()).is_err() {
                break;
            }
        }
        deaf.push(stream);
        assert_eq!(Visitor::new(&server).get("/").status, 200);
    }
    let added = peak(&server) - before;
    assert!(added < MEMORY, "{added} bytes for 20 who do not read");
    // Nor do they keep their place for good.
    let started = Instant::now();
    while sockets(&server) > 5 {
        assert!(started.elapsed() < SHOWN_OUT, "who does not read is not shown out: {}", sockets(&server));
        thread::sleep(Duration::from_millis(100));
    }
}

/// How many sockets the server has open: with those that it listens at.
fn sockets(server: &Lastkeyd) -> usize {
    let open = fs::read_dir(format!("/proc/{}/fd", server.id())).unwrap();
    let files = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    files.filter(|file| file.to_str().is_some_and(|name| name.starts_with("socket:"))).count()
}

#[test]
fn a_body_that_is_larger_than_any_is_refused_and_costs_no_memory() {
    let server = Lastkeyd::start(&[]);
    let (address, host, certificate) = (address(&server), server.host(), server.certificate());
    assert_eq!(Visitor::new(&server).get("/").status, 200);
    let before = peak(&server);
    let record = |length: &str| format!("POST /api/v1/records HTTP/1.1\r\nHost: {host}\r\n{length}\r\n");
    let heads = ["Content-Length: 100000000000\r\n", "Transfer-Encoding: chunked\r\n"]
        .map(|length| [form(&host, length), record(length)])
        .concat();
    thread::scope(|scope| {
        for head in heads.iter().cycle().take(16) {
            let (address, certificate) = (&address, &certificate);
            scope.spawn(move || {
                let started = Instant::now();
                let mut stream = connection(address, "localhost", certificate);
                stream.write_all(head.as_bytes()).unwrap();
                let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
                let mut taken = 0;
                while taken < 256 && stream.write_all(chunk.as_bytes()).is_ok() {
                    taken += 1;
                }
                // It is what the system keeps for both sides, not what the server has listened to.
                assert!(taken < 256, "16 MiB were taken: {head}");
                let mut answer = [0; 12];
                if stream.read_exact(&mut answer).is_ok() {
                    assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 413", "{head}");
                }
                assert!(started.elapsed() < SHOWN_OUT, "{head}");
            });
        }
    });
    let added = peak(&server) - before;
    assert!(added < MEMORY, "{added} bytes for 16 large bodies");

    // One byte more than there may be, said in advance and all of it sent: refused in words.
    let limit = lastkeyd::gate::BODY_LIMIT;
    for (length, status) in [(limit, "HTTP/1.1 401"), (limit + 1, "HTTP/1.1 413")] {
        let mut stream = connection(&address, "localhost", &certificate);
        write!(stream, "{}", record(&format!("Content-Length: {length}\r\n"))).unwrap();
        let _ = stream.write_all(&vec![b'x'; length]).and_then(|()| stream.flush());
        let mut answer = [0; 12];
        match stream.read_exact(&mut answer) {
            Ok(()) => assert_eq!(String::from_utf8_lossy(&answer), status, "{length}"),
            // Closed while we were still speaking.
            Err(error) => assert!(length > limit, "{length}: {error}"),
        }
    }

    // Headers without end.
    let mut stream = connection(&address, "localhost", &certificate);
    write!(stream, "GET / HTTP/1.1\r\nHost: {host}\r\n").unwrap();
    let line = format!("X-Much: {}\r\n", "x".repeat(8000));
    let said = (0..1000).take_while(|_| stream.write_all(line.as_bytes()).is_ok()).count();
    assert!(said < 1000, "headers of 8 MB were listened to");
    assert_eq!(Visitor::new(&server).get("/").status, 200);
}

#[test]
fn one_address_cannot_hold_all_connections() {
    let server = Lastkeyd::start(&[]);
    let (address, host, certificate) = (address(&server), server.host(), server.certificate());
    // Each is in the middle of a request: the server has begun to read what it says.
    let hold = || -> io::Result<Connection> {
        let mut stream = connection(&address, "localhost", &certificate);
        write!(stream, "{}", form(&host, "Content-Length: 1000\r\nExpect: 100-continue\r\n"))?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer)?;
        assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 100");
        Ok(stream)
    };
    let held: Vec<_> = (0..600).map_while(|_| hold().ok()).collect();
    assert!((64..600).contains(&held.len()), "one address holds {} connections", held.len());
    let other = connect_from(Ipv4Addr::new(127, 0, 0, 2), &address);
    assert!(is_served(over(other, "localhost", &certificate, &[]), &host), "another address is kept out");
    // What one has held is free again when they go.
    drop(held);
    let until = Instant::now() + SHOWN_OUT;
    while !is_served(connection(&address, "localhost", &certificate), &host) {
        assert!(Instant::now() < until, "the address is still kept out");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Reads one answer on a connection that goes on.
fn answer(stream: &mut Connection) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    stream.read_exact(&mut vec![0; length.parse().unwrap()]).unwrap();
    head
}

#[test]
fn who_is_refused_while_the_form_is_on_its_way_hears_it_and_may_go_on() {
    let server = Lastkeyd::start(&[]);
    let host = server.host();
    let mut stream = connection(&address(&server), "localhost", &server.certificate());
    // By nobody who is signed in, to a name that is not the server's, to what takes no form.
    let refused = [
        ("/keys/0/reveal", &*host, "303"),
        ("/sign-in/enter", "evil.example", "403"),
        ("/healthz", &host, "405"),
    ];
    for (path, host, status) in refused {
        let head = form(host, "Content-Length: 8\r\n").replace("/sign-in/enter", path);
        write!(stream, "{head}").unwrap();
        stream.flush().unwrap();
        thread::sleep(Duration::from_millis(300));
        write!(stream, "reason=x").unwrap();
        let told = answer(&mut stream);
        assert!(told.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {told}");
    }
    assert!(is_served(stream, &host));
}
