//! Records that a device of the account seals so that to look at them would cost whoever does.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use lastkey_tests::lastkeyd::Lastkeyd;
use lastkey_tests::said::Said;
use lastkey_tests::visitor::Visitor;

use crate::device::Device;

const KEY_ID: &str = "3C116B76-C67B-484E-B439-CE2ED68B561E";
/// All of it is refused by its first bytes: not even a slow machine needs that long, and one that does what is asked for
/// needs centuries.
const AT_ONCE: Duration = Duration::from_secs(20);

/// A file of age with these stanzas.
fn file(stanzas: &str) -> Vec<u8> {
    let mac = STANDARD_NO_PAD.encode([7; 32]);
    let mut file = format!("age-encryption.org/v1\n{stanzas}--- {mac}\n").into_bytes();
    file.extend([7; 64]);
    file
}

fn scrypt(work: &str) -> String {
    let (salt, body) = (STANDARD_NO_PAD.encode([7; 16]), STANDARD_NO_PAD.encode([7; 32]));
    format!("-> scrypt {salt} {work}\n{body}\n")
}

fn x25519() -> String {
    let key = STANDARD_NO_PAD.encode([7; 32]);
    format!("-> X25519 {key}\n{key}\n")
}

#[test]
fn headers_that_demand_work_are_refused_without_doing_it() {
    let server = Lastkeyd::start(&[]);
    let mut ada = Visitor::new(&server);
    ada.make_account(&server, "Ada");
    let device = Device::let_in(&mut ada, &server, "laptop");
    let started = Instant::now();
    let mut hostile: Vec<(String, Vec<u8>)> =
        ["18", "30", "63", "65", "255", "18446744073709551616", "-1", ""]
            .iter()
            .flat_map(|work| {
                let hidden = [x25519(), scrypt(work)].concat();
                [(format!("2^{work}"), file(&scrypt(work))), (format!("2^{work} hidden"), file(&hidden))]
            })
            .collect();
    hostile.extend([
        ("10,000 stanzas".to_owned(), file(&"-> x\n\n".repeat(10_000))),
        ("65 recipients".to_owned(), file(&x25519().repeat(65))),
        ("a stanza without end".to_owned(), file(&format!("-> x {}\n\n", "A".repeat(100_000)))),
        (
            "a body without end".to_owned(),
            file(&format!("-> x\n{}", format!("{}\n", "A".repeat(64)).repeat(3000))),
        ),
        ("no recipient".to_owned(), file("-> x\n\n")),
        ("no stanza".to_owned(), file("")),
        ("nothing after the header".to_owned(), file(&x25519())[..120].to_vec()),
    ]);
    for (what, sealed) in &hostile {
        let page = device.post("/api/v1/records", &device.record(KEY_ID, sealed));
        assert_eq!(page.status, 400, "{what}: {}", page.text());
        assert!(page.text().contains("of no use"), "{what}: {}", page.text());
    }
    // What is larger than a record is too large, whatever it is.
    let page = device.post("/api/v1/records", &device.record(KEY_ID, &file(&x25519().repeat(2_800))));
    assert_eq!(page.status, 413, "{}", page.text());

    // Sealed to fewer than it says: the account's key cannot be among them all.
    let mut record = device.record(KEY_ID, &device.seal(b"sealed"));
    let others = (0..2).map(|_| age::x25519::Identity::generate().to_public().to_string());
    record["recipients"].as_array_mut().unwrap().extend(others.map(Into::into));
    let page = device.post("/api/v1/records", &record);
    assert!(page.status == 400 && page.text().contains("fewer recipients"), "{}", page.text());
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());

    // Nothing of it was kept, and what is right is taken as before.
    Said::of(server.command(&["check"])).exits(0).says("0 records");
    device.add(KEY_ID, b"sealed");
    Said::of(server.command(&["check"])).exits(0).says("1 records");
}
