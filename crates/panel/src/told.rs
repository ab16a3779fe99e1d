//! What is said of something, before it is known in which language.

use web::Say;

/// A message, what it names, and what it comes of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    message: &'static str,
    arguments: Vec<(&'static str, String)>,
    because: Option<Box<Told>>,
}

impl Told {
    /// Names a message.
    pub fn new(message: &'static str) -> Self {
        Self { message, arguments: Vec::new(), because: None }
    }

    /// Quotes what somebody else has said, in whatever language that is.
    pub fn quoted(text: impl Into<String>) -> Self {
        Self::new("told-quoted").with("text", text)
    }

    /// Says what the message names.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.arguments.push((name, value.into()));
        self
    }

    /// Says what it comes of.
    #[must_use]
    pub fn because(self, why: Self) -> Self {
        Self { because: Some(Box::new(why)), ..self }
    }

    /// Returns it in somebody's language.
    pub fn say(&self, say: Say<'_>) -> String {
        let arguments: Vec<_> = self.arguments.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let own = say.with(self.message, &arguments);
        match &self.because {
            Some(why) => format!("{own} {}", why.say(say)),
            None => own,
        }
    }
}
