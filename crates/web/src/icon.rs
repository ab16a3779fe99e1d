//! Icons, drawn in the page itself.

use std::fmt;

/// An icon. It says nothing to screen readers: the words beside it do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    /// What the site is about.
    Key,
    /// All is well.
    Good,
    /// Something wants to be looked at.
    Warning,
    /// A computer.
    Device,
    /// Another person.
    Person,
    /// Something to look for.
    Search,
    /// A drive that stays in the computer.
    Drive,
    /// A drive that people unplug.
    Stick,
    /// Something that is locked.
    Locked,
    /// Something that is open.
    Unlocked,
    /// A sheet of paper.
    Paper,
    /// A file.
    File,
    /// A folder.
    Folder,
    /// An organisation.
    Building,
    /// What keeps passwords.
    Vault,
}

impl Icon {
    fn paths(self) -> &'static str {
        match self {
            Self::Key => "<circle cx='8' cy='15' r='4.5'/><path d='m11.2 11.8 8.3-8.3M16 7l3 3'/>",
            Self::Good => "<circle cx='12' cy='12' r='9'/><path d='m8 12.5 2.8 2.8L16 9.5'/>",
            Self::Warning => "<path d='M12 3.5 2.5 20h19zM12 10v4.5m0 2.5v.1'/>",
            Self::Device => "<rect x='4' y='5' width='16' height='11' rx='1.5'/><path d='M2.5 19.5h19'/>",
            Self::Person => {
                "<circle cx='12' cy='8' r='4'/><path d='M4.5 20.5c.8-4 3.8-6 7.5-6s6.7 2 7.5 6'/>"
            }
            Self::Drive => {
                "<rect x='3' y='6' width='18' height='12' rx='2'/><path d='M6.5 14.5h5M17 14.5v.1'/>"
            }
            Self::Stick => {
                "<rect x='7' y='9' width='10' height='12' rx='2'/><path d='M9 9V3.5h6V9M11 6v.1M13 6v.1'/>"
            }
            Self::Locked => {
                "<rect x='5' y='10.5' width='14' height='10' rx='2'/><path d='M8 10.5V7.5a4 4 0 0 1 8 0v3'/>"
            }
            Self::Unlocked => {
                "<rect x='5' y='10.5' width='14' height='10' rx='2'/><path d='M8 10.5V7a4 4 0 0 1 7.6-1.7'/>"
            }
            Self::Paper => "<path d='M6 3h8.5L19 7.5V21H6zM14 3v5h5M9 12h7M9 15h7M9 18h4'/>",
            Self::File => "<path d='M6 3h8.5L19 7.5V21H6zM14 3v5h5'/>",
            Self::Folder => {
                "<path d='M3 6.5A1.5 1.5 0 0 1 4.5 5H9l2 2.5h8.5A1.5 1.5 0 0 1 21 9v9a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 18z'/>"
            }
            Self::Search => "<circle cx='10.5' cy='10.5' r='6.5'/><path d='m15.5 15.5 5 5'/>",
            Self::Building => "<path d='M5 20.5v-17h9v17M14 9h5v11.5M3 20.5h18M8 7.5h3M8 11.5h3M8 15.5h3'/>",
            Self::Vault => {
                "<rect x='4' y='10.5' width='16' height='10' rx='1.5'/><path d='M8 10.5V7a4 4 0 0 1 8 0v3.5M12 14.5v2.5'/>"
            }
        }
    }
}

impl fmt::Display for Icon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<svg class=\"icon\" viewBox=\"0 0 24 24\" aria-hidden=\"true\" focusable=\"false\">{}</svg>",
            self.paths().replace('\'', "\"")
        )
    }
}

// What it writes is markup of its own, not text.
impl askama::filters::HtmlSafe for Icon {}
