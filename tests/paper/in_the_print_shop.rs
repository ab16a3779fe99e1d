//! The print shop: `tests/setup/print-shop` starts printers in a network of their own and runs the tests below
//! that are otherwise ignored.

use std::ops::ControlFlow;
use std::time::Duration;

use paper::print::{Job, JobState, PrintError, Printer, Spooler, State};

use super::*;

/// Nothing of the shop outlives it, nothing of it is seen outside.
const NAMESPACES: [&str; 5] = ["--mount", "--net", "--pid", "--fork", "--kill-child"];

#[test]
fn real_printers() {
    let programs = [
        "unshare",
        "ip",
        "dbus-daemon",
        "avahi-daemon",
        "ippeveprinter",
        "ipptool",
        "cupsd",
        "lpadmin",
        "lpstat",
        "cupsdisable",
    ];
    if !have(&programs) {
        return;
    }
    let probe = Command::new("unshare").args(NAMESPACES).arg("true").output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        skip("printers need a network of their own: run as root");
        return;
    }
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("setup/print-shop");
    let output = Command::new("unshare")
        .args(NAMESPACES)
        .arg(shop)
        .arg(env::current_exe().expect("this program"))
        .args(["--ignored", "--nocapture", "--test-threads=1", "in_the_print_shop"])
        .env("PATH", format!("{}:/usr/sbin:/sbin", env::var("PATH").unwrap_or_default()))
        .output()
        .expect("unshare");
    let said = format!("{}{}", text(&output), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("6 passed"), "{said}");
    println!("{said}");
}

const JOB: Job<'static> =
    Job { name: "Page", user: "tester", paper: Paper::A4, patience: Duration::from_secs(60) };

fn folder() -> PathBuf {
    env::var_os("PRINT_SHOP").expect("run by tests/setup/print-shop").into()
}

fn printer(port: u16) -> Printer {
    Printer::at(&format!("ipp://localhost:{port}/ipp/print")).expect("a printer")
}

/// The one file that a printer has printed.
fn printed(by: &str, extension: &str) -> Vec<u8> {
    let entries = fs::read_dir(folder().join(by)).expect("a folder");
    let files: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    let file = files.iter().find(|file| file.extension().is_some_and(|found| found == extension));
    fs::read(file.unwrap_or_else(|| panic!("{files:?}"))).expect("a file")
}

#[test]
#[ignore = "run by real_printers"]
fn a_printer_prints_pdf() {
    let sample = sample(40, Paper::A4);
    let mut states = Vec::new();
    let printer = printer(8631);
    assert_eq!((printer.name.as_str(), printer.state, printer.accepts_jobs), ("pdf", State::Idle, true));
    let done = printer.print(&sample.pdf, JOB, |progress| {
        states.push(progress.job);
        ControlFlow::Continue(())
    });
    done.expect("printed");
    assert_eq!(states.last(), Some(&JobState::Completed));
    let reading = read(&printed("pdf", "pdf")).expect("a key");
    assert_eq!(sample.sources(&reading), ALL);
}

#[test]
#[ignore = "run by real_printers"]
fn a_printer_prints_raster() {
    let sample = sample(41, Paper::A4);
    printer(8632).print(&sample.pdf, JOB, |_| ControlFlow::Continue(())).expect("printed");
    let page = raster(&printed("raster", "pwg"));
    let reading = read(&encode(page, ImageFormat::Png)).expect("a key");
    assert_eq!(sample.sources(&reading), ALL);
}

#[test]
#[ignore = "run by real_printers"]
fn cups_lists_its_printers_and_prints() {
    let sample = sample(42, Paper::Letter);
    for server in ["localhost:6631".to_owned(), folder().join("cups.sock").display().to_string()] {
        let printers = Spooler::named(&server).expect("a server").printers().expect("printers");
        let names: Vec<_> =
            printers.iter().map(|printer| (printer.name.as_str(), printer.is_default)).collect();
        assert_eq!(names, [("office", true), ("jammed", false), ("stopped", false)]);
        let [office, _, stopped] = printers.as_slice() else { panic!("three printers") };
        assert_eq!((office.description.as_str(), office.location.as_str()), ("The office printer", "Room 1"));
        assert_eq!((office.state, stopped.state), (State::Idle, State::Stopped));

        let paper = Paper::Letter;
        let done = office.print(&sample.pdf, Job { paper, ..JOB }, |_| ControlFlow::Continue(()));
        assert!(done.expect("printed").forgotten);
        let reading = read(&fs::read(folder().join("office.pdf")).expect("a file")).expect("a key");
        assert_eq!(sample.sources(&reading), ALL);
        let refused = stopped.print(&sample.pdf, JOB, |_| ControlFlow::Continue(()));
        assert!(matches!(&refused, Err(PrintError::Stopped { .. })), "{refused:?}");
        // CUPS has kept nothing: no job, and no file of one.
        let jobs = Command::new("lpstat").args(["-W", "all", "-o"]).output().expect("lpstat");
        assert_eq!(text(&jobs), "");
        let spool = fs::read_dir(folder().join("cups/spool")).expect("the spool");
        let kept = spool.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().is_file())).count();
        assert_eq!(kept, 0, "files in the spool");
    }
}

#[test]
#[ignore = "run by real_printers"]
fn without_paper_the_job_is_cancelled() {
    let sample = sample(43, Paper::A4);
    let printer = printer(8633);
    let patience = Duration::from_secs(4);
    match printer.print(&sample.pdf, Job { patience, ..JOB }, |_| ControlFlow::Continue(())) {
        Err(PrintError::Patience { reasons, .. }) => assert_eq!(reasons, ["media-needed-warning"]),
        other => panic!("{other:?}"),
    }
    nothing_waits(8633);
    // A printer of CUPS's that is stopped in the middle of its job.
    let printers = Spooler::named("localhost:6631").expect("a server").printers().expect("printers");
    let jammed = printers.iter().find(|printer| printer.name == "jammed").expect("a printer");
    let printed = jammed.print(&sample.pdf, JOB, |_| {
        assert!(Command::new("cupsdisable").arg("jammed").status().expect("cupsdisable").success());
        ControlFlow::Continue(())
    });
    assert!(matches!(&printed, Err(PrintError::Stopped { .. })), "{printed:?}");
    let jobs = Command::new("lpstat").args(["-o", "jammed"]).output().expect("lpstat");
    assert_eq!(text(&jobs), "");
}

#[test]
#[ignore = "run by real_printers"]
fn an_aborted_job_is_an_error() {
    let printed = printer(8634).print(&sample(44, Paper::A4).pdf, JOB, |_| ControlFlow::Continue(()));
    assert!(matches!(&printed, Err(PrintError::Aborted { .. })), "{printed:?}");
    nothing_waits(8634);
}

#[test]
#[ignore = "run by real_printers"]
fn whoever_watches_can_stop() {
    let sample = sample(45, Paper::A4);
    // ippeveprinter forgets that a job was cancelled if it was just about to begin it.
    let printed = printer(8635).print(&sample.pdf, JOB, |progress| match progress.job {
        JobState::Printing => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert!(matches!(&printed, Err(PrintError::Cancelled)), "{printed:?}");
    nothing_waits(8635);
    let nobody = Printer::at("ipp://localhost:8699/ipp/print");
    assert!(matches!(&nobody, Err(PrintError::Unreachable { .. })), "{nobody:?}");
}

fn nothing_waits(port: u16) {
    let uri = format!("ipp://localhost:{port}/ipp/print");
    let jobs = Command::new("ipptool").args(["-tv", &uri, "get-jobs.test"]).output().expect("ipptool");
    let jobs = text(&jobs);
    // A printer may take a while to end a job that it has stopped.
    let waits = jobs.contains("job-id (integer)") && !jobs.contains("processing-to-stop-point");
    assert!(jobs.contains("[PASS]") && !waits, "{jobs}");
}

/// Unpacks PWG raster of one gray page.
fn raster(file: &[u8]) -> Picture {
    let number =
        |at: usize| u32::from_be_bytes(file[4 + at..8 + at].try_into().expect("four bytes")) as usize;
    assert_eq!((&file[..4], number(388), number(400)), (&b"RaS2"[..], 8, 18), "8 bits of grey");
    let (width, height) = (number(372), number(376));
    let mut rest = &file[4 + 1796..];
    let mut pixels = Vec::with_capacity(width * height);
    while pixels.len() < width * height {
        let (times, mut line) = (rest[0], Vec::with_capacity(width));
        rest = &rest[1..];
        while line.len() < width {
            let count = usize::from(rest[0]);
            if count < 128 {
                line.extend(std::iter::repeat_n(rest[1], count + 1));
                rest = &rest[2..];
            } else {
                line.extend(&rest[1..258 - count]);
                rest = &rest[258 - count..];
            }
        }
        (0..=times).for_each(|_| pixels.extend_from_slice(&line));
    }
    assert!(rest.is_empty(), "{} bytes too many", rest.len());
    Picture { width, height, pixels }
}
