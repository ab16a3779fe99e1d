//! Starting the panel: the code, a second start, what a killed one leaves, the page that opens the browser.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use lastkey_tests::browser::{DESKTOP, browser};
use lastkey_tests::panel::{Home, invitation};
use lastkey_tests::real_drives;
use lastkey_tests::said::Said;

fn again(home: &Home, images: &[&Path]) -> Said {
    Said::of(home.command().arg("--no-browser").args(images).output().unwrap())
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_code_lets_in_once_and_others_do_not() {
    let home = Home::new();
    let panel = home.start(&[]);
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let answer = panel.ask("POST", "/start", &form, "code=AAAA-AAAA");
    assert_eq!(answer.status, 422);
    assert!(!answer.head.to_lowercase().contains("set-cookie"));
    let cookie = panel.cookie(panel.code());
    assert_eq!(panel.ask("GET", "/drives", &[("Cookie", &cookie)], "").status, 200);
    let used = panel.ask("POST", "/start", &form, &format!("code={}", panel.code()));
    assert_eq!(used.status, 422);
}

#[test]
fn guessing_ends_and_a_second_start_is_a_new_chance() {
    let home = Home::new();
    let panel = home.start(&[]);
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    for _ in 0..10 {
        assert_eq!(panel.ask("POST", "/start", &form, "code=AAAA-AAAA").status, 422);
    }
    let late = panel.ask("POST", "/start", &form, &format!("code={}", panel.code()));
    assert_eq!(late.status, 422, "the right code after ten wrong ones");
    let (_, code) = invitation(&again(&home, &[]).out).unwrap();
    panel.cookie(&code);
}

#[test]
fn a_second_start_shows_the_panel_that_runs_and_brings_its_images_along() {
    let Some(drives) = real_drives() else { return };
    let home = Home::new();
    let panel = home.start(&[]);
    let said = again(&home, &[&drives.join("aes-xts_128.bin")]);
    said.exits(0);
    let (url, code) = invitation(&said.out).unwrap();
    assert_eq!(url, panel.url(""));
    assert_ne!(code, panel.code());
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let before = panel.ask("POST", "/start", &form, &format!("code={}", panel.code()));
    assert_eq!(before.status, 422, "the code before is of no use any more");
    let cookie = panel.cookie(&code);
    assert!(panel.ask("GET", "/drives", &[("Cookie", &cookie)], "").body.contains("aes-xts_128.bin"));
    again(&home, &[Path::new("/no/such.img")]).exits(12);
}

#[test]
fn starts_at_the_same_time_make_one_panel() {
    let home = Home::new();
    let mut all: Vec<_> = (0..6)
        .map(|_| {
            let mut command = home.command();
            command.arg("--no-browser").stdout(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let until = Instant::now() + Duration::from_secs(60);
    while all.iter_mut().map(|child| child.try_wait().unwrap()).filter(Option::is_none).count() > 1 {
        assert!(Instant::now() < until, "more than one panel runs");
        thread::sleep(Duration::from_millis(20));
    }
    let mut urls = Vec::new();
    for mut child in all {
        let runs = child.try_wait().unwrap().is_none();
        if runs {
            let id = rustix::process::Pid::from_child(&child);
            rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        }
        let said = Said::of(child.wait_with_output().unwrap());
        urls.push(invitation(&said.exits(0).out).unwrap().0);
    }
    urls.dedup();
    assert_eq!(urls.len(), 1, "{urls:?}");
}

#[test]
fn an_end_leaves_nothing_and_neither_does_quit() {
    let home = Home::new();
    let mut panel = home.start(&[]);
    assert_eq!(names(&home.private()), ["panel.json", "panel.lock"]);
    assert_eq!(panel.end(), Some(0));
    assert_eq!(names(&home.private()), ["panel.lock"]);

    let mut panel = home.start(&[]);
    let cookie = panel.cookie(panel.code());
    let own = [("Cookie", cookie.as_str()), ("Sec-Fetch-Site", "same-origin")];
    assert_eq!(panel.ask("POST", "/quit", &own, "").status, 200);
    assert_eq!(panel.ended(), Some(0));
    assert_eq!(names(&home.private()), ["panel.lock"]);
}

#[test]
fn a_panel_that_was_killed_is_in_nobodys_way_and_its_cookie_is_worth_nothing() {
    let home = Home::new();
    let mut panel = home.start(&[]);
    let (url, cookie) = (panel.url(""), panel.cookie(panel.code()));
    panel.kill();
    assert_eq!(names(&home.private()), ["panel.json", "panel.lock"]);
    let panel = home.start(&[]);
    assert_ne!(panel.url(""), url);
    let answer = panel.ask("GET", "/drives", &[("Cookie", &cookie)], "");
    assert_eq!((answer.status, answer.body.as_str()), (303, ""));
    let own = [("Cookie", cookie.as_str()), ("Sec-Fetch-Site", "same-origin")];
    assert_eq!(panel.ask("POST", "/quit", &own, "").status, 401);
}

#[test]
fn who_took_the_port_of_a_killed_panel_is_not_taken_for_it() {
    let home = Home::new();
    let mut panel = home.start(&[]);
    panel.kill();
    // As if a panel were just starting, and what the killed one left were still there.
    let lock = fs::File::options().write(true).open(home.private().join("panel.lock")).unwrap();
    lock.lock().unwrap();
    let impostor = TcpListener::bind("127.0.0.1:0").unwrap();
    let state = home.private().join("panel.json");
    let text = fs::read_to_string(&state).unwrap();
    let port = impostor.local_addr().unwrap().port();
    fs::write(&state, text.replace(&format!(":{}\"", panel.port()), &format!(":{port}\""))).unwrap();
    let answers = thread::spawn(move || {
        let (mut stream, _) = impostor.accept().unwrap();
        let mut asked = vec![0; 4096];
        let length = stream.read(&mut asked).unwrap();
        let asked = String::from_utf8_lossy(&asked[..length]).into_owned();
        let secret = asked.lines().find_map(|line| line.strip_prefix("lastkey-secret: ")).unwrap_or_default();
        let body = format!("{{\"answered\":\"{secret}\",\"code\":\"AAAA-AAAA\",\"page\":null}}");
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        asked
    });
    let said = again(&home, &[]);
    said.exits(1).says("another program answers");
    assert!(!said.out.contains("AAAA-AAAA"));
    // What it was told is not what a panel answers with.
    assert!(answers.join().unwrap().contains("lastkey-secret: "));
}

#[test]
fn a_port_that_is_taken_is_said_and_so_is_a_folder_that_others_can_look_into() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let home = Home::new();
    let said = Said::of(home.command().args(["--no-browser", "--port", &port]).output().unwrap());
    said.exits(1).says(&format!("port {port} of this computer"));
    fs::set_permissions(home.private(), PermissionsExt::from_mode(0o755)).unwrap();
    again(&home, &[]).exits(1).says("not a private folder");
}

/// Starts a panel that opens a browser, and returns the page that the browser is given. It is not done as root.
fn with_page(home: &Home) -> (lastkey_tests::panel::Panel, PathBuf, Vec<String>) {
    let bin = home.path("bin");
    let told = home.path("told");
    fs::create_dir(&bin).unwrap();
    fs::set_permissions(&bin, PermissionsExt::from_mode(0o755)).unwrap();
    let script = bin.join("xdg-open");
    fs::write(
        &script,
        format!("#!/bin/sh\nprintf '%s\\n' \"$@\" > {0}.new && mv {0}.new {0}\n", told.display()),
    )
    .unwrap();
    fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = home.command();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    command.env("PATH", path).env("DISPLAY", ":99");
    let panel = home.start_with(command);
    let until = Instant::now() + Duration::from_secs(60);
    let arguments = loop {
        if let Ok(told) = fs::read_to_string(&told) {
            break told.lines().map(str::to_owned).collect::<Vec<_>>();
        }
        assert!(Instant::now() < until, "no browser was opened");
        thread::sleep(Duration::from_millis(5));
    };
    let page = PathBuf::from(&arguments[0]);
    (panel, page, arguments)
}

/// A home of somebody who is not root: no browser is opened as root.
fn common_home() -> Option<Home> {
    if rustix::process::geteuid().is_root() { crate::helper::common_home() } else { Some(Home::new()) }
}

#[test]
fn the_browser_gets_a_page_that_brings_the_code_and_goes_away_once_it_did() {
    let Some(home) = common_home() else { return };
    let (panel, page, arguments) = with_page(&home);
    assert_eq!(arguments.len(), 1);
    assert!(!arguments[0].contains(panel.code()), "the code is on a command line");
    assert_eq!(fs::metadata(&page).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read_to_string(&page).unwrap().contains(panel.code()));
    let Some(browser) = browser(&[]) else { return };
    let tab = browser.page(DESKTOP);
    tab.open(&format!("file://{}", page.display()));
    tab.until(&panel.url("/"));
    assert!(
        !tab.requests().iter().any(|request| request.contains(panel.code())),
        "the code is in an address"
    );
    let until = Instant::now() + Duration::from_secs(60);
    while page.exists() {
        assert!(Instant::now() < until, "the page with the code stays");
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(tab.reload(), 200);
    assert_eq!(tab.complaints(), Vec::<String>::new());
}

#[test]
fn the_page_with_the_code_goes_away_with_the_panel_too() {
    let Some(home) = common_home() else { return };
    let (mut panel, page, _) = with_page(&home);
    assert!(page.exists());
    assert_eq!(panel.end(), Some(0));
    assert!(!page.exists());
    // One that a killed panel left goes with the next.
    fs::remove_file(home.path("told")).unwrap();
    fs::remove_dir_all(home.path("bin")).unwrap();
    let (mut panel, page, _) = with_page(&home);
    panel.kill();
    assert!(page.exists());
    let _panel = home.start(&[]);
    assert!(!page.exists());
}
