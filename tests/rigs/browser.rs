//! The browser: it does what people do, and tells a good page from a bad one.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use lastkey_tests::browser::{DESKTOP, DESKTOP_DARK, PHONE, What, browser};

/// OpenSSL's web server, with a certificate that it made itself.
struct Pages {
    server: Child,
    port: String,
    fingerprint: String,
}

impl Pages {
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let file = |name| folder.path().join(name);
        let mut made = Command::new("openssl");
        made.args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-noenc",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout"])
        .arg(file("key.pem"))
        .arg("-out")
        .arg(file("cert.pem"));
        let Ok(made) = made.output() else {
            lastkey_tests::skip("no openssl");
            return None;
        };
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let print = Command::new("openssl")
            .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
            .arg(file("cert.pem"))
            .output()
            .unwrap();
        let print = String::from_utf8(print.stdout).unwrap();
        let mut server = Command::new("openssl")
            .args(["s_server", "-WWW", "-accept", "127.0.0.1:0", "-cert"])
            .arg(file("cert.pem"))
            .arg("-key")
            .arg(file("key.pem"))
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("rigs/pages"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let port =
            lines.map_while(Result::ok).find_map(|line| Some(line.strip_prefix("ACCEPT ")?.to_owned()));
        let port = port.unwrap().rsplit(':').next().unwrap().to_owned();
        let fingerprint = print.trim().rsplit('=').next().unwrap().to_owned();
        Some(Self { server, port, fingerprint })
    }

    fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    fn url(&self, page: &str) -> String {
        format!("https://{}/{page}", self.host())
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn pages_are_filled_clicked_and_looked_at() {
    let Some(pages) = Pages::start() else { return };
    let Some(browser) = browser(&[(&pages.host(), &pages.fingerprint)]) else { return };
    let page = browser.page(PHONE);
    assert_eq!(page.open(&pages.url("good.html")), 200);
    page.fill("Your name", "Ada");
    page.click(What::Role("button", "Greet"));
    assert_eq!(page.read(What::Role("status", "")), "Hello, Ada");
    assert_eq!(page.value("Your name"), "Ada");
    let after = "getComputedStyle(document.querySelector('main'), '::after').content";
    assert_eq!(page.evaluate(after), "\"small\"");
    page.look(DESKTOP_DARK);
    assert_eq!(page.evaluate(after), "\"in the dark\"");
    page.review("rig-good");
    assert_eq!(page.complaints(), Vec::<String>::new());
    // Chromium asks for an icon by itself.
    let own = format!("GET https://{}/", pages.host());
    assert!(page.requests().iter().all(|request| request.starts_with(&own)), "{:?}", page.requests());

    let plain = browser.page_without_javascript(DESKTOP);
    plain.open(&pages.url("good.html"));
    assert!(plain.text().contains("No script runs."), "{}", plain.text());
    assert!(!page.text().contains("No script runs."));
}

#[test]
fn a_bad_page_is_told_from_a_good_one() {
    let Some(pages) = Pages::start() else { return };
    let Some(browser) = browser(&[(&pages.host(), &pages.fingerprint)]) else { return };
    let page = browser.page(DESKTOP);
    page.open(&pages.url("bad.html"));
    let found = page.axe().join("\n");
    for rule in ["html-has-lang", "image-alt", "label", "color-contrast", "document-title"] {
        assert!(
            found.lines().any(|line| line.starts_with(&format!("{rule}: "))),
            "{rule} is missing: {found}"
        );
    }
    assert!(page.evaluate("document.documentElement.scrollWidth").as_u64() > Some(DESKTOP.width.into()));
    // What goes to somebody else is seen, and gets nowhere.
    assert!(
        page.requests().contains(&"GET https://example.com/picture.png".to_owned()),
        "{:?}",
        page.requests()
    );
    let complaints = page.complaints().join("\n");
    assert!(
        complaints.contains("https://example.com/picture.png: net::ERR_NAME_NOT_RESOLVED"),
        "{complaints}"
    );
    assert!(complaints.contains("Content Security Policy"), "{complaints}");
}

#[test]
fn a_passkey_is_made_and_derives_a_key_where_the_authenticator_can() {
    let Some(pages) = Pages::start() else { return };
    let Some(browser) = browser(&[(&pages.host(), &pages.fingerprint)]) else { return };
    for (prf, said) in [(true, "gives 32 bytes"), (false, "gives no key")] {
        let page = browser.page(DESKTOP);
        page.authenticator(prf);
        page.open(&pages.url("good.html"));
        assert_eq!(page.passkeys(), 0);
        page.click(What::Role("button", "Make a passkey"));
        page.wait(What::Css("#said:not(:empty)"));
        assert_eq!(page.read(What::Role("status", "")), format!("The passkey {said}, like public-key"));
        assert_eq!(page.passkeys(), 1);
    }
}

#[test]
fn another_certificate_than_the_one_that_was_named_is_not_taken() {
    let Some(pages) = Pages::start() else { return };
    let other = "00".repeat(32);
    match std::panic::catch_unwind(|| browser(&[(&pages.host(), &other)])) {
        Ok(browser) => assert!(browser.is_none(), "it was taken"),
        Err(why) => assert!(why.downcast_ref::<String>().unwrap().contains("has the certificate")),
    }
}
