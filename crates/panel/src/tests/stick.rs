//! Backing up to a USB flash drive, as which a loop device stands in.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use backup::{Destination as _, ReadBack, UsbDestination};

use super::keep::{ONE, Rig, assert_backed_up, assert_failed};
use crate::testing::{Simulated, Site, real_drive};

/// A stick: an image file as a device, which takes root. `None`, loudly, where that cannot be.
struct LoopStick {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl LoopStick {
    fn make() -> Option<Self> {
        let run = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).output().ok()?;
            let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            output.status.success().then_some(said)
        };
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("stick");
        fs::File::create(&image).and_then(|file| file.set_len(16 << 20)).unwrap();
        let image = image.to_str().unwrap();
        let made = run("mkfs.ext4", &["-q", "-m", "0", image])
            .and_then(|_| run("losetup", &["--find", "--show", "--partscan", image]));
        let Some(path) = made else {
            assert!(std::env::var_os("CI").is_none(), "under CI there is root, and mkfs.ext4");
            eprintln!("SKIPPED: no loop devices: they take root and mkfs.ext4");
            return None;
        };
        Some(Self { path: path.into(), _folder: folder })
    }

    /// The drive, as the system would list one that people unplug.
    fn drive(&self) -> drives::Attached {
        let mut all = drives::attached().into_iter();
        let mut drive = all.find(|drive| drive.path == self.path).expect("it is attached");
        drive.removable = true;
        drive
    }
}

impl Drop for LoopStick {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.path).status();
    }
}

#[tokio::test]
async fn a_stick_takes_the_key_and_one_that_was_pulled_out_does_not() {
    let Some(image) = real_drive(ONE.0) else { return };
    let Some(stick) = LoopStick::make() else { return };
    let drives = vec![stick.drive()];
    let rig = Rig::on(Site::new(Simulated { drives }, vec![image]), ONE.1);
    let ways = rig.site.get(&rig.path("")).await;
    let title = backup::title(&stick.drive());
    assert!(ways.body.contains(&format!("Plugged in: {title}")), "{}", ways.body);
    let form = rig.site.get(&rig.path("/usb")).await;
    let chosen = crate::inventory::device_id(&stick.drive());
    assert!(
        form.body.contains(&format!("value=\"{chosen}\"")) && form.body.contains("free"),
        "{}",
        form.body
    );
    let end = rig.save("/usb", &[("stick", &chosen)]).await;
    assert_backed_up(&end);
    assert!(end.body.contains(&format!("You can remove {title}")), "{}", end.body);
    let record = rig.site.app.record().unwrap().unwrap();
    let copies = record.copies(rig.volume.volume().id()).unwrap();
    let copy = copies.iter().find(|copy| copy.key_id.is_some()).unwrap();
    let (place, at) = UsbDestination::with_copy(&copy.place).into_iter().next().unwrap_or_else(|| {
        // The system does not call a loop device one that people unplug: it is named here.
        let name = copy.place.rsplit(", ").next().unwrap().to_owned();
        let at = backup::SavedCopy { place: copy.place.clone(), name: Some(name), path: None };
        (UsbDestination::new(stick.drive()), at)
    });
    let ReadBack::Document(bytes) = place.read_back(&at).unwrap() else { panic!("withheld") };
    rig.opens("a.TXT", bytes.expose());

    drop(stick);
    let end = rig.save("/usb", &[("stick", &chosen)]).await;
    assert_failed(&end, "it was taken out");
}
