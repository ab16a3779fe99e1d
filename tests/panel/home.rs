//! Home and the drives, as a person sees them.

use std::fs;

use lastkey_tests::browser::{DESKTOP, PHONE, What, browser};
use lastkey_tests::makers::Loop;
use lastkey_tests::panel::Home;
use lastkey_tests::real_drives;

#[test]
fn the_drives_are_there_in_words_and_pictures() {
    let Some(drives) = real_drives() else { return };
    let Some(browser) = browser(&[]) else { return };
    let images = ["recovery_password.bin", "suspended.bin", "eow_partial.bin", "bitlk-togo-aes-xts-128.img"]
        .map(|name| drives.join(name));
    let images: Vec<_> = images.iter().map(|path| path.as_path()).filter(|path| path.exists()).collect();
    let (home, page) = (Home::new(), browser.page(DESKTOP));
    let panel = home.start(&images);
    page.open(&panel.url("/"));
    page.wait(What::Label("Code"));
    page.review("panel-start");
    panel.enter(&page);
    page.review("panel-home");

    // What is typed finds tasks at once.
    page.look(DESKTOP);
    page.fill("What do you want to do?", "back up");
    page.wait(What::Css("#found a:has-text('Back up your recovery key')"));
    page.review("panel-search");

    page.open(&panel.url("/drives"));
    let text = page.text();
    for words in [
        "Operating system drive",
        "Removable data drives",
        "Image files",
        "Not backed up",
        "BitLocker on, locked",
    ] {
        assert!(text.contains(words), "{words} is not on the page: {text}");
    }
    page.review("panel-drives");
    page.click(What::Role("button", "Deutsch"));
    page.wait(What::Role("heading", "BitLocker-Laufwerkverschlüsselung"));
    assert!(page.text().contains("Nicht gesichert"), "{}", page.text());
    page.review("panel-drives-german");
    panel.assert_quiet(&page);
    page.click(What::Role("button", "Beenden"));
    page.wait(What::Role("heading", "Die Systemsteuerung ist beendet"));
}

#[test]
fn drives_come_and_go_by_themselves() {
    let (Some(drives), Some(browser)) = (real_drives(), browser(&[])) else { return };
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("drive.img");
    fs::copy(drives.join("recovery_password.bin"), &image).unwrap();
    let (home, page) = (Home::new(), browser.page(PHONE));
    let panel = home.start(&[]);
    panel.enter(&page);
    page.open(&panel.url("/drives"));
    let Some(device) = Loop::of(&image, &["--read-only"]) else { return };
    let name = device.path().file_name().unwrap().to_str().unwrap().to_owned();
    let shown = format!(".drive:has-text('{name}')");
    page.wait(What::Css(&shown));
    assert!(page.read(What::Css(&shown)).contains("BitLocker on, locked"));
    drop(device);
    page.wait(What::Css(&format!("[data-live]:not(:has(.drive:has-text('{name}')))")));
}

#[test]
fn everything_is_there_without_javascript() {
    let (Some(drives), Some(browser)) = (real_drives(), browser(&[])) else { return };
    let (home, page) = (Home::new(), browser.page_without_javascript(PHONE));
    let panel = home.start(&[&drives.join("recovery_password.bin")]);
    panel.enter(&page);
    page.fill("What do you want to do?", "unlock");
    page.click(What::Role("button", "Search"));
    page.click(What::Css("#found a:has-text('Unlock drive')"));
    // With one drive it leads to its boxes at once, with several to where one is chosen.
    // Other tests attach drives meanwhile: with one drive it leads to its boxes, with several to where one is chosen.
    page.wait(What::Css("main a[href^='/drives/image-'][href$='/unlock'], main [data-boxes]"));
}
