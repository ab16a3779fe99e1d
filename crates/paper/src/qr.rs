//! Writing QR codes.

use qrcode::{Color, EcLevel, QrCode, Version};

use crate::layout::Square;

/// The dark modules of a QR code, row by row.
pub(crate) struct Modules {
    side: usize,
    dark: Vec<bool>,
}

impl Modules {
    /// Encodes `text` for a place of the layout; `None` when it does not fit.
    ///
    /// Level Q: a quarter of the code may be lost.
    pub(crate) fn encode(text: &str, place: Square) -> Option<Self> {
        let version = i16::try_from((place.modules - 17) / 4).ok()?;
        let code = QrCode::with_version(text, Version::Normal(version), EcLevel::Q).ok()?;
        Some(Self {
            side: code.width(),
            dark: code.to_colors().into_iter().map(|color| color == Color::Dark).collect(),
        })
    }

    /// Returns the runs of dark modules: row, first column, length.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        self.dark.chunks(self.side).enumerate().flat_map(|(row, modules)| {
            let mut column = 0;
            modules.chunk_by(|a, b| a == b).filter_map(move |run| {
                let first = column;
                column += run.len();
                run.first().is_some_and(|&dark| dark).then_some((row, first, run.len()))
            })
        })
    }
}

impl Drop for Modules {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.dark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{DIGITS_CODE, TEXT_CODE};

    #[test]
    fn both_codes_fit_exactly() {
        assert!(Modules::encode(&"9".repeat(48), DIGITS_CODE).is_some());
        assert!(Modules::encode(&"9".repeat(49), DIGITS_CODE).is_none());
        assert!(Modules::encode(&"A".repeat(108), TEXT_CODE).is_some());
    }

    #[test]
    fn runs_cover_the_dark_modules() {
        let code = Modules::encode("123456", DIGITS_CODE).expect("digits");
        let covered: usize = code.runs().map(|(_, _, length)| length).sum();
        assert_eq!(covered, code.dark.iter().filter(|&&dark| dark).count());
        assert_eq!(code.runs().next(), Some((0, 0, 7)), "a finder pattern");
    }
}
