//! What a thief gets who has everything that the server has: its folder, its database, its memory.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lastkey_tests::lastkeyd::Lastkeyd;
use lastkey_tests::visitor::{PASSWORD, Visitor};
use lastkey_tests::{known, real_drives};
use memchr::memmem;

use crate::person::Computer;

const DRIVE: &str = "recovery_password.bin";

/// A server that keeps a real drive's key, whose owner has looked at it and gone: and what only they know.
fn visited() -> Option<(Lastkeyd, Visitor, Vec<String>)> {
    let drives = real_drives()?;
    let server = Lastkeyd::start(&[]);
    let (mut ada, computer) = (Visitor::new(&server), Computer::new());
    let code = ada.make_account(&server, "Ada");
    computer.sign_in(&server, &mut ada);
    computer.back_up(&drives.join(DRIVE)).exits(0);
    let record = ada.first_record();
    let digits = known::DRIVES.iter().find(|drive| drive.file == DRIVE).unwrap().recovery_passwords[0];
    let shown = ada.reveal(&record);
    let groups: Vec<&str> = digits.split('-').collect();
    assert!(
        shown.status == 200 && groups.iter().all(|group| shown.text().contains(group)),
        "{}",
        shown.text()
    );
    // One group of six alone may stand in memory by accident; two together do not.
    let secrets = vec![
        PASSWORD.to_owned(),
        PASSWORD.replace(' ', "+"),
        PASSWORD.replace(' ', "%20"),
        code.clone(),
        code.replace('-', ""),
        digits.to_owned(),
        digits.replace('-', ""),
        format!(">{}<", groups[0]),
        "AGE-SECRET-KEY-1".to_owned(),
    ];
    Some((server, ada, secrets))
}

#[test]
fn nothing_secret_is_left_in_memory_after_signing_out() {
    let Some((server, mut ada, secrets)) = visited() else { return };
    assert_eq!(ada.post("/sign-out", &[]).status, 303);
    assert_eq!(ada.get("/account").status, 303);
    drop(ada);
    // The server hears a moment later that the client has gone, and then lets go of the connection's buffers.
    let started = Instant::now();
    loop {
        let memory = memory_of(server.id());
        // What is public is found by the same search.
        assert!(holds(&memory, b"audit_entries"));
        let Some(secret) = secrets.iter().find(|secret| is_there(&memory, secret)) else { break };
        assert!(started.elapsed() < Duration::from_secs(30), "{secret:?} is in the server's memory");
        sleep(Duration::from_millis(100));
    }
}

/// Whether a secret is in memory. The program's own text has the beginning of an identity in it, and nothing after it.
fn is_there(memory: &[u8], secret: &str) -> bool {
    if secret == "AGE-SECRET-KEY-1" { holds_identity(memory) } else { holds(memory, secret.as_bytes()) }
}

#[test]
fn nothing_that_is_stolen_opens_a_record() {
    let Some((mut server, ada, secrets)) = visited() else { return };
    drop(ada);
    server.kill();
    let mut loot = Vec::new();
    collect(&server.data(), &mut loot);
    assert!(loot.len() >= 4, "database, keys and certificate");
    let all: Vec<u8> = loot.concat();
    assert!(holds(&all, b"age-encryption.org/v1") && holds(&all, b"-----BEGIN PRIVATE KEY"));
    for secret in &secrets {
        for form in [secret.clone(), STANDARD.encode(secret), hex(secret)] {
            assert!(!holds(&all, form.as_bytes()), "{secret:?} is on the disk");
        }
    }
    // Whatever there is of 32 bytes is tried as the key of the record: nothing of it is one.
    let record = sealed_record(&all);
    let identities = windows(&all).map(|window| age_identity(&window));
    let mut tried = 0;
    for identities in chunks(identities, 256) {
        tried += identities.len();
        let opener = sealed::Opener::Identities(identities);
        assert!(sealed::open(&record, &opener).is_err());
    }
    assert!(tried > 1000, "{tried}");

    // A thief with the whole folder runs the server, and is asked for what they do not have.
    server.start_again();
    let mut thief = Visitor::new(&server);
    assert_eq!(thief.get("/account").status, 303);
    let guess = [("name", "Ada"), ("password", "four words that somebody guesses")];
    let page = thief.post("/sign-in/enter", &guess);
    assert!(thief.get("/account").status == 303, "{}", page.text());
}

fn memory_of(process: u32) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let memory = fs::File::open(format!("/proc/{process}/mem")).unwrap();
    let mut all = Vec::new();
    for line in
        maps.lines().filter(|line| line.split_whitespace().nth(1).is_some_and(|mode| mode.starts_with("rw")))
    {
        let (start, end) = line.split_whitespace().next().unwrap().split_once('-').unwrap();
        let [start, end] = [start, end].map(|place| u64::from_str_radix(place, 16).unwrap());
        let mut part = vec![0; usize::try_from(end - start).unwrap()];
        if memory.read_exact_at(&mut part, start).is_ok() {
            all.extend(part);
        }
    }
    all
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    memmem::find(bytes, what).is_some()
}

/// Whether a whole identity is there: its beginning, and 58 letters and digits after it.
fn holds_identity(bytes: &[u8]) -> bool {
    const BEGIN: &[u8] = b"AGE-SECRET-KEY-1";
    memmem::find_iter(bytes, BEGIN).any(|place| {
        let rest = bytes.get(place + BEGIN.len()..place + BEGIN.len() + 58);
        rest.is_some_and(|rest| rest.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()))
    })
}

fn collect(folder: &Path, into: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, into);
        } else {
            into.push(fs::read(path).unwrap());
        }
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// The sealed record, cut out of the database's pages: it begins with age's name, and is longer than is needed.
fn sealed_record(all: &[u8]) -> Vec<u8> {
    let begin = memmem::find(all, b"age-encryption.org/v1\n").unwrap();
    all[begin..(begin + 2000).min(all.len())].to_vec()
}

/// The 32 bytes at every fourth place that look random.
fn windows(all: &[u8]) -> impl Iterator<Item = [u8; 32]> {
    let random = |window: &[u8; 32]| {
        let mut seen = [false; 256];
        window.iter().for_each(|byte| seen[usize::from(*byte)] = true);
        seen.iter().filter(|seen| **seen).count() > 26
    };
    all.windows(32).step_by(4).map(|window| window.try_into().unwrap()).filter(random).take(4000)
}

fn age_identity(bytes: &[u8; 32]) -> age::x25519::Identity {
    let text =
        bech32::encode::<bech32::Bech32>(bech32::Hrp::parse("age-secret-key-").unwrap(), bytes).unwrap();
    text.to_uppercase().parse().unwrap()
}

fn chunks<T>(mut items: impl Iterator<Item = T>, size: usize) -> impl Iterator<Item = Vec<T>> {
    std::iter::from_fn(move || {
        let chunk: Vec<T> = items.by_ref().take(size).collect();
        (!chunk.is_empty()).then_some(chunk)
    })
}
