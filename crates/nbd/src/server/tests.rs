use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use super::*;

/// A server of noise that is stopped when it is dropped.
struct Running {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    turned_away: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, turned_away) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (asked, counted) = (stop.clone(), turned_away.clone());
        let thread = thread::spawn(move || {
            let export = Export::new("", "", Arc::new(noise()));
            let watch = move |event: Event<'_>| {
                if matches!(event, Event::TooMany | Event::TurnedAway(HandshakeError::OtherProtocol)) {
                    counted.fetch_add(1, Ordering::SeqCst);
                }
            };
            let asked = || asked.load(Ordering::SeqCst);
            serve(&Listener::Tcp(listener), export, options, &asked, watch).expect("served");
        });
        Self { address, stop, turned_away, thread: Some(thread) }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).expect("a connection")
    }

    /// Connects and begins to read, in the way of old.
    fn open(&self) -> TcpStream {
        let mut stream = self.connect();
        stream.read_exact(&mut [0; 18]).expect("a greeting");
        stream.write_all(b"\0\0\0\x03IHAVEOPT\0\0\0\x01\0\0\0\0").expect("listened to");
        stream.read_exact(&mut [0; 10]).expect("an export");
        stream
    }

    fn wait(mut self) {
        self.thread.take().expect("a thread").join().expect("no panic");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no panic");
        }
    }
}

fn noise() -> Vec<u8> {
    (0..4_u32 << 20).map(|n| n.wrapping_mul(0x9e37_79b9).to_be_bytes()[0]).collect()
}

fn ask(stream: &mut TcpStream, cookie: u64, offset: u64, length: u32) {
    let mut request = b"\x25\x60\x95\x13\0\0\0\0".to_vec();
    request.extend(cookie.to_be_bytes());
    request.extend(offset.to_be_bytes());
    request.extend(length.to_be_bytes());
    stream.write_all(&request).expect("listened to");
}

/// Returns the cookie of the next reply, and its data.
fn hear(stream: &mut TcpStream, length: usize) -> (u64, Vec<u8>) {
    let mut header = [0; 16];
    stream.read_exact(&mut header).expect("a reply");
    assert_eq!(header[..8], *b"\x67\x44\x66\x98\0\0\0\0");
    let mut data = vec![0; length];
    stream.read_exact(&mut data).expect("its data");
    (u64::from_be_bytes(header[8..].try_into().expect("8 bytes")), data)
}

#[test]
fn many_requests_of_one_client_are_all_answered() {
    let running = Running::start(Options::default());
    let mut stream = running.open();
    for cookie in 0..64 {
        ask(&mut stream, cookie, cookie * 65_000, 50_000);
    }
    let noise = noise();
    let mut cookies: Vec<_> = (0..64)
        .map(|_| {
            let (cookie, data) = hear(&mut stream, 50_000);
            let start = cookie as usize * 65_000;
            assert!(data == noise[start..start + 50_000]);
            cookie
        })
        .collect();
    cookies.sort_unstable();
    assert_eq!(cookies, (0..64).collect::<Vec<_>>());
}

#[test]
fn a_client_that_stalls_holds_up_nobody_else() {
    let running = Running::start(Options::default());
    let mut stalled = running.open();
    for cookie in 0..100 {
        ask(&mut stalled, cookie, 0, 1 << 20);
    }
    let _silent = running.connect();
    let mut other = running.open();
    ask(&mut other, 7, 100, 1000);
    assert!(hear(&mut other, 1000) == (7, noise()[100..1100].to_vec()));
}

#[test]
fn it_stops_although_clients_are_there() {
    let running = Running::start(Options::default());
    let mut clients = [running.connect(), running.open()];
    drop(running);
    for client in &mut clients {
        // Closed or reset: it is over.
        while client.read(&mut [0; 100]).is_ok_and(|length| length > 0) {}
    }
}

#[test]
fn once_is_until_the_last_of_the_first_clients_has_gone() {
    let running = Running::start(Options { once: true, ..Options::default() });
    drop(running.connect());
    let (one, two) = (running.open(), running.open());
    drop(one);
    let mut two = two;
    ask(&mut two, 1, 0, 512);
    hear(&mut two, 512);
    drop(two);
    running.wait();
}

#[test]
fn too_many_clients_are_turned_away() {
    let running = Running::start(Options::default());
    let clients: Vec<_> = (0..MAX_CONNECTIONS).map(|_| running.open()).collect();
    let mut more = running.connect();
    assert!(!more.read(&mut [0; 18]).is_ok_and(|length| length > 0));
    assert_eq!(running.turned_away.load(Ordering::SeqCst), 1);
    drop(clients);
    // The next one has room as soon as they are seen to be gone.
    while !running.connect().read(&mut [0; 18]).is_ok_and(|length| length > 0) {}
}

#[test]
fn nonsense_ends_the_connection() {
    let running = Running::start(Options::default());
    let mut stream = running.connect();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("listened to");
    while stream.read(&mut [0; 100]).is_ok_and(|length| length > 0) {}
    let mut stream = running.open();
    stream.write_all(&[0x55; 28]).expect("listened to");
    assert!(!stream.read(&mut [0; 100]).is_ok_and(|length| length > 0));
    drop(running);
}
