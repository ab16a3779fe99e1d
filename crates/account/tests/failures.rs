//! What a device does when its server is away, is somebody else, or does not tell the truth.

mod stand_in;

use std::sync::{Arc, Mutex};

use account::place::{About, Account, Accounts};
use account::signature::DeviceKey;
use account::wire::{NewRecord, Receipt, Recipient, RecordKind};
use account::{Client, ClientError, Fingerprint, Session, Trust, presented};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use recovery_key::Secret;
use stand_in::{Answer, Asked, SEALED, StandIn, TestLog, entry, problem};
use tempfile::TempDir;

fn key() -> DeviceKey {
    DeviceKey::from_bytes(&Secret::new([7; 32]))
}

fn recipient(name: &str) -> Recipient {
    Recipient { recipient: format!("age1{name}"), name: name.to_owned() }
}

fn record() -> NewRecord {
    NewRecord {
        kind: RecordKind::Snapshot,
        volume: "4967D63B-2E29-4AD8-8399-F6A339E3D001".to_owned(),
        key_id: None,
        drive: "C:".to_owned(),
        proven: 1,
        recipients: vec!["age1ada".to_owned()],
        sealed: STANDARD.encode(SEALED),
    }
}

/// Signs in without asking: to a server with a certificate, whose log has a key.
fn account(server: &StandIn, log_key: &str) -> (TempDir, Account) {
    signed_in(&server.url, &Trust::Pinned(server.certificate.clone()), log_key)
}

fn signed_in(url: &str, trust: &Trust, log_key: &str) -> (TempDir, Account) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut about = About::new(&url.parse().expect("a server"), trust, log_key);
    about.account = "ada".to_owned();
    about.account_id = "account-1".to_owned();
    about.device = "device-1".to_owned();
    about.recipients = vec![recipient("ada")];
    let accounts = Accounts::at(folder.path().join("accounts"));
    let account = accounts.add("ada", &about, &key()).expect("added");
    wait(&account);
    (folder, account)
}

/// Lets the record wait, as one does that was read back and proven.
fn wait(account: &Account) {
    account.lay_down(&record()).and_then(|()| account.wait(&record())).expect("it waits");
}

fn session(account: Account) -> Session {
    Session::begin(account).expect("a session")
}

/// A server that takes records and gives the receipts of a log.
fn keeps(log: &Arc<Mutex<TestLog>>) -> impl Fn(&Asked) -> Answer + Send + 'static {
    let log = log.clone();
    move |asked| {
        let log = log.lock().expect("the log");
        if asked.target.starts_with("/api/v1/audit/consistency") {
            return log.consistency(&asked.target);
        }
        assert_eq!(asked.signed_by(&key()).keyid, "device-1");
        (200, serde_json::to_string(&log.receipt(SEALED)).expect("JSON"))
    }
}

fn waits(session: &Session) -> usize {
    session.account().waiting().expect("read").len()
}

#[test]
fn a_record_waits_until_its_receipt_is_there() {
    let log = Arc::new(Mutex::new(TestLog::new(1, &["start", "record"])));
    let server = StandIn::start(keeps(&log));
    let (_folder, account) = account(&server, &log.lock().expect("the log").key());
    let session = session(account);
    let [(_, result)] = &session.deliver_all().expect("read")[..] else { panic!("one record") };
    let kept = result.as_ref().expect("delivered");
    assert_eq!((waits(&session), session.account().log_size()), (0, Some(2)));
    log.lock().expect("the log").push("another");
    session.check(kept).expect("the log has grown");
    assert_eq!(session.account().log_size(), Some(3));
    assert!(session.deliver_all().expect("read").is_empty());
}

#[test]
fn a_record_waits_while_nobody_answers() {
    let log = TestLog::new(1, &["start"]);
    let (_folder, account) = signed_in("https://localhost:1", &Trust::Pinned(vec![]), &log.key());
    let session = session(account);
    let [(_, Err(error))] = &session.deliver_all().expect("read")[..] else { panic!("one record") };
    assert!(error.may_pass() && matches!(error, ClientError::Unreachable { .. }), "{error}");
    assert_eq!(waits(&session), 1);
}

#[test]
fn a_wrong_clock_is_corrected_once() {
    let log = Arc::new(Mutex::new(TestLog::new(1, &["start"])));
    let ahead = || Timestamp::now().as_second() + 100_000;
    let keep = keeps(&log);
    let server = StandIn::start(move |asked| {
        let created = asked.signed_by(&key()).created;
        if created.abs_diff(ahead()) > 300 { (401, problem("clock", ahead())) } else { keep(asked) }
    });
    let (_folder, account) = account(&server, &log.lock().expect("the log").key());
    let session = session(account);
    session.deliver(&record()).expect("delivered");
    assert_eq!(server.heard(), 2);
    session.deliver(&record()).expect("delivered, and now at once");
    assert_eq!(server.heard(), 3);

    let stubborn = StandIn::start(move |_| (401, problem("clock", ahead())));
    let (_folder, account) = self::account(&stubborn, &log.lock().expect("the log").key());
    assert!(matches!(self::session(account).deliver(&record()), Err(ClientError::Refused { .. })));
    assert_eq!(stubborn.heard(), 2);
}

#[test]
fn nobody_else_is_taken_for_the_server() {
    let log = TestLog::new(1, &["start"]);
    let server = StandIn::start(|_| panic!("it is told something"));
    let other = StandIn::start(|_| panic!("it is told something"));
    let elsewhere = StandIn::named(&["elsewhere.example"], |_| panic!("it is told something"));
    for (url, trust) in [
        (&server.url, Trust::Pinned(other.certificate.clone())),
        (&server.url, Trust::System),
        (&elsewhere.url, Trust::Pinned(elsewhere.certificate.clone())),
    ] {
        let (_folder, account) = signed_in(url, &trust, &log.key());
        let session = session(account);
        let error = session.deliver(&record()).expect_err("somebody else");
        assert!(matches!(error, ClientError::Untrusted { .. }) && !error.may_pass(), "{error}");
        assert_eq!(waits(&session), 1);
    }
    let shown = presented(&server.url.parse().expect("a server")).expect("a certificate");
    assert_eq!(Fingerprint::of(&shown), Fingerprint::of(&server.certificate));
    assert_eq!([server.heard(), other.heard(), elsewhere.heard()], [0, 0, 0]);
}

#[test]
fn a_redirection_leads_nowhere_and_nonsense_is_said_to_be_nonsense() {
    let other = StandIn::start(|_| (200, "{}".to_owned()));
    let to = other.url.clone();
    let endless = format!("{{\"now\": {}1}}", " ".repeat(2 << 20));
    for answer in [
        (302, to),
        (200, "{}".to_owned()),
        (200, endless),
        (200, "[".repeat(100_000)),
        (404, "<html>".to_owned()),
        (204, String::new()),
    ] {
        let status = answer.0;
        let server = StandIn::start(move |_| answer.clone());
        let address = server.url.parse().expect("a server");
        let client = Client::new(address, Trust::Pinned(server.certificate.clone()));
        let error = client.server().expect_err("no answer");
        assert!(matches!(error, ClientError::Answer { .. }), "{status}: {error}");
    }
    assert_eq!(other.heard(), 0);
    let server = StandIn::start(|_| (503, "<html>".to_owned()));
    let client =
        Client::new(server.url.parse().expect("a server"), Trust::Pinned(server.certificate.clone()));
    assert!(client.server().expect_err("busy").may_pass());
}

#[test]
fn what_a_server_says_is_one_harmless_line() {
    let said = "gone\n\u{1b}[2Jall is well".repeat(100);
    let body = serde_json::json!({ "code": "invalid", "message": said, "now": 1 }).to_string();
    let server = StandIn::start(move |_| (400, body.clone()));
    let client =
        Client::new(server.url.parse().expect("a server"), Trust::Pinned(server.certificate.clone()));
    let said = client.server().expect_err("no").to_string();
    assert!(!said.contains(char::is_control) && said.len() < 400, "{said}");
}

#[test]
fn a_receipt_for_something_else_is_none() {
    let changes: [fn(&mut Receipt); 8] = [
        |receipt| receipt.record = "00".repeat(32),
        |receipt| receipt.length += 1,
        |receipt| receipt.inclusion.leaf = 0,
        |receipt| receipt.inclusion.hash = STANDARD.encode([1; 32]),
        |receipt| receipt.entry.push(' '),
        |receipt| receipt.entry = entry("start").to_string(),
        |receipt| receipt.inclusion.path.clear(),
        |receipt| receipt.inclusion.path = vec![STANDARD.encode([1; 32]); 1000],
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let log = TestLog::new(1, &["start", "record"]);
        let log_key = log.key();
        let server = StandIn::start(move |_| {
            let mut receipt = log.receipt(SEALED);
            change(&mut receipt);
            (200, serde_json::to_string(&receipt).expect("JSON"))
        });
        let (_folder, account) = account(&server, &log_key);
        let session = session(account);
        let error = session.deliver(&record()).expect_err("no receipt");
        assert!(matches!(error, ClientError::Receipt(_)), "{n}: {error}");
        assert_eq!((waits(&session), session.account().kept().expect("read").len()), (1, 0));
    }
}

/// All that such a receipt says of itself is true: it is of the bytes, its entry is in the log, the log has grown.
#[test]
fn a_receipt_that_proves_another_entry_of_the_log_is_found_out() {
    let changed = |field: &str, value: serde_json::Value| {
        let mut entry = entry("salt");
        entry[field] = value;
        entry.to_string()
    };
    for other in [
        changed("act", "check-in".into()),
        changed("outcome", "refused: wrong password".into()),
        changed("account", "account-2".into()),
        changed("account", serde_json::Value::Null),
        changed("device", "device-2".into()),
        changed("record", "00".repeat(32).into()),
        changed("record", serde_json::Value::Null),
        changed("detail", "x".repeat(5000).into()),
        "not JSON".to_owned(),
    ] {
        let log = Arc::new(Mutex::new(TestLog::new(1, &["record"])));
        let server = StandIn::start(keeps(&log));
        let (_folder, account) = account(&server, &log.lock().expect("the log").key());
        let session = session(account);
        let kept = session.deliver(&record()).expect("its own entry is taken");
        wait(session.account());
        log.lock().expect("the log").push_entry(other.clone());
        for error in [session.deliver(&record()), session.check(&kept).map(|_| kept.clone())] {
            let error = error.expect_err("another entry");
            assert!(matches!(&error, ClientError::Receipt(why) if why.contains("entry")), "{other}: {error}");
        }
        assert_eq!(waits(&session), 1);
    }
}

/// Delivers a record, lets the log become another one, and asserts that this is an alarm that stays.
#[track_caller]
fn alarms(become_another: TestLog, why: &str) {
    let log = Arc::new(Mutex::new(TestLog::new(1, &["start", "first", "second"])));
    let server = StandIn::start(keeps(&log));
    let (_folder, account) = account(&server, &log.lock().expect("the log").key());
    let session = session(account);
    let kept = session.deliver(&record()).expect("delivered");
    *log.lock().expect("the log") = become_another;
    wait(session.account());
    for _ in 0..2 {
        match session.deliver(&record()).expect_err("another log") {
            ClientError::Alarm(alarm) => assert!(alarm.why.contains(why), "{}", alarm.why),
            other => panic!("{other}"),
        }
        assert!(matches!(session.check(&kept), Err(ClientError::Alarm(_))));
    }
    assert_eq!((waits(&session), session.account().log_size()), (1, Some(3)), "nothing is healed");
    let [alarm] = &session.account().evidence().expect("read")[..] else { panic!("one alarm") };
    let before = alarm.before.as_deref().expect("what was seen");
    assert!(before.contains("localhost/log\n3\n") && alarm.after != before);
}

#[test]
fn a_log_that_forked_is_an_alarm() {
    alarms(TestLog::new(1, &["start", "other", "second"]), "two logs of 3 entries");
    alarms(
        TestLog::new(1, &["start", "other", "second", "third"]),
        "what was in it when it had 3 entries is not in it any more, now that it has 4",
    );
}

#[test]
fn a_log_that_shrank_is_an_alarm() {
    alarms(TestLog::new(1, &["start", "first"]), "it shrank from 3 entries to 2");
}

#[test]
fn a_log_that_another_key_signs_is_an_alarm() {
    alarms(
        TestLog::new(2, &["start", "first", "second", "third"]),
        "not signed by the key that the server had",
    );
}

#[test]
fn recipients_that_the_person_did_not_confirm_stop_everything() {
    let log = TestLog::new(1, &["start"]);
    let server = StandIn::start(|asked| match asked.target.as_str() {
        "/api/v1/recipients" => {
            let all = [recipient("ada"), recipient("mallory")];
            (200, serde_json::to_string(&all).expect("JSON"))
        }
        _ => (409, problem("recipients", 0)),
    });
    let (_folder, account) = account(&server, &log.key());
    let mut session = session(account);
    assert!(matches!(session.deliver(&record()), Err(ClientError::Recipients)));
    assert!(matches!(session.recipients(), Err(ClientError::Recipients)));
    assert_eq!(session.account().about().recipients, [recipient("ada")]);
    session.accept().expect("accepted");
    session.recipients().expect("confirmed");
    assert!(matches!(session.deliver(&record()), Err(ClientError::Outdated)), "it was sealed to others");
}

#[test]
fn two_processes_do_not_work_with_an_account_at_once() {
    let log = Arc::new(Mutex::new(TestLog::new(1, &["start"])));
    let server = StandIn::start(keeps(&log));
    let (folder, account) = account(&server, &log.lock().expect("the log").key());
    let session = session(account);
    let other = std::thread::spawn(move || {
        let again = Accounts::at(folder.path().join("accounts")).open("ada").expect("read").expect("there");
        let left = self::session(again).deliver_all().expect("read").len();
        drop(folder);
        left
    });
    session.deliver_all().expect("read");
    drop(session);
    assert_eq!(other.join().expect("it ended"), 0, "the first has delivered it");
}
