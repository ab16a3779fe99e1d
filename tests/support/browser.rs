//! A real browser: headless Chromium, driven by playwright-core, its pages judged by axe-core.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// A browser that runs. Each of its pages is another person's, who shares nothing with the others.
pub struct Browser(Arc<Mutex<Driver>>);

struct Driver {
    node: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// What it is called in file names.
    pub name: &'static str,
    /// How wide it is, in CSS pixels.
    pub width: u32,
    /// How high it is.
    pub height: u32,
    /// Whether it is held in a hand.
    pub mobile: bool,
    /// Whether its owner likes it dark.
    pub dark: bool,
}

/// Opens all that is folded up, and returns how much that was.
const UNFOLD: &str = "[...document.querySelectorAll('details:not([open])')]
    .map(part => { part.open = true; part.dataset.unfolded = ''; }).length";
/// Folds it up again.
const FOLD: &str = "document.querySelectorAll('details[data-unfolded]')
    .forEach(part => { part.open = false; delete part.dataset.unfolded; })";

/// A small phone.
pub const PHONE: Look = Look { name: "phone", width: 360, height: 740, mobile: true, dark: false };
/// A small phone at night.
pub const PHONE_DARK: Look = Look { name: "phone-dark", dark: true, ..PHONE };
/// A desk.
pub const DESKTOP: Look = Look { name: "desktop", width: 1280, height: 800, mobile: false, dark: false };
/// A desk at night.
pub const DESKTOP_DARK: Look = Look { name: "desktop-dark", dark: true, ..DESKTOP };
/// The narrowest that pages are made for: a phone whose owner likes large letters.
const NARROWEST: Look = Look { name: "narrowest", width: 320, ..PHONE };
/// All of which pictures are made.
pub const LOOKS: [Look; 4] = [PHONE, PHONE_DARK, DESKTOP, DESKTOP_DARK];

/// Something on a page.
#[derive(Clone, Copy, Debug)]
pub enum What<'a> {
    /// A role and the whole name, as a screen reader says them: `("button", "Sign in")`.
    Role(&'a str, &'a str),
    /// A field, by its label.
    Label(&'a str),
    /// A CSS selector, for what no person would look for.
    Css(&'a str),
}

impl What<'_> {
    fn into_json(self) -> Value {
        match self {
            Self::Role(role, name) => json!({ "role": role, "name": name }),
            Self::Label(label) => json!({ "label": label }),
            Self::Css(css) => json!({ "css": css }),
        }
    }
}

/// Starts a browser that takes the certificates with these SHA-256 fingerprints from these servers
/// (`localhost:4848`), which must be running; `None`, loudly, when there is no browser.
///
/// # Panics
/// When it does not start, or a server has another certificate.
pub fn browser(trusted: &[(&str, &str)]) -> Option<Browser> {
    start(trusted, "".as_ref())
}

/// Starts a browser on a computer whose camera sees a film, a `.y4m` file; `None`, loudly, when there is none.
///
/// # Panics
/// When it does not start.
pub fn browser_with_camera(film: &Path) -> Option<Browser> {
    start(&[], film)
}

fn start(trusted: &[(&str, &str)], camera: &Path) -> Option<Browser> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let modules = env::var_os("LASTKEY_BROWSER").map_or(root.join("../target/browser"), PathBuf::from);
    if !modules.join("installed.json").exists() {
        crate::skip("no browser: ./test program prepares it");
        return None;
    }
    let mut node = Command::new("node");
    node.arg(root.join("browser/driver.mjs")).arg(modules.canonicalize().expect("a folder")).arg(camera);
    for (server, fingerprint) in trusted {
        let bare: String = fingerprint.chars().filter(char::is_ascii_hexdigit).collect();
        node.arg(format!("{server}={}", bare.to_lowercase()));
    }
    let mut node = node.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("node");
    let input = node.stdin.take();
    let output = BufReader::new(node.stdout.take().expect("its output"));
    let mut driver = Driver { node, input, output };
    driver.answer().unwrap_or_else(|error| panic!("the browser does not start: {error}"));
    Some(Browser(Arc::new(Mutex::new(driver))))
}

impl Browser {
    /// Opens an empty page of somebody new.
    pub fn page(&self, look: Look) -> Page {
        self.new_page(look, true)
    }

    /// The same with JavaScript off, so that axe-core cannot judge it.
    pub fn page_without_javascript(&self, look: Look) -> Page {
        self.new_page(look, false)
    }

    fn new_page(&self, look: Look, javascript: bool) -> Page {
        let request = json!({ "verb": "page", "look": look.into_json(), "javascript": javascript });
        let id = self.0.lock().expect("a browser").ask(&request).expect("a page");
        Page { driver: Arc::clone(&self.0), id: id.as_u64().expect("a number") }
    }
}

impl Look {
    fn into_json(self) -> Value {
        json!({ "width": self.width, "height": self.height, "mobile": self.mobile, "dark": self.dark })
    }
}

/// A page. What cannot be done on it within half a minute panics.
pub struct Page {
    driver: Arc<Mutex<Driver>>,
    id: u64,
}

impl Page {
    #[track_caller]
    fn ask(&self, verb: &str, mut rest: Value) -> Value {
        rest["verb"] = verb.into();
        rest["page"] = self.id.into();
        let answer = self.driver.lock().expect("a browser").ask(&rest);
        answer.unwrap_or_else(|error| panic!("{verb} {rest}: {error}"))
    }

    #[track_caller]
    fn ask_text(&self, verb: &str, rest: Value) -> String {
        self.ask(verb, rest).as_str().expect("text").to_owned()
    }

    #[track_caller]
    fn ask_list(&self, verb: &str) -> Vec<String> {
        serde_json::from_value(self.ask(verb, json!({}))).expect("a list")
    }

    /// Goes to a URL and returns the status.
    #[track_caller]
    pub fn open(&self, url: &str) -> u64 {
        self.ask("open", json!({ "url": url })).as_u64().unwrap_or(0)
    }

    /// Loads it anew and returns the status.
    #[track_caller]
    pub fn reload(&self) -> u64 {
        self.ask("reload", json!({})).as_u64().unwrap_or(0)
    }

    /// Goes back to the page before.
    #[track_caller]
    pub fn back(&self) {
        self.ask("back", json!({}));
    }

    /// Returns where it is.
    #[track_caller]
    pub fn url(&self) -> String {
        self.ask_text("url", json!({}))
    }

    /// Waits until it is at a URL; `**` stands for anything.
    #[track_caller]
    pub fn until(&self, url: &str) {
        self.ask("until", json!({ "url": url }));
    }

    /// Types into a field.
    #[track_caller]
    pub fn fill(&self, label: &str, text: &str) {
        self.ask("fill", json!({ "label": label, "text": text }));
    }

    /// Types into a field key by key, as fingers do.
    #[track_caller]
    pub fn type_slowly(&self, label: &str, text: &str) {
        self.ask("type", json!({ "label": label, "text": text }));
    }

    /// Chooses files for a field.
    #[track_caller]
    pub fn upload(&self, label: &str, files: &[&Path]) {
        self.ask("upload", json!({ "label": label, "files": files }));
    }

    /// Chooses from a list.
    #[track_caller]
    pub fn choose(&self, label: &str, text: &str) {
        self.ask("choose", json!({ "label": label, "text": text }));
    }

    /// Clicks.
    #[track_caller]
    pub fn click(&self, what: What) {
        self.ask("click", what.into_json());
    }

    /// Waits until something is there.
    #[track_caller]
    pub fn wait(&self, what: What) {
        self.ask("wait", what.into_json());
    }

    /// Counts.
    #[track_caller]
    pub fn count(&self, what: What) -> u64 {
        self.ask("count", what.into_json()).as_u64().expect("a number")
    }

    /// Returns the text of something, as it is seen.
    #[track_caller]
    pub fn read(&self, what: What) -> String {
        self.ask_text("read", what.into_json())
    }

    /// Returns all text, as it is seen.
    #[track_caller]
    pub fn text(&self) -> String {
        self.read(What::Css("body"))
    }

    /// Returns what stands in a field.
    #[track_caller]
    pub fn value(&self, label: &str) -> String {
        self.ask_text("value", json!({ "label": label }))
    }

    /// Returns an attribute of something, if it has it.
    #[track_caller]
    pub fn attribute(&self, what: What, attribute: &str) -> Option<String> {
        let mut request = what.into_json();
        request["attribute"] = attribute.into();
        self.ask("attribute", request).as_str().map(str::to_owned)
    }

    /// Runs a script as the page's own would run, and returns its value.
    #[track_caller]
    pub fn evaluate(&self, script: &str) -> Value {
        self.ask("evaluate", json!({ "script": script }))
    }

    /// Clicks what downloads a file, saves it, and returns the name that it came with.
    #[track_caller]
    pub fn download(&self, what: What, file: &Path) -> String {
        let mut request = what.into_json();
        request["file"] = file.to_str().into();
        self.ask_text("download", request)
    }

    /// Turns it into another size, another light.
    #[track_caller]
    pub fn look(&self, look: Look) {
        self.ask("look", json!({ "look": look.into_json() }));
    }

    /// Says yes when it asks for the camera.
    #[track_caller]
    pub fn allow_camera(&self) {
        self.ask("allow", json!({}));
    }

    /// Gives it a built-in authenticator that keeps passkeys, and with `prf` derives keys with them.
    #[track_caller]
    pub fn authenticator(&self, prf: bool) {
        self.ask("authenticator", json!({ "prf": prf }));
    }

    /// Returns how many passkeys the authenticator has.
    #[track_caller]
    pub fn passkeys(&self) -> u64 {
        self.ask("passkeys", json!({})).as_u64().expect("a number")
    }

    /// Returns what axe-core finds wrong with it.
    #[track_caller]
    pub fn axe(&self) -> Vec<String> {
        self.ask_list("axe")
    }

    /// Returns all requests that this person's pages made, `GET https://...`, those that were stopped too.
    #[track_caller]
    pub fn requests(&self) -> Vec<String> {
        self.ask_list("requests")
    }

    /// Returns what the browser complained about: errors of scripts, what a policy stopped, requests that failed.
    #[track_caller]
    pub fn complaints(&self) -> Vec<String> {
        self.ask_list("complaints")
    }

    /// Returns this person's cookies.
    #[track_caller]
    pub fn cookies(&self) -> Vec<Value> {
        serde_json::from_value(self.ask("cookies", json!({}))).expect("a list")
    }

    /// Makes a picture of it in `target/review`, for people to look at.
    #[track_caller]
    pub fn screenshot(&self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/review");
        fs::create_dir_all(&folder).expect("a folder");
        self.ask("screenshot", json!({ "file": folder.join(format!("{name}.png")) }));
    }

    /// Looks at it in all sizes and lights, with what is folded up closed and open: nothing is wrong by axe-core, nothing
    /// is cut off at the side, down to 320 pixels, and a picture of each is made.
    ///
    /// # Panics
    /// When something is wrong.
    #[track_caller]
    pub fn review(&self, name: &str) {
        for look in LOOKS {
            self.review_as(name, look);
        }
        self.look(NARROWEST);
        self.assert_fits(name, NARROWEST);
        if self.evaluate(UNFOLD).as_u64() > Some(0) {
            self.assert_fits(name, NARROWEST);
            for look in [DESKTOP_DARK, PHONE] {
                self.review_as(&format!("{name}-open"), look);
            }
            self.evaluate(FOLD);
        }
    }

    #[track_caller]
    fn review_as(&self, name: &str, look: Look) {
        self.look(look);
        let found = self.axe();
        self.screenshot(&format!("{name}-{}", look.name));
        assert_eq!(found, Vec::<String>::new(), "{name} in {look:?}");
        self.assert_fits(name, look);
    }

    #[track_caller]
    fn assert_fits(&self, name: &str, look: Look) {
        let width = self.evaluate("document.documentElement.scrollWidth").as_u64();
        assert!(width <= Some(look.width.into()), "{name} is {width:?} wide in {look:?}");
    }
}

impl Driver {
    fn ask(&mut self, request: &Value) -> Result<Value, String> {
        let input = self.input.as_mut().expect("its input");
        writeln!(input, "{request}").and_then(|()| input.flush()).map_err(|error| error.to_string())?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|error| error.to_string())?;
        let mut answer: Value = serde_json::from_str(&line).map_err(|error| format!("{error}: {line:?}"))?;
        match answer["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer["ok"].take()),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It ends the browser when its input does.
        self.input = None;
        let _ = self.node.wait();
    }
}
