//! A BitLocker stick that is mounted by lastkey, in a virtual machine with a real kernel, and pulled out.

use std::fs;

use fve::Method;
use lastkey_tests::makers::noise;
use lastkey_tests::nbd::Disk;
use lastkey_tests::program;
use lastkey_tests::vm::{self, Vm};
use lastkey_tests::whole;

use crate::sticks::stick;

/// Longer than the caches of the machine would hide.
const LENGTH: usize = 30 << 20;

#[test]
fn a_mounted_stick_that_is_pulled_out_leaves_no_mount() {
    let Some(machine) = vm::folder() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let Some(drive) = whole::ntfs(folder.path(), Method::AesXts128, |root| {
        fs::write(root.join("large.bin"), noise(LENGTH, 1)).expect("a file");
    }) else {
        return;
    };
    let bytes = stick(0x07, &fs::read(&drive.path).expect("a volume"));
    let mut vm = Vm::start(&machine, &[("/bin/lastkey", program::path()), ("/key.BEK", &drive.bek)]);
    let gone = "n=0; while grep -q fuse.lastkey /proc/mounts && [ $n -lt 600 ]; do n=$((n+1)); sleep 0.1; done; \
                ! grep -q fuse.lastkey /proc/mounts";
    for idle in [true, false] {
        let disk = Disk::new(bytes.clone());
        let name = vm.plug(&disk);
        // In the foreground, to see how it ends
        vm.must(&format!(
            "(lastkey mount /dev/{name} /m/drive --bek /key.BEK >/run/said 2>&1; echo \"code $?\" >>/run/said) & \
             until grep -q 'is mounted' /run/said; do sleep 0.1; done"
        ));
        let hash = lastkey_tests::sha256(&noise(LENGTH, 1), 0, LENGTH as u64);
        let lines = vm.must("sha256sum /m/drive/large.bin");
        assert!(lines.iter().any(|line| line.starts_with(&hash)), "{lines:?}");
        if !idle {
            vm.must("(while dd if=/m/drive/large.bin of=/dev/null bs=64k 2>/dev/null; do echo 3 >/proc/sys/vm/drop_caches; done) &");
        }
        vm.unplug();
        vm.must(gone);
        let said =
            vm.must("until grep -q code /run/said; do sleep 0.1; done; cat /run/said; [ ! -e /m/drive ]");
        assert!(said.iter().any(|line| line.contains("was pulled out")), "{said:?}");
        assert!(said.iter().any(|line| line == "code 17"), "{said:?}");
    }
}
