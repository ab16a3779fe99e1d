//! Facts in words: sizes, states, protectors.

use drives::Attached;
use fve::{Direction, Protection, ProtectorKind};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use web::{Language, Say};

use crate::inventory::{Content, Drive, VolumeFacts};

/// Writes a size with three digits, in powers of 1000 as it stands on the box: `512 GB`, `1,5 TB`.
pub fn size(bytes: u64, language: Language) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut value, mut unit) = (bytes as f64 / 1000.0, 0);
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = match value {
        ..9.95 => 2,
        ..99.5 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    let text = if digits > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    let unit = UNITS[unit];
    match language {
        Language::English => format!("{text} {unit}"),
        Language::German => format!("{} {unit}", text.replace('.', ",")),
    }
}

/// Writes a time as it is on this computer's clock.
pub fn time(seconds: i64, language: Language) -> String {
    let format = match language {
        Language::English => "%-d %B %Y, %H:%M",
        Language::German => "%d.%m.%Y, %H:%M Uhr",
    };
    let time = Timestamp::from_second(seconds).map(|time| time.to_zoned(TimeZone::system()));
    time.map_or_else(|_| "?".to_owned(), |time| time.strftime(format).to_string())
}

/// Says whether BitLocker is on, in the words of Windows' page. `open` is whether the drive is unlocked here.
pub fn state(drive: &Drive, open: bool, say: Say<'_>) -> String {
    let facts = match &drive.content {
        Content::BitLocker(facts) => facts,
        Content::Damaged(why) => return say.with("drive-damaged", &[("why", why)]),
        Content::Other => return say.of("drive-off"),
        Content::Hidden => return say.of("drive-hidden"),
    };
    if let Some((done, all, direction)) = facts.progress {
        let percent = if all == 0 { 0 } else { u128::from(done) * 100 / u128::from(all) };
        let percent = percent.to_string();
        return match direction {
            Some(Direction::Decrypting) => say.with("drive-decrypting", &[("percent", &percent)]),
            _ => say.with("drive-encrypting", &[("percent", &percent)]),
        };
    }
    match facts.protection {
        Protection::Off => say.of("drive-off"),
        Protection::Suspended => say.of("drive-suspended"),
        Protection::On if open || !drive.attached.opened_as.is_empty() => say.of("drive-unlocked"),
        Protection::On => say.of("drive-locked"),
    }
}

/// Names what opens a drive, each kind once.
pub fn protectors(facts: &VolumeFacts, say: Say<'_>) -> String {
    let mut names: Vec<String> = Vec::new();
    for (_, kind) in &facts.protectors {
        let name = protector(*kind, say);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}

/// Names a kind of protector.
pub fn protector(kind: ProtectorKind, say: Say<'_>) -> String {
    say.of(match kind {
        ProtectorKind::ClearKey => "protector-clear",
        ProtectorKind::Tpm => "protector-tpm",
        ProtectorKind::ExternalKey => "protector-external",
        ProtectorKind::TpmAndStartupKey => "protector-tpm-startup",
        ProtectorKind::TpmAndPin => "protector-tpm-pin",
        ProtectorKind::TpmPinAndStartupKey => "protector-tpm-pin-startup",
        ProtectorKind::RecoveryPassword => "protector-recovery",
        ProtectorKind::PublicKey => "protector-certificate",
        ProtectorKind::NetworkUnlock => "protector-network",
        ProtectorKind::Password => "protector-password",
        _ => "protector-unknown",
    })
}

/// Names a kind of place, as the record has it.
pub fn place(kind: &str, say: Say<'_>) -> String {
    say.of(match kind {
        "account" => "place-account",
        "usb" => "place-usb",
        "file" => "place-file",
        "paper" | "print" => "place-paper",
        "directory" => "place-directory",
        "keepass" | "bitwarden" | "1password" => "place-manager",
        _ => "place-other",
    })
}

/// Returns what a person knows a drive by: its label, the computer and letter that Windows noted, or its name.
pub fn title(drive: &Drive) -> String {
    let noted = || drive.facts().and_then(|facts| facts.label.clone());
    let label = drive.attached.label.clone().filter(|label| !label.trim().is_empty()).or_else(noted);
    label.unwrap_or_else(|| drive.name.clone())
}

/// Returns the maker and model of a device.
pub fn model(attached: &Attached) -> String {
    let words: Vec<_> =
        [&attached.vendor, &attached.model].into_iter().flatten().map(String::as_str).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_as_on_the_box() {
        let english = |bytes| size(bytes, Language::English);
        assert_eq!(
            [english(0), english(999), english(1000), english(512_110_190_592)],
            ["0 B", "999 B", "1 kB", "512 GB"]
        );
        assert_eq!(
            [english(1_500_301_910_016), english(64_000_000), english(999_999)],
            ["1.5 TB", "64 MB", "1 MB"]
        );
        assert_eq!(size(1_500_301_910_016, Language::German), "1,5 TB");
        assert_eq!(english(u64::MAX), "18.4 EB");
    }

    #[test]
    fn no_time_is_too_far_away() {
        assert_eq!(time(i64::MAX, Language::English), "?");
    }
}
