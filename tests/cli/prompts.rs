//! What a person is asked, and what becomes of the answers.

use std::fs;
use std::path::PathBuf;

use crate::support::{folder, names, sample};
use crate::terminal::Terminal;

fn digits() -> String {
    fs::read_to_string(&sample().digits).expect("the digits")
}

#[test]
fn a_recovery_key_is_typed_group_by_group_and_each_is_checked_at_once() {
    let drive = &sample().drive;
    let folder = folder();
    let out = folder.path().join("plain.img");
    let mut terminal = Terminal::start(&[&"read", drive, &"--out", &out, &"--length", &"512"], None);
    terminal.sees("recovery key (48 digits)? [Y/n]").types("\n").sees(&sample().key_id[..8]);
    for (n, group) in digits().split('-').enumerate() {
        let question = format!("Group {} of 8: ", n + 1);
        let wrong = if group.ends_with('3') { "4" } else { "3" };
        terminal.sees(&question).types_hidden(&format!("{}{wrong}\n", &group[..5]));
        terminal.sees("is not divisible by 11. Look again.").sees(&question).types_hidden("12\n");
        terminal.sees("has 2 of 6 digits").sees(&question).types_hidden(&format!("{group}\n"));
    }
    terminal.sees("512 B decrypted");
    let said = terminal.ends();
    said.exits(0).assert_no_secret();
    assert_eq!(names(folder.path()), ["plain.img"]);
}

#[test]
fn a_recovery_key_is_pasted_whole() {
    let drive = &sample().drive;
    let folder = folder();
    let out = folder.path().join("plain.img");
    let mut terminal = Terminal::start(&[&"read", drive, &"--out", &out, &"--length", &"512"], None);
    terminal.sees("[Y/n]").types("y\n").sees("Group 1 of 8: ").types_hidden(&format!("{}\n", digits()));
    terminal.sees("512 B decrypted");
    let said = terminal.ends();
    said.exits(0).assert_no_secret();
}

#[test]
fn a_wrong_key_may_be_typed_again_twice() {
    let said = {
        let mut terminal = Terminal::start(&[&"protectors", &sample().drive, &"--reveal"], None);
        terminal.sees("[Y/n]").types("no\n");
        for again in ["Try again.", "Try again.", "the key is wrong"] {
            terminal.sees("Password: ").types_hidden("not the password\n").sees(again);
        }
        terminal.ends()
    };
    said.exits(4).assert_no_secret();
    let mut terminal = Terminal::start(&[&"protectors", &sample().drive, &"--reveal"], None);
    terminal.sees("[Y/n]").types("y\n");
    // Well-formed, and no key of this drive.
    let other = "284867-596541-514998-422114-660297-261613-215424-199408\n";
    terminal.sees("Group 1 of 8: ").types_hidden(other).sees("compare the key ID");
    terminal.sees("Group 1 of 8: ").types_hidden(&format!("{}\n", digits())).sees(&digits());
    terminal.ends().exits(0);
}

#[test]
fn backup_asks_where_to_until_it_is_told_a_folder() {
    let folder = folder();
    let arguments: [&dyn AsRef<std::ffi::OsStr>; 4] =
        [&"backup", &sample().drive, &"--password-file", &sample().password];
    let mut terminal = Terminal::start(&arguments, None);
    terminal.sees("How do you want to back up your recovery key?").sees("Save to a file");
    terminal.sees("Choose a number: ").types("99\n").sees("Type a number from 1 to ");
    let last: String = {
        terminal.sees("Choose a number: ");
        // Sticks that are plugged in come first.
        let removable = drives_that_are_removable();
        (removable + 1).to_string()
    };
    terminal.types(&format!("{last}\n")).sees("Folder: ").types("/no/such/folder\n");
    terminal.sees("/no/such/folder is not a folder that exists");
    terminal.sees("Choose a number: ").types(&format!("{last}\n"));
    terminal.sees("Folder: ").types(&format!("{}\n", folder.path().display())).sees("backed up and proven");
    let said = terminal.ends();
    said.exits(0).assert_no_secret();
    let kept = names(folder.path());
    assert!(kept.contains(&sample().copy.file_name().expect("a name").to_str().expect("text").to_owned()));
    assert_eq!(kept.len(), 2, "the key, and the drive's metadata beside it: {kept:?}");
}

fn drives_that_are_removable() -> usize {
    let attached = lastkey!("status", "--json").json();
    let drives = attached["drives"].as_array().expect("a list");
    drives.iter().filter(|drive| drive["removable"] == true).count()
}

#[test]
fn ctrl_c_at_any_question_ends_with_130_and_a_terminal_that_shows_what_is_typed() {
    let folder = folder();
    let drive: PathBuf = sample().drive.clone();
    let start = || Terminal::start(&[&"backup", &drive], None);
    let mut at_question = start();
    at_question.sees("[Y/n]").types("\x03");
    at_question.ends().exits(130);
    let mut at_password = start();
    at_password.sees("[Y/n]").types("n\n").sees("Password: ").types_hidden("half\x03");
    at_password.ends().exits(130);
    let mut at_group = start();
    at_group.sees("[Y/n]").types("\n").sees("Group 1 of 8: ").types_hidden("12\x03");
    at_group.ends().exits(130);
    let mut at_place = Terminal::start(&[&"backup", &drive, &"--password-file", &sample().password], None);
    at_place.sees("Choose a number: ").types("\x03");
    at_place.ends().exits(130);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_killed_prompt_leaves_a_terminal_that_shows_what_is_typed() {
    let mut terminal = Terminal::start(&[&"protectors", &sample().drive, &"--reveal"], None);
    terminal.sees("[Y/n]").types("n\n").sees("Password: ").types_hidden("");
    terminal.interrupts_from_outside();
    terminal.ends().exits(130);
}

#[test]
fn without_an_answer_nothing_is_done() {
    let mut terminal = Terminal::start(&[&"protectors", &sample().drive, &"--reveal"], None);
    terminal.sees("[Y/n]").types("\x04");
    terminal.ends().exits(14).says("nobody answered");
}

#[test]
fn a_terminal_gets_no_decrypted_bytes() {
    let sample = sample();
    let terminal = Terminal::start(
        &[&"read", &sample.drive, &"--out", &"-", &"--password-file", &sample.password],
        None,
    );
    terminal.ends().exits(2).says("standard output is a terminal");
}
