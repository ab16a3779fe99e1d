//! `lastkey nbd`: a drive, decrypted, for whatever can read a network block device.

mod place;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;

use fve::ReadAt;
use nbd::{Event, Export, HandshakeError, Options};
use recovery_key::Secret;
use serde::Serialize;

use self::place::Place;
use crate::cli::{Nbd, NbdTls};
use crate::failure::{Failure, Kind, reason};
use crate::inside::Inside;
use crate::interrupt::{self, Critical};
use crate::keys;
use crate::output::Output;
use crate::{rights, words};

/// A failing drive has more bad sectors than anybody reads about.
const MAX_NOTES: usize = 20;

#[derive(Serialize)]
struct Report {
    drive: String,
    volume: Option<String>,
    uri: String,
    socket: Option<String>,
    address: Option<String>,
    name: String,
    tls: bool,
    bytes: u64,
}

/// Serves the drive until it is enough.
pub fn run(arguments: &Nbd, output: &Output) -> Result<ExitCode, Failure> {
    // What cannot be is refused before a key is asked for.
    place::check(arguments)?;
    let tls = tls(&arguments.tls)?;
    let inside = Inside::open(&arguments.drive.drive, &arguments.drive.find, &arguments.keys, output)?;

    let critical = Critical::begin();
    let place = Place::open(arguments)?;
    let report = Report {
        drive: inside.name.clone(),
        volume: inside.id.map(|id| id.to_string()),
        uri: place.uri(&arguments.name, tls.is_some()),
        socket: place.socket().map(|path| path.display().to_string()),
        address: place.address().map(|address| address.to_string()),
        name: arguments.name.clone(),
        tls: tls.is_some(),
        bytes: inside.bytes.size(),
    };
    if let Some(whoever) = place.whoever_can_connect().filter(|_| arguments.tls.tls_ca.is_none()) {
        output.note(format!("note: {whoever} can read the drive; without --listen only you can"));
    }
    output.say(report.words(&place, arguments.once))?;
    output.document(&report)?;

    let export = Export::new(&arguments.name, &format!("{}, decrypted", inside.name), inside.bytes);
    let options = Options { tls, once: arguments.once };
    let notes = Notes { drive: inside.name, json: output.is_json(), said: Mutex::new(0) };
    let served =
        nbd::serve(place.listener(), export, options, &interrupt::asked, move |event| notes.hear(&event));
    drop(place);
    drop(critical);
    served.map_err(|error| Failure::from(error).about(&report.uri))?;
    output.note_unless_json(if interrupt::asked() { "stopped" } else { "stopped: the client has gone" });
    Ok(ExitCode::SUCCESS)
}

impl Report {
    fn words(&self, place: &Place, once: bool) -> String {
        let uri = &self.uri;
        let sudo = if rights::are_all() { "sudo " } else { "" };
        let until = if once { "the first client has gone" } else { "you press Ctrl-C" };
        let mut lines = format!(
            "{} can be read here, decrypted, until {until}:\n\n  {uri}\n\nFor example:\n  \
             {sudo}qemu-img convert -p -O qcow2 '{uri}' drive.qcow2\n  \
             {sudo}nbdcopy --progress '{uri}' drive.img",
            self.drive,
        );
        if !self.tls {
            let name = match self.name.as_str() {
                "" => String::new(),
                name => format!(" -N {}", words::quoted(Path::new(name))),
            };
            let place = place.for_nbd_client();
            lines +=
                &format!("\n  sudo nbd-client {place}{name} /dev/nbd0 && sudo mount -o ro /dev/nbd0 /mnt");
        }
        lines
    }
}

/// Reads certificates and key.
fn tls(arguments: &NbdTls) -> Result<Option<nbd::Tls>, Failure> {
    let (Some(certificate), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) else { return Ok(None) };
    let read = |path: &Path| -> Result<Secret<Vec<u8>>, Failure> {
        keys::read_file(path).map_err(|failure| failure.about(&path.display().to_string()))
    };
    let authorities = arguments.tls_ca.as_deref().map(read).transpose()?;
    let authorities = authorities.as_ref().map(|bytes| bytes.expose().as_slice());
    let tls = nbd::Tls::new(read(certificate)?.expose(), read(key)?.expose(), authorities);
    tls.map(Some).map_err(|error| {
        Failure::new(Kind::Usage, error.to_string())
            .hint("certificates and keys are read as PEM: text between BEGIN and END lines")
    })
}

/// Says what a person should know of what happens, but not without end.
struct Notes {
    drive: String,
    json: bool,
    said: Mutex<usize>,
}

impl Notes {
    fn hear(&self, event: &Event<'_>) {
        let text = match event {
            Event::Unreadable { offset, error } => {
                format!("warning: {}: byte {offset} cannot be read: {}", self.drive, reason(error))
            }
            // Whoever only looks whether somebody is there leaves like this.
            Event::TurnedAway(HandshakeError::Io(_)) => return,
            Event::TurnedAway(error) => format!("note: a client was turned away: {error}"),
            Event::TooMany => "note: a client was turned away: there are too many".to_owned(),
            _ => return,
        };
        let mut said = self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *said += 1;
        match *said {
            ..=MAX_NOTES => Output::new(self.json).note(text),
            n if n == MAX_NOTES + 1 => Output::new(self.json).note("note: there is more of this kind"),
            _ => {}
        }
    }
}
