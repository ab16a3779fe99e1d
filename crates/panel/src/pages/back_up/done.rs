//! The end: what is proven, where, and what to do now.

use askama::Template;
use recovery_key::KeyId;
use web::{Icon, Say};

use crate::inventory::Drive;
use crate::jobs::Outcome;
use crate::told::Told;
use crate::words;

/// What came of saving a drive's keys to a place.
pub struct Done {
    /// What the drive is called, and what stands for it in addresses.
    pub drive: String,
    pub id: String,
    /// The way that was chosen.
    pub way: &'static str,
    pub copies: Vec<Copy>,
    /// Why nothing was tried at all.
    pub refused: Option<Told>,
    pub warnings: Vec<Told>,
    /// Keys that the drive has, but cannot show any more.
    pub damaged: Vec<String>,
    /// Why the metadata was not kept beside the keys.
    pub no_snapshot: Option<String>,
    /// What the place says in the end.
    pub ending: Option<String>,
    /// What is wrong with the logs of accounts.
    pub alarms: Vec<String>,
    /// Why the record could not be used.
    pub record: Option<String>,
    /// The person wanted no more.
    pub stopped: bool,
    /// How many proven copies the key has that has fewest, as far as the record knows.
    pub proven_in_all: Option<usize>,
}

/// What became of one document.
pub struct Copy {
    /// The key; none is the metadata.
    pub key_id: Option<KeyId>,
    pub place: Told,
    pub state: State,
    pub time: i64,
}

/// What is known of a copy.
pub enum State {
    /// It was read back, and it opened the drive.
    Proven,
    /// The metadata, which was read back and compared.
    Intact,
    /// It was there before, and is good.
    There(Told),
    /// A printer says that it has printed the page.
    Printed,
    /// It is there, but could not be read back.
    Stored(Told),
    /// It is on this computer until it can be delivered.
    Waiting(Told),
    /// There is none.
    Failed(Told),
}

/// How it ended, all in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Proven,
    Printed,
    Stored,
    Waiting,
    Partly,
    Stopped,
    Failed,
}

impl Done {
    pub fn new(drive: &Drive, way: &'static str) -> Self {
        Self {
            drive: words::title(drive),
            id: drive.id.clone(),
            way,
            copies: Vec::new(),
            refused: None,
            warnings: Vec::new(),
            damaged: Vec::new(),
            no_snapshot: None,
            ending: None,
            alarms: Vec::new(),
            record: None,
            stopped: false,
            proven_in_all: None,
        }
    }

    /// Keeps the first reason why the record could not be used.
    pub fn note(&mut self, why: &str) {
        self.record.get_or_insert_with(|| why.to_owned());
    }

    fn keys(&self) -> impl Iterator<Item = &Copy> {
        self.copies.iter().filter(|copy| copy.key_id.is_some())
    }

    fn end(&self) -> End {
        let any = |is: fn(&State) -> bool| self.keys().any(|copy| is(&copy.state));
        let failed = any(|state| matches!(state, State::Failed(_))) || !self.damaged.is_empty();
        let made = any(|state| !matches!(state, State::Failed(_)));
        match (self.refused.is_some(), made, failed) {
            (true, ..) => End::Failed,
            (_, false, _) if self.stopped => End::Stopped,
            (_, false, _) => End::Failed,
            (_, true, true) => End::Partly,
            (_, true, false) if self.stopped => End::Partly,
            (_, true, false) if any(|state| matches!(state, State::Waiting(_))) => End::Waiting,
            (_, true, false) if any(|state| matches!(state, State::Stored(_))) => End::Stored,
            (_, true, false) if any(|state| matches!(state, State::Printed)) => End::Printed,
            (_, true, false) => End::Proven,
        }
    }
}

impl Outcome for Done {
    fn title(&self, say: Say<'_>) -> String {
        say.of(match self.end() {
            End::Proven => "backed-up-title",
            End::Printed => "backed-up-printed-title",
            End::Stored => "backed-up-stored-title",
            End::Waiting => "backed-up-waiting-title",
            End::Partly => "backed-up-partly-title",
            End::Stopped => "backed-up-stopped-title",
            End::Failed => "backed-up-failed-title",
        })
    }

    fn body(&self, say: Say<'_>) -> Result<String, askama::Error> {
        Page { say, done: self, title: self.title(say), end: self.end() }.render()
    }
}

#[derive(Template)]
#[template(path = "back_up/done.html")]
struct Page<'p> {
    say: Say<'p>,
    done: &'p Done,
    title: String,
    end: End,
}

impl Page<'_> {
    /// How the summary looks.
    fn class(&self) -> &'static str {
        match self.end {
            End::Proven => "good",
            End::Printed | End::Stored | End::Waiting | End::Stopped => "warn",
            End::Partly | End::Failed => "bad",
        }
    }

    fn icon(&self, good: bool) -> Icon {
        if good { Icon::Good } else { Icon::Warning }
    }

    fn summary(&self) -> String {
        let message = match self.end {
            End::Proven => "backed-up-summary",
            End::Printed => "backed-up-printed-summary",
            End::Stored => "backed-up-stored-summary",
            End::Waiting => "backed-up-waiting-summary",
            End::Partly => "backed-up-partly-summary",
            End::Stopped => "backed-up-stopped-summary",
            End::Failed => "backed-up-failed-summary",
        };
        self.say.with(message, &[("drive", &self.done.drive)])
    }

    /// What it is: a key, or the metadata.
    fn what(&self, copy: &Copy) -> String {
        match copy.key_id {
            Some(id) => self.say.with("copy-key", &[("key", &id.short())]),
            None => self.say.of("copy-metadata"),
        }
    }

    fn is_good(&self, copy: &Copy) -> bool {
        matches!(copy.state, State::Proven | State::Intact | State::There(_))
    }

    /// The class of a copy's words.
    fn colour(&self, copy: &Copy) -> &'static str {
        match copy.state {
            State::Proven | State::Intact | State::There(_) => "good",
            State::Printed | State::Stored(_) | State::Waiting(_) => "warn",
            State::Failed(_) => "bad",
        }
    }

    fn standing(&self, copy: &Copy) -> String {
        let say = self.say;
        match &copy.state {
            State::Proven => say.with("copy-proven", &[("time", &words::time(copy.time, say.language()))]),
            State::Intact => say.with("copy-intact", &[("time", &words::time(copy.time, say.language()))]),
            State::There(why) | State::Failed(why) => why.say(say),
            State::Printed => say.of("copy-printed"),
            State::Stored(why) => Told::new("copy-stored").because(why.clone()).say(say),
            State::Waiting(why) => Told::new("copy-waiting").because(why.clone()).say(say),
        }
    }

    /// Where it is; what is not there is nowhere.
    fn place(&self, copy: &Copy) -> Option<String> {
        let is_there = !matches!(copy.state, State::Failed(_) | State::There(_));
        is_there.then(|| copy.place.say(self.say))
    }

    /// What to do now, in the order of doing it.
    fn to_do(&self) -> Vec<String> {
        if !matches!(self.end, End::Proven | End::Printed | End::Stored | End::Waiting | End::Partly) {
            return Vec::new();
        }
        let messages: &[&str] = match self.done.way {
            "usb" => &["now-usb-out", "now-usb-keep"],
            "file" => &["now-file"],
            "pdf" => &["now-pdf-print", "now-paper-keep", "now-pdf-delete"],
            "print" => &["now-print-check", "now-paper-keep"],
            "account" => &["now-account"],
            "directory" => &["now-directory"],
            _ => &["now-passwords"],
        };
        messages.iter().map(|message| self.say.of(message)).collect()
    }

    /// What the place itself says in the end, where that is more than what is to be done anyway.
    fn ending(&self) -> Option<&str> {
        let more = matches!(self.done.way, "usb" | "print" | "account" | "directory");
        self.done.ending.as_deref().filter(|_| more)
    }

    /// Whether the sheet is still to be looked at.
    fn wants_a_look(&self) -> bool {
        matches!(self.done.way, "print" | "pdf") && !matches!(self.end, End::Failed | End::Stopped)
    }

    /// Whether there should be one more copy.
    fn one_more(&self) -> bool {
        self.end != End::Failed && self.done.proven_in_all.is_none_or(|count| count < 2)
    }

    /// The next best ways, when this one did not do.
    fn instead(&self) -> Vec<(String, String)> {
        if !matches!(self.end, End::Failed | End::Stopped | End::Partly) {
            return Vec::new();
        }
        let next: &[(&str, &str)] = match self.done.way {
            "usb" => &[("file", "way-file"), ("print", "way-print")],
            "file" => &[("usb", "way-usb"), ("print", "way-print")],
            "print" => &[("pdf", "way-pdf"), ("usb", "way-usb")],
            "account" | "directory" => &[("usb", "way-usb"), ("print", "way-print")],
            _ => &[("usb", "way-usb"), ("file", "way-file")],
        };
        let link = |way: &str| format!("/drives/{}/back-up/{way}", self.done.id);
        next.iter().map(|(way, message)| (link(way), self.say.of(message))).collect()
    }
}
