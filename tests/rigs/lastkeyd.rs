//! The account's server starts with nothing, and again after it was killed.

use lastkey_tests::browser::{DESKTOP, browser};
use lastkey_tests::lastkeyd::Lastkeyd;
use lastkey_tests::postgres::postgres;

#[test]
fn it_starts_with_nothing_and_is_the_same_after_a_kill() {
    let mut lastkeyd = Lastkeyd::start(&[]);
    let (fingerprint, welcome) = (lastkeyd.fingerprint(), lastkeyd.welcome());
    assert!(welcome.starts_with(&lastkeyd.url("/welcome#")), "{welcome}");
    assert!(lastkeyd.certificate().exists());
    lastkeyd.kill();
    lastkeyd.start_again();
    assert_eq!(lastkeyd.fingerprint(), fingerprint);
    assert!(lastkeyd.end(), "{}", lastkeyd.log());
    // What lets somebody in is for the eyes, not for the log.
    let code = welcome.split_once('#').unwrap().1;
    assert!(!lastkeyd.log().contains(code));
}

#[test]
fn it_keeps_its_things_in_postgresql() {
    let Some(mut postgres) = postgres() else { return };
    let url = postgres.database();
    let mut lastkeyd = Lastkeyd::start(&["--database", &url]);
    assert_eq!(postgres.query(&url, "SELECT count(*) FROM accounts"), "0");
    postgres.kill();
    postgres.start();
    assert!(lastkeyd.end(), "{}", lastkeyd.log());
}

#[test]
fn a_browser_takes_its_certificate_by_the_fingerprint_that_it_printed() {
    let lastkeyd = Lastkeyd::start(&[]);
    let Some(browser) = browser(&[(&lastkeyd.host(), &lastkeyd.fingerprint())]) else { return };
    let page = browser.page(DESKTOP);
    assert_eq!(page.open(&lastkeyd.welcome()), 200);
    let own = format!("GET {}", lastkeyd.url("/"));
    assert!(page.requests().iter().all(|request| request.starts_with(&own)), "{:?}", page.requests());
}
