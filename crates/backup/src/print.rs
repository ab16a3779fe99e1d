//! A printer: the page, on paper at once.
//!
//! Paper cannot be read back by a program. What is proven is the page as it goes to the printer: its
//! pixels are read and must say the key, before anything is sent. The sheet itself is proven later, by
//! `lastkey verify` with a photo of it, and [`Destination::finish`] says so.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::paper::Paper;
use ::paper::print::{Job, PrintError, Printer, Spooler};
use recovery_key::Secret;

use crate::destination::{Destination, ReadBack, Refusal, SaveError, SavedCopy, Warning};
use crate::document::{Content, Document};
use crate::paper::{page, says, seen};

/// How long a printer may take for a page: it may have to warm up, and others may print before.
const PATIENCE: Duration = Duration::from_secs(300);

/// A printer that is reached by IPP.
pub struct PrintDestination {
    printer: Printer,
    paper: Paper,
    /// Whoever watches wants no more.
    stop: Box<dyn Fn() -> bool + Send + Sync>,
    /// What the pixels of the last page said.
    said: Mutex<Option<Secret<Vec<u8>>>>,
    /// A print server keeps the file of a job.
    kept: AtomicBool,
}

impl PrintDestination {
    /// Finds a printer: by its name, by its own address (`ipp://HOST/PATH`), or the system's default one
    /// when the name is empty. While it prints, `stop` is asked whether to cancel.
    ///
    /// # Errors
    /// When there is no such printer.
    pub fn find(
        name: &str,
        paper: Paper,
        stop: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<Self, FindError> {
        let printer = if name.contains("://") {
            Printer::at(name)?
        } else {
            let printers = Spooler::of_this_computer().printers()?;
            let wanted = |printer: &&Printer| {
                if name.is_empty() { printer.is_default } else { printer.name.eq_ignore_ascii_case(name) }
            };
            let alone = printers.len() == 1 && name.is_empty();
            let found = printers.iter().find(wanted).or(printers.first().filter(|_| alone));
            found.cloned().ok_or_else(|| FindError::NoMatch {
                name: name.to_owned(),
                there: printers.iter().map(|printer| printer.name.clone()).collect(),
            })?
        };
        Ok(Self {
            printer,
            paper,
            stop: Box::new(stop),
            said: Mutex::default(),
            kept: AtomicBool::new(false),
        })
    }

    fn place(&self) -> String {
        format!("the printer {}", self.printer.name)
    }
}

/// Why there is no printer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// None is called so.
    #[error("{}", no_match(.name, .there))]
    NoMatch {
        /// What was asked for; nothing means the default one.
        name: String,
        /// What there is.
        there: Vec<String>,
    },
    /// The print server or the printer does not answer.
    #[error(transparent)]
    Print(#[from] PrintError),
}

fn no_match(name: &str, there: &[String]) -> String {
    let known = if there.is_empty() { "it knows none".to_owned() } else { there.join(", ") };
    if name.is_empty() {
        format!("this computer has no default printer; the printers: {known}")
    } else {
        format!("this computer knows no printer {name:?}; the printers: {known}")
    }
}

impl Destination for PrintDestination {
    fn kind(&self) -> &'static str {
        "print"
    }

    fn describe(&self) -> String {
        self.place()
    }

    fn check(&self, _: &Path) -> Result<Vec<Warning>, Refusal> {
        if self.printer.accepts_jobs {
            return Ok(Vec::new());
        }
        Err(Refusal::Unusable { place: self.place(), why: "it takes no jobs".to_owned() })
    }

    fn holds(&self, content: &Content) -> bool {
        matches!(content, Content::RecoveryPassword { .. })
    }

    fn save(&self, document: &Document) -> Result<SavedCopy, SaveError> {
        let place = self.place();
        let rejected = |why: String| SaveError::Rejected { place: place.clone(), why };
        let pdf = page(document, self.paper, &place)?;
        let said = seen(pdf.expose(), &place)?;
        if !says(&said, document) {
            return Err(rejected("the page does not say the key, so it was not printed".to_owned()));
        }
        let user = std::env::var("USER").unwrap_or_else(|_| "lastkey".to_owned());
        let job = Job { name: "A page", user: &user, paper: self.paper, patience: PATIENCE };
        let watch = |_: &_| if (self.stop)() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let printed = self.printer.print(&pdf, job, watch).map_err(|error| match error {
            PrintError::Unreachable { .. } => {
                SaveError::Unreachable { place: place.clone(), why: error.to_string() }
            }
            _ => rejected(error.to_string()),
        })?;
        self.kept.fetch_or(!printed.forgotten, Ordering::Relaxed);
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
        let short = document.key_id().map(|id| id.short()).unwrap_or_default();
        Ok(SavedCopy {
            place: format!("a sheet of paper, key ID {short}, from {place}"),
            ..SavedCopy::default()
        })
    }

    fn read_back(&self, _: &SavedCopy) -> Result<ReadBack, SaveError> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(said.map_or_else(
            || ReadBack::Withheld("paper shows itself only to people".to_owned()),
            ReadBack::Document,
        ))
    }

    fn remove(&self, copy: &SavedCopy) -> Result<(), SaveError> {
        let why = "what is printed can only be torn up".to_owned();
        Err(SaveError::Rejected { place: copy.place.clone(), why })
    }

    fn finish(&self) -> Result<Option<String>, SaveError> {
        let kept = if self.kept.load(Ordering::Relaxed) {
            "; the print server may keep a copy of the page"
        } else {
            ""
        };
        Ok(Some(format!(
            "what was proven is the page that was sent: check the sheet itself with a photo \
             (lastkey verify DRIVE photo.jpg){kept}"
        )))
    }
}
