//! Photos of a page that were never taken: turned, tilted, folded, blurred, badly lit.

use std::f64::consts::TAU;

/// A picture in shades of grey, row by row.
#[derive(Clone)]
pub struct Picture {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// From black to white.
    pub pixels: Vec<u8>,
}

/// How a page is photographed. `Photo::default()` is a perfect scan.
#[derive(Clone, Copy, Debug)]
pub struct Photo {
    /// Pixels on an inch of the page.
    pub dpi: f64,
    /// Degrees that the page is turned, clockwise.
    pub turn: f64,
    /// How much smaller the far edge of the page is than the near edge: 0.2 is a fifth.
    pub tilt: f64,
    /// Folds across the page, each with a crease.
    pub folds: usize,
    /// How far the paper between folds leaves its place, in millimetres.
    pub wave: f64,
    /// How much darker the dark side of the page is: 0.5 is half as bright.
    pub shade: f64,
    /// The standard deviation of the blur, in pixels.
    pub blur: f64,
    /// The standard deviation of the noise, of 255.
    pub noise: f64,
    /// Brightness of ink and of paper.
    pub tones: (f64, f64),
    /// What the noise is made of.
    pub seed: u64,
}

impl Default for Photo {
    fn default() -> Self {
        Self {
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
        }
    }
}

impl Photo {
    /// Takes the photo of a page that was rasterised at `page_dpi`.
    pub fn take(&self, page: &Picture, page_dpi: f64) -> Picture {
        let mut random = Random(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let scale = self.dpi / page_dpi;
        let (page_width, page_height) = (page.width as f64, page.height as f64);
        let turn = self.turn.to_radians();
        let (sin, cos) = turn.sin_cos();
        // Room for the page however it is turned, and some of the table around it.
        let flat = self.turn == 0.0 && self.tilt == 0.0 && self.folds == 0;
        let margin = if flat { 1.0 } else { 1.08 };
        let width = ((page_width * cos.abs() + page_height * sin.abs()) * scale * margin).ceil();
        let height = ((page_width * sin.abs() + page_height * cos.abs()) * scale * margin).ceil();
        let phase = random.unit() * TAU;
        let wave = self.wave / 25.4 * page_dpi;
        let mut light = vec![0.0; (width * height) as usize];
        for (n, value) in light.iter_mut().enumerate() {
            let (column, row) = ((n as f64 % width).floor() + 0.5, (n as f64 / width).floor() + 0.5);
            // From the photo's middle to the page's middle, through a camera that looks at an angle.
            let (x, y) = ((column - width / 2.0) / scale, (row - height / 2.0) / scale);
            let far = 1.0 + self.tilt * y / page_height;
            let (x, y) = (x * far, y * far);
            let (x, y) = (x * cos + y * sin, y * cos - x * sin);
            let (x, y) = (x + page_width / 2.0, y + page_height / 2.0);
            // Each strip between two folds bends by itself.
            let strip = y / page_height * (self.folds as f64 + 1.0);
            let bend = (strip.fract() * TAU / 2.0).sin();
            let x = x + wave * bend * (strip.floor() * 2.4 + phase).sin();
            let y = y + wave * bend * (strip.floor() * 1.7 + phase).cos();
            let ink = sample(page, x, y, 1.0 / scale);
            let (dark, bright) = self.tones;
            let mut value_here = match ink {
                Some(ink) => dark + (bright - dark) * ink / 255.0,
                None => 90.0 + 30.0 * ((x / 37.0).sin() * (y / 51.0).cos()),
            };
            if self.folds > 0 && ink.is_some() {
                let crease =
                    (strip - strip.round()).abs() * page_height / (self.folds as f64 + 1.0) / page_dpi;
                if crease < 0.02 && strip.round() > 0.0 && strip.round() <= self.folds as f64 {
                    value_here = value_here * 0.4 + 140.0;
                } else {
                    value_here *= 1.0 - 0.12 * f64::from(u8::from(strip as usize % 2 == 1));
                }
            }
            let shade =
                1.0 - self.shade * (0.5 + 0.5 * ((column / width * 2.0 + row / height + phase).sin()));
            *value = value_here * shade;
        }
        let (width, height) = (width as usize, height as usize);
        blur(&mut light, width, height, self.blur);
        let pixels =
            light.into_iter().map(|v| (v + self.noise * random.normal()).round().clamp(0.0, 255.0) as u8);
        Picture { width, height, pixels: pixels.collect() }
    }
}

/// Returns the mean around a place of the page, `None` beside the page.
fn sample(page: &Picture, x: f64, y: f64, size: f64) -> Option<f64> {
    if !(0.0..page.width as f64).contains(&x) || !(0.0..page.height as f64).contains(&y) {
        return None;
    }
    let steps = (size.ceil() as usize).clamp(1, 4);
    let mut sum = 0.0;
    for n in 0..steps * steps {
        let offset = |k: usize| ((k as f64 + 0.5) / steps as f64 - 0.5) * size;
        sum += linear(page, x + offset(n % steps), y + offset(n / steps));
    }
    Some(sum / (steps * steps) as f64)
}

fn linear(page: &Picture, x: f64, y: f64) -> f64 {
    let (x, y) = ((x - 0.5).max(0.0), (y - 0.5).max(0.0));
    let (column, row) = (x as usize, y as usize);
    let at = |dx: usize, dy: usize| {
        let (x, y) = ((column + dx).min(page.width - 1), (row + dy).min(page.height - 1));
        f64::from(page.pixels[y * page.width + x])
    };
    let (right, down) = (x.fract(), y.fract());
    (at(0, 0) * (1.0 - right) + at(1, 0) * right) * (1.0 - down)
        + (at(0, 1) * (1.0 - right) + at(1, 1) * right) * down
}

/// Blurs along rows, then along columns.
fn blur(light: &mut [f64], width: usize, height: usize, deviation: f64) {
    if deviation <= 0.0 {
        return;
    }
    let reach = (deviation * 3.0).ceil() as usize;
    let weights: Vec<_> =
        (0..=reach).map(|d| (-((d * d) as f64) / (2.0 * deviation * deviation)).exp()).collect();
    let total = weights[0] + 2.0 * weights[1..].iter().sum::<f64>();
    let mut line = Vec::new();
    let mut along = |light: &mut [f64], start: usize, step: usize, length: usize| {
        line.clear();
        line.extend((0..length).map(|n| light[start + n * step]));
        for n in 0..length {
            let near = |d: usize| line[n.saturating_sub(d)] + line[(n + d).min(length - 1)];
            let sum: f64 = weights[0] * line[n] + (1..=reach).map(|d| weights[d] * near(d)).sum::<f64>();
            light[start + n * step] = sum / total;
        }
    };
    (0..height).for_each(|y| along(light, y * width, 1, width));
    (0..width).for_each(|x| along(light, x, width, height));
}

/// Numbers that look random and are the same every time.
pub struct Random(pub u64);

impl Random {
    /// Returns 64 bits (xorshift64*).
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Returns a number from 0 up to 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Returns a number of the standard normal distribution.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }
}
