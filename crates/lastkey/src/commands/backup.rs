//! `lastkey backup`: save, read back, prove.

mod choose;
mod work;

use std::process::ExitCode;

use backup::record::Record;
use backup::{Found, NothingToSave};
use fve::{Key, Unlocked};
use serde::Serialize;

use crate::cli::{Backup, Places};
use crate::drive::{self, Target};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::places::{self, Maker, Place};
use crate::{keys, prompt, record, words};

use work::Work;
pub use work::{Copies, CopyReport};

#[derive(Serialize)]
struct Report {
    drive: String,
    volume: String,
    copies: Vec<CopyReport>,
}

/// Backs the drive's keys up to every destination.
pub fn run(arguments: &Backup, output: &Output) -> Result<ExitCode, Failure> {
    let target = drive::open(&arguments.drive, output)?;
    let saving = Saving::prepare(&arguments.places, &target, output)?;
    if saving.given.is_empty() && !prompt::can_ask() {
        return Err(Failure::new(Kind::Usage, "there is no terminal to ask where to save the key")
            .hint("say where with --to file:FOLDER"));
    }
    let unlocked = keys::unlock(&target, &arguments.keys, output)?;
    let Copies { copies, failed } = saving.save(&unlocked, arguments.external_keys, output)?;
    let volume = target.volume.id().to_string();
    output.document(&Report { drive: target.name.clone(), volume, copies })?;
    if failed.is_none() {
        output.say("Check now and then that it still opens the drive: lastkey verify --all")?;
    }
    Ok(failed.map_or(ExitCode::SUCCESS, |kind| kind.code().into()))
}

/// Where keys are going to be saved: made and checked before anybody types a key.
pub struct Saving<'a> {
    target: &'a Target,
    maker: Maker<'a>,
    given: Vec<Place>,
    record: Option<Record>,
}

impl<'a> Saving<'a> {
    /// Makes the places that were named, and refuses those that would be locked too.
    pub fn prepare(places: &'a Places, target: &'a Target, output: &Output) -> Result<Self, Failure> {
        let record = record::open(output);
        let mut maker = Maker::new(places);
        let mut given = maker.all()?;
        for place in &mut given {
            places::check(place, target, record.as_ref(), output)?;
        }
        Ok(Self { target, maker, given, record })
    }

    /// Returns whether a place was named.
    pub fn has_places(&self) -> bool {
        !self.given.is_empty()
    }

    /// Saves all keys of a drive that this key opens.
    pub fn save_with(self, key: &Key, output: &Output) -> Result<Copies, Failure> {
        let unlocked = self.target.volume.unlock(key).map_err(Failure::from)?;
        self.save(&unlocked, false, output)
    }

    /// Saves all keys of the drive; asks where to when no place was named.
    fn save(mut self, unlocked: &Unlocked, external_keys: bool, output: &Output) -> Result<Copies, Failure> {
        let found = Found::on(unlocked, external_keys, words::now().to_unix().0)
            .map_err(|why| nothing(why).about(&self.target.name))?;
        if self.given.is_empty() {
            let chosen = choose::choose(&mut self.maker, self.target, self.record.as_ref(), output)?;
            self.given.push(chosen);
        }
        let mut work = Work::new(self.target, self.record.as_mut(), output);
        work.see();
        for place in &self.given {
            work.save(&found, place)?;
        }
        Ok(work.end(&found))
    }
}

fn nothing(why: NothingToSave) -> Failure {
    let failure = Failure::new(Kind::NothingToBackUp, why.to_string());
    match why {
        NothingToSave::NoKey => failure
            .hint("in Windows, `manage-bde -protectors -add DRIVE: -recoverypassword` adds a recovery key"),
        _ => failure,
    }
}
