//! Other readers as judges: what lastkey writes they open, and inside they read what lastkey reads.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use fve::{Key, Method, ReadAt, SectorSize, Unlocked};
use lastkey_tests::known::{DRIVES, Drive};
use lastkey_tests::made::Form;
use lastkey_tests::peers::{Found, Opener, Peer, installed};
use lastkey_tests::program::lastkey;
use lastkey_tests::{open, real_drives, sha256, skip};
use recovery_key::document::{self, FoundSecret};
use recovery_key::{RecoveryPassword, Secret};

/// What a reader may not be able to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    Cipher(Method),
    FatBehindBitLockersOwnBootSector,
    PasswordBeyondAscii,
    RealDrive(&'static str),
}

/// What the readers are known not to do. There they must fail, so that we notice when one learns.
const LIMITS: [(Peer, Task, &str); 8] = [
    (Peer::Bdeinfo, Task::Cipher(Method::AesXts256), "it takes the second half of the key for too short"),
    (Peer::Libbde, Task::FatBehindBitLockersOwnBootSector, "it looks for NTFS there (libbde #79)"),
    (Peer::Bdeinfo, Task::FatBehindBitLockersOwnBootSector, "it looks for NTFS there (libbde #79)"),
    (Peer::Dislocker, Task::PasswordBeyondAscii, "it makes UTF-16 of bytes instead of characters"),
    (Peer::Cryptsetup, Task::PasswordBeyondAscii, "it makes UTF-16 of bytes instead of characters"),
    (Peer::Dislocker, Task::RealDrive("eow_partial.bin"), "it does not know the boot sector of a conversion"),
    (Peer::Bdeinfo, Task::RealDrive("eow_partial.bin"), "it does not know the boot sector of a conversion"),
    (Peer::Libbde, Task::RealDrive("eow_partial.bin"), "it reads 56 sectors beside the bitmaps as zeros"),
];

/// dissect.fve decrypts in Python, about 1 MB/s: of larger drives it reads the beginning.
const READ_BY_DISSECT: u64 = 1 << 20;

/// Lets all readers open a drive by each of the keys, all at once. Returns what is not as expected.
fn judge(drive: &Path, unlocked: &Unlocked<'_>, openers: &[&Opener], tasks: &[Task]) -> Vec<String> {
    let view = unlocked.view().expect("a view");
    let fvek = fvek(unlocked);
    let ask = |peer: Peer, opener: &Opener| {
        let length = if peer == Peer::Dissect { view.size().min(READ_BY_DISSECT) } else { view.size() };
        let found = peer.open(drive, opener, length);
        let right = match &found {
            Ok(Found::Inside(hash)) => *hash == sha256(&view, 0, length),
            Ok(Found::Fvek(key)) => *key == fvek,
            Ok(Found::Open) => true,
            Err(_) => false,
        };
        let limit = LIMITS.iter().find(|(limited, task, _)| *limited == peer && tasks.contains(task));
        match limit {
            None if !right => Some(format!("{peer:?}, by {opener:?}: {found:?}")),
            Some((.., why)) if right => Some(format!("{peer:?}, by {opener:?}, is no longer limited: {why}")),
            _ => None,
        }
    };
    thread::scope(|scope| {
        let ask_each = |peer| openers.iter().filter_map(|opener| ask(peer, opener)).collect::<Vec<_>>();
        let threads: Vec<_> =
            installed().into_iter().map(|peer| scope.spawn(move || ask_each(peer))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    })
}

/// Returns the FVEK in hex, as much of it as is used.
fn fvek(unlocked: &Unlocked<'_>) -> String {
    let key = unlocked.fvek().expect("an encrypted drive").expose();
    let used = match unlocked.method() {
        // Two keys of 16 bytes, each in a place for 32.
        Some(Method::AesCbc128Diffuser) => [&key[..16], &key[32..48]].concat(),
        _ => key.clone(),
    };
    used.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes a volume, looks that lastkey reads what was written, and lets the readers judge.
fn judge_made(form: Form, keys: &[usize], task: Option<Task>) {
    let folder = tempfile::tempdir().expect("a folder");
    let made = form.make(folder.path());
    let volume = open(&made.path);
    let tasks: Vec<_> = task.into_iter().chain([Task::Cipher(form.method)]).collect();
    for (key, opener) in keys.iter().map(|n| &made.keys[*n]) {
        let unlocked = volume.unlock(key).unwrap_or_else(|e| panic!("{form:?}, by {opener:?}: {e}"));
        assert_eq!(unlocked.authentic(), Some(true), "{form:?}");
        let view = unlocked.view().expect("a view");
        let mut inside = vec![0; made.plain.len()];
        view.read_at(0, &mut inside).expect("all of it");
        assert!(inside == made.plain && view.size() == inside.len() as u64, "{form:?}");
        let complaints = judge(&made.path, &unlocked, &[opener], &tasks);
        assert!(complaints.is_empty(), "{form:?}\n{}", complaints.join("\n"));
    }
}

const FORM: Form = Form {
    method: Method::AesXts128,
    sector_size: SectorSize::B512,
    to_go: false,
    inside: "NTFS",
    password: "Correct Horse 7",
};
// Places in `Made::keys`.
const PASSWORD: usize = 0;
const RECOVERY_PASSWORD: usize = 1;
const BEK: usize = 2;

/// All forms of one cipher. Key files open every one of them; passwords and recovery passwords take a
/// second of every reader's time and lead to the same volume master key, so each opens half of them:
/// both meet each sector size and each front.
fn judge_cipher(method: Method) {
    for sector_size in [SectorSize::B512, SectorSize::B4096] {
        for to_go in [false, true] {
            let stretched =
                if to_go == (sector_size == SectorSize::B512) { PASSWORD } else { RECOVERY_PASSWORD };
            judge_made(Form { method, sector_size, to_go, ..FORM }, &[stretched, BEK], None);
        }
    }
}

#[test]
fn made_with_aes_128_and_diffuser() {
    judge_cipher(Method::AesCbc128Diffuser);
}

#[test]
fn made_with_aes_256_and_diffuser() {
    judge_cipher(Method::AesCbc256Diffuser);
}

#[test]
fn made_with_aes_128() {
    judge_cipher(Method::AesCbc128);
}

#[test]
fn made_with_aes_256() {
    judge_cipher(Method::AesCbc256);
}

#[test]
fn made_with_xts_aes_128() {
    judge_cipher(Method::AesXts128);
}

#[test]
fn made_with_xts_aes_256() {
    judge_cipher(Method::AesXts256);
}

#[test]
fn made_with_fat_inside() {
    let form = Form { inside: "FAT32", ..FORM };
    judge_made(form, &[BEK], Some(Task::FatBehindBitLockersOwnBootSector));
    judge_made(Form { to_go: true, ..form }, &[BEK], None);
}

#[test]
fn made_with_a_password_beyond_ascii() {
    let form = Form { password: "Zo\u{eb} \u{20ac} \u{9375}", ..FORM };
    judge_made(form, &[PASSWORD], Some(Task::PasswordBeyondAscii));
}

#[test]
fn a_wrong_key_opens_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = FORM.make(folder.path());
    let wrong = Opener::RecoveryPassword(["000011"; 8].join("-"));
    for peer in installed() {
        let found = peer.open(&made.path, &wrong, 512);
        assert!(found.is_err(), "{peer:?}: {found:?}");
    }
}

/// A key of a real drive, for lastkey and for others.
fn key(folder: &Path, drive: &Drive) -> Option<(Key, Opener)> {
    if let Some(name) = drive.bek {
        let path = folder.join(name);
        let bytes = fs::read(&path).expect("a published key file");
        let bek = recovery_key::bek::Bek::parse(&bytes).expect("a key file");
        return Some((Key::External(bek), Opener::Bek(path)));
    }
    if let Some(digits) = drive.recovery_passwords.first() {
        let password = RecoveryPassword::parse(digits).expect("published digits");
        return Some((Key::RecoveryPassword(password), Opener::RecoveryPassword((*digits).to_owned())));
    }
    let text = drive.password?;
    Some((Key::Password(Secret::new(text.to_owned())), Opener::Password(text.to_owned())))
}

#[test]
fn real_drives_are_read_as_by_others() {
    let Some(folder) = real_drives() else { return };
    let mut complaints = Vec::new();
    // Two are cut off behind their first sectors: no other reader takes them.
    for drive in DRIVES.iter().filter(|drive| matches!(drive.views, [(0, 0, _)])) {
        let Some((key, opener)) = key(folder, drive) else { continue };
        let path = folder.join(drive.file);
        let volume = open(&path);
        let unlocked = volume.unlock(&key).unwrap_or_else(|e| panic!("{}: {e}", drive.file));
        let cipher = unlocked.method().map(Task::Cipher);
        let tasks: Vec<_> = cipher.into_iter().chain([Task::RealDrive(drive.file)]).collect();
        let found = judge(&path, &unlocked, &[&opener], &tasks);
        complaints.extend(found.into_iter().map(|complaint| format!("{}: {complaint}", drive.file)));
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn the_sample_drive_is_a_drive_like_any_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let kept = folder.path().join("kept");
    let output = lastkey().arg("try").arg("--keep").arg(&kept).output().expect("lastkey");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let path = kept.join("sample.img");
    let password = fs::read_to_string(kept.join("password.txt")).expect("a password").trim().to_owned();
    let digits = digits_of_the_copy(&kept.join("copies"));
    let volume = open(&path);
    let key = Key::Password(Secret::new(password.clone()));
    let unlocked = volume.unlock(&key).expect("the password");
    let openers = [Opener::Password(password), Opener::RecoveryPassword(digits)];
    let complaints = judge(&path, &unlocked, &openers.each_ref(), &[]);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));

    // Outside and inside are whole file systems.
    let view = unlocked.view().expect("a view");
    let mut inside = vec![0; view.size() as usize];
    view.read_at(0, &mut inside).expect("all of it");
    let plain = folder.path().join("inside.img");
    fs::write(&plain, inside).expect("a file");
    check_fat(&path);
    check_fat(&plain);
}

/// Reads the recovery key from the backup as a stranger would who finds it.
fn digits_of_the_copy(folder: &Path) -> String {
    let files: Vec<PathBuf> =
        fs::read_dir(folder).expect("copies").map(|entry| entry.expect("a copy").path()).collect();
    let [path] = files.as_slice() else { panic!("not one copy but {files:?}") };
    let name = path.file_name().and_then(|name| name.to_str());
    let reading = document::read(name, &fs::read(path).expect("a copy"));
    match reading.keys.as_slice() {
        [document::Found { secret: FoundSecret::RecoveryPassword(password), .. }] => {
            password.digits().expose().clone()
        }
        keys => panic!("not one recovery key but {keys:?}"),
    }
}

fn check_fat(image: &Path) {
    match Command::new("fsck.vfat").args(["-n", "-v"]).arg(image).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{}: {said}", image.display());
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => skip("fsck.vfat is missing (dosfstools)"),
        Err(error) => panic!("fsck.vfat: {error}"),
    }
}
