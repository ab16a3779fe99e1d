//! The operator's commands, each as another process on what a server has kept.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use lastkey_tests::lastkeyd::{self, Lastkeyd};
use lastkey_tests::postgres::postgres;
use lastkey_tests::said::Said;
use lastkey_tests::visitor::Visitor;
use sqlx::Connection;
use tempfile::TempDir;

use crate::device::Device;

const KEY_ID: &str = "3C116B76-C67B-484E-B439-CE2ED68B561E";
const COMMANDS: [&str; 8] =
    ["serve", "invite", "check", "backup", "restore", "audit", "openapi", "completions"];

/// Runs the program, with nothing but what is said.
fn lastkeyd(arguments: &[&str]) -> Said {
    let mut command = Command::new(lastkeyd::path());
    Said::of(command.args(arguments).stdin(Stdio::null()).output().unwrap())
}

/// A server with two records of Ada's.
fn filled(options: &[&str]) -> (Lastkeyd, Visitor, Device) {
    let server = Lastkeyd::start(options);
    let mut ada = Visitor::new(&server);
    ada.make_account(&server, "Ada");
    let device = Device::let_in(&mut ada, &server, "laptop");
    device.add(KEY_ID, b"a key");
    device.add(&KEY_ID.replace('3', "4"), b"another");
    (server, ada, device)
}

/// Changes something behind the server's back.
#[tokio::main(flavor = "current_thread")]
async fn tamper(url: &str, sql: &'static str) {
    sqlx::any::install_default_drivers();
    let mut database = sqlx::AnyConnection::connect(url).await.unwrap();
    let done = sqlx::query(sql).execute(&mut database).await.unwrap();
    assert!(done.rows_affected() > 0, "{sql}");
    database.close().await.unwrap();
}

#[test]
fn what_was_changed_or_taken_away_behind_the_servers_back_is_found() {
    // What SQLite calls a blob has no functions that PostgreSQL has too.
    let another = "UPDATE records SET sealed = (SELECT MAX(public_key) FROM devices) WHERE leaf = \
                   (SELECT MIN(leaf) FROM records)";
    for (sql, command, finding) in [
        (another, &["check"][..], "was changed"),
        ("DELETE FROM records WHERE leaf = (SELECT MIN(leaf) FROM records)", &["check"], "record"),
        ("DELETE FROM records", &["check"], "record"),
        ("UPDATE audit_entries SET body = REPLACE(body, 'done', 'nono')", &["audit", "verify"], "entry"),
        ("DELETE FROM audit_entries WHERE leaf = 2", &["audit", "verify"], "missing"),
        ("UPDATE audit_head SET checkpoint = NULL", &["audit", "verify"], "checkpoint"),
    ] {
        let (mut server, ..) = filled(&[]);
        assert!(server.end(), "{}", server.log());
        Said::of(server.command(command)).exits(0).says("all whole");
        tamper(&format!("sqlite:{}", server.data().join("lastkeyd.sqlite").display()), sql);
        let said = Said::of(server.command(command));
        assert!(
            said.code == 1 && said.err.contains(finding),
            "{sql}: {} {}{}",
            said.code,
            said.out,
            said.err
        );
        assert!(said.err.contains("Error: ") && said.err.contains("findings in"), "{sql}: {}", said.err);
        assert!(!said.out.contains("all whole"), "{sql}: {}", said.out);
    }
}

#[test]
fn a_checkpoint_that_was_kept_tells_a_log_that_was_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let (mut server, _ada, device) = filled(&[]);
    let old = folder.path().join("old");
    Said::of(server.command(&["backup", old.to_str().unwrap()])).exits(0);
    let first = write(&folder, "first", &Said::of(server.command(&["audit", "checkpoint"])).exits(0).out);
    device.add(KEY_ID, b"one more");
    let last = write(&folder, "last", &Said::of(server.command(&["audit", "checkpoint"])).exits(0).out);
    for kept in [&first, &last] {
        Said::of(server.command(&["audit", "verify", "--checkpoint", kept])).exits(0).says("all whole");
    }
    // What others have signed, and what nobody has, proves nothing.
    let mut lines: Vec<_> = fs::read_to_string(&last).unwrap().lines().map(str::to_owned).collect();
    lines[1] = "1000".to_owned();
    let forged = lines.join("\n") + "\n";
    for wrong in
        [write(&folder, "forged", &forged), write(&folder, "nothing", ""), "/no/such/file".to_owned()]
    {
        let said = Said::of(server.command(&["audit", "verify", "--checkpoint", &wrong]));
        said.exits(1).says(&wrong);
    }
    let key = Said::of(server.command(&["audit", "key"])).exits(0).out.clone();
    assert!(key.starts_with("localhost/audit+"), "{key}");

    // The backup of the day before in its place: whole in itself, and not what it was.
    assert!(server.end(), "{}", server.log());
    let restored = folder.path().join("restored");
    let data = restored.to_str().unwrap();
    lastkeyd(&["restore", old.to_str().unwrap(), "--data", data]).exits(0).says("2 records");
    lastkeyd(&["check", "--data", data]).exits(1).says("audit.key");
    fs::copy(server.data().join("audit.key"), restored.join("audit.key")).unwrap();
    lastkeyd(&["check", "--data", data]).exits(0).says("all whole");
    lastkeyd(&["audit", "verify", "--data", data, "--checkpoint", &first]).exits(0);
    lastkeyd(&["audit", "verify", "--data", data, "--checkpoint", &last]).exits(1).says("lost entries");
}

fn write(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_backup_becomes_a_server_again_on_either_database() {
    let Some(postgres) = postgres() else { return };
    let url = postgres.database();
    let folder = tempfile::tempdir().unwrap();
    let (mut server, ada, device) = filled(&["--database", &url]);
    let file = folder.path().join("keys.backup");
    let backup = ["backup", file.to_str().unwrap()];
    Said::of(server.command(&backup)).exits(0).says("2 records").says("audit.key");
    Said::of(server.command(&backup)).exits(1).says("keys.backup");
    assert!(server.end(), "{}", server.log());
    // What was PostgreSQL is SQLite now, in the same folder: its certificate and its log's key stay.
    server.set_options(&[]);
    Said::of(server.command(&["restore", file.to_str().unwrap()])).exits(0).says("2 records");
    Said::of(server.command(&["restore", file.to_str().unwrap()])).exits(1).says("restore into a new one");
    server.start_again();
    device.add(KEY_ID, b"the third");
    let mut again = ada;
    assert_eq!(again.get("/account").status, 200, "who was signed in still is");
    assert!(server.end(), "{}", server.log());
    Said::of(server.command(&["check"])).exits(0).says("3 records");
}

#[test]
fn commands_find_nothing_where_nothing_is_and_make_nothing_there() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    let file = folder.path().join("keys.backup");
    let commands: [&[&str]; 6] = [
        &["invite"],
        &["check"],
        &["backup", file.to_str().unwrap()],
        &["audit", "verify"],
        &["audit", "checkpoint"],
        &["audit", "key"],
    ];
    for command in commands {
        let said = lastkeyd(&[command, &["--data", data]].concat());
        said.exits(1).says("start the server first").says("--data FOLDER");
        assert!(said.out.is_empty() && !Path::new(data).exists() && !file.exists(), "{command:?}");
    }
    let Some(postgres) = postgres() else { return };
    let url = postgres.database();
    for command in commands {
        lastkeyd(&[command, &["--data", data, "--database", &url]].concat())
            .exits(1)
            .says("start the server first");
    }
    assert_eq!(postgres.query(&url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
}

#[test]
fn an_invitation_leads_to_where_the_server_was_last_started() {
    let mut server = Lastkeyd::start(&["--url", "https://keys.example.org", "--host", "localhost"]);
    let link = |server: &Lastkeyd, more: &[&str]| {
        Said::of(server.command(&[&["invite"], more].concat())).exits(0).out.trim().to_owned()
    };
    let first = link(&server, &[]);
    assert!(first.starts_with("https://keys.example.org/welcome#"), "{first}");
    assert!(link(&server, &["--url", "https://other.example"]).starts_with("https://other.example/welcome#"));
    let config = server.data().join("lastkeyd.toml");
    fs::write(&config, "url = 'https://third.example/'").unwrap();
    let third = link(&server, &["--config", config.to_str().unwrap()]);
    assert!(third.starts_with("https://third.example/welcome#"), "{third}");
    for wrong in [&["invite", "--hours", "0"], &["invite", "--hours", "721"]] {
        Said::of(server.command(wrong)).exits(2);
    }
    assert!(server.end(), "{}", server.log());
    server.set_options(&[]);
    server.start_again();
    // Each makes one account, wherever it leads.
    let second = link(&server, &["--hours", "1"]);
    assert!(second.starts_with(&server.url("/welcome#")), "{second}");
    for (welcome, name) in [(first, "Ada"), (second, "Bob")] {
        Visitor::new(&server).accept(&welcome, name);
    }
}

#[test]
fn every_command_explains_itself() {
    let help = lastkeyd(&["--help"]);
    help.exits(0).says("cannot open them by itself").says("but for the lists hosts and proxies");
    assert!(!help.out.contains("cannot read"));
    let examples = help.out.lines().filter_map(|line| line.trim().strip_prefix("lastkeyd "));
    let examples: Vec<_> = examples.map(|line| line.split("  ").next().unwrap()).collect();
    assert!(examples.len() >= 4, "{examples:?}");
    for example in examples.into_iter().filter(|line| !line.is_empty()) {
        // What stands before --help must be right for it to be shown.
        let words: Vec<_> = example.split_whitespace().chain(["--help"]).collect();
        lastkeyd(&words).exits(0).says("Usage: lastkeyd");
    }
    for name in COMMANDS.iter().chain(&["man"]) {
        help.says(name);
        lastkeyd(&[name, "--help"]).exits(0).says("Usage: lastkeyd");
    }
    for name in ["verify", "checkpoint", "key"] {
        lastkeyd(&["audit", name, "--help"]).exits(0).says(&format!("Usage: lastkeyd audit {name}"));
    }
    lastkeyd(&["-V"]).exits(0).says("lastkeyd ");
    lastkeyd(&["open"]).exits(2);
    let document: serde_json::Value = serde_json::from_str(&lastkeyd(&["openapi"]).exits(0).out).unwrap();
    assert!(document["paths"]["/api/v1/records"]["post"].is_object());
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let said = lastkeyd(&["completions", shell]);
        COMMANDS.iter().chain(&["man", "checkpoint", "smtp-password-file"]).for_each(|name| {
            said.exits(0).says(name);
        });
    }
    lastkeyd(&["completions", "cmd"]).exits(2);
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    lastkeyd(&["man", place]).exits(0).says(place);
    let page =
        |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(page("lastkeyd.1").contains("EXTRA") && page("lastkeyd.1").contains("keys.example.org"));
    for name in COMMANDS.iter().chain(&["man", "audit-verify", "audit-checkpoint", "audit-key"]) {
        assert!(page(&format!("lastkeyd-{name}.1")).contains(".SH NAME"), "{name}");
    }
    let missing = folder.path().join("missing");
    lastkeyd(&["man", missing.to_str().unwrap()]).exits(1).says("missing");
    lastkeyd(&["man"]).exits(2).says("FOLDER");
}
