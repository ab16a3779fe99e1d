//! Asking where to, as Windows does.

use std::ffi::OsString;

use backup::record::Record;
use backup::{Stick, UsbDestination};

use crate::drive::Target;
use crate::failure::Failure;
use crate::output::Output;
use crate::places::{self, Maker, Place};
use crate::prompt;
use crate::words::{self, BOLD, OFF};

/// The ways beside the sticks that are plugged in: what is said of each, what is asked, the kind of place.
const WAYS: [(&str, &str, &str); 6] = [
    ("Save to a file: in a folder on another drive or a network share", "Folder: ", "file:"),
    ("Print it", "Printer (nothing: the system's own): ", "print:"),
    ("Save the page that would be printed", "File (.pdf): ", "paper:"),
    ("Save to a password database of KeePass", "File (.kdbx): ", "keepass:"),
    ("Save to your account at a server", "Account (nothing: the only one): ", "account:"),
    ("Save to the directory of an organisation", "ldaps://SERVER/COMPUTER: ", "directory:"),
];

/// Asks until a place is named that can be used.
pub fn choose(
    maker: &mut Maker<'_>,
    target: &Target,
    record: Option<&Record>,
    output: &Output,
) -> Result<Place, Failure> {
    let mut sticks = backup::sticks();
    sticks.retain(|stick| stick.drive.path != target.path);
    let last = sticks.len() + WAYS.len();
    loop {
        output.note(format!("{BOLD}How do you want to back up your recovery key?{OFF}"));
        let lines = sticks.iter().map(stick_line).chain(WAYS.iter().map(|(says, ..)| (*says).to_owned()));
        for (number, line) in (1..).zip(lines) {
            output.note(format!("  {number}  {line}"));
        }
        let number = prompt::line("Choose a number: ")?.parse::<usize>().unwrap_or(0);
        let chosen = number.checked_sub(1);
        let made = if let Some(stick) = chosen.and_then(|n| sticks.get(n)) {
            let given = format!("usb:{}", stick.drive.name);
            Ok(Place::new(given, UsbDestination::new(stick.drive.clone())))
        } else if let Some((_, asks, kind)) = chosen.and_then(|n| WAYS.get(n - sticks.len())) {
            maker.make(&OsString::from(format!("{kind}{}", prompt::line(asks)?)))
        } else {
            output.note(format!("  Type a number from 1 to {last}."));
            continue;
        };
        let usable = made.and_then(|mut place| {
            places::check(&mut place, target, record, output)?;
            Ok(place)
        });
        match usable {
            Ok(place) => return Ok(place),
            Err(failure) => output.report(&failure),
        }
    }
}

fn stick_line(stick: &Stick) -> String {
    let drive = &stick.drive;
    let mut parts = vec![drive.name.clone()];
    let maker: Vec<_> = [&drive.vendor, &drive.model].into_iter().flatten().map(String::as_str).collect();
    if !maker.is_empty() {
        parts.push(maker.join(" "));
    }
    parts.extend(drive.content.map(|content| content.to_string()));
    parts.push(words::size(drive.size));
    if let Some(free) = stick.free {
        parts.push(format!("{} free", words::size(free)));
    }
    let label = drive.label.as_deref().unwrap_or("without a name");
    format!("Save to the USB drive {BOLD}{label}{OFF} ({})", parts.join(", "))
}
