//! Recovery keys in a real Active Directory domain (Samba), over LDAPS.

use std::time::SystemTime;

use backup::{
    About, BackupError, Content, Destination, DirectoryDestination, Document, ReadBack, Refusal, SaveError,
    SavedCopy, Standing, back_up,
};
use directory::{Computer, Directory, DirectoryAddress, DirectoryError, Entry, NewRecord};
use fve::{Key, Volume};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};
use lastkey_tests::domain::{Domain, Passed, Proxy, domain};
use lastkey_tests::real::named;
use recovery_key::{KeyId, RecoveryPassword, Secret};
use uuid::Uuid;

/// A real drive, and its recovery key as it is to be backed up.
fn drive_and_document() -> Option<(Volume, Document)> {
    let real = named("recovery_password.bin")?;
    let volume = Volume::open(real.source.clone()).expect("a BitLocker volume");
    let unlocked = volume.unlock(&real.key()).expect("its key");
    let found = unlocked.recovery_passwords().pop().expect("a recovery password");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock").as_secs();
    let document = Document {
        drive: About { volume: volume.id(), label: None, now: now as i64 },
        content: Content::RecoveryPassword { key_id: found.id, password: found.secret.expect("its digits") },
    };
    drop(unlocked);
    Some((volume, document))
}

fn destination(domain: &Domain, address: &str, user: &str) -> DirectoryDestination {
    let address = DirectoryAddress::parse(address).expect("an address");
    DirectoryDestination::new(address, domain.credentials(user), Some(domain.ca()))
}

fn key(document: &Document) -> (KeyId, &RecoveryPassword) {
    match &document.content {
        Content::RecoveryPassword { key_id, password } => (*key_id, password),
        _ => panic!("a recovery key"),
    }
}

/// A key of no drive.
fn stray(guid: u128) -> (KeyId, RecoveryPassword) {
    (KeyId::from(Uuid::from_u128(guid)), RecoveryPassword::from_bytes(Secret::new(guid.to_be_bytes())))
}

fn store(
    directory: &mut Directory,
    computer: &str,
    guid: u128,
    created: Zoned,
) -> Result<String, DirectoryError> {
    let (key_id, password) = stray(guid);
    let record = NewRecord { key_id, password: &password, volume: Uuid::from_u128(guid), created };
    directory.store(computer, &record)
}

fn moment(time: &str, minutes: i32) -> Zoned {
    let offset = Offset::from_seconds(minutes * 60).expect("an offset");
    time.parse::<Timestamp>().expect("a time").to_zoned(TimeZone::fixed(offset))
}

/// What the administrator finds below a computer.
fn seen(domain: &Domain, name: &str) -> Vec<Entry> {
    let mut directory = domain.open("administrator");
    let computer = directory.computer(&Computer::Name(name.to_owned())).expect("a computer");
    directory.list(&computer).expect("a list")
}

#[test]
fn a_computer_stores_its_key_and_an_administrator_opens_the_drive_with_it() {
    let (Some(domain), Some((volume, document))) = (domain(), drive_and_document()) else { return };
    let (key_id, _) = key(&document);
    let machine = destination(&domain, &domain.address("PC01"), "pc01");
    machine.check("/dev/null".as_ref()).expect("a computer that may store keys");
    let backup = back_up(&volume, &document, &machine).expect("a stored key");
    let Standing::Stored(why) = &backup.standing else { panic!("{:?}", backup.standing) };
    assert!(why.contains("not see"), "{why}");

    let first_eight = key_id.short().parse().expect("eight digits");
    for blind in ["pc01", "pc02", "alice"] {
        let found = domain.open(blind).search(&first_eight).expect("a search");
        assert!(found.iter().all(|entry| entry.password.is_none()), "{blind} sees a key");
    }
    let found = domain.open("administrator").search(&first_eight).expect("a search");
    let found: Vec<_> = found.into_iter().filter(|entry| entry.computer == "PC01").collect();
    let [entry] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((entry.key_id, entry.volume), (key_id, Some(volume.id())));
    assert_eq!(entry.created.map(|time| time.as_second()), Some(document.drive.now));
    assert!(backup.copy.place.ends_with(&entry.dn), "{} is {}", backup.copy.place, entry.dn);
    let digits = entry.password.as_ref().expect("its digits").expose();
    let password = RecoveryPassword::parse(digits).expect("well-formed digits");
    assert_eq!(volume.prove(&Key::RecoveryPassword(password)).expect("a proof").key_id(), key_id);

    machine.remove(&backup.copy).expect("a computer may delete what it stored");
    machine.remove(&backup.copy).expect_err("it is not its own any more");
    match machine.read_back(&backup.copy) {
        Err(SaveError::Rejected { why, .. }) => assert!(why.contains("not there any more"), "{why}"),
        _ => panic!("it is gone"),
    }
    assert!(seen(&domain, "PC01").is_empty());
}

#[test]
fn who_may_see_keys_gets_a_proven_copy_and_never_a_second_one() {
    let (Some(domain), Some((volume, document))) = (domain(), drive_and_document()) else { return };
    let mut places = Vec::new();
    for expected in [None, Some("already")] {
        let destination = destination(&domain, &domain.address("pc02$"), "administrator");
        let backup = back_up(&volume, &document, &destination).expect("a backup");
        assert!(matches!(&backup.standing, Standing::Proven(proof) if proof.key_id() == key(&document).0));
        let note = destination.finish().expect("an end");
        assert_eq!(note.is_some(), expected.is_some(), "{note:?}");
        assert!(note.unwrap_or_default().contains(expected.unwrap_or_default()));
        places.push(backup.copy.place);
    }
    assert_eq!(places[0], places[1]);
    assert_eq!(seen(&domain, "PC02").len(), 1);
    // A copy that was there before is never taken away, and is read again by its place alone.
    let later = destination(&domain, &places[0], "administrator");
    let copy = SavedCopy { place: places[0].clone(), ..SavedCopy::default() };
    assert!(later.remove(&copy).is_err());
    assert!(matches!(later.read_back(&copy), Ok(ReadBack::Document(_))));
    assert_eq!(seen(&domain, "PC02").len(), 1);
}

#[test]
fn other_digits_under_the_same_key_id_are_left_and_told_of() {
    let (Some(domain), Some((volume, document))) = (domain(), drive_and_document()) else { return };
    let mut directory = domain.open("administrator");
    let computer = directory.computer(&Computer::Name("PC03".to_owned())).expect("a computer");
    let (_, wrong) = stray(3);
    let created = moment("2020-01-01T00:00:00Z", 0);
    let wrong = NewRecord { key_id: key(&document).0, password: &wrong, volume: volume.id(), created };
    let wrong = directory.store(&computer, &wrong).expect("stored");

    let destination = destination(&domain, &domain.address("PC03"), "administrator");
    let backup = back_up(&volume, &document, &destination).expect("a backup");
    assert!(matches!(backup.standing, Standing::Proven(_)));
    let note = destination.finish().expect("an end").expect("a note");
    assert!(note.contains("other digits") && note.contains(&wrong), "{note}");
    assert_eq!(seen(&domain, "PC03").len(), 2);
}

#[test]
fn every_failure_is_said_and_leaves_nothing() {
    let (Some(domain), Some((volume, document))) = (domain(), drive_and_document()) else { return };
    let fails = |address: &str, user: &str| {
        let destination = destination(&domain, address, user);
        match back_up(&volume, &document, &destination).expect_err("a failure") {
            BackupError::Save(error) => error,
            other => panic!("{other}"),
        }
    };
    let address = domain.address("PC04");
    let locked = |user| match fails(&address, user) {
        SaveError::Locked { why, .. } => why,
        other => panic!("{other}"),
    };
    assert!(locked("wrong-password").ends_with("the user name or the password is wrong"));
    assert!(locked("nobody").contains("the directory does not let this user in"));
    assert!(locked("gone").contains("disabled"), "{}", locked("gone"));
    for user in ["alice", "pc05"] {
        assert!(matches!(fails(&address, user), SaveError::NotPermitted { .. }), "{user}");
    }
    for unknown in ["PC99", "CN=PC99,CN=Computers,DC=lastkey,DC=test", "CN=alice,CN=Users,DC=lastkey,DC=test"]
    {
        match fails(&domain.address(unknown), "administrator") {
            SaveError::Rejected { why, .. } => assert!(why.contains("there is no computer"), "{why}"),
            other => panic!("{other}"),
        }
        let refusal = destination(&domain, &domain.address(unknown), "administrator").check("/".as_ref());
        assert!(matches!(refusal, Err(Refusal::Save(SaveError::Rejected { .. }))), "{refusal:?}");
    }
    assert!(seen(&domain, "PC04").is_empty());
}

#[test]
fn a_server_that_cannot_prove_its_name_gets_no_password() {
    let Some(domain) = domain() else { return };
    let open = |address: &str, ca: Option<&str>| {
        let address = DirectoryAddress::parse(address).expect("an address");
        let ca = ca.map(|name| domain.file(name));
        Directory::open(&address, &domain.credentials("administrator"), ca.as_deref())
    };
    let server = domain.address("");
    open(&server, Some("ca.pem")).expect("a trusted server");
    open(&server, Some("ca.cer")).expect("a server trusted by a certificate as Windows exports it");
    match open(&server, Some("other-ca.pem")).expect_err("another authority's") {
        DirectoryError::Certificate(why) => assert!(why.contains("authority"), "{why}"),
        other => panic!("{other}"),
    }
    let own_roots = open(&server, None).expect_err("the system does not trust it");
    assert!(matches!(own_roots, DirectoryError::Certificate(_) | DirectoryError::NoRoots), "{own_roots}");

    let proxy = Proxy::start("127.0.0.2", Passed::everything(), true);
    match open(&proxy.address(""), Some("ca.pem")).expect_err("a name that is not in the certificate") {
        DirectoryError::Certificate(why) => {
            assert!(why.contains("127.0.0.2") && why.contains("localhost"), "{why}");
        }
        other => panic!("{other}"),
    }
    assert!(proxy.passed().0 < 1000, "no more than the start of a conversation went out");
    let plain = format!("ldaps://{}:389", domain.server());
    assert!(matches!(
        open(&plain, Some("ca.pem")),
        Err(DirectoryError::Tls(_) | DirectoryError::Unreachable(_))
    ));
}

#[test]
fn names_carry_their_time_zone_and_are_taken_once() {
    let Some(domain) = domain() else { return };
    let mut directory = domain.open("pc06");
    let computer = directory.computer(&Computer::Name("PC06".to_owned())).expect("a computer");
    let zones =
        [(-480, "17:30:00-08:00"), (0, "01:30:00-00:00"), (60, "02:30:00+01:00"), (345, "07:15:00+05:45")];
    for (number, (minutes, _)) in zones.into_iter().enumerate() {
        let created = moment("2026-01-02T01:30:00Z", minutes);
        let dn = store(&mut directory, &computer, number as u128, created.clone()).expect("stored");
        match store(&mut directory, &computer, number as u128, created) {
            Err(DirectoryError::AlreadyThere(taken)) => assert_eq!(taken, dn),
            other => panic!("{other:?}"),
        }
    }
    let found = seen(&domain, "PC06");
    assert_eq!(found.len(), zones.len());
    for (number, (_, time)) in zones.into_iter().enumerate() {
        let (key_id, password) = stray(number as u128);
        let entry = found.iter().find(|entry| entry.key_id == key_id).expect("its key ID");
        assert!(
            entry.dn.replace("\\2B", "+").replace('\\', "").contains(&format!("{time}{{{key_id}}}")),
            "{}",
            entry.dn
        );
        assert_eq!(entry.created, "2026-01-02T01:30:00Z".parse().ok());
        assert_eq!(entry.has(&password), Some(true));
    }
}

#[test]
fn awkward_names_are_found_in_every_way_they_can_be_written() {
    let (Some(domain), Some((volume, document))) = (domain(), drive_and_document()) else { return };
    let dn = r#"CN=Büro\, \"Süd\" \+ \<1\>,OU=Werk\; Nord \#1,DC=lastkey,DC=test"#;
    let hex = r"CN=B\C3\BCro\2C \22S\C3\BCd\22 \2B \3C1\3E,OU=Werk\3B Nord #1,DC=lastkey,DC=test";
    let mut places = Vec::new();
    for written in ["BÜRO", "büro$", "B%C3%9CRO", dn, hex, &hex.replace(' ', "%20")] {
        let destination = destination(&domain, &domain.address(written), "administrator");
        let backup = back_up(&volume, &document, &destination).unwrap_or_else(|e| panic!("{written}: {e}"));
        assert!(matches!(backup.standing, Standing::Proven(_)), "{written}");
        places.push(backup.copy.place);
    }
    places.dedup();
    assert_eq!(places.len(), 1, "{places:?}");
    let machine = destination(&domain, &domain.address(dn), "awkward");
    let own = back_up(&volume, &document, &machine);
    // Within the same second it has the same name.
    assert!(matches!(own, Ok(_) | Err(BackupError::Save(SaveError::Rejected { .. }))), "{own:?}");
    let found = domain.open("administrator").search(&key(&document).0.into()).expect("a search");
    assert!(found.iter().any(|entry| entry.computer == r#"Büro, "Süd" + <1>"#), "{found:?}");
    // Names are data: no filter is made of them.
    let mut directory = domain.open("administrator");
    for name in ["*", "P*", "PC01)(cn=*", "PC0\\31"] {
        let result = directory.computer(&Computer::Name(name.to_owned()));
        assert!(matches!(result, Err(DirectoryError::NoComputer(_))), "{name}: {result:?}");
    }
}

#[test]
fn a_key_is_found_by_any_start_of_its_key_id_among_many() {
    let Some(domain) = domain() else { return };
    const MANY: u128 = 510;
    let base = u128::from_str_radix("7e57c0de0123456789abcdef00000000", 16).expect("a number");
    let mut directory = domain.open("administrator");
    let computer = directory.computer(&Computer::Name("pc08.lastkey.test".to_owned()));
    let computer =
        computer.or_else(|_| directory.computer(&Computer::Name("PC08".to_owned()))).expect("a computer");
    for number in 0..MANY {
        // Most of them differ in the first group.
        let guid = base ^ number << 96;
        store(&mut directory, &computer, guid, moment("2026-01-01T00:00:00Z", 0)).expect("stored");
    }
    assert_eq!(directory.list(&computer).expect("a list").len(), MANY as usize, "more than one page");
    let (key_id, password) = stray(base);
    let text = key_id.to_string().replace('-', "");
    for digits in [1, 7, 8, 9, 11, 12, 13, 16, 17, 20, 31, 32] {
        let prefix = text[..digits].parse().expect("a start");
        let found = directory.search(&prefix).expect("a search");
        assert!(found.iter().all(|entry| prefix.matches(&entry.key_id)));
        let own: Vec<_> = found.iter().filter(|entry| entry.key_id == key_id).collect();
        assert_eq!(own.len(), 1, "{prefix}");
        assert_eq!(own[0].has(&password), Some(true));
        if digits >= 8 {
            assert_eq!(found.len(), 1, "{prefix}");
        }
    }
    assert!(directory.search(&"00000000-0000-4".parse().expect("a start")).expect("a search").is_empty());
}

/// The connection breaks after more and more of what is asked, or of what is answered. Either the server
/// comes back, or not.
#[test]
fn a_server_that_stops_at_any_moment_leaves_no_false_success() {
    let (Some(domain), Some((volume, document))) = (domain(), drive_and_document()) else { return };
    let run = |proxy: &Proxy| {
        let destination = destination(&domain, &proxy.address("PC09"), "administrator");
        back_up(&volume, &document, &destination)
    };
    let mut directory = domain.open("administrator");
    let mut clear = || {
        let there = seen(&domain, "PC09");
        for entry in &there {
            assert!(directory.delete(&entry.dn).expect("deleted"), "{}", entry.dn);
        }
        there.len()
    };
    let whole = Proxy::start("127.0.0.1", Passed::everything(), true);
    assert!(matches!(run(&whole).expect("a backup").standing, Standing::Proven(_)));
    let (requests, answers) = whole.passed();
    assert_eq!(clear(), 1);
    // Most of what is asked is the key; most of what is answered is the certificate, the rest comes last.
    let cuts = (0..=10).map(|n| (n, requests * n / 10, u64::MAX));
    let cuts = cuts.chain((0..=30).map(|n| (n, u64::MAX, answers - n * 30)));
    let (mut failed, mut proven, mut taken_away) = (0, 0, 0);
    for ((point, requests, answers), returns) in cuts.flat_map(|cut| [(cut, true), (cut, false)]) {
        match run(&Proxy::start("127.0.0.1", Passed::new(requests, answers), returns)) {
            Ok(backup) => {
                assert!(matches!(backup.standing, Standing::Proven(_)));
                assert_eq!(clear(), 1, "a proven copy that is not there: {point} {returns}");
                proven += 1;
            }
            Err(error) => {
                let (left, said) = (clear(), error.to_string());
                let unsure = said.contains("there or not") || said.contains("remove it yourself");
                assert!(left == 0 || unsure && !returns, "{left} left: {point} {returns}: {said}");
                taken_away += usize::from(said.contains("was taken away again"));
                failed += 1;
            }
        }
    }
    assert!(failed > 40 && proven > 0, "{failed} failed, {proven} proven");
    assert!(taken_away > 0, "no cut fell between storing and the answer to it");
}
