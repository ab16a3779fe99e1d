//! The control panel: a site on loopback for the drives of this computer, as one person sees them.
//!
//! - [`Computer`] is what the pages need of the computer: which drives there are, and their bytes. Nothing here writes to a
//!   drive.
//! - [`Inventory`] says what each drive is, the [`Desk`] holds those that are unlocked, [`Jobs`] is what goes on.
//! - [`Door`] lets in one person: whoever has the code that the program showed. [`routes`] is the table of all pages, `gate`
//!   what every request passes first.
//!
//! Pages are whole without JavaScript, and in several languages (`speech`).

mod again;
mod answer;
mod app;
mod back;
mod computer;
mod desk;
mod door;
mod gate;
mod helper;
mod inventory;
mod jobs;
mod page;
mod pages;
mod private;
pub mod routes;
mod serve;
mod speech;
mod standing;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod told;
mod upload;
mod words;

pub use again::{AgainError, Invitation, ask};
pub use app::{App, Settings};
pub use computer::{Computer, Denied, Rights, ThisComputer};
pub use desk::{Desk, OpenDrive};
pub use door::Door;
pub use helper::lend;
pub use inventory::{Content, Drive, Inventory, VolumeFacts};
pub use jobs::{Job, Jobs, Outcome};
pub use private::{Private, Turn};
pub use serve::{Panel, ServeError};
pub use standing::Standing;
