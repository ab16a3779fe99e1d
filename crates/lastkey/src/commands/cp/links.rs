//! Links: made anew where they lead to the same.

use std::path::Path;

use unlocked::{Entry, Kind, LinkKind};

use super::copier::Copier;
use super::new_file::Times;
use super::report::Problem;
use crate::commands::files::{self, said};

impl Copier<'_> {
    /// Makes a link anew where that leads to the same; else it is told.
    pub(super) fn link(&mut self, shown: &str, entry: &Entry, times: Times, path: &Path) {
        let made = match self.open.files.link(entry.id) {
            Err(error) if entry.kind == Kind::Link => Err(said(&error)),
            Err(_) => Err("it is neither file nor folder".to_owned()),
            Ok(link) => {
                let target = link.target.to_string();
                let stays = link.kind == LinkKind::Linux || link.kind == LinkKind::Symlink && link.relative;
                if !stays {
                    Err(format!("it leads to {}, which is a place of its Windows", files::shown(&link.shown)))
                } else if target.contains('\0') || target.is_empty() {
                    Err("it leads nowhere".to_owned())
                } else {
                    let target =
                        if link.kind == LinkKind::Symlink { target.replace('\\', "/") } else { target };
                    make_link(&target, times, path)
                }
            }
        };
        match made {
            Ok(()) => self.report.links += 1,
            Err(problem) => self.report.left_out.push(Problem { path: shown.to_owned(), problem }),
        }
    }
}

#[cfg(unix)]
fn make_link(target: &str, times: Times, path: &Path) -> Result<(), String> {
    match std::os::unix::fs::symlink(target, path) {
        Ok(()) => {
            super::new_file::date_link(path, times);
            Ok(())
        }
        Err(_) if std::fs::read_link(path).is_ok_and(|there| there == Path::new(target)) => Ok(()),
        Err(error) => Err(crate::failure::reason(&error)),
    }
}

#[cfg(not(unix))]
fn make_link(target: &str, _: Times, _: &Path) -> Result<(), String> {
    Err(format!("links are made on Linux and macOS only; it leads to {target}"))
}
