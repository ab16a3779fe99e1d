//! The way back to the files in a real browser: every way to unlock, files to download, keys to find, check and mend.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use fve::Method;
use image::GrayImage;
use lastkey_tests::browser::{Browser, DESKTOP, PHONE, Page, What, browser, browser_with_camera};
use lastkey_tests::makers::noise;
use lastkey_tests::panel::{Home, Panel};
use lastkey_tests::program::lastkey;
use lastkey_tests::said::Said;
use lastkey_tests::whole::{self, Whole};
use photo::{Photo, Picture};
use sha2::{Digest, Sha256};

/// Long enough that what a browser and the system take ahead is a small part of it.
const FILM: usize = 36 << 20;

/// The way to unlock an image: other tests attach drives meanwhile.
const UNLOCK: &str = "a[href^='/drives/image-'][href$='/unlock']";

/// A drive as Windows would leave it, its keys, and the page that was printed of them.
struct Drive {
    folder: tempfile::TempDir,
    whole: Whole,
    digits: String,
    key_id: String,
}

impl Drive {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Makes it once for all tests; nobody writes to it.
fn drive() -> Option<&'static Drive> {
    static DRIVE: OnceLock<Option<Drive>> = OnceLock::new();
    DRIVE.get_or_init(make).as_ref()
}

fn make() -> Option<Drive> {
    let folder = tempfile::tempdir().unwrap();
    let whole = whole::ntfs(folder.path(), Method::AesXts128, |root| {
        fs::create_dir_all(root.join("Users/Ada/Pictures/Sommer 2026 ☀")).unwrap();
        fs::write(root.join("Users/Ada/Übersicht & \"Plan\" 50%.txt"), "Grüße\r\n").unwrap();
        fs::write(root.join("Users/Ada/Pictures/film.bin"), noise(FILM, 7)).unwrap();
        fs::write(root.join("Users/Ada/Pictures/Sommer 2026 ☀/sea.jpg"), noise(700_001, 8)).unwrap();
        fs::write(root.join("letter.txt"), "Dear Ada").unwrap();
    })?;
    let digits = fs::read_to_string(&whole.recovery_key_file).unwrap();
    let digits = digits.trim().to_owned();
    let key_id = lastkey_tests::open(&whole.path).recovery_locks().key_ids()[0].short();
    let drive = Drive { folder, whole, digits, key_id };
    // The page, printed and photographed in the hand.
    let pages = drive.path("pages");
    fs::create_dir(&pages).unwrap();
    let mut place = std::ffi::OsString::from("paper:");
    place.push(&pages);
    let mut command = lastkey();
    command.arg("backup").arg(&drive.whole.path).arg("--bek").arg(&drive.whole.bek).arg("--to").arg(place);
    Said::of(command.output().unwrap()).exits(0);
    let page = fs::read_dir(&pages).unwrap().map(|entry| entry.unwrap().path());
    let page = page.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "pdf")).unwrap();
    let pixels = paper::rasterise(&fs::read(&page).unwrap(), 200.0).unwrap();
    let flat =
        Picture { width: pixels[0].width(), height: pixels[0].height(), pixels: pixels[0].pixels().to_vec() };
    let hand = Photo {
        turn: 4.0,
        tilt: 0.08,
        shade: 0.3,
        blur: 0.6,
        noise: 4.0,
        tones: (30.0, 230.0),
        ..Photo::default()
    };
    let taken = hand.take(&flat, 200.0);
    let image = GrayImage::from_raw(taken.width as u32, taken.height as u32, taken.pixels).unwrap();
    image.save(drive.path("photo.jpg")).unwrap();
    fs::copy(page, drive.path("page.pdf")).unwrap();
    Some(drive)
}

/// A panel with the drive as an image, and a page of it that has come in.
fn come_in(browser: &Browser, home: &Home, image: &Path) -> (Panel, Page, String) {
    let panel = home.start(&[image]);
    let page = browser.page(DESKTOP);
    panel.enter(&page);
    page.open(&panel.url("/drives"));
    let link = page.attribute(What::Css(UNLOCK), "href").unwrap();
    let drive = link.trim_end_matches("/unlock").to_owned();
    (panel, page, drive)
}

fn file_hash(path: &Path) -> [u8; 32] {
    hash(&fs::read(path).unwrap())
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn assert_quiet(panel: &Panel, page: &Page, secrets: &[&str]) {
    panel.assert_quiet(page);
    for request in page.requests() {
        for secret in secrets {
            assert!(!request.contains(secret), "a secret stands in an address");
        }
    }
}

#[test]
fn a_key_is_checked_as_it_is_typed_and_unlocks() {
    let (Some(drive), Some(browser)) = (drive(), browser(&[])) else { return };
    let home = Home::new();
    let (panel, page, path) = come_in(&browser, &home, &drive.whole.path);
    page.open(&panel.url(&format!("{path}/unlock")));
    assert!(page.text().contains(&drive.key_id), "{}", page.text());
    page.review("panel-unlock");
    let groups: Vec<&str> = drive.digits.split('-').collect();
    // A wrong digit is said at once, and the box is not left.
    let wrong = format!("{}{}", &groups[0][..5], (groups[0].as_bytes()[5] - b'0' + 1) % 10);
    page.type_slowly("Group 1", &wrong);
    page.wait(What::Css("#g1[aria-invalid=true]"));
    assert_eq!(page.read(What::Css("#says-g1")), "a digit is wrong here");
    page.review("panel-unlock-wrong");
    page.fill("Group 1", "");
    // Whoever types on lands in the next box by themselves.
    page.type_slowly("Group 1", groups[0]);
    for (number, group) in (1..).zip(&groups).skip(1) {
        let here = page.evaluate("document.activeElement.id");
        assert_eq!(here, format!("g{number}"));
        page.type_slowly(&format!("Group {number}"), group);
    }
    page.click(What::Role("button", "Unlock"));
    page.until(&panel.url(&format!("{path}/files/")));
    page.review("panel-files");
    page.back();
    let left = page.evaluate(
        "[...document.querySelectorAll('[data-boxes] input')].map((input) => input.value).join('')",
    );
    assert_eq!(left, "", "the page has forgotten what was typed");
    assert_quiet(&panel, &page, &groups);
}

#[test]
fn a_key_that_is_pasted_fills_all_boxes() {
    let (Some(drive), Some(browser)) = (drive(), browser(&[])) else { return };
    let home = Home::new();
    let (panel, page, path) = come_in(&browser, &home, &drive.whole.path);
    page.open(&panel.url(&format!("{path}/unlock")));
    let text = format!("BitLocker recovery key\\n12345678-ABCD\\n{}\\n", drive.digits);
    page.evaluate(&format!(
        "const data = new DataTransfer(); data.setData('text', '{text}'); \
         document.getElementById('g4').dispatchEvent(new ClipboardEvent('paste', {{ clipboardData: data, bubbles: true, cancelable: true }}))"
    ));
    for (group, number) in drive.digits.split('-').zip(1..) {
        assert_eq!(page.value(&format!("Group {number}")), group);
    }
    page.click(What::Role("button", "Unlock"));
    page.until(&panel.url(&format!("{path}/files/")));
    assert_quiet(&panel, &page, &[&drive.digits]);
}

#[test]
fn without_javascript_the_server_checks_and_unlocks() {
    let (Some(drive), Some(browser)) = (drive(), browser(&[])) else { return };
    let home = Home::new();
    let panel = home.start(&[&drive.whole.path]);
    let page = browser.page_without_javascript(PHONE);
    panel.enter(&page);
    page.open(&panel.url("/drives"));
    page.click(What::Css(UNLOCK));
    let (first, rest) = drive.digits.split_at(5);
    let wrong = format!("{first}{}{}", (rest.as_bytes()[0] - b'0' + 1) % 10, &rest[1..]);
    for (group, number) in wrong.split('-').zip(1..) {
        page.fill(&format!("Group {number}"), group);
    }
    page.click(What::Role("button", "Unlock"));
    assert_eq!(page.read(What::Css("#says-g1")), "a digit is wrong here");
    page.click(What::Role("button", "Find out what was meant"));
    page.wait(What::Role("heading", "Mend a damaged key"));
    page.open(&panel.url("/drives"));
    page.click(What::Css(UNLOCK));
    for (group, number) in drive.digits.split('-').zip(1..) {
        page.fill(&format!("Group {number}"), group);
    }
    page.click(What::Role("button", "Unlock"));
    page.wait(What::Role("link", "letter.txt"));
}

#[test]
fn files_and_photos_of_the_key_unlock_and_others_say_why_not() {
    let (Some(drive), Some(browser)) = (drive(), browser(&[])) else { return };
    let home = Home::new();
    let (panel, page, path) = come_in(&browser, &home, &drive.whole.path);
    let unlock = panel.url(&format!("{path}/unlock"));
    let nothing = drive.path("nothing.txt");
    fs::write(&nothing, "shopping list").unwrap();
    page.open(&unlock);
    page.upload("Choose a file", &[&nothing]);
    page.click(What::Role("button", "Unlock with it"));
    page.wait(What::Css("[role=alert]"));
    assert!(page.text().contains("There is no key in it"), "{}", page.text());
    for file in [
        drive.path("page.pdf"),
        drive.path("photo.jpg"),
        drive.whole.recovery_key_file.clone(),
        drive.whole.bek.clone(),
    ] {
        page.open(&unlock);
        page.upload("Choose a file", &[&file]);
        page.click(What::Role("button", "Unlock with it"));
        page.wait(What::Role("link", "letter.txt"));
        page.click(What::Role("button", "Lock drive"));
        page.until(&panel.url("/drives"));
    }
    page.open(&unlock);
    page.fill("Password of the drive", "not this one");
    page.click(What::Role("button", "Unlock with the password"));
    page.wait(What::Css("[role=alert]"));
    page.fill("Password of the drive", fs::read_to_string(&drive.whole.password_file).unwrap().trim());
    page.click(What::Role("button", "Unlock with the password"));
    page.wait(What::Role("link", "letter.txt"));
}

#[test]
fn a_camera_sees_the_key_on_the_page() {
    let Some(drive) = drive() else { return };
    let photo = image::open(drive.path("photo.jpg")).unwrap().into_luma8();
    let (width, height) = (photo.width() & !1, photo.height() & !1);
    let photo = image::imageops::crop_imm(&photo, 0, 0, width, height).to_image();
    let head = format!("YUV4MPEG2 W{width} H{height} F5:1 Ip A1:1 C420jpeg\nFRAME\n");
    let seen = drive.path("seen.y4m");
    let gray = vec![128; photo.len() / 2];
    fs::write(&seen, [head.as_bytes(), photo.as_raw(), &gray].concat()).unwrap();
    let Some(browser) = browser_with_camera(&seen) else { return };
    let home = Home::new();
    let (panel, page, path) = come_in(&browser, &home, &drive.whole.path);
    page.open(&panel.url(&format!("{path}/unlock")));
    page.click(What::Role("button", "Use the camera"));
    page.wait(What::Css("[data-none]:not([hidden])"));
    page.review("panel-unlock-no-camera");
    page.look(DESKTOP);
    page.allow_camera();
    page.click(What::Role("button", "Use the camera"));
    page.wait(What::Css("[data-seen]:not([hidden])"));
    page.review("panel-unlock-camera");
    page.look(DESKTOP);
    page.click(What::Role("button", "Take the picture"));
    page.wait(What::Role("link", "letter.txt"));
    panel.assert_quiet(&page);
}

#[test]
fn locked_out_with_nothing_but_the_printed_page() {
    let (Some(drive), Some(browser)) = (drive(), browser(&[])) else { return };
    // A new, empty computer, and a hand with a phone.
    let home = Home::new();
    let panel = home.start(&[&drive.whole.path]);
    let page = browser.page(PHONE);
    panel.enter(&page);
    page.click(What::Role("link", "Drives"));
    page.click(What::Css(UNLOCK));
    page.upload("Take a photo of the page", &[&drive.path("photo.jpg")]);
    page.click(What::Role("button", "Unlock with it"));
    for folder in ["Users", "Ada", "Pictures", "Sommer 2026 ☀"] {
        page.click(What::Role("link", folder));
        page.wait(What::Role("heading", folder));
    }
    let sea = drive.path("downloaded");
    assert_eq!(page.download(What::Role("link", "sea.jpg"), &sea), "sea.jpg");
    assert_eq!(file_hash(&sea), hash(&noise(700_001, 8)));
    page.review("panel-files-deep");
    // Names that mean something to headers and shells arrive as harmless ones.
    page.click(What::Role("link", "Ada"));
    let plan = drive.path("plan");
    let name = page.download(What::Role("link", "Übersicht & \"Plan\" 50%.txt"), &plan);
    assert_eq!(name, "Übersicht & _Plan_ 50%.txt");
    assert_eq!(fs::read(&plan).unwrap(), "Grüße\r\n".as_bytes());
    // All of a folder at once.
    page.click(What::Role("link", "Pictures"));
    page.wait(What::Role("heading", "Pictures"));
    let zip = drive.path("all.zip");
    assert_eq!(page.download(What::Role("link", "Download all of it (ZIP)"), &zip), "Pictures.zip");
    let mut zip = zip::ZipArchive::new(File::open(zip).unwrap()).unwrap();
    let mut film = Vec::new();
    zip.by_name("film.bin").unwrap().read_to_end(&mut film).unwrap();
    assert_eq!(hash(&film), hash(&noise(FILM, 7)));
    assert_quiet(&panel, &page, &[&drive.digits[..6]]);
}

#[test]
fn a_drive_that_goes_in_the_middle_cuts_the_download() {
    let (Some(drive), Some(browser)) = (drive(), browser(&[])) else { return };
    let home = Home::new();
    let image = home.path("stick.img");
    fs::copy(&drive.whole.path, &image).unwrap();
    let (panel, page, path) = come_in(&browser, &home, &image);
    page.open(&panel.url(&format!("{path}/unlock")));
    page.upload("Choose a file", &[&drive.whole.bek]);
    page.click(What::Role("button", "Unlock with it"));
    page.wait(What::Role("link", "letter.txt"));
    let cookies = page.cookies();
    let cookie = cookies.iter().find(|cookie| cookie["name"] == "lastkey-panel").unwrap();
    let film = format!("{path}/files/Users/Ada/Pictures/film.bin");
    let request = format!(
        "GET {film} HTTP/1.1\r\nHost: {}\r\nCookie: lastkey-panel={}\r\nSec-Fetch-Site: same-origin\r\nConnection: close\r\n\r\n",
        panel.host(),
        cookie["value"].as_str().unwrap()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", panel.port())).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = vec![0; 64 << 10];
    stream.read_exact(&mut answer).unwrap();
    let head = String::from_utf8_lossy(&answer);
    assert!(
        head.starts_with("HTTP/1.1 200") && head.to_lowercase().contains(&format!("content-length: {FILM}")),
        "{}",
        &head[..300]
    );
    drop(head);
    // Out it comes.
    File::options().write(true).open(&image).unwrap().set_len(0).unwrap();
    fs::remove_file(&image).unwrap();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.len() < FILM, "the download looks whole: {}", answer.len());
    page.open(&panel.url(&film));
    assert!(page.text().contains("Was it pulled out?"), "{}", page.text());
}

#[test]
fn keys_are_found_checked_and_mended() {
    let (Some(drive), Some(browser)) = (drive(), browser(&[])) else { return };
    let home = Home::new();
    let folder = home.path("Documents");
    fs::create_dir(&folder).unwrap();
    fs::copy(drive.path("page.pdf"), folder.join("scan 0017.pdf")).unwrap();
    fs::copy(&drive.whole.recovery_key_file, folder.join("notes.txt")).unwrap();
    fs::write(folder.join("other.txt"), "Identifier: 11111111-2222-3333-4444-555555555555\r\n000011-000022-000033-000044-000055-000066-000077-000088").unwrap();
    let (panel, page, path) = come_in(&browser, &home, &drive.whole.path);
    page.click(What::Role("link", "Find my key"));
    page.review("panel-find");
    page.click(What::Role("button", "Look for it"));
    page.wait(What::Role("heading", "2 keys were found"));
    assert!(
        page.text().contains("scan 0017.pdf") && !page.text().contains(&drive.digits[..6]),
        "{}",
        page.text()
    );
    page.review("panel-found");
    page.click(What::Css(".found:first-of-type form[action$='/show'] button"));
    page.wait(What::Role("heading", "Recovery key"));
    assert!(page.text().contains(&drive.digits[..6]));
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))");
    assert!(!page.text().contains(&drive.digits[..6]), "the page that is left has forgotten the key");
    page.click(What::Role("link", "Hide the key"));
    page.wait(What::Role("heading", "2 keys were found"));

    page.open(&panel.url("/verify"));
    page.review("panel-verify");
    page.upload("Choose a file", &[&drive.path("photo.jpg")]);
    page.click(What::Role("button", "Check it"));
    page.wait(What::Css(".notice.good"));
    assert!(page.text().contains("opened the drive just now"), "{}", page.text());
    page.review("panel-verified");

    page.open(&panel.url(&format!("/mend?drive={}", path.trim_start_matches("/drives/"))));
    for (group, number) in drive.digits.split('-').zip(1..) {
        let typed = if number == 3 { format!("{}??", &group[..4]) } else { group.to_owned() };
        page.fill(&format!("Group {number}"), &typed);
    }
    page.review("panel-mend");
    page.click(What::Role("button", "See how long it takes"));
    page.wait(What::Role("button", "Search"));
    page.review("panel-mend-plan");
    page.click(What::Css("input[value='0']"));
    page.click(What::Role("button", "Search"));
    page.wait(What::Role("heading", "The key is mended"));
    assert!(page.text().contains("Other than typed: group 3."), "{}", page.text());
    page.review("panel-mended");
    page.click(What::Role("link", "Browse files"));
    page.wait(What::Role("link", "letter.txt"));
    assert_quiet(&panel, &page, &[&drive.digits[..6]]);

    // The same in German.
    let files = page.url();
    page.click(What::Role("button", "Deutsch"));
    page.wait(What::Role("button", "English"));
    page.open(&files);
    page.wait(What::Role("button", "Laufwerk sperren"));
    page.review("panel-files-de");
    page.click(What::Role("button", "Laufwerk sperren"));
    for (path, name) in [
        (format!("{path}/unlock"), "unlock"),
        ("/find".to_owned(), "find"),
        ("/verify".to_owned(), "verify"),
        ("/mend".to_owned(), "mend"),
    ] {
        page.open(&panel.url(&path));
        page.review(&format!("panel-{name}-de"));
    }
}
