//! The whole story, in a real browser: a first start, an account, a computer let in, a real drive's key kept, looked
//! for, shown, and it opens the drive.

use std::path::Path;

use fve::Key;
use lastkey_tests::browser::{DESKTOP, PHONE, Page, What, browser};
use lastkey_tests::judges::MailServer;
use lastkey_tests::lastkeyd::Lastkeyd;
use lastkey_tests::postgres::postgres;
use lastkey_tests::said::Said;
use lastkey_tests::{known, open, real_drives};
use recovery_key::RecoveryPassword;

use crate::person::{Computer, Person, assert_kept_to_itself, assert_nowhere, assert_quiet};

const DRIVE: &str = "recovery_password.bin";

fn digits() -> &'static str {
    known::DRIVES.iter().find(|drive| drive.file == DRIVE).unwrap().recovery_passwords[0]
}

fn key(digits: &str) -> Key {
    Key::RecoveryPassword(RecoveryPassword::parse(digits).unwrap())
}

/// What the blue screen shows, and with what the key is kept.
fn key_id(drive: &Path) -> String {
    open(drive).prove(&key(digits())).unwrap().key_id().to_string()
}

#[test]
fn a_key_comes_back_to_whom_it_belongs() {
    let (Some(drives), Some(mails)) = (real_drives(), MailServer::start()) else { return };
    let drive = drives.join(DRIVE);
    let mut server = Lastkeyd::start(&["--smtp", &mails.url(), "--mail-from", "keys@example.org"]);
    let Some(browser) = browser(&[(&server.host(), &server.fingerprint())]) else { return };
    let mut ada = Person::new(browser.page(DESKTOP), "Ada", "four words that nobody guesses");
    let review = |name: &'static str| move |page: &Page| page.review(&format!("account-{name}"));
    ada.page.authenticator(true);

    // The first account, by the link that the server printed.
    ada.page.open(&server.url("/"));
    review("start")(&ada.page);
    let invitation = server.welcome().split_once('#').unwrap().1.to_owned();
    assert_eq!(ada.page.open(&server.welcome()), 200);
    assert_eq!(ada.page.value("Invitation"), invitation);
    assert_eq!(ada.page.url(), server.url("/welcome"));
    ada.secrets.push(invitation);
    review("welcome")(&ada.page);
    ada.make_account();
    review("code")(&ada.page);
    ada.page.click(What::Role("link", "I have it on paper"));
    ada.page.wait(What::Role("heading", "Your recovery keys"));
    review("keys-none")(&ada.page);

    // A passkey, and one-time codes for the password.
    ada.go_to("Account");
    review("account")(&ada.page);
    ada.page.click(What::Css("summary:text-is('Add a passkey')"));
    ada.page.fill("What to call it", "My phone");
    ada.type_password();
    ada.page.click(What::Role("button", "Add a passkey"));
    ada.page.wait(What::Css("strong:text-is('My phone')"));
    assert_eq!(ada.page.passkeys(), 1);
    ada.set_up_one_time_codes(review("one-time"));

    // A computer is let in, and keeps a real drive's key.
    let computer = Computer::new();
    let login = computer.log_in(&server);
    ada.let_in(&login.code, review("device"));
    login.wait();
    ada.page.reload();
    review("devices")(&ada.page);
    computer.back_up(&drive).exits(0).assert_no_secret();

    // Where to tell the owner, proven by the passkey.
    ada.go_to("Account");
    ada.page.click(What::Css("summary:text-is('By mail or webhook')"));
    ada.page.fill("Mail address", "ada@example.org");
    ada.page.click(What::Role("button", "Use a passkey instead of the password"));
    ada.page.wait(What::Css("summary:text-is('Mail to ada@example.org')"));

    // Days later the computer shows its blue screen. A phone, nobody is signed in.
    ada.page.click(What::Role("button", "Sign out"));
    ada.page.wait(What::Role("heading", "Is a drive locked?"));
    ada.page.look(PHONE);
    let key_id = key_id(&drive);
    ada.page.fill("Key ID", &key_id[..8]);
    ada.page.click(What::Role("button", "Find the key"));
    review("sign-in")(&ada.page);
    ada.page.click(What::Role("button", "Sign in with a passkey"));
    ada.page.wait(What::Role("heading", "Your recovery keys"));
    review("keys")(&ada.page);
    ada.page.click(What::Role("link", &key_id[..8]));
    ada.page.fill("Why is it needed?", "The PC asks for it after an update");
    review("key")(&ada.page);
    ada.page.click(What::Role("button", "Use a passkey instead of the password"));
    ada.page.wait(What::Role("heading", "Recovery key"));
    review("shown")(&ada.page);
    assert!(ada.page.text().contains("It fits"), "{}", ada.page.text());

    // What is shown opens the drive.
    let shown = ada.digits();
    assert_eq!(shown, digits());
    open(&drive).unlock(&key(&shown)).unwrap();
    ada.secrets.push(shown);

    // Its owner is told, and it stands in the history, whose checkpoint they keep.
    let mail =
        std::iter::repeat_with(|| mails.next()).find(|mail| mail.subject.contains("was shown")).unwrap();
    assert_eq!((mail.to, mail.from.as_str()), (vec!["ada@example.org".to_owned()], "keys@example.org"));
    assert!(mail.subject.contains(&key_id[..8]) && mail.text.contains("after an update"), "{}", mail.text);
    ada.page.click(What::Role("link", "Hide the key"));
    assert!(!ada.page.text().contains(&digits()[..6]));
    ada.go_to("History");
    review("history")(&ada.page);
    let checkpoint = ada.page.evaluate("document.querySelector('pre').textContent");
    let checkpoint = computer.file("checkpoint", checkpoint.as_str().unwrap());

    assert_quiet(&ada);

    // Signing in with the password takes a one-time code too.
    ada.page.click(What::Role("button", "Sign out"));
    ada.page.open(&server.url("/sign-in"));
    ada.page.fill("Name", "Ada");
    ada.page.fill("Password", ada.password);
    ada.page.click(What::Role("button", "Sign in"));
    ada.page.wait(What::Role("alert", ""));
    ada.type_password();
    ada.page.click(What::Role("button", "Sign in"));
    ada.page.wait(What::Role("heading", "Your recovery keys"));

    assert!(server.end(), "{}", server.log());
    Said::of(server.command(&["audit", "verify", "--checkpoint", checkpoint.to_str().unwrap()])).exits(0);
    Said::of(server.command(&["check"])).exits(0);
    assert_kept_to_itself(&ada, &server);
    assert_nowhere(&ada.secrets, &server);
}

#[test]
fn everything_but_passkeys_works_without_javascript() {
    without_javascript(&[]);
}

#[test]
fn all_of_that_works_on_postgresql() {
    let Some(postgres) = postgres() else { return };
    without_javascript(&["--database", &postgres.database()]);
}

fn without_javascript(options: &[&str]) {
    let Some(drives) = real_drives() else { return };
    let drive = drives.join(DRIVE);
    let mut server = Lastkeyd::start(options);
    let Some(browser) = browser(&[(&server.host(), &server.fingerprint())]) else { return };
    let mut bob =
        Person::new(browser.page_without_javascript(PHONE), "Bob", "other words that nobody guesses");
    bob.page.open(&server.url("/welcome"));
    bob.page.fill("Invitation", server.welcome().split_once('#').unwrap().1);
    assert_eq!(bob.page.count(What::Role("button", "Make the account with a passkey")), 0);
    bob.make_account();
    bob.page.click(What::Role("link", "I have it on paper"));
    let computer = Computer::new();
    let login = computer.log_in(&server);
    bob.let_in(&login.code, |_| {});
    login.wait();
    computer.back_up(&drive).exits(0);
    bob.page.click(What::Role("link", "lastkey"));
    bob.page.click(What::Css("h2 a"));
    bob.page.fill("Why is it needed?", "a test");
    bob.type_password();
    bob.page.click(What::Role("button", "Show the key"));
    bob.page.wait(What::Role("heading", "Recovery key"));
    assert_eq!(bob.digits(), digits());
    bob.page.click(What::Role("button", "Sign out"));
    bob.page.open(&server.url("/sign-in"));
    bob.page.fill("Name", "bob");
    bob.type_password();
    bob.page.click(What::Role("button", "Sign in"));
    bob.page.wait(What::Role("heading", "Your recovery keys"));
    assert!(server.end(), "{}", server.log());
    assert_quiet(&bob);
    assert_kept_to_itself(&bob, &server);
}
