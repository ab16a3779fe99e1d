//! `lastkey dictate` and `lastkey type`: a key that goes over the phone.

use std::fs;
use std::process::Stdio;

use crate::support::{file, folder, sample, to};
use crate::terminal::Terminal;

const OTHER: &str = "284867-596541-514998-422114-660297-261613-215424-199408";
const OTHER_ID: &str = "3C116B76-C67B-484E-B439-CE2ED68B561E";

fn digits() -> String {
    fs::read_to_string(&sample().digits).expect("the digits")
}

/// What a terminal still shows when the other page is left: all before and after it.
fn left(shown: &str) -> String {
    let (before, rest) = shown.split_once("\x1b[?1049h").expect("the other page");
    let (page, after) = rest.rsplit_once("\x1b[?1049l").expect("the first page");
    assert!(page.ends_with("\x1b[2J\x1b[H"), "the other page is not emptied");
    format!("{before}{after}")
}

fn in_words(group: &str) -> String {
    let names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let words: Vec<_> = group.bytes().map(|digit| names[usize::from(digit - b'0')]).collect();
    format!("{}, {}", words[..3].join(" "), words[3..].join(" "))
}

#[test]
fn every_group_is_read_out_and_nothing_stays() {
    let sample = sample();
    let mut terminal = Terminal::start(&[&"dictate", &sample.copy], None);
    terminal.sees("emptied afterwards").sees(&sample.key_id[..8]).types("\n");
    for (n, group) in digits().split('-').enumerate() {
        terminal.sees(&format!("Group {} of 8", n + 1)).sees(&in_words(group)).sees("go on");
        match n {
            // Again, back and forth.
            2 => terminal.types("r\n").sees("Group 3 of 8").sees("go on").types("\n"),
            4 => terminal
                .types("b\n")
                .sees("Group 4 of 8")
                .sees("go on")
                .types("ok\n")
                .sees("Group 5 of 8")
                .types("\n"),
            _ => terminal.types("\n"),
        };
    }
    terminal.sees("All eight groups were read out");
    let said = terminal.ends();
    said.exits(0);
    let left = left(&said.out);
    for group in digits().split('-') {
        assert!(!left.contains(group) && !left.contains(&group[..3].to_owned().replace("", " ")), "{left}");
        assert!(!left.contains(&in_words(group)), "{left}");
    }
}

#[test]
fn it_is_left_at_any_moment_and_nothing_stays() {
    for end in ["q\n", "\x03", "\x04"] {
        let mut terminal = Terminal::start(&[&"dictate", &sample().copy], None);
        terminal.sees("Key ID").sees("go on").types("\n").sees("Group 1 of 8").sees("go on").types(end);
        let said = terminal.ends();
        said.exits(match end {
            "q\n" => 0,
            "\x03" => 130,
            _ => 14,
        });
        left(&said.out);
    }
    let mut terminal = Terminal::start(&[&"dictate", &sample().copy], None);
    terminal.sees("Key ID").sees("go on").interrupts_from_outside();
    left(&terminal.ends().exits(130).out);
}

#[test]
fn the_one_key_that_is_meant_is_chosen() {
    let folder = folder();
    let list = file(&folder, "list.csv", format!("{},{}\n{OTHER_ID},{OTHER}\n", sample().key_id, digits()));
    let ask = |arguments: &[&dyn AsRef<std::ffi::OsStr>]| Terminal::start(arguments, None).ends();
    ask(&[&"dictate", &list]).exits(2).says("there are 2 recovery keys in it").says("--key-id 3C116B76");
    ask(&[&"dictate", &list, &"--key-id", &"DEADBEEF"]).exits(4).says("no recovery key with this key ID");
    ask(&[&"dictate", &list, &"--key-id", &"?"]).exits(2);
    ask(&[&"dictate", &file(&folder, "empty", "")]).exits(4).says("there is no recovery key in it");
    let slip = file(&folder, "slip", format!("{OTHER_ID}\n{}9\n", &OTHER[..54]));
    ask(&[&"dictate", &slip]).exits(4).says("is not divisible by 11");
    let mut terminal = Terminal::start(&[&"dictate", &list, &"--key-id", &"3c11"], None);
    terminal.sees("three, C as in Charlie, one, one, six, B as in Bravo, seven, six").types("q\n");
    terminal.ends().exits(0);
    // Where nobody looks, nothing is shown.
    lastkey!("dictate", sample().copy).exits(14).says("somebody sits at a terminal");
}

#[test]
fn the_digits_go_to_the_screen_even_when_the_output_goes_elsewhere() {
    let folder = folder();
    let out = fs::File::create(folder.path().join("out")).expect("a file");
    let mut terminal = Terminal::start(&[&"dictate", &sample().copy], Some(Stdio::from(out)));
    terminal.sees("Key ID").sees("go on").types("\n").sees("Group 1 of 8").sees("go on").types("q\n");
    terminal.ends().exits(0);
    assert!(fs::read(folder.path().join("out")).expect("a file").is_empty());
}

#[test]
fn what_is_typed_is_checked_group_by_group_and_proven() {
    let sample = sample();
    let mut terminal = Terminal::start(&[&"type", &sample.drive], None);
    terminal.sees("asks for the recovery key with key ID").sees(&sample.key_id[..8]);
    for (n, group) in digits().split('-').enumerate() {
        let question = format!("Group {} of 8: ", n + 1);
        if n == 3 {
            let wrong = if group.ends_with('3') { "4" } else { "3" };
            terminal.sees(&question).types_hidden(&format!("{}{wrong}\n", &group[..5]));
            terminal.sees("is not divisible by 11").sees("Perhaps it is");
        }
        terminal.sees(&question).types_hidden(&format!("{group}\n"));
    }
    terminal.sees("proven");
    terminal.ends().exits(0).assert_no_secret();

    let folder = folder();
    let mut terminal = Terminal::start(&[&"type", &sample.drive, &"--to", &to(folder.path())], None);
    terminal.sees("Group 1 of 8: ").types_hidden(&format!("{}\n", digits())).sees("backed up and proven");
    terminal.ends().exits(0).assert_no_secret();
    let copy = folder.path().join(format!("BitLocker Recovery Key {}.TXT", sample.key_id));
    lastkey!("verify", sample.drive, copy).exits(0);
}

#[test]
fn a_key_that_opens_nothing_is_told_with_a_way_on() {
    let sample = sample();
    let mut terminal = Terminal::start(&[&"type", &sample.drive], None);
    for again in ["Type it once more", "Type it once more", "lastkey repair DRIVE"] {
        terminal.sees("Group 1 of 8: ").types_hidden(&format!("{OTHER}\n"));
        terminal.sees("does not open the drive").sees(again);
    }
    terminal.ends().exits(4).assert_no_secret();
    lastkey!("type", sample.drive).exits(14).says("there is no terminal");
    if let Some(images) = lastkey_tests::real_drives() {
        lastkey!("type", images.join("aes-xts_128.bin")).exits(4).says("it has none");
    }
}
