//! `lastkey dictate`: a recovery key, read out over the phone.

use std::process::ExitCode;

use ::find::forms::{self, Contents, Readers};
use recovery_key::document::FoundSecret;
use recovery_key::{KeyIdPrefix, RecoveryPassword, Secret};

use crate::cli::Dictate;
use crate::copy::Unsealing;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::screen::Screen;
use crate::words::{BOLD, OFF};
use crate::{keys, prompt};

const HELP: &str = "Enter: they have it, go on   r: again   b: back   q: stop";

/// Shows the key group by group, and waits for each until it has arrived.
pub fn run(arguments: &Dictate, output: &Output) -> Result<ExitCode, Failure> {
    if !prompt::can_ask() {
        return Err(Failure::new(
            Kind::KeyNeeded,
            "a key is dictated only where somebody sits at a terminal",
        ));
    }
    let (key_id, password) = key(arguments)?;
    output.note(
        "The key is shown on the terminal's second page, which is emptied afterwards and has no history.\n\
         What records the terminal (tmux, screen, script, a remote session) can keep it nevertheless.\n\
         The other person types `lastkey type DRIVE`, or the digits into Windows' blue screen.",
    );
    let done = dictate(key_id.as_ref(), &password)?;
    output.note(if done {
        "All eight groups were read out. A key that others have heard opens the drive until it is replaced."
    } else {
        "Stopped."
    });
    Ok(ExitCode::SUCCESS)
}

/// Finds the one key that is meant.
fn key(arguments: &Dictate) -> Result<(Option<KeyIdPrefix>, RecoveryPassword), Failure> {
    let about = |failure: Failure| failure.about(&keys::shown(&arguments.copy));
    let wanted = match &arguments.key_id {
        Some(text) => Some(
            text.parse::<KeyIdPrefix>()
                .map_err(|error| Failure::new(Kind::Usage, format!("{text:?} is no key ID: {error}")))?,
        ),
        None => None,
    };
    let contents = read(arguments).map_err(about)?;
    let mut found: Vec<(Option<KeyIdPrefix>, RecoveryPassword)> = Vec::new();
    let mut external = false;
    for key in contents.keys {
        let FoundSecret::RecoveryPassword(password) = key.secret else {
            external = true;
            continue;
        };
        let is_wanted = wanted.is_none_or(|wanted| key.key_id.is_some_and(|id| id.agrees_with(&wanted)));
        if is_wanted && !found.iter().any(|(_, known)| *known == password) {
            found.push((key.key_id, password));
        }
    }
    if found.len() > 1 {
        let ids: Vec<_> = found.iter().filter_map(|(id, _)| Some(short(id.as_ref()?))).collect();
        return Err(about(
            Failure::new(Kind::Usage, format!("there are {} recovery keys in it", found.len()))
                .hint(format!("choose one with --key-id {}", ids.join(" or --key-id "))),
        ));
    }
    found.pop().ok_or_else(|| {
        let failure = Failure::new(
            Kind::WrongKey,
            match (external, wanted) {
                (true, _) => "an external key is no digits, and cannot be dictated",
                (_, Some(_)) => "there is no recovery key with this key ID in it",
                _ => "there is no recovery key in it",
            },
        );
        let hints = contents.wrong.iter().map(|wrong| format!("digits in it look like one: {}", wrong.error));
        about(hints.fold(failure, Failure::hint))
    })
}

/// Reads the keys in the copy, whatever it is kept in.
fn read(arguments: &Dictate) -> Result<Contents, Failure> {
    let mut unsealing = Unsealing::new(&arguments.seals);
    let mut contents = Contents::default();
    for (name, bytes) in unsealing.open(&arguments.copy)? {
        contents.append(forms::read(
            name.as_deref().unwrap_or_default(),
            bytes.expose(),
            &Readers::default(),
        ));
    }
    if contents.keys.is_empty() && unsealing.shares() != 0 {
        return Err(Failure::new(Kind::WrongKey, "it is a sheet with a share of the key, and no key")
            .hint("dictate a whole copy; `lastkey verify DRIVE SHEET...` puts shares together"));
    }
    Ok(contents)
}

/// Goes through the key ID and the groups; returns whether all were read out.
fn dictate(key_id: Option<&KeyIdPrefix>, password: &RecoveryPassword) -> Result<bool, Failure> {
    let digits = password.digits();
    let groups: Vec<&str> = digits.expose().split('-').collect();
    let screen = Screen::open();
    let mut page = 0;
    // The first page is the key ID, by which both make sure that they speak of the same key.
    while page <= groups.len() {
        let text = match page.checked_sub(1).and_then(|group| groups.get(group)) {
            Some(group) => group_page(page, groups.len(), group),
            None => Secret::new(id_page(key_id)),
        };
        screen.show(text.expose());
        match prompt::line("")?.to_lowercase().as_str() {
            "" | "ok" | "o" => page += 1,
            "b" | "back" => page = page.saturating_sub(1),
            "q" | "quit" => return Ok(false),
            _ => {}
        }
    }
    Ok(true)
}

fn id_page(key_id: Option<&KeyIdPrefix>) -> String {
    match key_id {
        Some(id) => {
            let short = short(id);
            format!(
                "Key ID, to compare with the other screen\n\n    {BOLD}{short}{OFF}\n\n    {}\n\n{HELP}\n",
                spelled(&short)
            )
        }
        None => format!("The copy does not say which key ID it has.\n\n{HELP}\n"),
    }
}

fn group_page(number: usize, of: usize, group: &str) -> Secret<String> {
    let (first, second) = group.split_at_checked(3).unwrap_or((group, ""));
    let mut text = Secret::new(String::with_capacity(400));
    let parts =
        [&format!("Group {number} of {of}\n\n    {BOLD}"), first, " ", second, OFF, "\n\n    "].concat();
    let parts = Secret::new(parts);
    text.expose_mut().push_str(parts.expose());
    for (at, digit) in group.chars().enumerate() {
        let gap = if at == 0 {
            ""
        } else if at == 3 {
            ", "
        } else {
            " "
        };
        text.expose_mut().push_str(gap);
        text.expose_mut().push_str(spoken(digit));
    }
    text.expose_mut().push_str("\n\n");
    text.expose_mut().push_str(HELP);
    text.expose_mut().push('\n');
    text
}

/// Returns a digit as it is said so that nobody takes it for another: "niner" is what pilots say for it.
fn spoken(digit: char) -> &'static str {
    match digit {
        '0' => "zero",
        '1' => "one",
        '2' => "two",
        '3' => "three",
        '4' => "four",
        '5' => "five",
        '6' => "six",
        '7' => "seven",
        '8' => "eight",
        '9' => "nine",
        _ => "dash",
    }
}

/// Spells the digits of a key ID.
fn spelled(id: &str) -> String {
    let word = |c: char| match c {
        'A' => "A as in Alfa",
        'B' => "B as in Bravo",
        'C' => "C as in Charlie",
        'D' => "D as in Delta",
        'E' => "E as in Echo",
        'F' => "F as in Foxtrot",
        digit => spoken(digit),
    };
    id.chars().map(word).collect::<Vec<_>>().join(", ")
}

fn short(id: &KeyIdPrefix) -> String {
    id.to_string().chars().take(8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_said_in_words() {
        let page = group_page(2, 8, "132858");
        assert!(page.expose().starts_with("Group 2 of 8"));
        assert!(page.expose().contains("one three two, eight five eight\n"), "{}", page.expose());
        assert!(page.expose().len() <= 400);
        assert!(group_page(8, 8, "377377").expose().len() <= 400);
        assert_eq!(spelled("3C1F"), "three, C as in Charlie, one, F as in Foxtrot");
    }
}
