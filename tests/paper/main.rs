//! Recovery keys on paper: other programs read our pages, we read photos of them, real printers print them.

mod in_the_print_shop;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::{GrayImage, ImageFormat};
use lastkey_tests::skip;
use paper::read::{ReadError, Reading, Source, read};
use paper::share::{CombineError, Share};
use paper::{Page, Paper, ShareSheet, ShareWording, Wording, rasterise};
use photo::{Photo, Picture, Random};
use recovery_key::document::{self, FoundSecret};
use recovery_key::{KeyId, RecoveryPassword, Secret};

const ALL: [Source; 4] = [Source::Digits, Source::DigitsCode, Source::TextCode, Source::Barcode];
/// Dots per inch at which pages are photographed from.
const DPI: f64 = 250.0;

/// A key, and its page.
struct Sample {
    key: RecoveryPassword,
    id: KeyId,
    pdf: Secret<Vec<u8>>,
}

fn sample(number: u64, paper: Paper) -> Sample {
    let mut random = Random(number * 0x0123_4567_89ab_cdef + 1);
    let mut bytes = || std::array::from_fn(|_| random.bits() as u8);
    let key = RecoveryPassword::from_bytes(Secret::new(bytes()));
    let id = KeyId::from_bytes_le(bytes());
    let (drive, printed) = ("DESKTOP-4F7KQ2M C: 23/11/2026", "23 November 2026");
    let page = Page { key: &key, key_id: id, drive, printed, paper, wording: &Wording::ENGLISH };
    let pdf = page.pdf().expect("a page");
    Sample { key, id, pdf }
}

/// The page as pixels, by our own renderer.
fn picture(pdf: &[u8]) -> Picture {
    let pages = rasterise(pdf, DPI as f32).expect("pixels");
    let [page] = pages.as_slice() else { panic!("{} pages", pages.len()) };
    Picture { width: page.width(), height: page.height(), pixels: page.pixels().to_vec() }
}

fn encode(picture: Picture, format: ImageFormat) -> Vec<u8> {
    let Picture { width, height, pixels } = picture;
    let image = GrayImage::from_raw(width as u32, height as u32, pixels).expect("all pixels");
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, format).expect("a file");
    file.into_inner()
}

impl Sample {
    /// Reads what a picture says; it must be this key and nothing else.
    fn sources(&self, reading: &Reading) -> Vec<Source> {
        let [read] = reading.keys.as_slice() else { panic!("{} keys", reading.keys.len()) };
        assert!(read.key == self.key, "a wrong key, read from {}", read.sources);
        assert!(read.key_id.is_none_or(|id| id.matches(&self.id)), "a wrong key ID");
        let document = document::read(None, reading.document().expose());
        let [found] = document.keys.as_slice() else { panic!("{} keys in the text", document.keys.len()) };
        assert!(matches!(&found.secret, FoundSecret::RecoveryPassword(key) if *key == self.key));
        assert_eq!(found.key_id, read.key_id);
        read.sources.iter().collect()
    }
}

/// Says whether all of these programs are here.
fn have(programs: &[&str]) -> bool {
    let folders: Vec<_> = env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .collect();
    let lacks = |program: &&&str| !folders.iter().any(|folder: &PathBuf| folder.join(program).is_file());
    let lacking: Vec<_> = programs.iter().filter(lacks).copied().collect();
    if !lacking.is_empty() {
        skip(&format!("programs that print or read pages: {}", lacking.join(", ")));
    }
    lacking.is_empty()
}

fn run(program: &str, arguments: &[&str], file: &Path) -> Output {
    let output = Command::new(program).args(arguments).arg(file).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn other_programs_read_our_pages() {
    if !have(&["pdftoppm", "pdftotext", "pdffonts", "pdfinfo", "qpdf", "zbarimg"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for (number, paper) in [(1, Paper::A4), (2, Paper::Letter), (3, Paper::A4)] {
        let sample = sample(number, paper);
        let file = folder.path().join("page.pdf");
        fs::write(&file, sample.pdf.expose()).expect("a file");
        let digits = sample.key.digits();
        let bare = digits.expose().replace('-', "");

        run("qpdf", &["--check"], &file);
        let fonts = text(&run("pdffonts", &[], &file));
        let fonts: Vec<_> = fonts.lines().skip(2).collect();
        // Columns from the right: object, generation, with Unicode, subset, embedded.
        let embedded = |line: &&str| line.split_whitespace().rev().skip(2).take(3).all(|word| word == "yes");
        assert!(fonts.len() == 3 && fonts.iter().all(embedded), "{fonts:?}");
        let info = text(&run("pdfinfo", &[], &file));
        assert!(
            info.contains("Tagged:          yes") && info.contains("Title:           BitLocker recovery key")
        );
        assert!(info.contains("Pages:           1") && !info.contains(&bare[..6]), "{info}");

        let mut selected = Command::new("pdftotext");
        let selected = selected.arg(&file).arg("-").output().expect("pdftotext");
        let selected = text(&selected);
        let is_group = |word: &&str| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit());
        let groups: Vec<_> = selected.split_whitespace().filter(is_group).collect();
        assert_eq!(groups.join("-"), *digits.expose(), "the selectable text");

        for dpi in ["100", "150", "300"] {
            let page = folder.path().join("page");
            let arguments = ["-r", dpi, "-gray", "-png", "-singlefile", file.to_str().expect("a path")];
            run("pdftoppm", &arguments, &page);
            let page = page.with_extension("png");
            let scanned = text(&run("zbarimg", &["--quiet", "--raw"], &page));
            let scanned: BTreeMap<_, usize> = scanned.lines().fold(BTreeMap::new(), |mut all, line| {
                *all.entry(line.to_owned()).or_default() += 1;
                all
            });
            let both = format!("KEY ID {} KEY {}", sample.id, digits.expose());
            assert_eq!(scanned.get(&bare), Some(&2), "QR code and barcode at {dpi} dots per inch");
            assert_eq!(scanned.get(&both), Some(&1), "the other QR code at {dpi} dots per inch");
            let reading = read(&fs::read(&page).expect("a picture")).expect("a key");
            assert_eq!(sample.sources(&reading), ALL, "at {dpi} dots per inch");
        }
    }
}

#[test]
fn our_own_pixels_say_all_of_it() {
    for (number, paper) in [(4, Paper::A4), (5, Paper::Letter)] {
        let sample = sample(number, paper);
        let reading = read(sample.pdf.expose()).expect("a key");
        assert_eq!(sample.sources(&reading), ALL);
        assert_eq!(reading.keys[0].key_id.and_then(|id| id.whole()), Some(sample.id));
    }
}

/// Takes photos and expects the key of each; prints how well each part was read.
fn photos(distortions: &[(&str, Photo)]) {
    for (name, photo) in distortions {
        let mut read_by = [0; 4];
        for seed in 1..=2 {
            let sample = sample(seed + 10, if seed == 1 { Paper::A4 } else { Paper::Letter });
            let shot = Photo { seed, ..*photo }.take(&picture(sample.pdf.expose()), DPI);
            let reading = read(&encode(shot, ImageFormat::Jpeg));
            let reading = reading.unwrap_or_else(|error| panic!("{name}: {error}"));
            let sources = sample.sources(&reading);
            for (count, source) in read_by.iter_mut().zip(ALL) {
                *count += usize::from(sources.contains(&source));
            }
        }
        let [digits, left, right, bars] = read_by;
        println!("{name:<40} digits {digits}, left code {left}, right code {right}, barcode {bars}, of 2");
    }
}

const SCAN: Photo = Photo {
    dpi: 150.0,
    turn: 0.0,
    tilt: 0.0,
    folds: 0,
    wave: 0.0,
    shade: 0.0,
    blur: 0.0,
    noise: 0.0,
    tones: (0.0, 255.0),
    seed: 1,
};

#[test]
fn scans_of_low_resolution() {
    photos(&[100.0, 75.0, 60.0, 50.0].map(|dpi| ("few dots per inch", Photo { dpi, ..SCAN })));
}

#[test]
fn turned_photos() {
    let turns = [-3.0, 12.0, 33.0, 45.0, 90.0, 137.0, 180.0, 222.0, 270.0, 301.0];
    photos(&turns.map(|turn| ("turned", Photo { turn, ..SCAN })));
}

#[test]
fn tilted_photos() {
    photos(&[
        ("tilted by a fifth", Photo { tilt: 0.2, ..SCAN }),
        ("tilted by a third, turned", Photo { tilt: 0.35, turn: 20.0, ..SCAN }),
        ("tilted by half, turned", Photo { tilt: 0.5, turn: 100.0, ..SCAN }),
    ]);
}

#[test]
fn blurred_and_noisy_photos() {
    photos(&[
        ("blurred by 1.5 pixels", Photo { blur: 1.5, ..SCAN }),
        ("blurred by 3 pixels", Photo { blur: 3.0, ..SCAN }),
        ("noise of 20", Photo { noise: 20.0, ..SCAN }),
        ("noise of 45", Photo { noise: 45.0, ..SCAN }),
    ]);
}

#[test]
fn badly_lit_photos() {
    photos(&[
        ("one side half dark", Photo { shade: 0.6, tones: (40.0, 220.0), ..SCAN }),
        ("one side nearly dark", Photo { shade: 0.8, tones: (40.0, 220.0), ..SCAN }),
        ("faint print", Photo { tones: (140.0, 220.0), noise: 5.0, ..SCAN }),
    ]);
}

#[test]
fn folded_pages() {
    photos(&[
        ("two folds, 1.5 mm", Photo { folds: 2, wave: 1.5, ..SCAN }),
        ("three folds, 3 mm, turned", Photo { folds: 3, wave: 3.0, turn: 5.0, ..SCAN }),
    ]);
}

#[test]
fn photos_with_all_of_it() {
    let mild = Photo {
        dpi: 130.0,
        turn: 12.0,
        tilt: 0.15,
        folds: 2,
        wave: 1.0,
        shade: 0.4,
        blur: 1.0,
        noise: 8.0,
        tones: (40.0, 215.0),
        seed: 1,
    };
    let hard = Photo {
        dpi: 110.0,
        turn: 200.0,
        tilt: 0.3,
        folds: 3,
        wave: 2.0,
        shade: 0.6,
        blur: 1.5,
        noise: 12.0,
        tones: (60.0, 200.0),
        seed: 1,
    };
    photos(&[
        ("all of it, mildly", mild),
        ("all of it, hard", hard),
        ("all of it, many pixels", Photo { dpi: 300.0, turn: 91.0, blur: 2.0, ..mild }),
    ]);
}

/// A rectangle of an A4 page, in points from its upper left corner.
#[derive(Clone, Copy)]
struct Part(f64, f64, f64, f64);

const DIGITS: Part = Part(60.0, 266.0, 536.0, 358.0);
const LEFT_CODE: Part = Part(60.0, 402.0, 174.0, 516.0);
const RIGHT_CODE: Part = Part(204.0, 402.0, 318.0, 516.0);
const BARCODE: Part = Part(60.0, 546.0, 426.0, 594.0);

impl Part {
    fn contains(&self, x: usize, y: usize) -> bool {
        let (x, y) = (x as f64 * 72.0 / DPI, y as f64 * 72.0 / DPI);
        (self.0..self.2).contains(&x) && (self.1..self.3).contains(&y)
    }
}

/// Changes pixels by their place.
fn change(picture: &mut Picture, new: impl Fn(usize, usize, u8) -> u8) {
    for (n, pixel) in picture.pixels.iter_mut().enumerate() {
        *pixel = new(n % picture.width, n / picture.width, *pixel);
    }
}

#[test]
fn each_part_alone_is_enough() {
    let sample = sample(20, Paper::A4);
    let parts = [DIGITS, LEFT_CODE, RIGHT_CODE, BARCODE];
    for (part, source) in parts.iter().zip(ALL) {
        let mut page = picture(sample.pdf.expose());
        let spoilt = |x, y| parts.iter().any(|other| other.contains(x, y)) && !part.contains(x, y);
        change(&mut page, |x, y, pixel| if spoilt(x, y) { 255 } else { pixel });
        let reading =
            read(&encode(page, ImageFormat::Png)).unwrap_or_else(|error| panic!("{source}: {error}"));
        assert_eq!(sample.sources(&reading), [source]);
        assert!(reading.keys[0].key_id.is_some(), "the large digits of the key ID are still there");
    }
}

/// Digits of one page among the codes of another: only the groups that differ are named.
#[test]
fn digits_and_codes_must_agree() {
    let one = sample(21, Paper::A4);
    let mut bytes = *one.key.bytes().expose();
    bytes[4] ^= 0x55;
    bytes[5] ^= 0x12;
    let key = RecoveryPassword::from_bytes(Secret::new(bytes));
    let wording = &Wording::ENGLISH;
    let other = Page { key: &key, key_id: one.id, drive: "", printed: "", paper: Paper::A4, wording };
    let other = picture(other.pdf().expect("a page").expose());
    for (part, source) in
        [(DIGITS, Source::Digits), (BARCODE, Source::Barcode), (RIGHT_CODE, Source::TextCode)]
    {
        let mut page = picture(one.pdf.expose());
        let width = page.width;
        change(
            &mut page,
            |x, y, pixel| if part.contains(x, y) { other.pixels[y * width + x] } else { pixel },
        );
        match read(&encode(page, ImageFormat::Png)) {
            Err(error @ ReadError::Disagreement { one, other, .. }) => {
                assert!(one == source || other == source, "{error}");
                assert!(error.to_string().ends_with("they differ in group 3"), "{error}");
            }
            other => panic!("{source}: {other:?}"),
        }
    }
}

/// Pages that are spoilt more and more: at some point there is nothing to read, but never a wrong key.
#[test]
fn what_cannot_be_read_is_an_error() {
    let sample = sample(22, Paper::A4);
    let (mut read_all, mut failed) = (0, 0);
    for round in 0..24u64 {
        let mut random = Random(round + 77);
        let mut page = picture(sample.pdf.expose());
        let (width, height) = (page.width, page.height);
        // Stains of any shade, ever more of them.
        for _ in 0..round * 6 {
            let mut one = |limit: usize| (random.bits() % limit as u64) as usize;
            let (x, y, radius, shade) = (one(width), one(height), 10 + one(width / 12), one(256) as u8);
            for row in y.saturating_sub(radius)..(y + radius).min(height) {
                for column in x.saturating_sub(radius)..(x + radius).min(width) {
                    if (row.abs_diff(y).pow(2) + column.abs_diff(x).pow(2)) < radius * radius {
                        page.pixels[row * width + column] = shade;
                    }
                }
            }
        }
        let shot =
            Photo { blur: round as f64 / 12.0, noise: round as f64, seed: round, ..SCAN }.take(&page, DPI);
        match read(&encode(shot, ImageFormat::Png)) {
            Ok(reading) => {
                sample.sources(&reading);
                read_all += 1;
            }
            Err(ReadError::Nothing | ReadError::Unreadable { .. }) => failed += 1,
            Err(error) => panic!("round {round}: {error}"),
        }
    }
    println!("{read_all} read, {failed} not");
    assert!(read_all >= 8 && failed >= 1);
}

#[test]
fn an_empty_page_has_no_key() {
    for (width, height) in [(1, 1), (1, 3000), (3000, 1), (1240, 1754)] {
        let picture = Picture { width, height, pixels: vec![255; width * height] };
        let error = read(&encode(picture, ImageFormat::Png)).expect_err("nothing");
        assert!(matches!(error, ReadError::Nothing), "{error}");
    }
}

#[test]
fn sheets_of_a_split_key_are_read_and_combined() {
    let sample = sample(30, Paper::A4);
    let shares = Share::split(&sample.key, sample.id, 2, 3).expect("shares");
    let mut found = Vec::new();
    for (n, share) in shares.iter().enumerate() {
        let wording = &ShareWording::ENGLISH;
        let sheet = ShareSheet { share, drive: "D:", printed: "today", paper: Paper::Letter, wording };
        let pdf = sheet.pdf().expect("a sheet");
        let photo = Photo { turn: 100.0 * n as f64, tilt: 0.1, noise: 10.0, blur: 1.0, ..SCAN };
        let shot = photo.take(&picture(pdf.expose()), DPI);
        let mut reading = read(&encode(shot, ImageFormat::Jpeg)).expect("a share");
        assert!(reading.keys.is_empty());
        let read = reading.shares.pop().expect("a share");
        assert!(read.is_same(share) && read.key_id() == Some(sample.id));
        found.push(read);
    }
    let one = found.remove(0);
    assert!(Share::combine(&found).is_ok_and(|combined| combined.key == sample.key));
    assert_eq!(Share::combine(&[one]).err(), Some(CombineError::TooFew { have: 1, needed: 2 }));
}

/// A sheet whose code was cut out is read by its characters.
#[test]
fn a_sheet_without_its_code() {
    let sample = sample(31, Paper::A4);
    let shares = Share::split(&sample.key, sample.id, 3, 4).expect("shares");
    let wording = &ShareWording::ENGLISH;
    let sheet = ShareSheet { share: &shares[2], drive: "D:", printed: "today", paper: Paper::A4, wording };
    let mut page = picture(sheet.pdf().expect("a sheet").expose());
    change(&mut page, |x, y, pixel| if LEFT_CODE.contains(x, y) { 255 } else { pixel });
    let reading = read(&encode(page, ImageFormat::Png)).expect("a share");
    assert!(reading.shares.len() == 1 && reading.shares[0].is_same(&shares[2]));
    assert_eq!(reading.shares[0].key_id(), None);
}
