//! The 48 digits, as they are typed into eight boxes.

use askama::Template;
use recovery_key::{DigitsError, GroupProblem, RecoveryPassword, parse_group};
use serde::Deserialize;
use web::Say;
use zeroize::Zeroizing;

/// More than this in one box is no key, not even with words around it.
const LONGEST: usize = 400;

/// What was typed into the boxes, and what for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Digits {
    g1: Zeroizing<String>,
    g2: Zeroizing<String>,
    g3: Zeroizing<String>,
    g4: Zeroizing<String>,
    g5: Zeroizing<String>,
    g6: Zeroizing<String>,
    g7: Zeroizing<String>,
    g8: Zeroizing<String>,
    r#for: Option<String>,
    /// The drive, where the page does not say it by its address.
    pub drive: String,
    /// How many slips are considered, where a key is mended.
    pub slips: Option<u8>,
}

/// One box: what stands in it, what is wrong with it.
pub struct Group {
    /// Its place, 1 to 8.
    pub number: usize,
    /// What was typed.
    pub typed: Zeroizing<String>,
    /// What is wrong.
    pub problem: Option<GroupProblem>,
}

impl Digits {
    fn all(&self) -> [&Zeroizing<String>; 8] {
        [&self.g1, &self.g2, &self.g3, &self.g4, &self.g5, &self.g6, &self.g7, &self.g8]
    }

    /// Empty boxes for a drive.
    pub fn for_drive(drive: String) -> Self {
        Self { drive, ..Self::default() }
    }

    /// What it is typed for.
    pub fn goal(&self) -> Option<&str> {
        self.r#for.as_deref()
    }

    /// Whether nothing was typed.
    pub fn is_empty(&self) -> bool {
        self.all().iter().all(|group| group.trim().is_empty())
    }

    /// Returns what was typed as one text, a group behind the other; `empty` stands where nothing was.
    pub fn text(&self, empty: &str) -> Zeroizing<String> {
        let mut typed = self.all().map(|group| group.trim()).to_vec();
        // Whoever puts the whole key into one box has typed no groups that are empty.
        if typed
            .iter()
            .any(|group| group.chars().filter(|char| char.is_alphanumeric() || *char == '?').count() > 8)
        {
            typed.retain(|group| !group.is_empty());
        }
        // All the room at once: a string that grows leaves its unwiped self behind.
        let room = typed.iter().map(|group| group.len().max(empty.len()) + 1).sum();
        let mut text = Zeroizing::new(String::with_capacity(room));
        for (place, group) in typed.iter().enumerate() {
            if place != 0 {
                text.push('-');
            }
            let cut = group.char_indices().nth(LONGEST).map_or(group.len(), |(at, _)| at);
            text.push_str(if group.is_empty() { empty } else { &group[..cut] });
        }
        text
    }

    /// Returns the key, or whether nothing was typed at all.
    pub fn password(&self) -> Result<RecoveryPassword, bool> {
        RecoveryPassword::parse(&self.text(""))
            .map_err(|error: DigitsError| matches!(error, DigitsError::Empty))
    }

    /// Returns the boxes; those that are wrong say why, unless nothing was typed or everything into one.
    pub fn groups(&self) -> Vec<Group> {
        let in_boxes = self.all().iter().filter(|group| !group.trim().is_empty()).count() > 1;
        let groups = self.all().into_iter().enumerate();
        groups
            .map(|(place, typed)| Group {
                number: place + 1,
                typed: typed.clone(),
                problem: in_boxes
                    .then(|| parse_group(typed.trim()).err())
                    .flatten()
                    .map(|error| error.problem()),
            })
            .collect()
    }
}

/// The eight boxes.
#[derive(Template)]
#[template(path = "boxes.html")]
pub struct Boxes<'s> {
    /// In which language.
    pub say: Say<'s>,
    /// What stands in them.
    pub groups: Vec<Group>,
    /// Whether `?` may stand for a digit.
    pub unknown: bool,
}

impl Boxes<'_> {
    /// Says what is wrong with a box.
    fn problem(&self, problem: &GroupProblem) -> String {
        let say = self.say;
        match problem {
            GroupProblem::Empty => say.of("group-empty-box"),
            GroupProblem::TooShort { digits } => {
                say.with("group-too-short", &[("digits", &digits.to_string())])
            }
            GroupProblem::TooLong { digits } => {
                say.with("group-too-long", &[("digits", &digits.to_string())])
            }
            GroupProblem::Foreign { .. } => say.of("group-foreign"),
            _ => say.of("group-wrong"),
        }
    }

    fn name(&self, group: &Group) -> String {
        self.say.with("group-name", &[("number", &group.number.to_string())])
    }
}

impl askama::filters::HtmlSafe for Boxes<'_> {}
