//! Any PDF, PNG or JPEG that may be a page with a recovery key, our own page after somebody spoilt it, and
//! what somebody typed from a sheet.

#![no_main]

use std::io::Cursor;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use paper::read::{self, PictureError, ReadError};
use paper::share::Share;
use paper::{Page, Paper, Wording, rasterise};
use recovery_key::{KeyId, RecoveryPassword, Secret};

/// Few dots, so that many pages are read in a second.
const DPI: f32 = 60.0;

static KEY: LazyLock<RecoveryPassword> =
    LazyLock::new(|| RecoveryPassword::from_bytes(Secret::new(*b"a page to spoil!")));

static PDF: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let key_id = KeyId::from_bytes_le([0x5a; 16]);
    let (paper, wording) = (Paper::A4, &Wording::ENGLISH);
    let page = Page { key: &KEY, key_id, drive: "C:", printed: "today", paper, wording };
    page.pdf().expect("a page").expose().clone()
});

static PICTURE: LazyLock<image::GrayImage> = LazyLock::new(|| {
    let page = rasterise(&PDF, DPI).expect("pixels").remove(0);
    let (width, height) = (page.width() as u32, page.height() as u32);
    image::GrayImage::from_raw(width, height, page.pixels().to_vec()).expect("all pixels")
});

fuzz_target!(|bytes: &[u8]| {
    typed(bytes);
    match bytes.split_first() {
        Some((0, edits)) => look(&edited_pdf(edits)),
        Some((1, edits)) => look(&edited_picture(edits)),
        _ => look(bytes),
    }
});

fn typed(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(share) = Share::parse(text)
    {
        assert!(Share::parse(share.text().expose()).is_ok_and(|again| again.is_same(&share)));
    }
}

fn look(file: &[u8]) {
    match read::read(file) {
        Ok(reading) => {
            let shown = format!("{reading:?}");
            for key in &reading.keys {
                assert!(!shown.contains(key.key.digits().expose()), "debug output shows a recovery key");
                assert!(key.sources.iter().next().is_some(), "a key from nowhere");
            }
            let again = recovery_key::document::read(None, reading.document().expose());
            assert!(again.keys.is_empty() == reading.keys.is_empty());
        }
        Err(ReadError::Picture(PictureError::Format)) => assert!(!read::is_likely(file)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Each four bytes are a place and what is there instead.
fn edited_pdf(edits: &[u8]) -> Vec<u8> {
    let mut pdf = PDF.clone();
    for edit in edits.chunks_exact(4).take(64) {
        let place = usize::from(u16::from_le_bytes([edit[0], edit[1]]));
        let place = place * pdf.len() / 65_536;
        pdf[place] = edit[2] ^ edit[3];
    }
    pdf
}

/// Each five bytes are a rectangle and its shade.
fn edited_picture(edits: &[u8]) -> Vec<u8> {
    let mut picture = PICTURE.clone();
    let (width, height) = picture.dimensions();
    for edit in edits.chunks_exact(5).take(64) {
        let (left, top) = (u32::from(edit[0]) * width / 256, u32::from(edit[1]) * height / 256);
        for y in top..(top + u32::from(edit[3])).min(height) {
            for x in left..(left + u32::from(edit[2])).min(width) {
                picture.put_pixel(x, y, image::Luma([edit[4]]));
            }
        }
    }
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, image::ImageFormat::Png).expect("a file");
    let file = file.into_inner();
    // Whatever is left of the page, no other key is on it.
    if let Ok(reading) = read::read(&file) {
        assert!(reading.keys.iter().all(|read| read.key == *KEY), "a wrong key");
    }
    file
}
