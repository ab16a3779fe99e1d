//! `lastkey repair`: damaged keys on real drives, and searches that are stopped.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use lastkey_tests::known::DRIVES;
use lastkey_tests::{program, real_drives};
use serde_json::Value;

use crate::support::{Said, file, folder, interrupt, names, run_revealing, sample, to};
use crate::terminal::Terminal;

const OTHER: &str = "284867-596541-514998-422114-660297-261613-215424-199408";

fn digits() -> String {
    fs::read_to_string(&sample().digits).expect("the digits")
}

fn groups(key: &str) -> Vec<String> {
    key.split('-').map(str::to_owned).collect()
}

/// Swaps two characters of a text in ASCII.
fn swap(text: &mut String, a: usize, b: usize) {
    let mut bytes = text.clone().into_bytes();
    bytes.swap(a, b);
    *text = String::from_utf8(bytes).expect("ASCII");
}

/// Damages a key; the number says how.
fn damage(key: &str, kind: usize) -> String {
    let mut groups = groups(key);
    match kind {
        0 => groups[2].replace_range(3..4, "?"),
        1 => {
            let from = groups.iter().position(|group| group.contains('1')).expect("a one");
            groups[from] = groups[from].replacen('1', "7", 1);
        }
        2 => swap(&mut groups[4], 1, 2),
        3 => groups.swap(5, 6),
        4 => drop(groups[7].remove(2)),
        5 => {
            groups[0].replace_range(1..2, "_");
            groups[6].replace_range(4..6, "xx");
        }
        6 => swap(&mut groups[3], 0, 2),
        _ => {
            let last = groups[1].pop().expect("a digit");
            groups[1].push(if last == '2' { '5' } else { '2' });
            return groups.concat();
        }
    }
    groups.join(" ")
}

#[test]
fn every_damage_is_mended_on_a_real_drive() {
    let Some(folder) = real_drives() else { return };
    let mut kind = 0;
    for drive in &DRIVES {
        for key in drive.recovery_passwords {
            let hints = damage(key, kind);
            assert_ne!(&hints, key);
            let path = folder.join(drive.file);
            let arguments: [&dyn AsRef<std::ffi::OsStr>; 6] =
                [&"repair", &path, &"--hints-file", &"-", &"--reveal", &"--json"];
            let said = run_revealing(&arguments, hints.as_bytes());
            let report = said.exits(0).json();
            assert_eq!((&report["recovery_key"], &report["proven"]), (&Value::from(*key), &true.into()));
            kind += 1;
        }
    }
    assert_eq!(kind, 8);
}

#[test]
fn what_opens_nothing_is_not_found() {
    let folder = folder();
    let hints = file(&folder, "hints", OTHER.replacen('8', "?", 1));
    let said = lastkey!("repair", sample().drive, "--hints-file", hints, "--slips", "0", "--reveal");
    said.exits(4).says("none of the").says(&sample().key_id[..8]).says("--slips 1");
    let said =
        lastkey!("repair", sample().drive, "--hints-file", hints, "--slips", "0", "--reveal", "--json");
    assert_eq!(said.exits(4).json()["error"]["kind"], "wrong-key");
}

#[test]
fn how_many_and_how_long_is_said_before_anything_begins() {
    let folder = folder();
    let mut groups = groups(&digits());
    groups.remove(3);
    let hints = file(&folder, "hints", groups.join("-"));
    let said = lastkey!("repair", sample().drive, "--hints-file", hints, "--dry-run");
    said.exits(0).says("7 of 8 groups are there.").says("candidates a second").says("524,288 candidates");
    let report = lastkey!("repair", sample().drive, "--hints-file", hints, "--dry-run", "--json");
    let report = report.exits(0).json();
    assert_eq!(report["plans"][0]["candidates"], 524_288);
    assert!(report["candidates_per_second"].as_f64().is_some_and(|rate| rate > 0.1));
    // Too much is missing: it is not begun, unless that is asked for.
    let hopeless = file(&folder, "hopeless", format!("{}-?-?-?-?-?-?-?", groups[0]));
    let said = lastkey!("repair", sample().drive, "--hints-file", hopeless, "--reveal");
    said.exits(4).says("too much is missing").says("more than 10^33");
    assert_eq!(names(folder.path()), ["hints", "hopeless"]);
}

#[test]
fn wrong_hints_are_explained() {
    let drive = &sample().drive;
    let repair = |text: &str| {
        let said = run_revealing(&[&"repair", drive, &"--hints-file", &"-", &"--reveal"], text.as_bytes());
        said.assert_no_secret();
        said
    };
    repair("").exits(4).says("there are no digits");
    repair("132").exits(4).says("3 digits do not fall into groups");
    repair("132%58-327525").exits(4).says("'%' stands where a digit belongs, in place 4");
    lastkey!("repair", drive).exits(2).says("--reveal");
    lastkey!("repair", drive, "--reveal").exits(14).says("--hints-file");
    lastkey!("repair", drive, "--reveal", "--hints-file", "/no/such").exits(12);
    lastkey!("repair", drive, "--reveal", "--hints-file", sample().digits, "--slips", "4").exits(2);
    let by_id =
        |id: &str| lastkey!("repair", drive, "--dry-run", "--hints-file", sample().digits, "--key-id", id);
    by_id(&sample().key_id[..8]).exits(0);
    by_id("00000000").exits(5).says(&sample().key_id[..8]);
    by_id("nonsense").exits(2);
}

#[test]
fn a_search_is_stopped_and_goes_on() {
    let folder = folder();
    let key = groups(&digits());
    let value: u64 = key[7].parse::<u64>().expect("digits") / 11;
    let typed = format!("{}-??????", key[..7].join(" "));
    let hints = file(&folder, "hints", &typed);
    let mut command = program::lastkey();
    command.args(["repair", "--reveal", "--slips", "0", "--hints-file", "hints"]).arg(&sample().drive);
    command.current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let begun = |line: std::io::Result<String>| line.expect("text").contains("Ctrl-C stops it");
    assert!(lines.by_ref().any(begun), "it did not begin");
    interrupt(&child);
    let err = lines.collect::<Result<Vec<_>, _>>().expect("text").join("\n");
    let said = Said { err, ..Said::of(child.wait_with_output().expect("it ends")) };
    said.exits(130).says("stopped at candidate").says("of 65,536").says("goes on from here");
    said.assert_no_secret();
    let name = format!("lastkey-repair-{}.json", &sample().key_id[..8]);
    let path = folder.path().join(&name);
    let kept = fs::read_to_string(&path).expect("how far it came");
    assert!(key.iter().all(|group| !kept.contains(group)), "{kept}");

    // Close before the key, so that the test does not take for ever.
    let mut state: Value = serde_json::from_str(&kept).expect("JSON");
    state["at"] = value.saturating_sub(5).into();
    fs::write(&path, state.to_string()).expect("written");
    let resume = |hints: &str| {
        let arguments: [&dyn AsRef<std::ffi::OsStr>; 7] =
            [&"repair", &sample().drive, &"--hints-file", &"-", &"--reveal", &"--resume", &path];
        run_revealing(&arguments, hints.as_bytes())
    };
    let other = typed.replacen(&key[0][..3], "???", 1);
    resume(&other).exits(5).says("what was typed is not the same");
    resume(&typed).exits(0).says("mended and proven").says(&digits());
    // Nothing is left to go on from.
    assert_eq!(names(folder.path()), ["hints"]);
    resume(&typed).exits(12);
    fs::write(&path, "{}").expect("written");
    resume(&typed).exits(2).says("no file that a stopped search left");
    assert!(hints.exists());
}

#[test]
fn a_person_types_what_can_be_read_and_is_asked_whether_to_see_the_key() {
    let key = groups(&digits());
    let start = || Terminal::start(&[&"repair", &sample().drive], None);
    let mut terminal = start();
    terminal.sees(&sample().key_id[..8]);
    for (n, group) in key.iter().enumerate() {
        let typed = if n == 5 { format!("{}?", &group[..5]) } else { group.clone() };
        terminal.sees(&format!("Group {} of 8: ", n + 1)).types_hidden(&format!("{typed}\n"));
    }
    terminal.sees("Group 6 has 1 unreadable digit.").sees("candidates a second").sees("mended and proven");
    terminal.sees("Show it now? [Y/n]").types("n\n").sees("Save it now? [Y/n]").types("n\n");
    let said = terminal.ends();
    said.exits(0).assert_no_secret();

    // Pasted at once, with a group swapped.
    let mut swapped = key.clone();
    swapped.swap(2, 3);
    let mut terminal = start();
    terminal.sees("Group 1 of 8: ").types_hidden(&format!("{}\n", swapped.join("-")));
    terminal.sees("Show it now? [Y/n]").types("\n").sees(&digits());
    let folder = folder();
    terminal
        .sees("Save it now? [Y/n]")
        .types("\n")
        .sees("How do you want to back up")
        .sees("Choose a number: ");
    terminal.types("99\n").sees("Type a number from 1 to ").sees("Choose a number: ").types("\x03");
    terminal.ends().exits(130);

    // Or saved at once, and shown to nobody.
    let hints = file(&folder, "hints", format!("?{}", &digits()[1..]));
    let said = lastkey!("repair", sample().drive, "--hints-file", hints, "--to", to(folder.path()), "--json");
    let report = said.exits(0).json();
    assert_eq!((&report["proven"], &report["recovery_key"]), (&true.into(), &serde_json::Value::Null));
    assert_eq!(report["copies"][0]["proven"], true);
    let copy = folder.path().join(format!("BitLocker Recovery Key {}.TXT", sample().key_id));
    lastkey!("verify", sample().drive, copy).exits(0);
}
