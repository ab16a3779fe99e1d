//! The way back to the files: unlocking, looking, downloading.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::Response;
use drives::{Attached, OpenError, Source};
use fve::ReadAt;
use http_body_util::BodyExt as _;

use super::sample::{DIGITS, LETTER, OTHER_DIGITS, PASSWORD, Sample, sea};
use crate::computer::{Computer, Denied, Rights};
use crate::testing::{Answer, Site};

/// A computer with a drive that can be pulled out.
struct Pullable {
    drive: Attached,
    pulled: Arc<AtomicBool>,
}

struct Stick(Source, Arc<AtomicBool>);

impl ReadAt for Stick {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if self.1.load(Relaxed) {
            Err(io::Error::other("no such device"))
        } else {
            self.0.read_at(offset, buf)
        }
    }

    fn size(&self) -> u64 {
        self.0.size()
    }
}

impl Computer for Pullable {
    fn attached(&self) -> Vec<Attached> {
        if self.pulled.load(Relaxed) { Vec::new() } else { vec![self.drive.clone()] }
    }

    fn open(&self, path: &Path) -> Result<Arc<dyn ReadAt>, OpenError> {
        Ok(Arc::new(Stick(Source::open(path)?, Arc::clone(&self.pulled))))
    }

    fn mark(&self) -> u64 {
        self.pulled.load(Relaxed).into()
    }

    fn rights(&self) -> Rights {
        Rights::All
    }

    fn ask_for_rights(&self) -> Result<(), Denied> {
        Err(Denied::Nobody)
    }
}

/// A panel with the sample as an image, and the drive's path in it.
pub fn site(sample: &Sample) -> (Site, String) {
    let site = Site::with_images(vec![sample.path.clone()]);
    let id = site.app.inventory.drives()[0].id.clone();
    (site, format!("/drives/{id}"))
}

pub fn boxes(digits: &str) -> Vec<(String, String)> {
    digits.split('-').zip(1..).map(|(group, number)| (format!("g{number}"), group.to_owned())).collect()
}

pub async fn post(site: &Site, path: &str, form: &[(String, String)]) -> Answer {
    let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    site.post(path, &form).await
}

pub async fn unlock(site: &Site, drive: &str) {
    let answer = post(site, &format!("{drive}/unlock/digits"), &boxes(DIGITS)).await;
    assert_eq!(answer.location, Some(format!("{drive}/files/")), "{}", answer.body);
}

/// Sends a request and gives the whole response.
async fn fetch(site: &Site, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = site.request("GET", path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    site.respond(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_drive_unlocks_with_its_digits_and_locks_again() {
    let sample = Sample::new();
    let (site, drive) = site(&sample);
    let page = site.get(&format!("{drive}/unlock")).await.body;
    assert!(page.contains(&sample.key_id.short()) && page.contains(&sample.key_id.to_string()), "{page}");
    assert_eq!(site.get(&format!("{drive}/files/")).await.location, Some(format!("{drive}/unlock")));
    unlock(&site, &drive).await;
    assert_eq!(
        site.get(&format!("{drive}/unlock?for=back-up")).await.location,
        Some(format!("{drive}/back-up"))
    );
    assert_eq!(site.post(&format!("{drive}/lock"), &[]).await.location.as_deref(), Some("/drives"));
    assert_eq!(
        site.get(&format!("{drive}/files/LETTER.TXT")).await.location,
        Some(format!("{drive}/unlock"))
    );
    // The whole key in one box, in other digits, on the way to the backup.
    let arabic: String =
        DIGITS.chars().map(|c| c.to_digit(10).map_or(' ', |n| char::from_u32(0x660 + n).unwrap())).collect();
    let answer = site.post(&format!("{drive}/unlock/digits"), &[("g3", &arabic), ("for", "back-up")]).await;
    assert_eq!(answer.location, Some(format!("{drive}/back-up")), "{}", answer.body);
}

#[tokio::test]
async fn each_wrong_group_is_marked_and_what_was_typed_goes_on_to_be_mended() {
    let sample = Sample::new();
    let (site, drive) = site(&sample);
    let typed = DIGITS.replace("357951", "357952").replace("342914", "34291").replace("591910", "");
    let answer = post(&site, &format!("{drive}/unlock/digits"), &boxes(&typed)).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.body.matches("aria-invalid=\"true\"").count(), 3, "{}", answer.body);
    for text in
        ["a digit is wrong here", "has 5 of 6 digits", "is empty", "value=\"357952\"", "action=\"/mend\""]
    {
        assert!(answer.body.contains(text), "{text}");
    }
    // What was typed is carried in the body, never in an address.
    let mend = post(&site, "/mend", &boxes(&typed)).await;
    assert!(mend.body.contains("value=\"34291\"") && !mend.body.contains("aria-invalid=\"true\""));
    let german = site.get_in("de", &format!("{drive}/unlock")).await.body;
    assert!(german.contains("Wiederherstellungsschlüssel") && german.contains("Gruppe 8"), "{german}");
    assert!(site.app.desk.get(drive.trim_start_matches("/drives/")).is_none());
}

#[tokio::test]
async fn wrong_keys_are_told_apart() {
    let (sample, other) = (Sample::new(), Sample::new());
    let (site, drive) = site(&sample);
    let wrong = post(&site, &format!("{drive}/unlock/digits"), &boxes(OTHER_DIGITS)).await;
    assert!(wrong.body.contains("but not this drive’s"), "{}", wrong.body);
    assert!(site.post(&format!("{drive}/unlock/digits"), &[]).await.body.contains("Nothing was given"));
    let wrong = site.post(&format!("{drive}/unlock/password"), &[("password", "guess")]).await;
    assert!(wrong.status == StatusCode::UNPROCESSABLE_ENTITY && wrong.body.contains("The password is wrong"));
    assert!(site.post(&format!("{drive}/unlock"), &[]).await.body.contains("opens only with a key"));
    let path = format!("{drive}/unlock/file");
    for (bytes, says) in [
        (b"nothing in here".to_vec(), "There is no key in it"),
        (Vec::new(), "Nothing was given"),
        (
            format!("Identifier: {}\r\n{OTHER_DIGITS}", other.key_id).into_bytes(),
            "the key of another drive: it has key ID",
        ),
        (
            format!("Identifier: {}\r\n{}", sample.key_id, DIGITS.replace("357951", "357952")).into_bytes(),
            "cannot be a recovery key",
        ),
        (vec![0xff, 0xd8, 0xff, 0xe0, 0, 0], "cannot be read"),
        (b"age-encryption.org/v1\n-> scrypt 5tSEVC+VtJPZ0HVKYt1GJw 18\n".to_vec(), "sealed with a password"),
    ] {
        let answer = site.upload(&path, &[], ("file", "key.txt", &bytes)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{says}");
        assert!(answer.body.contains(says), "{says}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_key_of_another_drive_that_is_there_names_it() {
    let sample = Sample::new();
    let unlike = Sample::new();
    let site = Site::with_images(vec![sample.path.clone(), unlike.path.clone()]);
    let drives = site.app.inventory.drives();
    let text = format!("Identifier: {}\r\nRecovery Key:\r\n{DIGITS}", unlike.key_id);
    // A single key under another's key ID may be mislabelled: it is tried, and opens.
    let answer = site
        .upload(&format!("/drives/{}/unlock/file", drives[0].id), &[], ("file", "a.txt", text.as_bytes()))
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
}

#[tokio::test]
async fn any_form_of_the_key_unlocks() {
    let sample = Sample::new();
    let (site, drive) = site(&sample);
    let text = format!("Identifier: {}\r\nRecovery Key:\r\n{DIGITS}\r\n", sample.key_id);
    let utf16: Vec<u8> = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    for (name, bytes) in [("a.txt", text.as_bytes()), ("b.txt", &utf16), ("key.BEK", &sample.bek)] {
        let answer = site.upload(&format!("{drive}/unlock/file"), &[], ("file", name, bytes)).await;
        assert_eq!(answer.location, Some(format!("{drive}/files/")), "{name}: {}", answer.body);
        site.post(&format!("{drive}/lock"), &[]).await;
    }
    let answer = site.post(&format!("{drive}/unlock/password"), &[("password", PASSWORD)]).await;
    assert_eq!(answer.location, Some(format!("{drive}/files/")), "{}", answer.body);
}

#[tokio::test]
async fn files_are_listed_and_come_whole() {
    let sample = Sample::new();
    let (site, drive) = site(&sample);
    unlock(&site, &drive).await;
    assert_eq!(site.get(&format!("{drive}/files")).await.location, Some(format!("{drive}/files/")));
    let page = site.get(&format!("{drive}/files/")).await.body;
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}: {page}"));
    assert!(
        at(">MANY<") < at(">PHOTOS<")
            && at(">PHOTOS<") < at(">EMPTY.BIN<")
            && at(">EMPTY.BIN<") < at(">LETTER.TXT<")
    );
    assert!(page.contains("31 B") && page.contains("2026"), "{page}");
    assert_eq!(
        site.get(&format!("{drive}/files/PHOTOS")).await.location,
        Some(format!("{drive}/files/PHOTOS/"))
    );
    let photos = site.get(&format!("{drive}/files/PHOTOS/")).await.body;
    assert!(photos.contains("2.4 MB") && photos.contains("aria-current=\"page\">PHOTOS<"), "{photos}");
    assert!(site.get_in("de", &format!("{drive}/files/PHOTOS/")).await.body.contains("2,4 MB"));

    let letter = fetch(&site, &format!("{drive}/files/LETTER.TXT"), &[]).await;
    let headers = letter.headers().clone();
    assert_eq!(headers[header::CONTENT_LENGTH], "31");
    assert_eq!(
        headers[header::CONTENT_DISPOSITION],
        "attachment; filename=\"LETTER.TXT\"; filename*=UTF-8''LETTER.TXT"
    );
    assert_eq!(headers[header::CONTENT_TYPE], "application/octet-stream");
    assert_eq!(headers[header::CONTENT_SECURITY_POLICY], "sandbox; default-src 'none'");
    assert_eq!(
        (&headers[header::X_CONTENT_TYPE_OPTIONS], &headers[header::CACHE_CONTROL]),
        (&"nosniff".parse().unwrap(), &"no-store".parse().unwrap())
    );
    assert_eq!(letter.into_body().collect().await.unwrap().to_bytes(), LETTER);
    let whole = fetch(&site, &format!("{drive}/files/PHOTOS/SEA.JPG"), &[]).await;
    assert!(whole.into_body().collect().await.unwrap().to_bytes() == sea());
    let empty = fetch(&site, &format!("{drive}/files/EMPTY.BIN"), &[]).await;
    assert_eq!(
        (empty.status(), empty.into_body().collect().await.unwrap().to_bytes().len()),
        (StatusCode::OK, 0)
    );
    // Names are found as Windows finds them; what is not there is not.
    assert_eq!(site.get(&format!("{drive}/files/letter.txt")).await.status, StatusCode::OK);
    for nothing in ["NOTHING", "LETTER.TXT/more", "PHOTOS/%2e%2e/LETTER.TXT", "%00", "%ff"] {
        let status = site.get(&format!("{drive}/files/{nothing}")).await.status;
        assert!(status.is_client_error(), "{nothing}: {status}");
    }
}

#[tokio::test]
async fn a_part_of_a_file_is_what_was_asked_for() {
    let sample = Sample::new();
    let (site, drive) = site(&sample);
    unlock(&site, &drive).await;
    let path = format!("{drive}/files/PHOTOS/SEA.JPG");
    let part = fetch(&site, &path, &[("range", "bytes=262100-262200")]).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()[header::CONTENT_RANGE], "bytes 262100-262200/2400000");
    assert!(part.into_body().collect().await.unwrap().to_bytes() == sea()[262_100..=262_200]);
    let beyond = fetch(&site, &path, &[("range", "bytes=2400000-")]).await;
    assert_eq!(
        (beyond.status(), &beyond.headers()[header::CONTENT_RANGE]),
        (StatusCode::RANGE_NOT_SATISFIABLE, &"bytes */2400000".parse().unwrap())
    );
    // Nothing says that it is still the same file.
    let whole = fetch(&site, &path, &[("range", "bytes=1-2"), ("if-range", "\"x\"")]).await;
    assert_eq!(whole.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_huge_folder_comes_in_pages() {
    let sample = Sample::with_many(1203);
    let (site, drive) = site(&sample);
    unlock(&site, &drive).await;
    let (mut path, mut seen, mut pages) = (format!("{drive}/files/MANY/"), 0, 0);
    loop {
        let page = site.get(&path).await.body;
        seen += page.matches(">FILE").count();
        pages += 1;
        let Some((_, rest)) = page.split_once("href=\"?from=") else { break };
        path = format!("{drive}/files/MANY/?from={}", rest.split('"').next().unwrap());
    }
    assert_eq!((seen, pages), (1203, 3));
}

#[tokio::test]
async fn a_folder_comes_as_an_archive() {
    let sample = Sample::new();
    let (site, drive) = site(&sample);
    unlock(&site, &drive).await;
    let archive = fetch(&site, &format!("{drive}/files/?as=zip"), &[]).await;
    let disposition = archive.headers()[header::CONTENT_DISPOSITION].to_str().unwrap().to_owned();
    assert!(disposition.starts_with("attachment; filename=\"ADA-PC D_ 21.11.2026.zip\""), "{disposition}");
    let bytes = archive.into_body().collect().await.unwrap().to_bytes();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut read = |name: &str| {
        let mut content = Vec::new();
        std::io::copy(&mut archive.by_name(name).unwrap(), &mut content).unwrap();
        content
    };
    assert_eq!(read("LETTER.TXT"), LETTER);
    assert!(read("PHOTOS/SEA.JPG") == sea());
    assert_eq!(archive.len(), 6, "{:?}", archive.file_names().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_drive_that_is_pulled_out_cuts_the_download_and_is_gone() {
    let sample = Sample::new();
    let mut attached = Attached::default();
    attached.name = "sdz".to_owned();
    attached.path.clone_from(&sample.path);
    attached.size = 4 << 20;
    attached.removable = true;
    attached.is_bitlocker = Some(true);
    let pulled = Arc::new(AtomicBool::new(false));
    let site = Site::new(Pullable { drive: attached, pulled: Arc::clone(&pulled) }, Vec::new());
    let drive = format!("/drives/{}", site.app.inventory.drives()[0].id);
    unlock(&site, &drive).await;
    let path = format!("{drive}/files/PHOTOS/SEA.JPG");
    for path in [path.clone(), format!("{drive}/files/?as=zip")] {
        pulled.store(false, Relaxed);
        unlock(&site, &drive).await;
        let mut body = fetch(&site, &path, &[]).await.into_body();
        let first = body.frame().await.unwrap().unwrap();
        assert!(!first.into_data().unwrap().is_empty());
        pulled.store(true, Relaxed);
        // What was read ahead may come; then there is an error, and never an end.
        let end = loop {
            match body.frame().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => break Some(error),
                None => break None,
            }
        };
        assert!(end.is_some(), "{path} ended as if it were whole");
        let page = site.get(&path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
        assert!(page.body.contains("Was it pulled out?"), "{}", page.body);
        assert!(!site.app.desk.has(drive.trim_start_matches("/drives/")), "its keys are wiped");
    }
}
