//! PWG raster (PWG 5102.4), for printers that do not understand PDF.

use recovery_key::Secret;

use crate::gray::Gray;
use crate::page::Paper;
use crate::print::answer::Group;
use crate::raster::{RasterError, rasterise};

/// The bytes of a page's header.
const HEADER: usize = 1796;
/// Resolutions beyond this make large files and no better codes.
const FINEST: u32 = 600;

/// What kind of raster a printer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Dots per inch.
    dpi: u32,
    ink: Ink,
}

/// How a dot is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ink {
    /// Eight bits, 255 is white.
    Gray,
    /// One bit, 1 is black.
    Black,
    /// Three times eight bits, 255 is white.
    Colour,
}

impl Kind {
    /// Takes the best of what a printer says it supports; 300 dots per inch is what all must have.
    pub(crate) fn of(printer: &Group<'_>) -> Self {
        let types = printer.texts("pwg-raster-document-type-supported");
        let has = |name: &str| types.iter().any(|known| known == name);
        let ink = if has("sgray_8") {
            Ink::Gray
        } else if has("black_1") {
            Ink::Black
        } else if has("srgb_8") {
            Ink::Colour
        } else {
            Ink::Gray
        };
        let resolutions = printer.resolutions("pwg-raster-document-resolution-supported");
        let best = resolutions.iter().copied().filter(|dpi| (150..=FINEST).contains(dpi)).max();
        Self { dpi: best.unwrap_or(300), ink }
    }
}

/// Turns a PDF into raster.
pub(crate) fn raster(pdf: &[u8], paper: Paper, kind: &Kind) -> Result<Secret<Vec<u8>>, RasterError> {
    let pages = rasterise(pdf, kind.dpi as f32)?;
    let mut file = Secret::new(b"RaS2".to_vec());
    for page in &pages {
        put_page(file.expose_mut(), page, pages.len() as u32, paper, kind);
    }
    Ok(file)
}

fn put_page(file: &mut Vec<u8>, page: &Gray, pages: u32, paper: Paper, kind: &Kind) {
    let (width, height) = (page.width() as u32, page.height() as u32);
    let (bits, colours, space) = match kind.ink {
        Ink::Gray => (8, 1, 18),
        Ink::Black => (1, 1, 3),
        Ink::Colour => (24, 3, 19),
    };
    let mut header = [0; HEADER];
    let mut text = |offset: usize, text: &str| {
        header.iter_mut().skip(offset).zip(text.bytes().take(63)).for_each(|(to, from)| *to = from);
    };
    text(0, "PwgRaster");
    text(1732, paper.pwg_name());
    let mut number = |offset: usize, number: u32| {
        header.iter_mut().skip(offset).zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
    };
    let (across, along) = paper.size();
    number(276, kind.dpi);
    number(280, kind.dpi);
    number(340, 1); // copies
    number(352, across.round() as u32);
    number(356, along.round() as u32);
    number(372, width);
    number(376, height);
    number(384, if kind.ink == Ink::Black { 1 } else { 8 });
    number(388, bits);
    number(392, (width * bits).div_ceil(8));
    number(400, space);
    number(420, colours);
    number(452, pages);
    number(456, 1); // not mirrored
    number(460, 1);
    number(484, 5); // high quality
    file.extend(header);
    let lines: Vec<Secret<Vec<u8>>> = page.rows().map(|row| Secret::new(line(row, kind.ink))).collect();
    let unit = if kind.ink == Ink::Colour { 3 } else { 1 };
    for same in lines.chunk_by(|a, b| a.expose() == b.expose()) {
        for same in same.chunks(256) {
            if let Some(line) = same.first() {
                file.push((same.len() - 1) as u8);
                put_line(file, line.expose(), unit);
            }
        }
    }
}

fn line(row: &[u8], ink: Ink) -> Vec<u8> {
    match ink {
        Ink::Gray => row.to_vec(),
        Ink::Colour => row.iter().flat_map(|&light| [light; 3]).collect(),
        Ink::Black => {
            let byte = |dots: &[u8]| {
                dots.iter().enumerate().fold(0, |byte, (n, &light)| byte | u8::from(light < 128) << (7 - n))
            };
            row.chunks(8).map(byte).collect()
        }
    }
}

/// Packs a line: a count of equal units and the unit, or a count of unequal units and all of them.
fn put_line(file: &mut Vec<u8>, line: &[u8], unit: usize) {
    let units: Vec<&[u8]> = line.chunks_exact(unit).collect();
    let mut rest = units.as_slice();
    while let Some(first) = rest.first() {
        let equal = rest.iter().take(128).take_while(|unit| *unit == first).count();
        if equal > 1 || rest.len() == 1 {
            file.push((equal - 1) as u8);
            file.extend_from_slice(first);
            rest = rest.get(equal..).unwrap_or_default();
        } else {
            // Until two are equal again.
            let pairs = rest.windows(2).take(128).take_while(|pair| pair.first() != pair.last()).count();
            let unequal = if pairs + 1 == rest.len() { pairs + 1 } else { pairs }.clamp(1, 128);
            // A single one is written as a run of one.
            file.push(if unequal == 1 { 0 } else { (257 - unequal) as u8 });
            rest.iter().take(unequal).for_each(|unit| file.extend_from_slice(unit));
            rest = rest.get(unequal..).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Unpacks a line as the standard describes it.
    fn unpack(mut packed: &[u8], unit: usize) -> Vec<u8> {
        let mut line = Vec::new();
        while let [count, rest @ ..] = packed {
            if *count < 128 {
                let (one, rest) = rest.split_at(unit);
                (0..=*count).for_each(|_| line.extend_from_slice(one));
                packed = rest;
            } else {
                let (all, rest) = rest.split_at((257 - usize::from(*count)) * unit);
                line.extend_from_slice(all);
                packed = rest;
            }
        }
        line
    }

    proptest! {
        #[test]
        fn lines_unpack_to_themselves(
            runs in prop::collection::vec((any::<u8>(), 1usize..300), 0..20),
            loose in prop::collection::vec(0u8..4, 0..600),
        ) {
            let mut line: Vec<u8> = runs.iter().flat_map(|(byte, times)| std::iter::repeat_n(*byte, *times)).collect();
            line.extend(loose);
            for unit in [1, 3] {
                line.truncate(line.len() / unit * unit);
                let mut packed = Vec::new();
                put_line(&mut packed, &line, unit);
                prop_assert_eq!(unpack(&packed, unit), line.clone());
            }
        }
    }

    #[test]
    fn a_page_has_its_header_and_all_its_rows() {
        let gray = Gray::new(20, 3, [[255; 20], [0; 20], [0; 20]].concat()).expect("a picture");
        let mut file = Vec::new();
        put_page(&mut file, &gray, 1, Paper::A4, &Kind { dpi: 300, ink: Ink::Black });
        assert_eq!(&file[..10], b"PwgRaster\0");
        assert_eq!(file[392..396], [0, 0, 0, 3]);
        assert_eq!(file[HEADER..], [0, 2, 0, 1, 1, 0xff, 0, 0xf0]);
    }
}
