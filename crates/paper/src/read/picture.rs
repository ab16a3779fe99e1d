//! Turning a file into pictures in shades of grey, whoever made the file.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use zeroize::Zeroize;

use crate::gray::{Gray, luma};
use crate::raster::{RasterError, rasterise};

/// The most pixels of a picture that is read: telephones give 12 to 50 million unless asked for more.
pub const PIXEL_LIMIT: u64 = 64_000_000;
/// The largest file that is read, in bytes.
pub const FILE_LIMIT: usize = 64 << 20;
/// Dots per inch at which a PDF is looked at.
const DPI: f32 = 200.0;

/// Why a file is no picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// Neither PDF nor PNG nor JPEG.
    #[error("the file is neither a PDF nor a PNG or JPEG picture")]
    Format,
    /// A format that telephones use and that cannot be read here.
    #[error("the picture is in the format {0}; save it as JPEG or PNG")]
    OtherFormat(&'static str),
    /// The file is too large.
    #[error("the file has {size} bytes; at most {FILE_LIMIT} are read")]
    File {
        /// Its bytes.
        size: usize,
    },
    /// The picture is too large.
    #[error("the picture has {pixels} pixels; at most {PIXEL_LIMIT} are read")]
    Pixels {
        /// Its pixels.
        pixels: u64,
    },
    /// The picture is broken.
    #[error("the picture is broken: {0}")]
    Broken(String),
    /// The PDF cannot be read.
    #[error(transparent)]
    Pdf(#[from] RasterError),
}

/// Says whether a file begins like something that [`read`](crate::read::read) reads.
pub fn is_likely(bytes: &[u8]) -> bool {
    is_pdf(bytes) || format(bytes).is_some()
}

/// Returns the pages of a PDF, or the one picture that a PNG or JPEG is.
pub(crate) fn load(bytes: &[u8]) -> Result<Vec<Gray>, PictureError> {
    if bytes.len() > FILE_LIMIT {
        return Err(PictureError::File { size: bytes.len() });
    }
    if is_pdf(bytes) {
        return Ok(rasterise(bytes, DPI)?);
    }
    let format = format(bytes).ok_or_else(|| other_format(bytes))?;
    let broken = |error: image::ImageError| PictureError::Broken(error.to_string());
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(PIXEL_LIMIT * 6);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(broken)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > PIXEL_LIMIT {
        return Err(PictureError::Pixels { pixels });
    }
    let gray = gray(DynamicImage::from_decoder(decoder).map_err(broken)?);
    Ok(vec![gray.ok_or(PictureError::Format)?])
}

/// Transparent is white, as on paper.
fn gray(picture: DynamicImage) -> Option<Gray> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let pixels = match picture {
        DynamicImage::ImageLuma8(picture) => picture.into_raw(),
        DynamicImage::ImageRgb8(mut picture) => {
            let pixels = picture.pixels().map(|p| luma(p.0)).collect();
            picture.as_flat_samples_mut().samples.zeroize();
            pixels
        }
        other => {
            let mut picture = other.into_rgba8();
            let over_white = |p: &image::Rgba<u8>| {
                let [r, g, b, a] = p.0;
                let (light, a) = (u32::from(luma([r, g, b])), u32::from(a));
                ((light * a + 255 * (255 - a)) / 255) as u8
            };
            let pixels = picture.pixels().map(over_white).collect();
            picture.as_flat_samples_mut().samples.zeroize();
            pixels
        }
    };
    Gray::new(width, height, pixels)
}

fn format(bytes: &[u8]) -> Option<ImageFormat> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some(ImageFormat::Png),
        [0xff, 0xd8, 0xff, ..] => Some(ImageFormat::Jpeg),
        _ => None,
    }
}

/// Readers look for the header anywhere in the first kilobyte.
fn is_pdf(bytes: &[u8]) -> bool {
    bytes.get(..bytes.len().min(1024)).is_some_and(|start| start.windows(5).any(|five| five == b"%PDF-"))
}

fn other_format(bytes: &[u8]) -> PictureError {
    let at = |offset: usize, what: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(what));
    let name = if at(4, b"ftyp") {
        "HEIC or AVIF"
    } else if at(0, b"RIFF") && at(8, b"WEBP") {
        "WebP"
    } else if at(0, b"II*\0") || at(0, b"MM\0*") {
        "TIFF"
    } else if at(0, b"GIF8") {
        "GIF"
    } else if at(0, b"BM") {
        "BMP"
    } else {
        return PictureError::Format;
    };
    PictureError::OtherFormat(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_named() {
        let error = |bytes: &[u8]| load(bytes).expect_err("no picture").to_string();
        assert!(error(b"\0\0\0\x18ftypheic....").contains("HEIC"));
        assert!(error(b"RIFF....WEBPVP8 ").contains("WebP"));
        assert!(error(b"hello").contains("neither"));
        assert!(error(b"").contains("neither"));
        assert!(error(b"\x89PNG\r\n\x1a\n").contains("broken"));
        assert!(error(b"\xff\xd8\xff\xe0").contains("broken"));
        assert!(error(b"%PDF-1.7 and nothing else").contains("PDF"));
    }

    /// A PNG that says it has 60,000 by 60,000 pixels, and has none.
    #[test]
    fn huge_pictures_are_refused_before_they_are_read() {
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        png.extend(60_000u32.to_be_bytes());
        png.extend(60_000u32.to_be_bytes());
        png.extend([8, 0, 0, 0, 0]);
        let crc = crc(&png[12..]);
        png.extend(crc.to_be_bytes());
        png.extend(b"\0\0\0\0IDAT");
        assert!(matches!(
            load(&png),
            Err(PictureError::Pixels { pixels: 3_600_000_000 } | PictureError::Broken(_))
        ));
    }

    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0, |crc, byte| {
            (0..8)
                .fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
        })
    }
}
