//! `lastkey try`: README's first command.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use lastkey_tests::program;

use crate::support::{Said, folder, interrupt, names};

#[test]
fn it_shows_everything_and_leaves_nothing() {
    let folder = folder();
    let mut command = program::lastkey();
    let said = Said::of(command.arg("try").env("TMPDIR", folder.path()).output().expect("the program"));
    said.exits(0).says("1. A BitLocker drive").says("2. Its recovery key").says("3. A backup").says("proven");
    said.says("4. A copy with one wrong digit").says("is not divisible by 11").says("gone again");
    assert_eq!(said.err, "");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn what_it_keeps_can_be_used_as_it_says() {
    let folder = folder();
    let keep = folder.path().join("my drive");
    let said = crate::support::run_revealing(&[&"try", &"--keep", &keep], b"");
    said.exits(0).says("Left in");
    assert_eq!(names(&keep), ["copies", "password.txt", "sample.img"]);
    // A shell must take the commands as they are shown.
    let shown: Vec<_> =
        said.out.split("lastkey ").skip(1).filter(|rest| rest.contains("sample.img")).collect();
    assert_eq!(shown.len(), 2);
    for rest in shown {
        let line = rest.lines().next().expect("a line");
        let script = format!("\"$0\" {line}");
        let run = std::process::Command::new("sh")
            .arg("-c")
            .arg(script)
            .arg(program::lastkey().get_program())
            .output();
        Said::of(run.expect("a shell")).exits(0);
    }
    lastkey!("try", "--keep", keep).exits(11).says("does not exist yet");
    lastkey!("try", "--keep", folder.path().join("no/where")).exits(12);
    assert_eq!(names(folder.path()), ["my drive"]);
}

#[test]
fn ctrl_c_at_any_moment_leaves_nothing() {
    for wait in [0, 1, 3, 10, 30, 60, 100, 150, 250, 400] {
        let folder = folder();
        let mut command = program::lastkey();
        command.arg("try").env("TMPDIR", folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the program");
        std::thread::sleep(Duration::from_millis(wait));
        if child.try_wait().expect("a child").is_none() {
            interrupt(&child);
        }
        let code = child.wait().expect("it ends").code();
        assert!(matches!(code, Some(0 | 130)), "after {wait} ms: {code:?}");
        assert!(names(folder.path()).is_empty(), "after {wait} ms: {:?}", names(folder.path()));
    }
    assert!(fs::metadata("/dev/null").is_ok());
}
