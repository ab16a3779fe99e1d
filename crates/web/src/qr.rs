//! QR codes, drawn in the page itself: what they hold goes nowhere.

use std::fmt::Write;

use qrcode::{Color, EcLevel, QrCode};

/// The white border that readers need, in modules.
const QUIET: usize = 4;

/// Draws a QR code as SVG; `None` for more than fits into one.
#[must_use]
pub fn qr(data: &str, label: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(data, EcLevel::M).ok()?;
    let (width, size) = (code.width(), code.width() + 2 * QUIET);
    let mut path = String::with_capacity(width * width * 4);
    for (y, row) in code.to_colors().chunks(width).enumerate() {
        for (x, _) in row.iter().enumerate().filter(|(_, color)| **color == Color::Dark) {
            let _ = write!(path, "M{} {}h1v1h-1z", x + QUIET, y + QUIET);
        }
    }
    let label = askama::filters::escape(label, askama::filters::Html).ok()?;
    Some(format!(
        "<svg class=\"qr\" viewBox=\"0 0 {size} {size}\" role=\"img\" aria-label=\"{label}\">\
         <path class=\"paper\" d=\"M0 0h{size}v{size}H0z\"/><path class=\"ink\" d=\"{path}\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_drawn_with_a_border_and_its_label_is_escaped() {
        let svg = qr("000011", "a \"key\"").expect("it fits");
        assert!(svg.contains("viewBox=\"0 0 29 29\"") && svg.contains("aria-label=\"a &#34;key&#34;\""));
        // The corner of the first finder pattern is the first dark module.
        assert!(svg.contains("class=\"ink\" d=\"M4 4h1v1h-1z"));
        assert_eq!(qr(&"0".repeat(8000), ""), None);
    }
}
