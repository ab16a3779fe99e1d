//! Asking the person at the terminal.

use std::io::{self, BufRead, IsTerminal, Write};

use recovery_key::{GroupError, RecoveryPassword, Secret, group_digits, parse_group};

use crate::failure::{Failure, Kind, reason};

/// Returns whether there is somebody to ask.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for a line that is not shown while it is typed.
pub fn hidden(question: &str) -> Result<Secret<String>, Failure> {
    let answer = rpassword::prompt_password(question).map_err(gone)?;
    Ok(Secret::new(answer))
}

/// Asks for a line.
pub fn line(question: &str) -> Result<String, Failure> {
    let mut answer = String::new();
    eprint!("{question}");
    io::stderr().flush().map_err(gone)?;
    match io::stdin().lock().read_line(&mut answer).map_err(gone)? {
        0 => Err(gone(io::ErrorKind::UnexpectedEof.into())),
        _ => Ok(answer.trim().to_owned()),
    }
}

/// Asks a question that is answered by yes or no; yes when nothing is typed.
pub fn yes(question: &str) -> Result<bool, Failure> {
    loop {
        match line(&format!("{question} [Y/n] "))?.to_lowercase().as_str() {
            "" | "y" | "yes" => return Ok(true),
            "n" | "no" => return Ok(false),
            _ => eprintln!("Type y or n."),
        }
    }
}

/// Asks for the 48 digits, group by group, and checks each at once. They may be pasted at the first
/// question, all at once.
pub fn recovery_password() -> Result<RecoveryPassword, Failure> {
    eprintln!("Type the recovery key group by group (what you type is not shown), or paste all of it.");
    let mut bytes = Secret::new([0; 16]);
    let mut group = 0;
    while let Some(place) = bytes.expose_mut().chunks_exact_mut(2).nth(group) {
        let typed = hidden(&format!("Group {} of 8: ", group + 1))?;
        if group == 0 && typed.expose().chars().filter(|c| c.is_numeric()).count() > 6 {
            match RecoveryPassword::parse(typed.expose()) {
                Ok(password) => return Ok(password),
                Err(error) => {
                    eprintln!("  That is no recovery key: {error}.");
                    continue;
                }
            }
        }
        match parse_group(typed.expose()) {
            Ok(value) => {
                place.copy_from_slice(&value.to_le_bytes());
                group += 1;
            }
            Err(error) => explain(group + 1, &error),
        }
    }
    Ok(RecoveryPassword::from_bytes(bytes))
}

/// Says what is wrong with a group, and what one slip would explain.
fn explain(number: usize, error: &GroupError) {
    eprintln!("  Group {number} {error}. Look again.");
    // The person has the key before their eyes: these are for comparing.
    let suggestions = error.suggestions();
    for (n, &value) in suggestions.expose().iter().enumerate() {
        eprint!("{}{}", if n == 0 { "  Perhaps it is " } else { " or " }, group_digits(value).expose());
    }
    if !suggestions.expose().is_empty() {
        eprintln!();
    }
}

fn gone(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::Interrupted => Failure::new(Kind::Interrupted, "interrupted"),
        _ => Failure::new(Kind::KeyNeeded, format!("nobody answered ({})", reason(&error))),
    }
}
