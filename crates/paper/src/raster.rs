//! Pixels of a PDF, by a renderer that knows nothing of how the page was made.

use hayro::hayro_interpret::InterpreterSettings;
use hayro::hayro_syntax::Pdf;
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings};
use zeroize::Zeroize;

use crate::gray::{Gray, luma};

/// The most pages of a PDF that are looked at.
const PAGE_LIMIT: usize = 20;
/// The longest side of a rasterised page, in pixels.
const SIDE_LIMIT: f32 = 8000.0;

/// Why a PDF could not be turned into pixels.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RasterError {
    /// It is not a PDF, or too broken to find its pages.
    #[error("the file is not a readable PDF")]
    NotPdf,
    /// It is encrypted.
    #[error("the PDF is protected by a password")]
    Encrypted,
    /// It has no pages.
    #[error("the PDF has no pages")]
    NoPages,
}

/// Renders the first pages of a PDF, at most 20, at so many dots per inch; huge pages coarser.
pub fn rasterise(pdf: &[u8], dpi: f32) -> Result<Vec<Gray>, RasterError> {
    use hayro::hayro_syntax::{DecryptionError, LoadPdfError};
    let pdf = Pdf::new(pdf.to_vec()).map_err(|error| match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => RasterError::Encrypted,
        _ => RasterError::NotPdf,
    })?;
    let cache = RenderCache::new();
    let pages: Vec<_> = pdf
        .pages()
        .iter()
        .take(PAGE_LIMIT)
        .filter_map(|page| {
            let (width, height) = page.render_dimensions();
            let scale = (dpi / 72.0).min(SIDE_LIMIT / width.max(height).max(1.0));
            let pixmap = hayro::render(
                page,
                &cache,
                &InterpreterSettings::default(),
                &RenderSettings { hinting: false, ..Default::default() },
                &PixmapSettings { x_scale: scale, y_scale: scale, bg_color: WHITE },
            );
            gray(pixmap)
        })
        .collect();
    if pages.is_empty() { Err(RasterError::NoPages) } else { Ok(pages) }
}

fn gray(mut pixmap: hayro::vello_cpu::Pixmap) -> Option<Gray> {
    let pixels = pixmap.data().iter().map(|pixel| luma([pixel.r, pixel.g, pixel.b])).collect();
    let (width, height) = (usize::from(pixmap.width()), usize::from(pixmap.height()));
    pixmap.data_as_u8_slice_mut().zeroize();
    Gray::new(width, height, pixels).filter(|gray| !gray.pixels().is_empty())
}
