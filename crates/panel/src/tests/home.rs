//! Home and the drives, on a computer with a thousand of them.

use axum::http::StatusCode;
use drives::Attached;

use crate::testing::{Simulated, Site};

fn attached(number: usize, change: impl Fn(&mut Attached)) -> Attached {
    let mut drive = Attached::default();
    drive.name = format!("sd{number}");
    drive.path = format!("/nowhere/sd{number}").into();
    drive.size = 64_000_000_000;
    drive.is_bitlocker = Some(false);
    change(&mut drive);
    drive
}

#[tokio::test]
async fn drives_stand_in_their_groups() {
    let drives = vec![
        attached(1, |drive| drive.mounted_at = vec!["/".into()]),
        attached(2, |drive| drive.label = Some("<b>Photos & more</b>".to_owned())),
        attached(3, |drive| drive.removable = true),
    ];
    let page = Site::new(Simulated { drives }, Vec::new()).get("/drives").await.body;
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is not on the page: {page}"));
    assert!(at("Operating system drive") < at("sd1") && at("sd1") < at("Fixed data drives"));
    assert!(
        at("Fixed data drives") < at("&#60;b&#62;Photos &#38; more")
            && at("Photos") < at("Removable data drives")
    );
    assert!(at("Removable data drives") < at("sd3"));
    assert!(!page.contains("<b>Photos") && !page.contains("Image files"));
}

#[tokio::test]
async fn a_thousand_drives_are_listed() {
    let drives = (0..1000).map(|number| attached(number, |_| ())).collect();
    let site = Site::new(Simulated { drives }, Vec::new());
    let page = site.get("/drives").await;
    assert_eq!((page.status, page.body.matches("class=\"card drive\"").count()), (StatusCode::OK, 1000));
}

#[tokio::test]
async fn tasks_are_found_by_what_people_type() {
    let site = Site::with_images(Vec::new());
    for (typed, task) in [
        ("back up", "/drives"),
        ("usb", "/drives"),
        ("unlo", "/drives"),
        ("key", "/find"),
        ("mistyped", "/mend"),
        ("ACCOUNT", "/account"),
        ("paper", "/verify"),
    ] {
        let page = site.get(&format!("/search/part?q={}", typed.replace(' ', "%20"))).await.body;
        assert!(page.contains(&format!("href=\"{task}\"")), "{typed}: {page}");
    }
    let german = site.get_in("de-CH", "/search/part?q=kennwort").await.body;
    assert!(german.contains("Laufwerk entsperren"), "{german}");
    let nothing = site.get("/search/part?q=%3Cscript%3E").await.body;
    assert!(nothing.contains("Nothing was found") && !nothing.contains("<script>"));
}

#[tokio::test]
async fn the_language_is_chosen_and_goes_nowhere_else() {
    let site = Site::with_images(Vec::new());
    for (back, to) in
        [("/drives", "/drives"), ("//evil.example", "/"), ("https://evil.example", "/"), ("/\\evil", "/")]
    {
        let answer = site.post("/language", &[("language", "de"), ("back", back)]).await;
        assert_eq!(answer.location.as_deref(), Some(to));
    }
    assert_eq!(
        site.post("/language", &[("language", "xx"), ("back", "/")]).await.status,
        StatusCode::NOT_FOUND
    );
    assert!(site.get_in("de", "/nowhere").await.status == StatusCode::NOT_FOUND);
}
