//! What can be said of a volume and its protectors, in words and for programs.

use std::fmt::Write;

use fve::boot_sector::Kind as BootKind;
use fve::{Direction, FileTime, Protection, Protector, ProtectorKind, State, Volume};
use serde::Serialize;

use crate::drive::Target;
use crate::words::{self, BOLD, ERROR, OFF};

/// A volume.
#[derive(Serialize)]
pub struct VolumeSummary {
    id: String,
    label: Option<String>,
    state: &'static str,
    protection: &'static str,
    method: Option<String>,
    encrypted_bytes: Option<u64>,
    total_bytes: Option<u64>,
    direction: Option<&'static str>,
    created: Option<String>,
    windows: Option<String>,
    boot_sector: &'static str,
    sector_size: usize,
    size: u64,
    missing_bytes: u64,
    metadata_copies: Vec<CopySummary>,
    metadata_copies_differ: bool,
    reserved_areas: Vec<Area>,
    /// What a user should know.
    problems: Vec<String>,
    protectors: Vec<ProtectorSummary>,
}

/// One of the three copies of the metadata.
#[derive(Serialize)]
struct CopySummary {
    offset: Option<u64>,
    problem: Option<String>,
}

/// A part of the volume that belongs to BitLocker.
#[derive(Serialize)]
struct Area {
    name: &'static str,
    offset: u64,
    size: u64,
}

/// A protector.
#[derive(Serialize)]
pub struct ProtectorSummary {
    /// The key ID.
    pub key_id: String,
    /// The kind, for programs.
    pub kind: &'static str,
    name: Option<String>,
    changed: Option<String>,
    /// Where Windows says that it was saved.
    saved_to: Vec<String>,
    saved_at: Option<String>,
    suspended_starts: Option<u8>,
    #[serde(skip)]
    described: ProtectorKind,
    #[serde(skip)]
    times: (FileTime, Option<FileTime>),
}

impl VolumeSummary {
    /// Looks at a volume.
    pub fn of(target: &Target) -> Self {
        let volume = &target.volume;
        let metadata = volume.metadata();
        let mut problems = Vec::new();
        let progress = volume.progress().map_err(|error| problems.push(error.to_string())).ok();
        let method = volume.method().map_err(|error| problems.push(error.to_string())).ok().flatten();
        if target.missing() != 0 {
            problems
                .push(format!("cut off: at least {} are missing at its end", words::size(target.missing())));
        }
        if target.found_at.is_some() {
            problems.push("the boot sector is lost".to_owned());
        }
        let copies = volume.copies().each_ref().map(|copy| CopySummary {
            offset: copy.offset,
            problem: copy.metadata.as_ref().err().map(ToString::to_string),
        });
        for (n, copy) in copies.iter().enumerate() {
            if let Some(problem) = &copy.problem {
                problems.push(format!("metadata copy {} of 3 {problem}", n + 1));
            }
        }
        if volume.copies_differ() {
            problems.push("the metadata copies differ: the newest is used".to_owned());
        }
        Self {
            id: volume.id().to_string(),
            label: metadata.label(),
            state: state(volume.state()),
            protection: protection(volume.protection()),
            method: method.map(|method| method.to_string()),
            encrypted_bytes: progress.map(|(encrypted, _)| encrypted),
            total_bytes: progress.map(|(_, total)| total),
            direction: volume.direction().map(|direction| match direction {
                Direction::Encrypting => "encrypting",
                Direction::Decrypting => "decrypting",
            }),
            created: words::utc(FileTime(metadata.dataset.created.get())),
            windows: volume.extended().map(|extended| extended.windows_version()),
            boot_sector: match volume.boot_sector().map(|boot| boot.kind) {
                None => "lost",
                Some(BootKind::Vista) => "vista",
                Some(BootKind::Standard) => "standard",
                Some(BootKind::Converting) => "converting",
                Some(BootKind::ToGo) => "to-go",
            },
            sector_size: volume.sector_size().bytes(),
            size: volume.source().size(),
            missing_bytes: target.missing(),
            metadata_copies: copies.into(),
            metadata_copies_differ: volume.copies_differ(),
            reserved_areas: areas(volume),
            problems,
            protectors: volume.protectors().iter().map(ProtectorSummary::of).collect(),
        }
    }

    /// Returns the volume in lines for people.
    pub fn lines(&self) -> String {
        let mut out = String::new();
        let mut row = |name: &str, value: String| {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "  {name:<12} {value}");
        };
        if let Some(label) = &self.label {
            row("label", label.clone());
        }
        row("protection", self.protection_words());
        row("encryption", self.encryption_words());
        if let Some(windows) = &self.windows {
            row("made by", format!("Windows {windows}"));
        }
        for protector in &self.protectors {
            row(if protector.is_recovery_key() { "key ID" } else { "opens by" }, protector.words());
        }
        for problem in &self.problems {
            row("problem", format!("{ERROR}{problem}{OFF}"));
        }
        out
    }

    fn protection_words(&self) -> String {
        match self.protection {
            "suspended" => {
                let starts = self.protectors.iter().filter_map(|p| p.suspended_starts).find(|&n| n != 0);
                let until =
                    starts.map_or(String::new(), |n| format!(", for {n} more starts of the computer"));
                format!("{ERROR}suspended{OFF}: it opens without a key{until}")
            }
            "off" => "off: the drive is not encrypted".to_owned(),
            _ => "on: it asks for a key".to_owned(),
        }
    }

    fn encryption_words(&self) -> String {
        let method = self.method.as_deref().unwrap_or("none");
        let Some((part, whole)) = self.encrypted_bytes.zip(self.total_bytes) else {
            return format!("{method}, how far is unknown");
        };
        if self.protection == "off" {
            return method.to_owned();
        }
        let percent = words::percent(part, whole);
        let paused = if self.state == "paused" { ", paused" } else { "" };
        match self.direction {
            Some(direction) => format!("{method}, {percent} encrypted, {direction}{paused}"),
            None => format!("{method}, {percent} encrypted"),
        }
    }
}

impl ProtectorSummary {
    /// Looks at a protector.
    pub fn of(protector: &Protector<'_>) -> Self {
        Self {
            key_id: protector.id.to_string(),
            kind: kind(protector.kind),
            name: protector.label.clone(),
            changed: words::utc(protector.changed),
            saved_to: protector.backup.map(|backup| backup.places()).unwrap_or_default(),
            saved_at: protector.backup.and_then(|backup| words::utc(backup.time)),
            suspended_starts: (protector.kind == ProtectorKind::ClearKey)
                .then_some(protector.suspended_starts),
            described: protector.kind,
            times: (protector.changed, protector.backup.map(|backup| backup.time)),
        }
    }

    /// Returns whether it is the 48 digits.
    pub fn is_recovery_key(&self) -> bool {
        self.described == ProtectorKind::RecoveryPassword
    }

    /// Returns the first 8 digits of the key ID, as the recovery screen shows them.
    pub fn short(&self) -> &str {
        self.key_id.get(..8).unwrap_or(&self.key_id)
    }

    /// Returns one line about it.
    pub fn words(&self) -> String {
        let mut line = format!("{BOLD}{}{OFF}  {}", self.short(), self.described);
        if let (false, Some(at)) = (self.saved_to.is_empty(), self.times.1) {
            let places = self.saved_to.join(", ");
            let _ = write!(line, "; Windows says it was saved: {places} ({})", words::time(at));
        }
        line
    }

    /// Returns all lines about it.
    pub fn lines(&self) -> String {
        let mut out = format!(
            "{}\n  key ID       {}\n  changed      {}\n",
            self.words(),
            self.key_id,
            words::time(self.times.0)
        );
        if let Some(name) = &self.name {
            let _ = writeln!(out, "  name         {name}");
        }
        out
    }
}

fn areas(volume: &Volume) -> Vec<Area> {
    let metadata = volume.metadata();
    let region = fve::metadata::Metadata::region_size(metadata.information.version.get()) as u64;
    let mut areas: Vec<_> = volume
        .copies()
        .iter()
        .filter_map(|copy| Some(Area { name: "metadata", offset: copy.offset?, size: region }))
        .collect();
    if let Some((offset, size, extended)) = metadata.virtualization() {
        areas.push(Area { name: "boot-copy", offset, size });
        if let Some(extended) = extended {
            areas.push(Area {
                name: "reserved",
                offset: extended.reserved.get(),
                size: extended.reserved_size.get(),
            });
        }
    }
    if let Ok(Some(conversion)) = volume.conversion() {
        let sector = volume.sector_size().bytes() as u64;
        let own = conversion.areas(sector).into_iter();
        areas.extend(own.map(|(offset, size)| Area { name: "conversion", offset, size }));
    }
    areas.sort_by_key(|area| area.offset);
    areas
}

fn state(state: State) -> &'static str {
    match state {
        State::Decrypted => "decrypted",
        State::Logged => "logged",
        State::Paused => "paused",
        State::Encrypted => "encrypted",
        State::Switching => "switching",
        _ => "unknown",
    }
}

fn protection(protection: Protection) -> &'static str {
    match protection {
        Protection::On => "on",
        Protection::Suspended => "suspended",
        Protection::Off => "off",
    }
}

/// Returns a protector's kind for programs.
pub fn kind(kind: ProtectorKind) -> &'static str {
    match kind {
        ProtectorKind::ClearKey => "clear-key",
        ProtectorKind::Tpm => "tpm",
        ProtectorKind::ExternalKey => "external-key",
        ProtectorKind::TpmAndStartupKey => "tpm-startup-key",
        ProtectorKind::TpmAndPin => "tpm-pin",
        ProtectorKind::TpmPinAndStartupKey => "tpm-pin-startup-key",
        ProtectorKind::RecoveryPassword => "recovery-key",
        ProtectorKind::PublicKey => "public-key",
        ProtectorKind::NetworkUnlock => "network-unlock",
        ProtectorKind::Password => "password",
        _ => "unknown",
    }
}
