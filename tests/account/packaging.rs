//! What a distribution installs beside the program: the service, its user, an example of its configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lastkey_tests::said::Said;
use lastkey_tests::{lastkeyd, skip};

fn packaged(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("packaging").join(name)
}

/// Runs one of systemd's programs; `None`, loudly, when it is not there.
fn systemd(program: &str, arguments: &[&str]) -> Option<Said> {
    match Command::new(program).args(arguments).stdin(Stdio::null()).output() {
        Ok(output) => Some(Said::of(output)),
        Err(_) => {
            skip("no systemd: apt-get install systemd");
            None
        }
    }
}

#[test]
fn systemd_understands_the_service_and_shuts_it_in() {
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("lastkeyd.service");
    let text = fs::read_to_string(packaged("lastkeyd.service")).unwrap();
    // It looks whether the program is there.
    let text = text.replace("/usr/bin/lastkeyd", lastkeyd::path().to_str().unwrap());
    fs::write(&unit, &text).unwrap();
    let unit = unit.to_str().unwrap();
    let Some(said) = systemd("systemd-analyze", &["verify", "--man=no", unit]) else { return };
    said.exits(0);
    // What it does not understand it passes over with a warning. Other units of this computer are not ours.
    let ours: Vec<_> =
        said.err.lines().chain(said.out.lines()).filter(|line| line.contains("lastkeyd")).collect();
    assert!(ours.is_empty(), "{ours:?}");
    // From 0, shut in, to 10.
    let judged =
        systemd("systemd-analyze", &["security", "--offline=true", "--threshold=20", "--no-pager", unit]);
    judged.unwrap().exits(0);

    // The user is one that the unit next to it makes, so that files in /etc can be given to it.
    let users = packaged("lastkeyd.sysusers");
    let made = systemd("systemd-sysusers", &["--dry-run", users.to_str().unwrap()]).unwrap();
    made.exits(0);
    assert!(made.err.is_empty() || made.err.contains("lastkeyd"), "{}", made.err);
    let users = fs::read_to_string(users).unwrap();
    assert!(users.lines().any(|line| line.starts_with("u lastkeyd ")), "{users}");
    assert!(text.contains("\nUser=lastkeyd\n") && !text.contains("DynamicUser"), "{text}");
}

/// Every line of the example is an option, and with all of them together the program gets as far as to look for its data.
#[test]
fn every_line_of_the_example_is_an_option() {
    let folder = tempfile::tempdir().unwrap();
    let example = fs::read_to_string(packaged("lastkeyd.toml")).unwrap();
    let options: Vec<_> = example.lines().filter_map(|line| line.strip_prefix('#')).collect();
    let options: Vec<_> =
        options.into_iter().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase())).collect();
    // All of them but those that exclude one another.
    let data = folder.path().join("data");
    for without in [&["acme", "acme-directory", "acme-ca"][..], &["certificate", "key", "url"]] {
        let config = folder.path().join("lastkeyd.toml");
        let lines: Vec<_> = options
            .iter()
            .filter(|line| without.iter().all(|name| !line.starts_with(&format!("{name} "))))
            .filter(|line| !line.starts_with("data ") && !line.starts_with("database "))
            .copied()
            .chain(without.contains(&"url").then_some("url = \"https://keys.example.org\""))
            .collect();
        let own = format!("data = {:?}", data.display().to_string());
        fs::write(&config, [&lines[..], &[&own]].concat().join("\n")).unwrap();
        let mut command = Command::new(lastkeyd::path());
        let said =
            Said::of(command.args(["check", "--config"]).arg(&config).stdin(Stdio::null()).output().unwrap());
        said.exits(1).says("start the server first").says(data.to_str().unwrap());
    }
    // Its database is another computer's: that it is one is all that can be seen here.
    let database = options.iter().find(|line| line.starts_with("database ")).unwrap();
    assert!(database.contains("\"postgres://"), "{database}");

    // And no option is missing.
    let help = Said::of(Command::new(lastkeyd::path()).arg("--help").output().unwrap());
    let typed = help.out.lines().filter_map(|line| line.trim_start().strip_prefix("--"));
    let mut typed: Vec<_> = typed.map(|line| line.split_whitespace().next().unwrap()).collect();
    typed.retain(|name| *name != "config");
    assert!(typed.len() > 15, "{typed:?}");
    for name in typed {
        let name = match name {
            "host" => "hosts",
            "proxy" => "proxies",
            name => name,
        };
        assert!(options.iter().any(|line| line.starts_with(&format!("{name} = "))), "{name} is missing");
    }
}
