//! Printing through IPP: to the printers that CUPS knows, or straight to a printer's own address.
//!
//! A printer is asked first whether it can print; nothing secret is sent to one that cannot. Then the job is
//! followed until the printer says that it is completed. If anything stops it, the job is cancelled, so that
//! no page waits in a queue for whoever mends the printer.
//!
//! The job's name and attributes hold no secret, its file does: a print server may keep it (CUPS keeps the
//! files of finished jobs for a day unless told otherwise). After the job CUPS is asked to forget it at once;
//! [`Printed::forgotten`] says whether it did. A printer with a disk of its own may keep a copy that
//! nobody can ask for. `ipp://` is not encrypted; printers that only take `ipps://` are reached through CUPS.

mod answer;
mod http;
mod pwg;

use std::ops::ControlFlow;
use std::thread;
use std::time::{Duration, Instant};

use ipp::attribute::IppAttribute;
use ipp::model::{DelimiterTag, IppVersion, Operation};
use ipp::request::IppRequestResponse;
use ipp::value::IppValue;
use recovery_key::Secret;

use crate::page::Paper;
use crate::print::answer::{Answer, Group};
use crate::raster::RasterError;

pub use http::{Address, AddressError};

/// How often a printer is asked how far it is.
const PACE: Duration = Duration::from_millis(400);
/// How long a cancelled job may take to end.
const LAST_WORD: Duration = Duration::from_secs(5);
/// The most printers that are listed.
const PRINTER_LIMIT: usize = 1000;
const PDF: &str = "application/pdf";
const RASTER: &str = "image/pwg-raster";

/// A print server: CUPS on this computer or elsewhere.
#[derive(Clone, Debug)]
pub struct Spooler(Address);

impl Spooler {
    /// The one of this computer.
    pub fn of_this_computer() -> Self {
        Self(Address::of_this_computer())
    }

    /// The one at `name`, written like `CUPS_SERVER`: a host, `host:port` or the path of a socket.
    pub fn named(name: &str) -> Result<Self, AddressError> {
        Address::of_server(name).map(Self)
    }

    /// Lists the printers, the default one first, then by name.
    pub fn printers(&self) -> Result<Vec<Printer>, PrintError> {
        let mut request = request(Operation::CupsGetPrinters, None)?;
        operation(&mut request, "requested-attributes", wanted(&PRINTER_ATTRIBUTES));
        let answer = match exchange(&self.0, &request, &[]) {
            // CUPS's answer when it has no printer at all.
            Err(PrintError::Refused { status: 0x0406, .. }) => return Ok(Vec::new()),
            answer => answer?,
        };
        let default = self.default_printer();
        let printers = answer.groups(DelimiterTag::PrinterAttributes).take(PRINTER_LIMIT);
        let mut printers: Vec<_> = printers
            .filter_map(|group| {
                let address = self.0.with_path(&path(group.text("printer-uri-supported")?)?);
                let mut printer = Printer::of_answer(&group, address);
                printer.is_default = default.as_ref() == Some(&printer.name);
                Some(printer)
            })
            .collect();
        printers.sort_by(|a, b| (!a.is_default, &a.name).cmp(&(!b.is_default, &b.name)));
        Ok(printers)
    }

    fn default_printer(&self) -> Option<String> {
        let request = request(Operation::CupsGetDefault, None).ok()?;
        let answer = exchange(&self.0, &request, &[]).ok()?;
        answer.groups(DelimiterTag::PrinterAttributes).next()?.text("printer-name").map(str::to_owned)
    }
}

const PRINTER_ATTRIBUTES: [&str; 9] = [
    "printer-name",
    "printer-info",
    "printer-location",
    "printer-make-and-model",
    "printer-state",
    "printer-state-reasons",
    "printer-is-accepting-jobs",
    "printer-uri-supported",
    "printer-state-message",
];

/// A printer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Printer {
    /// The name of its queue.
    pub name: String,
    /// What its owner calls it.
    pub description: String,
    /// Who made it, and what it is.
    pub model: String,
    /// Where it stands.
    pub location: String,
    /// What it is doing.
    pub state: State,
    /// Why it is not printing, as IPP keywords like `media-empty-error`; empty when all is well.
    pub reasons: Vec<String>,
    /// Whether it takes jobs.
    pub accepts_jobs: bool,
    /// Whether it is the default printer of its print server.
    pub is_default: bool,
    address: Address,
}

/// What a printer is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Idle,
    /// Printing.
    Printing,
    /// It was stopped, or has stopped by itself.
    Stopped,
}

/// What is printed, besides the page itself.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The name of the job, which everybody sees in the queue: no secret, no key ID.
    pub name: &'a str,
    /// Who prints.
    pub user: &'a str,
    /// The paper that the page is made for.
    pub paper: Paper,
    /// How long the printer may take before the job is cancelled.
    pub patience: Duration,
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What the job is doing.
    pub job: JobState,
    /// What else the printer says of it, as IPP keywords.
    pub reasons: Vec<String>,
}

/// What a job is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It waits for others.
    Waiting,
    /// Somebody holds it.
    Held,
    /// It is being printed.
    Printing,
    /// The printer has stopped while it was printed.
    Stopped,
    /// It was cancelled.
    Cancelled,
    /// It was given up.
    Aborted,
    /// It is done.
    Completed,
}

/// A page that the printer says it has printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Printed {
    /// The number of the job.
    pub job: i32,
    /// Whether the print server said that it has forgotten the job and its file.
    pub forgotten: bool,
}

/// Why a page was not printed. Wherever a job had been sent, it was cancelled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrintError {
    /// The address is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The print server or printer cannot be reached.
    #[error("{address} cannot be reached")]
    Unreachable {
        /// Its address.
        address: String,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
    /// It answered with an HTTP error: it wants a password (401), TLS (426), or is no print server.
    #[error("{address} answered with HTTP status {status}")]
    Http {
        /// Its address.
        address: String,
        /// The status.
        status: u16,
    },
    /// What it answered is not IPP.
    #[error("the answer of {address} is not IPP")]
    Answer {
        /// Its address.
        address: String,
    },
    /// It refused.
    #[error("the printer refused: {message} (IPP status {status:#06x})")]
    Refused {
        /// The IPP status.
        status: u16,
        /// What it says.
        message: String,
    },
    /// It takes no jobs.
    #[error("the printer {name} takes no jobs")]
    NotAccepting {
        /// Its name.
        name: String,
    },
    /// It takes neither PDF nor PWG raster.
    #[error("the printer takes neither PDF nor PWG raster, only {}", formats.join(", "))]
    Format {
        /// What it takes.
        formats: Vec<String>,
    },
    /// The page could not be turned into dots.
    #[error(transparent)]
    Raster(#[from] RasterError),
    /// The printer needs somebody: paper, ink, a closed door.
    #[error("the printer has stopped: {}", reasons_text(reasons))]
    Stopped {
        /// Why, as IPP keywords like `media-empty-error`.
        reasons: Vec<String>,
    },
    /// The printer or somebody else gave the job up.
    #[error("the job was not printed: {}", reasons_text(reasons))]
    Aborted {
        /// Why, as IPP keywords like `job-canceled-at-device`.
        reasons: Vec<String>,
    },
    /// The printer took too long.
    #[error("the page was not printed within {} seconds: {}", patience.as_secs(), reasons_text(reasons))]
    Patience {
        /// How long was waited.
        patience: Duration,
        /// What the printer says of itself, as IPP keywords like `media-empty-warning`: a second tray that is
        /// empty stops no job, so such a warning alone ends none.
        reasons: Vec<String>,
    },
    /// Whoever watched wanted no more.
    #[error("printing was cancelled")]
    Cancelled,
    /// The job could not be cancelled after `error`: its page may still come.
    #[error("{error}; the job {job} could not be cancelled and may still be printed")]
    StillQueued {
        /// The number of the job.
        job: i32,
        /// What went wrong first.
        error: Box<PrintError>,
    },
}

fn reasons_text(reasons: &[String]) -> String {
    if reasons.is_empty() { "it does not say why".to_owned() } else { reasons.join(", ") }
}

impl Printer {
    /// Finds the printer at an address of its own, `ipp://HOST[:PORT]/PATH`.
    pub fn at(uri: &str) -> Result<Self, PrintError> {
        let address = Address::of_uri(uri)?;
        let answer = ask(&address, &PRINTER_ATTRIBUTES)?;
        let group = answer.groups(DelimiterTag::PrinterAttributes).next();
        let no_answer = || PrintError::Answer { address: address.to_string() };
        Ok(Self::of_answer(&group.ok_or_else(no_answer)?, address))
    }

    /// Prints a page and waits until it is done. `watch` hears how far it is, and stops it by
    /// [`ControlFlow::Break`].
    pub fn print(
        &self,
        pdf: &Secret<Vec<u8>>,
        job: Job<'_>,
        mut watch: impl FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Printed, PrintError> {
        let answer = ask(&self.address, &["all"])?;
        let printer = answer.groups(DelimiterTag::PrinterAttributes).next();
        let printer = printer.ok_or_else(|| PrintError::Answer { address: self.address.to_string() })?;
        if printer.flag("printer-is-accepting-jobs") == Some(false) {
            return Err(PrintError::NotAccepting { name: self.name.clone() });
        }
        needs_somebody(&printer)?;
        let formats = printer.texts("document-format-supported");
        let takes = |format: &str| formats.iter().any(|known| known.eq_ignore_ascii_case(format));
        let id = if takes(PDF) || formats.is_empty() {
            self.send(&printer, job, PDF, pdf)?
        } else if takes(RASTER) {
            let raster = pwg::raster(pdf.expose(), job.paper, &pwg::Kind::of(&printer))?;
            self.send(&printer, job, RASTER, &raster)?
        } else {
            return Err(PrintError::Format { formats });
        };
        match self.follow(id, job.patience, &mut watch) {
            Ok(()) => Ok(Printed { job: id, forgotten: self.cancel(id, true).is_ok() }),
            Err(error) => {
                let cancelled = self.cancel(id, false).is_ok();
                // What is over cannot be cancelled; what is cancelled may take a moment to end.
                if self.is_over(id) || cancelled {
                    return Err(error);
                }
                Err(PrintError::StillQueued { job: id, error: Box::new(error) })
            }
        }
    }

    fn of_answer(group: &Group<'_>, address: Address) -> Self {
        let text = |name: &str| group.text(name).unwrap_or_default().to_owned();
        Self {
            name: text("printer-name"),
            description: text("printer-info"),
            model: text("printer-make-and-model"),
            location: text("printer-location"),
            state: match group.number("printer-state") {
                Some(4) => State::Printing,
                Some(5) => State::Stopped,
                _ => State::Idle,
            },
            reasons: reasons(group, "printer-state-reasons"),
            accepts_jobs: group.flag("printer-is-accepting-jobs").unwrap_or(true),
            is_default: false,
            address,
        }
    }

    /// Sends a job and returns its number.
    fn send(
        &self,
        printer: &Group<'_>,
        job: Job<'_>,
        format: &str,
        file: &Secret<Vec<u8>>,
    ) -> Result<i32, PrintError> {
        let mut request = request(Operation::PrintJob, Some(&self.address))?;
        let name =
            |text: &str| IppValue::new_name_without_language(text.chars().take(60).collect::<String>());
        operation(&mut request, "requesting-user-name", name(job.user).ok());
        operation(&mut request, "job-name", name(job.name).ok());
        operation(&mut request, "document-format", IppValue::new_mime_media_type(format).ok());
        let mut template = |attribute: &str, value: Option<IppValue>| {
            if !printer.texts(&format!("{attribute}-supported")).is_empty() || attribute == "copies" {
                attribute_of(&mut request, DelimiterTag::JobAttributes, attribute, value);
            }
        };
        template("copies", Some(IppValue::new_integer(1)));
        template("media", IppValue::new_keyword(job.paper.pwg_name()).ok());
        template("sides", IppValue::new_keyword("one-sided").ok());
        template("print-color-mode", IppValue::new_keyword("monochrome").ok());
        template("print-scaling", IppValue::new_keyword("none").ok());
        let answer = exchange(&self.address, &request, file.expose())?;
        let id = answer.groups(DelimiterTag::JobAttributes).next().and_then(|group| group.number("job-id"));
        id.ok_or_else(|| PrintError::Answer { address: self.address.to_string() })
    }

    /// Waits until the job is completed.
    fn follow(
        &self,
        id: i32,
        patience: Duration,
        watch: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<(), PrintError> {
        let started = Instant::now();
        loop {
            let progress = self.progress(id)?;
            let stop = watch(&progress).is_break();
            match progress.job {
                JobState::Completed => return Ok(()),
                JobState::Aborted | JobState::Cancelled => {
                    return Err(PrintError::Aborted { reasons: progress.reasons });
                }
                _ if stop => return Err(PrintError::Cancelled),
                JobState::Waiting | JobState::Held | JobState::Printing | JobState::Stopped => {}
            }
            let answer = ask(&self.address, &["printer-state", "printer-state-reasons"])?;
            let printer = answer.groups(DelimiterTag::PrinterAttributes).next();
            let state = printer.as_ref().map(|printer| reasons(printer, "printer-state-reasons"));
            printer.as_ref().map_or(Ok(()), needs_somebody)?;
            if progress.job == JobState::Stopped {
                return Err(PrintError::Stopped { reasons: progress.reasons });
            }
            if started.elapsed() > patience {
                return Err(PrintError::Patience { patience, reasons: state.unwrap_or_default() });
            }
            thread::sleep(PACE);
        }
    }

    fn progress(&self, id: i32) -> Result<Progress, PrintError> {
        let mut request = request(Operation::GetJobAttributes, Some(&self.address))?;
        operation(&mut request, "job-id", Some(IppValue::new_integer(id)));
        operation(&mut request, "requested-attributes", wanted(&["job-state", "job-state-reasons"]));
        let answer = exchange(&self.address, &request, &[])?;
        let group = answer.groups(DelimiterTag::JobAttributes).next();
        let group = group.ok_or_else(|| PrintError::Answer { address: self.address.to_string() })?;
        let job = match group.number("job-state") {
            Some(4) => JobState::Held,
            Some(5) => JobState::Printing,
            Some(6) => JobState::Stopped,
            Some(7) => JobState::Cancelled,
            Some(8) => JobState::Aborted,
            Some(9) => JobState::Completed,
            _ => JobState::Waiting,
        };
        Ok(Progress { job, reasons: reasons(&group, "job-state-reasons") })
    }

    /// Cancels a job; one that is over is wiped off the print server by `forget`, which CUPS knows.
    fn cancel(&self, id: i32, forget: bool) -> Result<(), PrintError> {
        let mut request = request(Operation::CancelJob, Some(&self.address))?;
        operation(&mut request, "job-id", Some(IppValue::new_integer(id)));
        operation(&mut request, "purge-job", Some(IppValue::new_boolean(forget)));
        exchange(&self.address, &request, &[]).map(drop)
    }

    /// Waits a little until a job is over; says whether it is.
    fn is_over(&self, id: i32) -> bool {
        use JobState::{Aborted, Cancelled, Completed};
        let started = Instant::now();
        loop {
            match self.progress(id) {
                Ok(progress) if matches!(progress.job, Aborted | Cancelled | Completed) => return true,
                Ok(_) if started.elapsed() < LAST_WORD => thread::sleep(PACE),
                _ => return false,
            }
        }
    }
}

/// Returns the reasons of a state, without the word for none.
fn reasons(group: &Group<'_>, name: &str) -> Vec<String> {
    group.texts(name).into_iter().filter(|reason| reason != "none").collect()
}

/// An error when the printer prints nothing until somebody comes.
fn needs_somebody(printer: &Group<'_>) -> Result<(), PrintError> {
    /// Reasons that stop a printer, whatever severity it gives them.
    const STOPPING: [&str; 16] = [
        "cover-open",
        "developer-empty",
        "door-open",
        "fuser-over-temp",
        "fuser-under-temp",
        "input-tray-missing",
        "interlock-open",
        "marker-supply-empty",
        "media-empty",
        "media-jam",
        "media-needed",
        "output-area-full",
        "output-tray-missing",
        "paused",
        "shutdown",
        "toner-empty",
    ];
    let reasons = reasons(printer, "printer-state-reasons");
    let stops = |reason: &String| {
        let is_mild = reason.ends_with("-warning") || reason.ends_with("-report");
        let bare = reason.strip_suffix("-error").unwrap_or(reason);
        reason.ends_with("-error") || (!is_mild && STOPPING.contains(&bare))
    };
    if printer.number("printer-state") == Some(5) || reasons.iter().any(stops) {
        return Err(PrintError::Stopped { reasons });
    }
    Ok(())
}

fn ask(address: &Address, attributes: &[&str]) -> Result<Answer, PrintError> {
    let mut request = request(Operation::GetPrinterAttributes, Some(address))?;
    operation(&mut request, "requested-attributes", wanted(attributes));
    exchange(address, &request, &[])
}

fn request(what: Operation, printer: Option<&Address>) -> Result<IppRequestResponse, PrintError> {
    let uri = printer.map(Address::uri).transpose()?;
    IppRequestResponse::new(IppVersion::v2_0(), what, uri)
        .map_err(|_| AddressError { text: printer.map(ToString::to_string).unwrap_or_default() }.into())
}

fn operation(request: &mut IppRequestResponse, name: &str, value: Option<IppValue>) {
    attribute_of(request, DelimiterTag::OperationAttributes, name, value);
}

/// Adds an attribute; one whose value IPP cannot hold is left out.
fn attribute_of(request: &mut IppRequestResponse, group: DelimiterTag, name: &str, value: Option<IppValue>) {
    if let Some(attribute) = value.and_then(|value| IppAttribute::with_name(name, value).ok()) {
        request.attributes_mut().add(group, attribute);
    }
}

fn wanted(names: &[&str]) -> Option<IppValue> {
    Some(IppValue::Array(names.iter().filter_map(|name| IppValue::new_keyword(*name).ok()).collect()))
}

fn exchange(address: &Address, request: &IppRequestResponse, file: &[u8]) -> Result<Answer, PrintError> {
    let (status, body) = http::post(address, &request.to_bytes(), file)
        .map_err(|source| PrintError::Unreachable { address: address.to_string(), source })?;
    if status != 200 {
        return Err(PrintError::Http { address: address.to_string(), status });
    }
    let answer = Answer::parse(body).ok_or_else(|| PrintError::Answer { address: address.to_string() })?;
    match answer.status() {
        ..0x0100 => Ok(answer),
        status => Err(PrintError::Refused { status, message: answer.message() }),
    }
}

/// Returns the path of a URI.
fn path(uri: &str) -> Option<String> {
    let (_, rest) = uri.split_once("://")?;
    rest.find('/').and_then(|slash| rest.get(slash..)).map(str::to_owned)
}
