//! The attributes as Windows itself knows them.

use std::fs;
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::MetadataExt;
use std::path::Path;

pub fn get(path: &Path) -> io::Result<Option<u32>> {
    Ok(Some(fs::metadata(path)?.file_attributes()))
}

pub fn set(path: &Path, bits: u32) -> io::Result<()> {
    let path: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
    if kernel32::set(&path, bits) { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[allow(unsafe_code)]
mod kernel32 {
    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn SetFileAttributesW(path: *const u16, attributes: u32) -> i32;
    }

    /// Sets the attributes of the file at a path that ends with a zero.
    pub fn set(path: &[u16], bits: u32) -> bool {
        assert_eq!(path.last(), Some(&0), "the path ends with a zero");
        // SAFETY: the path is read up to its zero, which was just seen, and lives until the call returns.
        unsafe { SetFileAttributesW(path.as_ptr(), bits) != 0 }
    }
}
