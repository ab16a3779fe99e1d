//! The log, with everything in it that can be: no secret is.

use std::fs;
use std::process::{Command, Stdio};

use lastkey_tests::lastkeyd::Lastkeyd;
use lastkey_tests::visitor::{PASSWORD, Visitor, between};
use lastkey_tests::{known, real_drives, skip};

use crate::device::Device;
use crate::person::Computer;

const DRIVE: &str = "recovery_password.bin";
const WRONG: &str = "words that were typed wrongly";
const NEW: &str = "a new password with five words";
const PASSPHRASE: &str = "a passphrase for the drawer";
const WEBHOOK: &str = "https://hooks.test/nobody-guesses-this";

/// Posts a form over HTTP/2, as browsers do: [`Visitor`] speaks HTTP/1.
fn over_http_2(server: &Lastkeyd, path: &str, form: &str, cookie: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let body = folder.path().join("form");
    fs::write(&body, form).unwrap();
    let done = Command::new("curl")
        .args(["--silent", "--show-error", "--noproxy", "*", "--http2", "--include", "--cacert"])
        .arg(server.certificate())
        .args(["--header", &format!("Origin: {}", server.url("")), "--cookie", cookie, "--data"])
        .arg(format!("@{}", body.display()))
        .arg(server.url(path))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

#[test]
fn the_fullest_log_has_no_secret() {
    let Some(drives) = real_drives() else { return };
    if Command::new("curl").arg("--version").output().is_err() {
        return skip("no curl: apt-get install curl");
    }
    let mut server = Lastkeyd::start(&["--log-level", "trace"]);
    let (mut ada, computer) = (Visitor::new(&server), Computer::new());
    let mut secrets: Vec<String> = [PASSWORD, WRONG, NEW, PASSPHRASE, WEBHOOK].map(str::to_owned).into();
    secrets.push(server.welcome().split_once('#').unwrap().1.to_owned());
    let code = ada.make_account(&server, "Ada");
    secrets.extend([code.clone(), code.replace('-', "")]);
    let cookies = |visitor: &Visitor| visitor.cookie().unwrap().split_once('=').unwrap().1.to_owned();
    secrets.push(cookies(&ada));

    // A computer is let in, and keeps a real drive's key; another device does so byte by byte.
    let login = computer.log_in(&server);
    secrets.push(login.code.clone());
    ada.confirm(&login.code);
    login.wait();
    computer.back_up(&drives.join(DRIVE)).exits(0);
    let device = Device::let_in(&mut ada, &server, "laptop");
    device.add("00000000-C67B-484E-B439-CE2ED68B561E", b"a key");
    secrets.push(String::from_utf8_lossy(device.key.to_bytes().expose()).into_owned());

    // It is looked for and shown, by the password, by a wrong one, by the code.
    let digits = known::DRIVES.iter().find(|drive| drive.file == DRIVE).unwrap().recovery_passwords[0];
    secrets.extend(digits.split('-').map(|group| format!("-{group}")));
    secrets.push(digits.replace('-', ""));
    let page = ada.get("/");
    let text = page.text();
    let records: Vec<_> =
        text.split("href=\"/keys/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let shown = records.iter().any(|record| {
        ada.post(&format!("/keys/{record}/reveal"), &[("reason", "a test"), ("password", WRONG)]);
        ada.reveal(record).text().contains(digits.split('-').next().unwrap())
    });
    assert!(shown, "{text}");

    // The same over HTTP/2.
    let form = |password: &str| format!("name=Ada&password={}", password.replace(' ', "+"));
    over_http_2(&server, "/sign-in/enter", &form(WRONG), "");
    let entered = over_http_2(&server, "/sign-in/enter", &form(PASSWORD), "");
    assert!(entered.starts_with("HTTP/2 303"), "{entered}");
    let cookie = between(&entered, "set-cookie: ", ";").to_owned();
    secrets.push(cookie.split_once('=').unwrap().1.to_owned());
    let export =
        format!("passphrase={}&password={}", PASSPHRASE.replace(' ', "+"), PASSWORD.replace(' ', "+"));
    assert!(over_http_2(&server, "/account/export", &export, &cookie).starts_with("HTTP/2 200"));

    // One-time codes, a webhook that nobody answers, a new password, a new code.
    let secret = ada.post("/account/one-time", &[]).text();
    secrets.push(between(&secret, "name=\"secret\" value=\"", "\"").to_owned());
    let hooked = ada.post("/account/notices", &[("webhook", WEBHOOK), ("password", PASSWORD)]);
    assert!(hooked.status < 500, "{}", hooked.text());
    ada.reveal(records[0]);
    let changed = ada.post("/account/password", &[("new", NEW), ("again", NEW), ("password", PASSWORD)]);
    assert_eq!(changed.status, 200, "{}", changed.text());
    let coded = ada.post("/account/code", &[("password", NEW)]).text();
    let code = between(&coded, "class=\"code big\">", "<").to_owned();
    secrets.extend([code.clone(), code.replace('-', ""), cookies(&ada)]);
    let mut again = Visitor::new(&server);
    assert_eq!(again.post("/sign-in/enter", &[("name", "Ada"), ("code", &code)]).status, 303);
    secrets.push(cookies(&again));
    assert_eq!(ada.post("/sign-out", &[]).status, 303);

    assert!(server.end(), "{}", server.log());
    let log = server.log();
    assert!(log.lines().filter(|line| line.contains("\"TRACE\"")).count() > 100, "it is no full log");
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        let forms = [
            secret.clone(),
            secret.replace(' ', "+"),
            secret.replace(' ', "%20"),
            secret.replace('-', "%2D"),
            secret.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", "),
        ];
        for form in forms {
            if let Some(line) = log.lines().find(|line| line.contains(&form)) {
                let start: String = line.chars().take(400).collect();
                panic!("{secret:?} is in the log: {start}");
            }
        }
    }
}
