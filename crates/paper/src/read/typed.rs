//! Reading the large characters of our own pages: each is compared with every character of the font.
//!
//! Nothing is guessed from context. A character counts only when one shape fits well and no other
//! fits nearly as well.

use std::sync::LazyLock;

use recovery_key::Secret;
use zeroize::Zeroize;

use crate::canvas::specimen;
use crate::gray::Gray;
use crate::layout::{Area, Spot};
use crate::raster::rasterise;
use crate::read::plane::Surface;

/// Every character that is printed large: digits, then what else key IDs need, then what shares need.
pub(crate) const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// How many of them are decimal digits.
pub(crate) const DECIMAL: usize = 10;
/// How many of them are hexadecimal digits.
pub(crate) const HEXADECIMAL: usize = 16;

/// Samples across a character.
const WIDE: usize = 20;
/// Samples from the height of a character to its foot.
const HIGH: usize = 24;
/// Samples of a shape.
const SHAPE: usize = WIDE * HIGH;
/// How far a group may lie beside its place, in samples: about a third of a character.
const BESIDE: usize = 7;
/// How far a character may lie beside its place in the group, in samples.
const NEAR: usize = 2;
/// How well the shape must fit, 1 being perfect.
const FIT: f32 = 0.62;
/// How well it must fit to say that something else is wrong.
const CLEAR: f32 = 0.85;
/// How much better it must fit than every other.
const LEAD: f32 = 0.07;

type Shape = [f32; SHAPE];

/// A character as it was read.
#[derive(Clone, Copy)]
pub(crate) struct Read {
    /// How well each character of the alphabet fits.
    fits: [f32; 32],
}

impl Read {
    /// Returns the character that was surely read.
    pub(crate) fn sure(&self) -> Option<u8> {
        let (best, fit) = self.best(None)?;
        let (_, second) = self.best(Some(best))?;
        (fit > FIT && fit - second > LEAD).then(|| ALPHABET.get(best).copied()).flatten()
    }

    /// Says whether it surely is not `character`: another one fits very well, and this one does not. A
    /// noisy photo must not accuse a page of being wrong.
    pub(crate) fn contradicts(&self, character: u8) -> bool {
        let fit = ALPHABET.iter().position(|&c| c == character).and_then(|n| self.fits.get(n));
        let best = self.best(None).map_or(0.0, |(_, fit)| fit);
        self.sure().is_some_and(|sure| sure != character)
            && best > CLEAR
            && fit.is_some_and(|fit| best - fit > 2.0 * LEAD)
    }

    /// Forgets what was read.
    pub(crate) fn wipe(&mut self) {
        self.fits.zeroize();
    }

    fn best(&self, but: Option<usize>) -> Option<(usize, f32)> {
        let others = self.fits.iter().copied().enumerate().filter(|(n, _)| Some(*n) != but);
        others.max_by(|a, b| a.1.total_cmp(&b.1))
    }
}

/// Reads the characters in `cells`, which stand side by side, as one of the first `letters` of the alphabet.
///
/// They may all lie somewhat beside their place, and each somewhat beside the others.
pub(crate) fn read(gray: &Gray, surface: &Surface, cells: &[Area], letters: usize) -> Vec<Read> {
    let Some(shapes) = SHAPES.as_ref().and_then(|shapes| shapes.get(..letters)) else { return Vec::new() };
    let Some(strip) = Strip::sample(gray, surface, cells) else { return Vec::new() };
    let mut place = (f32::MIN, 0, 0);
    for dy in (0..=2 * BESIDE).step_by(2) {
        for dx in (0..=2 * BESIDE).step_by(2) {
            let fit = |cell| {
                let window = strip.window(cell, dx, dy)?;
                Some(shapes.iter().map(|shape| likeness(&window, shape)).fold(0.0, f32::max))
            };
            let fits: f32 = (0..cells.len()).filter_map(fit).sum();
            if fits > place.0 {
                place = (fits, dx, dy);
            }
        }
    }
    let (_, x, y) = place;
    (0..cells.len())
        .map(|cell| {
            let mut fits = [-1.0f32; 32];
            for dy in y.saturating_sub(NEAR)..=y + NEAR {
                for dx in x.saturating_sub(NEAR)..=x + NEAR {
                    let Some(window) = strip.window(cell, dx, dy) else { continue };
                    for (fit, shape) in fits.iter_mut().zip(shapes) {
                        *fit = fit.max(likeness(&window, shape));
                    }
                }
            }
            Read { fits }
        })
        .collect()
}

/// The samples of a row of cells, with [`BESIDE`] more on every side.
struct Strip {
    width: usize,
    light: Secret<Vec<f32>>,
}

impl Strip {
    fn sample(gray: &Gray, surface: &Surface, cells: &[Area]) -> Option<Self> {
        let first = cells.first()?;
        let (dx, dy) = (first.width / WIDE as f32, first.height / HIGH as f32);
        let (width, height) = (cells.len() * WIDE + 2 * BESIDE, HIGH + 2 * BESIDE);
        // The mean of the pixels that a sample covers: that is less noise.
        let covered = surface.scale(Spot { x: first.x, y: first.y }) * f64::from(dx);
        let fine = (covered.round() as usize).clamp(1, 4);
        let at = |n: usize| {
            let mut sum = 0.0;
            for part in 0..fine * fine {
                let inside = |part: usize| (part as f32 + 0.5) / fine as f32 - BESIDE as f32;
                let x = first.x + ((n % width) as f32 + inside(part % fine)) * dx;
                let y = first.y + ((n / width) as f32 + inside(part / fine)) * dy;
                let pixel = surface.at(Spot { x, y });
                sum += gray.sample(pixel.x, pixel.y);
            }
            sum / (fine * fine) as f32
        };
        let light = Secret::new((0..width * height).map(at).collect());
        Some(Self { width, light })
    }

    /// Returns what is seen of a cell when all cells lie `dx - BESIDE`, `dy - BESIDE` beside their places.
    fn window(&self, cell: usize, dx: usize, dy: usize) -> Option<Shape> {
        let mut window = [0.0; SHAPE];
        for (row, line) in window.chunks_exact_mut(WIDE).enumerate() {
            let start = (row + dy) * self.width + cell * WIDE + dx;
            line.copy_from_slice(self.light.expose().get(start..start + WIDE)?);
        }
        normalise(&mut window);
        Some(window)
    }
}

/// The characters, drawn and rasterised as the page is.
static SHAPES: LazyLock<Option<Vec<Shape>>> = LazyLock::new(|| {
    // Two pixels a point: about what a photo of a page has.
    let (pdf, cells) = specimen(ALPHABET)?;
    let pages = rasterise(&pdf, 144.0).ok()?;
    let gray = pages.first()?;
    let shape = |cell: &Area| {
        let mut shape = [0.0; SHAPE];
        for (n, sample) in shape.iter_mut().enumerate() {
            let x = cell.x + ((n % WIDE) as f32 + 0.5) * cell.width / WIDE as f32;
            let y = cell.y + ((n / WIDE) as f32 + 0.5) * cell.height / HIGH as f32;
            *sample = gray.sample(f64::from(x) * 2.0, f64::from(y) * 2.0);
        }
        normalise(&mut shape);
        shape
    };
    Some(cells.iter().map(shape).collect())
});

/// Blurs a little and takes away brightness and contrast: what is left is the shape.
fn normalise(shape: &mut Shape) {
    let sharp = *shape;
    for (n, sample) in shape.iter_mut().enumerate() {
        let (x, y) = (n % WIDE, n / WIDE);
        let at =
            |x: usize, y: usize| sharp.get(y.min(HIGH - 1) * WIDE + x.min(WIDE - 1)).copied().unwrap_or(0.0);
        let (left, up) = (x.saturating_sub(1), y.saturating_sub(1));
        *sample = 4.0 * at(x, y)
            + 2.0 * (at(left, y) + at(x + 1, y) + at(x, up) + at(x, y + 1))
            + at(left, up)
            + at(x + 1, up)
            + at(left, y + 1)
            + at(x + 1, y + 1);
    }
    let mean = shape.iter().sum::<f32>() / SHAPE as f32;
    shape.iter_mut().for_each(|sample| *sample -= mean);
    let length = shape.iter().map(|sample| sample * sample).sum::<f32>().sqrt();
    // Blank paper is like nothing; its grain must not become a shape.
    let scale = if length > 16.0 * 4.0 * (SHAPE as f32).sqrt() { 1.0 / length } else { 0.0 };
    shape.iter_mut().for_each(|sample| *sample *= scale);
}

fn likeness(a: &Shape, b: &Shape) -> f32 {
    // Sums of eight, which compilers turn into vectors.
    let mut sums = [0.0f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_characters_are_alike() {
        let shapes = SHAPES.as_ref().expect("shapes");
        assert_eq!(shapes.len(), ALPHABET.len());
        for (n, a) in shapes.iter().enumerate() {
            assert!((likeness(a, a) - 1.0).abs() < 1e-3);
            for (m, b) in shapes.iter().enumerate().take(n) {
                let (a_name, b_name) = (char::from(ALPHABET[n]), char::from(ALPHABET[m]));
                let limit = if n < DECIMAL {
                    0.85
                } else if n < HEXADECIMAL {
                    0.88
                } else {
                    0.92
                };
                assert!(likeness(a, b) < limit, "{a_name} {b_name} {}", likeness(a, b));
            }
        }
    }
}
