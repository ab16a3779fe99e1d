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
            Self::Search => "<circle cx='10.5' cy='10.5' r='6.5'/><path d='m15.5 15.5 5 5'/>",
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
