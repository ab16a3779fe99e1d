//! Keys that are found, checked and mended.

use std::sync::Arc;

use axum::http::StatusCode;
use backup::{About, Content, Document, FileDestination, back_up};
use fve::Volume;
use recovery_key::RecoveryPassword;

use super::sample::{DIGITS, OTHER_DIGITS, Sample};
use super::way::{boxes, post, site};
use crate::testing::{Answer, Site};

#[tokio::test]
async fn keys_are_found_shown_on_demand_and_unlock() {
    let sample = Sample::new();
    let (site, drive) = site(&sample);
    let text = format!("Identifier: {}\r\nRecovery Key:\r\n{DIGITS}\r\n", sample.key_id);
    std::fs::write(site.folder.path().join("old notes.txt"), &text).unwrap();
    std::fs::write(site.folder.path().join("copy.txt"), &text).unwrap();
    let other = "11111111-2222-3333-4444-555555555555";
    std::fs::write(site.folder.path().join("other.txt"), format!("Identifier: {other}\r\n{OTHER_DIGITS}"))
        .unwrap();
    std::fs::write(
        site.folder.path().join("sealed.age"),
        b"age-encryption.org/v1\n-> scrypt 5tSEVC+VtJPZ0HVKYt1GJw 18\n",
    )
    .unwrap();
    for (form, says) in [
        (&[("key", "3C116B7"), ("home", "on")][..], "no key ID"),
        (&[][..], "Choose where to look"),
        (&[("folder", "/nowhere/at/all")][..], "no such folder"),
    ] {
        let answer = site.post("/find", form).await;
        assert!(
            answer.status == StatusCode::UNPROCESSABLE_ENTITY && answer.body.contains(says),
            "{}",
            answer.body
        );
    }
    let begun = site.post("/find", &[("home", "on"), ("sticks", "on")]).await;
    let job = begun.location.clone().unwrap();
    let page = site.outcome(begun).await.body;
    for text in [
        "2 keys were found",
        &sample.key_id.short(),
        "11111111",
        "Opens ADA-PC D: 21.11.2026, proven",
        "old notes.txt",
        "copy.txt",
        "sealed.age",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(!page.contains("235818") && !page.contains("000011"), "no digit without being asked");
    let key = page.split("name=\"key\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let shown = site.post(&format!("{job}/show"), &[("key", &key)]).await.body;
    assert!(shown.contains("235818") && shown.contains("591910") && shown.contains("data-forget"), "{shown}");
    assert_eq!(site.post(&format!("{job}/show"), &[("key", "7")]).await.status, StatusCode::NOT_FOUND);
    let id = drive.trim_start_matches("/drives/");
    let opened = site.post(&format!("{job}/unlock"), &[("key", &key), ("drive", id)]).await;
    assert_eq!(opened.location, Some(format!("{drive}/files/")));
    // One key ID alone.
    let begun =
        site.post("/find", &[("key", "{11111111"), ("folder", site.folder.path().to_str().unwrap())]).await;
    let page = site.outcome(begun).await.body;
    assert!(
        page.contains("One key was found") && page.contains("Another key was found, and not asked for"),
        "{page}"
    );
}

async fn by_path(site: &Site, path: &str) -> Answer {
    // A browser sends a file without name or content where none was chosen.
    site.upload("/verify", &[("path", path)], ("file", "", b"")).await
}

#[tokio::test]
async fn copies_are_checked_and_the_record_hears_of_it() {
    let sample = Sample::new();
    let (site, _) = site(&sample);
    let volume = Volume::open(Arc::new(std::fs::read(&sample.path).unwrap())).unwrap();
    let about = About { volume: volume.id(), label: None, now: 1000 };
    let content = Content::RecoveryPassword {
        key_id: sample.key_id,
        password: RecoveryPassword::parse(DIGITS).unwrap(),
    };
    let document = Document { drive: about, content };
    let place = FileDestination::new(site.folder.path().to_owned());
    let made = back_up(&volume, &document, &place).unwrap();
    let mut record = site.app.open_record().unwrap().unwrap();
    record.note(&document, "file", &made, None).unwrap();
    let path = made.copy.path.unwrap();

    let page = by_path(&site, path.to_str().unwrap()).await;
    let page = site.outcome(page).await.body;
    assert!(page.contains("The copy opens") && page.contains("Noted in the record as proven"), "{page}");
    let copies = record.copies(volume.id()).unwrap();
    assert!(copies[0].proven.unwrap() > 1000 && copies[0].failed.is_none());

    // Somebody spoils it.
    std::fs::write(
        &path,
        std::fs::read_to_string(&path).map_or_else(
            |_| format!("Identifier: {}\r\n{OTHER_DIGITS}", sample.key_id),
            |text| text.replace("235818", "235829"),
        ),
    )
    .unwrap();
    let page = by_path(&site, path.to_str().unwrap()).await;
    let page = site.outcome(page).await.body;
    assert!(page.contains("does not open") && !page.contains("Noted"), "{page}");
    assert!(record.copies(volume.id()).unwrap()[0].failed.is_some());

    for (bytes, says) in [
        (format!("Identifier: {}\r\n{DIGITS}", sample.key_id).into_bytes(), "opened the drive just now"),
        (
            format!("Identifier: 11111111-2222-3333-4444-555555555555\r\n{DIGITS}").into_bytes(),
            "nobody would find it",
        ),
        (
            format!("Identifier: 11111111-2222-3333-4444-555555555555\r\n{OTHER_DIGITS}").into_bytes(),
            "is another drive’s",
        ),
        (format!("Identifier: {}\r\n{OTHER_DIGITS}", sample.key_id).into_bytes(), "does not open the drive"),
        (
            format!("Identifier: {}\r\n{}", sample.key_id, DIGITS.replace("357951", "357952")).into_bytes(),
            "at least one is wrong",
        ),
        (b"nothing".to_vec(), "There is no key in it"),
        (sample.bek.clone(), "opened the drive just now"),
        (volume.snapshot().unwrap().bytes().to_vec(), "It is no key"),
    ] {
        let begun = site.upload("/verify", &[], ("file", "copy", &bytes)).await;
        let page = site.outcome(begun).await.body;
        assert!(page.contains(says), "{says}: {page}");
    }
    assert!(site.upload("/verify", &[], ("file", "", b"")).await.body.contains("Nothing was given"));
    let page = by_path(&site, "/nowhere").await;
    assert!(site.outcome(page).await.body.contains("cannot be read"));
}

#[tokio::test]
async fn a_damaged_key_is_mended_and_unlocks() {
    let sample = Sample::new();
    let (site, drive) = site(&sample);
    let id = drive.trim_start_matches("/drives/");
    let form = |digits: &str| [boxes(digits), vec![("drive".to_owned(), id.to_owned())]].concat();
    let typed = DIGITS.replace("357951", "3579?1").replace("342914", "342941");
    let plan = post(&site, "/mend/plan", &form(&typed)).await.body;
    for text in [
        "Group 2: one digit is unreadable",
        "Group 7: at least one digit is wrong",
        "keys, up to",
        "value=\"3579?1\"",
    ] {
        assert!(plan.contains(text), "{text}: {plan}");
    }
    let begun =
        post(&site, "/mend/begin", &[form(&typed), vec![("slips".to_owned(), "1".to_owned())]].concat())
            .await;
    let job = begun.location.clone().unwrap();
    let page = site.outcome(begun).await.body;
    assert!(page.contains("The key is mended") && page.contains("Other than typed: group 2, 7."), "{page}");
    assert!(page.contains(&sample.key_id.short()) && !page.contains("235818"), "{page}");
    assert!(site.app.desk.has(id));
    assert!(site.post(&format!("{job}/show"), &[("key", "0")]).await.body.contains("357951"));

    for (digits, says) in
        [("", "no digits"), ("hello", "neither a digit"), (&"1".repeat(70), "too many digits")]
    {
        let answer = post(&site, "/mend/plan", &form(digits)).await;
        assert!(
            answer.status == StatusCode::UNPROCESSABLE_ENTITY && answer.body.contains(says),
            "{says}: {}",
            answer.body
        );
    }
    assert!(post(&site, "/mend/plan", &boxes(DIGITS)).await.body.contains("Choose the drive"));
    let begun = post(&site, "/mend/begin", &form(OTHER_DIGITS)).await;
    assert!(site.outcome(begun).await.body.contains("None of the 1 keys opens the drive"));
    let begun =
        post(&site, "/mend/begin", &form("357951-235818-253979-013365-241120-245575-342914-591910")).await;
    assert!(site.outcome(begun).await.body.contains("None of"), "nothing was to be tried but what was read");
}

#[tokio::test]
async fn a_search_that_takes_forever_can_be_stopped() {
    let sample = Sample::new();
    let (site, drive) = site(&sample);
    let id = drive.trim_start_matches("/drives/").to_owned();
    let typed = "??????-??????-253979-013365-241120-245575-342914-591910";
    let plan = post(&site, "/mend/plan", &[boxes(typed), vec![("drive".to_owned(), id.clone())]].concat())
        .await
        .body;
    assert!(plan.contains("Too much is missing"), "{plan}");
    let begun = post(
        &site,
        "/mend/begin",
        &[boxes(typed), vec![("drive".to_owned(), id), ("slips".to_owned(), "0".to_owned())]].concat(),
    )
    .await;
    let job = begun.location.clone().unwrap();
    site.post(&format!("{job}/stop"), &[]).await;
    let page = site.outcome(begun).await.body;
    assert!(page.contains("Stopped at") && page.contains("of 4,294,967,296."), "{page}");
}
