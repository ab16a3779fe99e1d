//! A picture in shades of grey, wiped when dropped: a key may be seen on it.

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use recovery_key::Secret;

/// Pixels from black (0) to white (255), row by row.
#[derive(Debug)]
pub struct Gray {
    width: usize,
    height: usize,
    pixels: Secret<Vec<u8>>,
}

impl Gray {
    /// Takes pixels, row by row; `None` when there are not `width * height` of them, or none.
    pub fn new(width: usize, height: usize, pixels: Vec<u8>) -> Option<Self> {
        let pixels = Secret::new(pixels);
        let right = width.checked_mul(height)? == pixels.expose().len() && !pixels.expose().is_empty();
        right.then_some(Self { width, height, pixels })
    }

    /// Returns the pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Returns all pixels.
    pub fn pixels(&self) -> &[u8] {
        self.pixels.expose()
    }

    /// Returns it as a PNG file, which is as secret as what is seen on it; `None` when it is larger than PNG can be.
    pub fn to_png(&self) -> Option<Secret<Vec<u8>>> {
        let (width, height) = (u32::try_from(self.width).ok()?, u32::try_from(self.height).ok()?);
        let mut png = Secret::new(Vec::new());
        let encoder = PngEncoder::new(png.expose_mut());
        encoder.write_image(self.pixels(), width, height, ExtendedColorType::L8).ok()?;
        Some(png)
    }

    /// Returns the rows, from above.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.pixels().chunks_exact(self.width)
    }

    /// Returns a pixel; outside is white, as paper is.
    pub fn pixel(&self, x: usize, y: usize) -> u8 {
        if x < self.width { self.pixels().get(y * self.width + x).copied().unwrap_or(255) } else { 255 }
    }

    /// Returns the brightness between pixels, whose middles lie at halves; outside is white.
    pub(crate) fn sample(&self, x: f64, y: f64) -> f32 {
        let (x, y) = (x - 0.5, y - 0.5);
        if !(x >= 0.0 && y >= 0.0 && x < (self.width - 1) as f64 && y < (self.height - 1) as f64) {
            return 255.0;
        }
        let (column, row) = (x as usize, y as usize);
        let (right, down) = ((x - column as f64) as f32, (y - row as f64) as f32);
        let at = |dx: usize, dy: usize| f32::from(self.pixel(column + dx, row + dy));
        let upper = at(0, 0) * (1.0 - right) + at(1, 0) * right;
        let lower = at(0, 1) * (1.0 - right) + at(1, 1) * right;
        upper * (1.0 - down) + lower * down
    }

    /// Makes it smaller, each new pixel the mean of `factor` by `factor`; what is over at the edges is cut.
    pub(crate) fn shrunk(&self, factor: usize) -> Option<Self> {
        let factor = factor.max(1);
        let (width, height) = (self.width / factor, self.height / factor);
        let mut pixels = Vec::with_capacity(width.checked_mul(height)?);
        let mut sums = vec![0u32; width];
        let area = u32::try_from(factor * factor).ok()?;
        for rows in self.pixels().chunks_exact(self.width * factor).take(height) {
            sums.fill(0);
            for row in rows.chunks_exact(self.width) {
                for (sum, few) in sums.iter_mut().zip(row.chunks_exact(factor)) {
                    *sum += few.iter().map(|&pixel| u32::from(pixel)).sum::<u32>();
                }
            }
            pixels.extend(sums.iter().map(|sum| (sum / area) as u8));
        }
        Self::new(width, height, pixels)
    }
}

/// Returns the brightness of a colour, by Rec. 601, as in JPEG.
pub(crate) fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 77 + u32::from(g) * 150 + u32::from(b) * 29) >> 8) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_pictures() {
        assert!(Gray::new(2, 2, vec![0; 3]).is_none());
        assert!(Gray::new(0, 5, vec![]).is_none());
        assert!(Gray::new(usize::MAX, 2, vec![0; 3]).is_none());
    }

    #[test]
    fn a_png_shows_the_same() {
        let gray = Gray::new(3, 2, vec![0, 100, 7, 255, 200, 9]).expect("six pixels");
        let png = gray.to_png().expect("a small picture");
        let read = image::load_from_memory(png.expose()).expect("a PNG").into_luma8();
        assert_eq!((read.dimensions(), read.as_raw().as_slice()), ((3, 2), gray.pixels()));
    }

    #[test]
    fn sampling_is_linear_and_white_outside() {
        let gray = Gray::new(2, 2, vec![0, 100, 0, 100]).expect("four pixels");
        assert_eq!(gray.sample(0.5, 0.5), 0.0);
        assert_eq!(gray.sample(1.0, 1.0), 50.0);
        for (x, y) in [(-1.0, 0.5), (0.5, 1e300), (f64::NAN, 0.5), (1.6, 0.5)] {
            assert_eq!(gray.sample(x, y), 255.0);
        }
    }

    #[test]
    fn shrinking_takes_means() {
        let gray = Gray::new(3, 2, vec![0, 100, 7, 100, 200, 7]).expect("six pixels");
        let half = gray.shrunk(2).expect("a pixel");
        assert_eq!((half.width(), half.height(), half.pixels()), (1, 1, &[100u8][..]));
        assert!(gray.shrunk(4).is_none());
    }
}
