//! Other sites in the same browser, which the person has let in.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use lastkey_tests::browser::{DESKTOP, browser};
use lastkey_tests::panel::Home;

/// A site that means harm, on a port of this computer.
struct Site {
    port: u16,
    /// All that browsers have told it.
    heard: Arc<Mutex<String>>,
}

impl Site {
    fn start(html: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(String::new()));
        let told = Arc::clone(&heard);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let head: Vec<_> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
                *told.lock().unwrap() += &(head.join("\n") + "\n\n");
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{html}",
                    html.len()
                );
                let _ = (&stream).write_all(answer.as_bytes());
            }
        });
        Self { port, heard }
    }
}

/// Tries what scripts can try, and says what came of each: `true` is harm.
const SCRIPT: &str = r#"
const panel = "PANEL";
const tries = {};
const attempt = async (name, work) => { tries[name] = await work().then(Boolean, () => false); };
const load = (tag, path) => () => new Promise((resolve) => {
  const element = document.createElement(tag);
  element.onload = () => resolve(true);
  element.onerror = () => resolve(false);
  if (tag === "link") { element.rel = "stylesheet"; element.href = panel + path; } else { element.src = panel + path; }
  document.body.append(element);
});
window.done = (async () => {
  await attempt("read", async () => (await fetch(panel + "/drives", { credentials: "include" })).text());
  await attempt("read opaque", async () => (await fetch(panel + "/drives", { credentials: "include", mode: "no-cors" })).status > 0);
  await attempt("quit", async () => (await fetch(panel + "/quit", { method: "POST", credentials: "include" })).ok);
  await attempt("again", async () => (await fetch(panel + "/again", { method: "POST", headers: { "lastkey-secret": "x" }, body: "{}" })).ok);
  await attempt("image", load("img", "/drives"));
  await attempt("script", load("script", "SCRIPT"));
  await attempt("style", load("link", "STYLE"));
  await attempt("frame", async () => {
    const frame = document.createElement("iframe");
    const loaded = new Promise((resolve) => (frame.onload = resolve));
    frame.src = panel + "/drives";
    document.body.append(frame);
    await loaded;
    return frame.contentDocument?.body?.textContent.includes("BitLocker");
  });
  // They cannot be heard, but they are sent.
  await fetch(panel + "/quit", { method: "POST", credentials: "include", mode: "no-cors" }).catch(() => 0);
  navigator.sendBeacon(panel + "/quit", "x");
  return tries;
})();
"#;

#[test]
fn a_page_from_another_origin_can_do_nothing() {
    let Some(browser) = browser(&[]) else { return };
    let home = Home::new();
    let panel = home.start(&[]);
    let tab = browser.page(DESKTOP);
    panel.enter(&tab);
    assert_eq!(tab.open(&panel.url("/drives")), 200);

    // It even knows the panel's name, which nobody tells it.
    let form = format!("<form method=post action='{}'><button>Go on</button></form>", panel.url("/quit"));
    let files = tab.evaluate("[document.scripts[0].src, document.styleSheets[0].href]");
    let [file, style] = [0, 1].map(|number| files[number].as_str().unwrap().replace(&panel.url(""), ""));
    assert!(file.starts_with('/') && style.starts_with('/'));
    let script = SCRIPT.replace("PANEL", &panel.url("")).replace("SCRIPT", &file).replace("STYLE", &style);
    let site = Site::start(format!("<!DOCTYPE html><title>x</title><body>{form}<script>{script}</script>"));
    // The address and the name that all programs share, another name below localhost, and the panel's own at another port.
    let own = panel.host().split(':').next().unwrap().to_owned();
    for host in ["127.0.0.1", "localhost", "evil.localhost", &own] {
        let url = format!("http://{host}:{}/", site.port);
        assert_eq!(tab.open(&url), 200);
        let tries = tab.evaluate("window.done");
        let tries = tries.as_object().unwrap();
        assert_eq!(tries.len(), 8);
        for (name, harm) in tries {
            assert_eq!(harm, false, "{name} from {host}");
        }
        // A form can always be sent.
        tab.evaluate("void setTimeout(() => document.forms[0].submit())");
        tab.until(&panel.url("/quit"));
        assert!(
            tab.text().contains("Another site asked") || tab.text().contains("has not been let in"),
            "{}",
            tab.text()
        );
        // And a link can be followed, but shows only what the person may see.
        assert_eq!(tab.open(&panel.url("/drives")), 200, "it still runs, and knows its person");
    }

    let heard = site.heard.lock().unwrap().clone();
    for request in heard.split("\n\n").filter(|request| !request.contains(&own)) {
        assert!(!request.to_lowercase().contains("cookie:"), "{request}");
        assert!(!request.contains("lastkey-"), "{request}");
    }
    let cookies = tab.cookies();
    assert_eq!(cookies.len(), 1);
    assert_eq!(cookies[0]["domain"], own.as_str());
    assert_eq!((&cookies[0]["httpOnly"], &cookies[0]["sameSite"]), (&true.into(), &"Strict".into()));
}

#[test]
fn a_page_of_the_panel_asks_nobody_else_for_anything() {
    let Some(browser) = browser(&[]) else { return };
    let panel = Home::new().start(&[]);
    let tab = browser.page(DESKTOP);
    panel.enter(&tab);
    for path in ["/", "/drives", "/rights"] {
        assert_eq!(tab.open(&panel.url(path)), 200);
    }
    assert!(!tab.requests().is_empty());
    panel.assert_quiet(&tab);
}

#[test]
fn asking_for_rights_is_explained() {
    let Some(browser) = browser(&[]) else { return };
    let Some(home) = crate::helper::common_home() else { return };
    let panel = home.start(&[]);
    let tab = browser.page(DESKTOP);
    panel.enter(&tab);
    assert_eq!(tab.open(&panel.url("/rights")), 200);
    assert!(tab.text().contains("administrator"));
    tab.review("panel-rights");
}
