//! Other users of the computer, and names that lead here.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use lastkey_tests::panel::{Home, Panel};
use lastkey_tests::{real_drives, skip};

use crate::AS_NOBODY;

/// Runs a program as somebody else; `None`, loudly, where that cannot be.
fn as_somebody_else(words: &[&str]) -> Option<Output> {
    if !rustix::process::geteuid().is_root() {
        skip("another user takes root");
        return None;
    }
    let mut command = Command::new(AS_NOBODY[0]);
    let output = command.args(&AS_NOBODY[1..]).args(words).output();
    if output.is_err() {
        skip("setpriv is missing");
    }
    output.ok()
}

/// The secrets that lie in the private folder.
fn secrets(home: &Home) -> Vec<String> {
    let state: serde_json::Value =
        serde_json::from_slice(&fs::read(home.private().join("panel.json")).unwrap()).unwrap();
    ["asked", "answered"].map(|name| state[name].as_str().unwrap().to_owned()).into()
}

#[test]
fn another_user_reads_none_of_its_files_and_nothing_of_its_process() {
    let home = Home::new();
    // Even where everything above is open.
    fs::set_permissions(home.path(""), PermissionsExt::from_mode(0o755)).unwrap();
    let panel = home.start(&[]);
    assert_eq!(fs::metadata(home.private()).unwrap().permissions().mode() & 0o777, 0o700);
    for name in ["panel.json", "panel.lock"] {
        let path = home.private().join(name);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        let Some(output) = as_somebody_else(&["cat", path.to_str().unwrap()]) else { return };
        assert!(!output.status.success() && output.stdout.is_empty(), "{name}");
    }
    for name in ["environ", "mem", "maps", "fd"] {
        let path = format!("/proc/{}/{name}", panel.id());
        let program = if name == "fd" { "ls" } else { "cat" };
        let Some(output) = as_somebody_else(&[program, &path]) else { return };
        assert!(!output.status.success() && output.stdout.is_empty(), "{name}");
    }
}

#[test]
fn another_user_gets_the_door_and_nothing_else() {
    let Some(drives) = real_drives() else { return };
    let home = Home::new();
    let panel = home.start(&[&drives.join("aes-xts_128.bin")]);
    let guess = format!("lastkey-panel={}", "0".repeat(64));
    for cookie in ["", &guess] {
        for path in ["/", "/drives", "/rights", "/find", "/copies", "/account", "/jobs/x"] {
            let answer = panel.ask("GET", path, &[("Cookie", cookie)], "");
            assert!(matches!(answer.status, 303 | 404), "{path}: {}", answer.status);
            assert!(!answer.body.contains("aes-xts"), "{path}");
        }
        for path in ["/quit", "/rights", "/language", "/again", "/jobs/x/stop"] {
            let own = [("Cookie", cookie), ("Sec-Fetch-Site", "same-origin"), ("lastkey-secret", cookie)];
            assert_eq!(panel.ask("POST", path, &own, "{}").status, 401, "{path}");
        }
    }
    // It is true of another user's programs as well as of ours: there is no other way to it than this port.
    let script = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{}; printf 'GET /drives HTTP/1.1\\r\\nHost: {}\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3",
        panel.port(),
        panel.host()
    );
    let Some(output) = as_somebody_else(&["bash", "-c", &script]) else { return };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.starts_with("HTTP/1.1 303 ") && !said.contains("aes-xts"), "{said}");
}

#[test]
fn it_listens_on_this_computer_alone() {
    let panel = Home::new().start(&[]);
    let sockets =
        fs::read_to_string("/proc/net/tcp").unwrap() + &fs::read_to_string("/proc/net/tcp6").unwrap();
    let port = format!(":{:04X}", panel.port());
    let mut listening =
        sockets.lines().filter_map(|line| line.split_whitespace().nth(1)).filter(|at| at.ends_with(&port));
    assert_eq!(listening.next(), Some(format!("0100007F{port}").as_str()));
    assert!(listening.all(|at| at.starts_with("0100007F")));
}

#[test]
fn a_name_that_is_made_to_lead_here_gets_nothing_even_with_the_cookie() {
    let panel = Home::new().start(&[]);
    let cookie = panel.cookie(panel.code());
    let port = panel.port();
    let get = |host: &str| panel.ask("GET", "/drives", &[("Host", host), ("Cookie", &cookie)], "").status;
    assert_eq!(get(panel.host()), 200);
    let bare = panel.host().split(':').next().unwrap();
    for host in [
        "rebound.example",
        &format!("rebound.example:{port}"),
        &format!("127.0.0.1:{port}"),
        &format!("localhost:{port}"),
        &format!("[::1]:{port}"),
        &format!("x.{}", panel.host()),
        &format!("{bare}.:{port}"),
        &format!("{bare}:1"),
        bare,
        "",
    ] {
        assert_eq!(get(host), 421, "{host}");
    }
    // Whoever is not let in does nothing either: it still runs.
    let own = [("Host", "rebound.example"), ("Cookie", cookie.as_str()), ("Sec-Fetch-Site", "same-origin")];
    assert_eq!(panel.ask("POST", "/quit", &own, "").status, 421);
    assert_eq!(get(panel.host()), 200);
}

/// All that anybody can see of a process from outside.
fn seen(panel: &Panel) -> Vec<u8> {
    ["cmdline", "environ"]
        .into_iter()
        .flat_map(|name| fs::read(format!("/proc/{}/{name}", panel.id())).unwrap())
        .collect()
}

#[test]
fn no_secret_is_on_its_command_line_in_its_environment_or_in_what_it_says() {
    let home = Home::new();
    let panel = home.start(&[]);
    let cookie = panel.cookie(panel.code());
    let cookie = cookie.split_once('=').unwrap().1;
    let second = home.command().arg("--no-browser").output().unwrap();
    let said =
        fs::read_to_string(home.path("said")).unwrap() + &fs::read_to_string(home.path("log")).unwrap();
    let said = said + &String::from_utf8_lossy(&second.stdout) + &String::from_utf8_lossy(&second.stderr);
    let seen = String::from_utf8_lossy(&seen(&panel)).into_owned();
    for secret in secrets(&home).iter().map(String::as_str).chain([cookie]) {
        assert!(secret.len() >= 32);
        assert!(!said.contains(secret) && !seen.contains(secret));
    }
    assert!(!seen.contains(panel.code()));
    assert!(said.contains(panel.code()), "the code is what it is to say");
}
