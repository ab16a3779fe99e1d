//! A server as its operator has it run: by a configuration file, watched, with commands beside it, asked to end in the
//! middle of a request.

use std::fs;
use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use lastkey_tests::lastkeyd::{Lastkeyd, free_port};
use lastkey_tests::postgres::postgres;
use lastkey_tests::said::Said;
use lastkey_tests::visitor::{self, Page, Visitor};
use ureq::Agent;

use crate::abuse::{Connection, connection};
use crate::device::Device;

const KEY_ID: &str = "3C116B76-C67B-484E-B439-CE2ED68B561E";
/// How long what happens by itself may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of the server's files that it has open though they are no more: what it writes there is lost.
fn lost_files(server: &Lastkeyd) -> Vec<String> {
    let open = fs::read_dir(format!("/proc/{}/fd", server.id())).unwrap();
    let files = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let files = files.map(|file| file.display().to_string());
    files.filter(|file| file.ends_with(" (deleted)") && file.contains(".sqlite")).collect()
}

#[test]
fn commands_beside_a_running_server_take_nothing_away_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Lastkeyd::start(&[]);
    let mut ada = Visitor::new(&server);
    ada.make_account(&server, "Ada");
    let device = Device::let_in(&mut ada, &server, "laptop");
    let mut records = Vec::new();
    for round in 0..3 {
        let backup = folder.path().join(format!("{round}.backup"));
        let commands: [&[&str]; 6] = [
            &["invite"],
            &["check"],
            &["backup", backup.to_str().unwrap()],
            &["audit", "verify"],
            &["audit", "checkpoint"],
            &["audit", "key"],
        ];
        for (number, command) in commands.iter().enumerate() {
            let said = Said::of(server.command(command));
            said.exits(0);
            assert_eq!(lost_files(&server), Vec::<String>::new(), "after {command:?}");
            let key_id = format!("{round:07}{number}{}", &KEY_ID[8..]);
            records.push(device.add(&key_id, format!("{round} {number}").as_bytes()));
            if command[0] == "invite" {
                Visitor::new(&server).accept(said.out.trim(), &format!("Guest {round}"));
            }
        }
    }
    assert_eq!(lost_files(&server), Vec::<String>::new());
    assert!(server.end(), "{}", server.log());
    Said::of(server.command(&["check"])).exits(0).says(&format!("{} records", records.len()));
    server.start_again();
    for record in &records {
        assert_eq!(device.get(&format!("/api/v1/records/{record}/receipt")).status, 200, "{record} is lost");
    }
    assert_eq!(ada.get("/account").status, 200);
    for round in 0..3 {
        let mut guest = Visitor::new(&server);
        let enters = [("name", &*format!("Guest {round}")), ("password", visitor::PASSWORD)];
        assert_eq!(guest.post("/sign-in/enter", &enters).status, 303, "guest {round} is lost");
    }
    // And the backup that was made meanwhile is one.
    let restored = format!("sqlite:{}", folder.path().join("restored.sqlite").display());
    let backup = folder.path().join("2.backup");
    let restore = ["restore", backup.to_str().unwrap(), "--database", &restored];
    Said::of(server.command(&restore)).exits(0).says("14 records");
}

fn plain() -> Agent {
    let settings = Agent::config_builder().http_status_as_error(false).proxy(None);
    settings.timeout_global(Some(PATIENCE)).build().into()
}

/// Asks until the answer is what it should be.
fn until(what: &str, mut ask: impl FnMut() -> Page, is: impl Fn(&Page) -> bool) -> Page {
    let started = Instant::now();
    loop {
        let page = ask();
        if is(&page) {
            return page;
        }
        assert!(started.elapsed() < PATIENCE, "{what}: {} {}", page.status, page.text());
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn figures_and_health_are_shown_and_a_database_that_is_away_is_said() {
    let Some(mut postgres) = postgres() else { return };
    let (url, port) = (postgres.database(), free_port());
    let mut server = Lastkeyd::start(&["--database", &url, "--metrics", &format!("127.0.0.1:{port}")]);
    let agent = plain();
    let get = |path: &str| visitor::read(agent.get(format!("http://127.0.0.1:{port}{path}")).call().unwrap());
    let mut visitor = Visitor::new(&server);
    visitor.make_account(&server, "Ada");
    assert_eq!(visitor.get("/keys/0?secret=3C116B76").status, 404);

    // What Prometheus reads: names, labels and a number on each line.
    let figures = get("/metrics");
    assert_eq!(figures.status, 200);
    assert!(figures.fields.iter().any(|field| field.starts_with("content-type: text/plain; version=0.0.4")));
    let text = figures.text();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let named = name.starts_with(|first: char| first.is_ascii_alphabetic());
        assert!(named && value.parse::<f64>().is_ok(), "{line}");
    }
    let counted = |text: &str, labels: &[&str]| {
        text.lines().any(|line| {
            line.starts_with("lastkeyd_requests_total{") && labels.iter().all(|label| line.contains(label))
        })
    };
    assert!(counted(&text, &["method=\"POST\"", "route=\"/welcome/account\"", "status=\"200\""]), "{text}");
    assert!(counted(&text, &["route=\"/keys/{id}\"", "status=\"404\""]), "{text}");
    assert!(text.contains("lastkeyd_request_seconds") && !text.contains("3C116B76"), "{text}");
    // Nobody finds them at the main address, nor anything else at this one.
    assert_eq!(visitor.get("/metrics").status, 404);
    assert_eq!((get("/").status, get("/sign-in").status), (404, 404));

    assert_eq!((get("/healthz").status, get("/readyz").status), (200, 200));
    assert_eq!((visitor.get("/healthz").status, visitor.get("/readyz").status), (200, 200));
    postgres.kill();
    let away = until("PostgreSQL is away", || get("/readyz"), |page| page.status == 503);
    assert!(away.text().contains("database"), "{}", away.text());
    assert_eq!((get("/healthz").status, visitor.get("/readyz").status), (200, 503));
    postgres.start();
    until("PostgreSQL is there again", || get("/readyz"), |page| page.status == 200);
    assert_eq!(visitor.get("/account").status, 200);
    assert!(server.end(), "{}", server.log());
}

#[test]
fn a_configuration_file_is_read_and_what_is_typed_goes_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let (config, port, other) = (folder.path().join("lastkeyd.toml"), free_port(), free_port());
    let text = format!(
        "hosts = ['keys.example.org']\nmetrics = '127.0.0.1:{port}'\nlisten = '127.0.0.1:{other}'\n\
         data = '/nowhere/at/all'\nlog = 'text'\nlog-level = 'debug'\n"
    );
    fs::write(&config, text).unwrap();
    // What the rig says on the command line: where it listens, where it keeps things, how it logs.
    let mut server = Lastkeyd::start(&["--config", config.to_str().unwrap()]);
    assert!(server.log().lines().all(|line| line.starts_with('{')), "{}", server.log());
    let named = |name: &str| {
        let mut stream =
            connection(&server.host().replace("localhost", "127.0.0.1"), "localhost", &server.certificate());
        write!(stream, "GET /healthz HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n").unwrap();
        status(&mut stream)
    };
    assert_eq!((named("keys.example.org").as_str(), named("evil.example").as_str()), ("200", "403"));
    let health = plain().get(format!("http://127.0.0.1:{port}/healthz")).call().unwrap();
    assert_eq!(health.status().as_u16(), 200);
    assert!(server.end(), "{}", server.log());

    // What is wrong in it is said with its line, and without what stands there.
    for (text, why) in [
        ("database = 'postgres://u:hunter2@h/d'\nlisten = 4848", "line 2"),
        ("\n\nhost = 'keys.example.org'", "line 3"),
        ("smtp-password = 'hunter2'", "line 1"),
        ("database = 'mysql://u:hunter2@h/d'", "is no database"),
        ("url = 'http://keys.example.org'", "https://NAME"),
        ("acme = 'a@example.org'", "--url https://NAME"),
        ("key = '/etc/key.pem'", "files are two"),
    ] {
        fs::write(&config, text).unwrap();
        let said = Said::of(server.command(&["check"]));
        said.exits(2).says("Error: ").says(why);
        assert!(!said.err.contains("hunter2"), "{}", said.err);
    }
    fs::remove_file(&config).unwrap();
    Said::of(server.command(&["check"])).exits(2).says("lastkeyd.toml cannot be read");
}

/// Reads an answer's status.
fn status(stream: &mut Connection) -> String {
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    String::from_utf8_lossy(&head[9..]).into_owned()
}

/// Begins to sign in: the server has begun to read what comes when this returns.
fn begun(server: &Lastkeyd, length: usize) -> Connection {
    let host = server.host();
    let mut stream = connection(&host.replace("localhost", "127.0.0.1"), "localhost", &server.certificate());
    write!(
        stream,
        "POST /sign-in/enter HTTP/1.1\r\nHost: {host}\r\nOrigin: https://{host}\r\nContent-Length: {length}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\r\n"
    )
    .unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

#[test]
fn what_is_being_asked_when_the_server_is_to_end_is_answered() {
    let mut server = Lastkeyd::start(&[]);
    let mut ada = Visitor::new(&server);
    ada.make_account(&server, "Ada");
    let form = format!("name=Ada&password={}", visitor::PASSWORD.replace(' ', "+"));
    let mut stream = begun(&server, form.len());
    server.ask_to_end();
    let started = Instant::now();
    while !server.log().contains("ending: what is being answered is answered") {
        assert!(started.elapsed() < PATIENCE, "{}", server.log());
        thread::sleep(Duration::from_millis(5));
    }
    stream.write_all(form.as_bytes()).and_then(|()| stream.flush()).unwrap();
    let mut answer = String::new();
    // It may close without a word of TLS.
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 303") && answer.contains("set-cookie: "), "{answer}");
    assert!(server.wait(), "{}", server.log());
    // The session is in the database: what was answered was done.
    server.start_again();
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let page = visitor::agent(&server).get(server.url("/account")).header("cookie", cookie).call().unwrap();
    assert_eq!(page.status().as_u16(), 200);

    // Who never ends does not keep it from ending.
    let _endless = begun(&server, 1000);
    let mut idle =
        connection(&server.host().replace("localhost", "127.0.0.1"), "localhost", &server.certificate());
    write!(idle, "GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.host()).unwrap();
    assert_eq!(status(&mut idle), "200");
    let started = Instant::now();
    assert!(server.end(), "{}", server.log());
    assert!(started.elapsed() < PATIENCE / 2, "{:?}", started.elapsed());
}
