//! Backing up: on real drives, to every place that needs nobody else. What lies there in the end opens the drive.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::StatusCode;
use backup::keepass::{self, Credentials};
use fve::{Key, Volume};
use recovery_key::{RecoveryPassword, Secret};

use crate::desk::OpenDrive;
use crate::testing::{Answer, Site, real_drive};

pub const ONE: (&str, &str) =
    ("recovery_password.bin", "284867-596541-514998-422114-660297-261613-215424-199408");
const TWO: (&str, &str) =
    ("bitlk-aes-xts-128-two-recovery.img", "478401-067859-043868-000935-121330-337425-718509-484979");
const OTHER_OF_TWO: &str = "297693-343387-338492-284526-405482-424886-634931-555093";

/// A panel with a real drive that is unlocked.
pub struct Rig {
    pub site: Site,
    pub volume: Arc<OpenDrive>,
    id: String,
}

impl Rig {
    fn with((file, digits): (&str, &str)) -> Option<Self> {
        Some(Self::on(Site::with_images(vec![real_drive(file)?]), digits))
    }

    /// Unlocks the image that a panel shows.
    pub fn on(site: Site, digits: &str) -> Self {
        let drive = site.app.inventory.drives().iter().find(|drive| drive.is_image).unwrap().clone();
        let id = drive.id.clone();
        let source = drive.source(&**site.app.inventory.computer()).unwrap();
        let key = Key::RecoveryPassword(RecoveryPassword::parse(digits).unwrap());
        let open = OpenDrive::open(drive, Volume::open(source).unwrap(), &key).unwrap();
        let volume = site.app.desk.put(open);
        Self { site, volume, id }
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/drives/{}/back-up{rest}", self.id)
    }

    /// A new folder beside the record.
    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.site.folder.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    pub async fn save(&self, way: &str, form: &[(&str, &str)]) -> Answer {
        let begun = self.site.post(&self.path(way), form).await;
        let end = self.site.outcome(begun).await;
        self.assert_no_secret(&end.body);
        end
    }

    fn assert_no_secret(&self, page: &str) {
        for digits in [ONE.1, TWO.1, OTHER_OF_TWO] {
            assert!(!page.contains(digits) && !page.contains(&digits[..13]), "{page}");
        }
    }

    /// Asserts that what lies in a file opens the drive, and returns how many keys of it do.
    pub fn opens(&self, name: &str, bytes: &[u8]) -> usize {
        let verified = backup::verify(self.volume.volume(), Some(name), bytes);
        assert!(verified.is_proven(), "{verified:?}");
        verified.verdicts.len()
    }

    /// The proven copies that the record has.
    fn proven(&self) -> usize {
        let record = self.site.app.record().unwrap().unwrap();
        let copies = record.copies(self.volume.volume().id()).unwrap();
        copies.iter().filter(|copy| copy.key_id.is_some() && copy.proven.is_some()).count()
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn with_ending(folder: &Path, ending: &str) -> Vec<PathBuf> {
    files(folder).into_iter().filter(|path| path.extension().is_some_and(|found| found == ending)).collect()
}

pub fn assert_backed_up(end: &Answer) {
    assert!(end.body.contains("<h1>Your recovery key is backed up</h1>"), "{}", end.body);
}

pub fn assert_failed(end: &Answer, why: &str) {
    assert!(end.body.contains("<h1>Your recovery key is not backed up</h1>"), "{}", end.body);
    assert!(end.body.contains(why), "{why}: {}", end.body);
    assert!(end.body.contains("What you can do instead"), "{}", end.body);
}

#[tokio::test]
async fn a_file_in_a_folder_opens_the_drive_and_is_noted() {
    let Some(rig) = Rig::with(ONE) else { return };
    let ways = rig.site.get(&rig.path("")).await;
    assert!(ways.body.contains("Save to a file") && ways.body.contains("Any folder"), "{}", ways.body);
    let folder = rig.folder("keys");
    let end = rig.save("/file", &[("folder", ""), ("other", folder.to_str().unwrap())]).await;
    assert_backed_up(&end);
    assert!(end.body.contains("One copy is not enough"), "{}", end.body);
    let text = &with_ending(&folder, "TXT")[0];
    assert_eq!(rig.opens("a.TXT", &fs::read(text).unwrap()), 1);
    assert_eq!((rig.proven(), files(&folder).len()), (1, 2), "the key, and the metadata");

    // Once more at the same place: the file that is there is good, and it was left as it is.
    let before = fs::read(text).unwrap();
    let end = rig.save("/file", &[("folder", folder.to_str().unwrap())]).await;
    assert!(end.body.contains("is a good copy: it was read now"), "{}", end.body);
    assert_eq!(fs::read(text).unwrap(), before);

    // At another place: then one more is not asked for.
    let other = rig.folder("more");
    let end = rig.save("/file", &[("folder", other.to_str().unwrap())]).await;
    assert_backed_up(&end);
    assert!(!end.body.contains("One copy is not enough") && rig.proven() == 2, "{}", end.body);
}

#[tokio::test]
async fn all_keys_of_a_drive_are_saved() {
    let Some(rig) = Rig::with(TWO) else { return };
    let ways = rig.site.get_in("de", &rig.path("")).await;
    assert!(ways.body.contains("Es hat 2 Schlüssel; alle werden gesichert."), "{}", ways.body);
    let folder = rig.folder("keys");
    assert_backed_up(&rig.save("/file", &[("folder", folder.to_str().unwrap())]).await);
    let texts = with_ending(&folder, "TXT");
    assert_eq!((texts.len(), rig.proven()), (2, 2));
    for text in texts {
        rig.opens("a.TXT", &fs::read(text).unwrap());
    }
}

#[tokio::test]
async fn a_sealed_file_opens_with_its_passphrase_alone() {
    let Some(rig) = Rig::with(ONE) else { return };
    let folder = rig.folder("keys");
    let at = folder.to_str().unwrap();
    let sealed = |passphrase: &'static str, again: &'static str| {
        [("folder", at), ("seal", "passphrase"), ("passphrase", passphrase), ("again", again)]
    };
    let wrong = rig.site.post(&rig.path("/file"), &sealed("correct horse", "correct hose")).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("The two are not the same") && files(&folder).is_empty(), "{}", wrong.body);
    assert!(!wrong.body.contains("correct ho"), "what was typed does not come back");
    assert_backed_up(&rig.save("/file", &sealed("correct horse", "correct horse")).await);
    let sealed = with_ending(&folder, "age");
    let key = sealed.iter().find(|path| path.to_str().unwrap().ends_with(".TXT.age")).unwrap();
    assert_eq!((sealed.len(), files(&folder).len()), (2, 2), "the metadata is sealed, too");
    let bytes = fs::read(key).unwrap();
    let opened = sealed::open(&bytes, &sealed::Opener::Passphrase(Secret::new("correct horse".to_owned())));
    rig.opens("a.TXT", opened.unwrap().expose());

    let wrong = [("folder", at), ("seal", "recipients"), ("recipients", "age1nobody")];
    let wrong = rig.site.post(&rig.path("/file"), &wrong).await;
    assert!(wrong.status == StatusCode::UNPROCESSABLE_ENTITY && wrong.body.contains("age1nobody"));
}

#[tokio::test]
async fn a_page_as_pdf_says_the_key_by_its_pixels_and_is_what_the_preview_shows() {
    let Some(rig) = Rig::with(ONE) else { return };
    let folder = rig.folder("pages");
    let end = rig.save("/pdf", &[("folder", folder.to_str().unwrap()), ("paper", "letter")]).await;
    assert_backed_up(&end);
    assert!(end.body.contains(&format!("/verify?drive={}", rig.id)), "{}", end.body);
    let pdf = fs::read(&with_ending(&folder, "pdf")[0]).unwrap();
    rig.opens("a.txt", paper::read::read(&pdf).unwrap().document().expose());

    let form = rig.site.get(&rig.path("/print?paper=letter")).await;
    rig.assert_no_secret(&form.body);
    let request = rig.site.request("GET", &rig.path("/print/0?paper=letter"));
    let picture = rig.site.bytes(request.body(axum::body::Body::empty()).unwrap()).await;
    rig.opens("a.txt", paper::read::read(&picture).unwrap().document().expose());
    let shown = paper::rasterise(&pdf, 96.0).unwrap().remove(0).to_png().unwrap();
    assert!(*shown.expose() == picture, "the preview is another page than the one that was saved");
    assert_eq!(rig.site.get(&rig.path("/print/7")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_database_of_keepass_keeps_it() {
    let Some(rig) = Rig::with(ONE) else { return };
    let database = rig.folder("vault").join("mine.kdbx");
    let path = database.to_str().unwrap();
    let begin = |password: &'static str, again: &'static str| {
        let form = [("database", ""), ("other", path), ("password", password), ("again", again)];
        let site = &rig.site;
        let way = rig.path("/keepass");
        async move { site.upload(&way, &form, ("key-file", "", b"")).await }
    };
    let wrong = begin("four words", "four wards").await;
    assert!(wrong.status == StatusCode::UNPROCESSABLE_ENTITY && !database.exists(), "{}", wrong.body);
    assert_backed_up(&rig.site.outcome(begin("four words", "four words").await).await);
    let password = Secret::new("four words".to_owned());
    let found =
        keepass::keys(&fs::read(&database).unwrap(), &Credentials::new(Some(password), None)).unwrap();
    assert!(!found.is_empty());
    assert_eq!(rig.proven(), 1);

    // It is there now: its password is asked for once, and another one does not open it.
    let end = rig.site.outcome(begin("five words", "").await).await;
    assert_failed(&end, "does not open");
}

#[tokio::test]
async fn files_for_password_managers_hold_it() {
    let Some(rig) = Rig::with(TWO) else { return };
    for manager in ["bitwarden", "1password"] {
        let folder = rig.folder(manager);
        let form = [("manager", manager), ("folder", folder.to_str().unwrap())];
        assert_backed_up(&rig.save("/import", &form).await);
        let files = with_ending(&folder, "json");
        assert_eq!(files.len(), 2);
        for file in files {
            rig.opens("a.json", &fs::read(file).unwrap());
        }
    }
}

#[tokio::test]
async fn places_that_would_not_help_are_refused_with_the_reason() {
    let Some(rig) = Rig::with(ONE) else { return };
    let missing = rig.site.folder.path().join("nowhere");
    let end = rig.save("/file", &[("folder", missing.to_str().unwrap())]).await;
    assert_failed(&end, "is not a folder that exists");
    for (typed, why) in [("", "Choose a folder"), ("keys/here", "is not a whole path")] {
        let answer = rig.site.post(&rig.path("/file"), &[("folder", ""), ("other", typed)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.body.contains(why) && answer.body.contains("Nothing was saved"), "{}", answer.body);
    }
    // Another file under its name stays, and is said to be no copy.
    let (first, second) = (rig.folder("first"), rig.folder("second"));
    rig.save("/file", &[("folder", first.to_str().unwrap())]).await;
    let name = with_ending(&first, "TXT")[0].file_name().unwrap().to_owned();
    fs::write(second.join(&name), "mine").unwrap();
    let end = rig.save("/file", &[("folder", second.to_str().unwrap())]).await;
    assert_failed(&end, "does not open the drive. It was left as it is");
    assert_eq!(fs::read(second.join(&name)).unwrap(), b"mine");
    // A stick that is not there, a printer that nobody knows, an account that there is none of.
    let answer = rig.site.post(&rig.path("/usb"), &[("stick", "sdz9.1")]).await;
    assert!(answer.body.contains("not plugged in any more"), "{}", answer.body);
    let answer = rig.site.post(&rig.path("/print"), &[("address", "printer.example")]).await;
    assert!(answer.body.contains("begins with ipp://"), "{}", answer.body);
    assert_failed(
        &rig.save("/print", &[("address", "ipp://127.0.0.1:1/ipp/print")]).await,
        "cannot be reached",
    );
    assert_failed(&rig.save("/account", &[("account", "nobody")]).await, "not signed in");
}

#[tokio::test]
async fn a_drive_is_unlocked_first_unless_it_asks_for_no_key() {
    let Some(locked) = real_drive(ONE.0) else { return };
    let site = Site::with_images(vec![locked]);
    let id = site.app.inventory.drives()[0].id.clone();
    let answer = site.get(&format!("/drives/{id}/back-up")).await;
    assert_eq!(answer.location, Some(format!("/drives/{id}/unlock?for=back-up")));
    let answer = site.post(&format!("/drives/{id}/back-up/file"), &[("folder", "/")]).await;
    assert_eq!(answer.location, Some(format!("/drives/{id}/unlock?for=back-up")));
    assert_eq!(site.get("/drives/none/back-up").await.status, StatusCode::NOT_FOUND);

    for (file, says) in [("suspended.bin", "There is no key to back up"), ("decrypted.bin", "not encrypted")]
    {
        let site = Site::with_images(vec![real_drive(file).unwrap()]);
        let id = site.app.inventory.drives()[0].id.clone();
        let answer = site.get(&format!("/drives/{id}/back-up")).await;
        assert!(answer.status == StatusCode::OK && answer.body.contains(says), "{file}: {}", answer.body);
    }
}

#[tokio::test]
async fn all_copies_stand_on_a_page_and_drives_without_any_come_first() {
    let (Some(rig), Some(other)) = (Rig::with(ONE), real_drive(TWO.0)) else { return };
    let page = rig.site.get("/copies").await;
    assert!(page.body.contains("One drive has no proven copy of its key."), "{}", page.body);
    assert!(page.body.contains(&rig.path("")) && page.body.contains("Back up now"), "{}", page.body);
    let folder = rig.folder("keys");
    rig.save("/file", &[("folder", folder.to_str().unwrap())]).await;
    let page = rig.site.get_in("de", "/copies").await;
    assert!(
        page.body.contains("Eine geprüfte Kopie") && !page.body.contains("Nicht gesichert"),
        "{}",
        page.body
    );
    assert!(page.body.contains(folder.to_str().unwrap()), "{}", page.body);
    assert!(page.body.contains(&format!("/verify?drive={}", rig.id)), "{}", page.body);

    // Beside another drive, whose key has no copy.
    let mut site = Site::with_images(vec![real_drive(ONE.0).unwrap(), other]);
    let theirs = rig.site.folder.path().join("record.db");
    fs::copy(theirs, site.folder.path().join("record.db")).unwrap();
    let page = site.get("/copies").await.body;
    let (exposed, kept) = (page.find("Not backed up").unwrap(), page.find("One proven copy").unwrap());
    assert!(exposed < kept, "{page}");

    // The copy fails when it is tried again: then it is no backup any more.
    let mut record = rig.site.app.open_record().unwrap().unwrap();
    let copy =
        record.copies(rig.volume.volume().id()).unwrap().into_iter().find(|copy| copy.key_id.is_some());
    record.tried(copy.unwrap().id, Err("it is gone"), 1_700_000_000).unwrap();
    let page = rig.site.get("/copies").await.body;
    assert!(page.contains("Not backed up") && page.contains("it is gone"), "{page}");

    // A drive that is away is still known, and a record that cannot be read is said.
    site = Site::with_images(Vec::new());
    fs::copy(rig.site.folder.path().join("record.db"), site.folder.path().join("record.db")).unwrap();
    let page = site.get("/copies").await.body;
    assert!(page.contains("Not attached now") && !page.contains("/back-up"), "{page}");
    fs::write(site.folder.path().join("record.db"), "no record").unwrap();
    assert!(site.get("/copies").await.body.contains("cannot be read"));
}
