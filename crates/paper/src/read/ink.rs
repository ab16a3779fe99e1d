//! What is ink and what is paper, and the blots that may be registration marks.

use crate::gray::Gray;
use crate::read::plane::Pixel;

/// The most blots that are looked at, the clearest first.
const BLOT_LIMIT: usize = 100;
/// The side of the smallest blot, in pixels.
const SMALLEST: f64 = 3.0;

/// A picture of ink and paper.
pub(crate) struct Ink {
    pub(crate) width: usize,
    pub(crate) height: usize,
    dark: Vec<bool>,
}

/// A solid piece of ink, about as high as wide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blot {
    pub(crate) at: Pixel,
    /// The side of a square of its area.
    pub(crate) side: f64,
    /// How much lighter it is all around, of 255.
    clear: f32,
}

impl Blot {
    /// Compares the middle with a ring just outside: marks and the hearts of QR codes have nothing but
    /// paper there, however they are turned.
    fn compare(mut self, gray: &Gray) -> Self {
        let middle = gray.sample(self.at.x, self.at.y);
        let around = (0..12).map(|n| {
            let (sin, cos) = (f64::from(n) * std::f64::consts::TAU / 12.0).sin_cos();
            gray.sample(self.at.x + 0.76 * self.side * cos, self.at.y + 0.76 * self.side * sin)
        });
        self.clear = around.fold(255.0, f32::min) - middle;
        self
    }
}

impl Ink {
    /// Tells ink from paper by the brightness of the neighbourhood, `reach` pixels to each side: light is
    /// never even on a photo.
    pub(crate) fn find(gray: &Gray, reach: usize) -> Self {
        let (width, height) = (gray.width(), gray.height());
        // Sums over columns of the window, moved down row by row: no more memory than a row.
        let mut columns = vec![0u32; width];
        let mut dark = Vec::with_capacity(width * height);
        let add = |columns: &mut [u32], y: usize, sign: i32| {
            let start = y * width;
            let row = gray.pixels().get(start..start + width).unwrap_or_default();
            for (sum, &pixel) in columns.iter_mut().zip(row) {
                *sum = sum.wrapping_add_signed(sign * i32::from(pixel));
            }
        };
        (0..height.min(reach)).for_each(|y| add(&mut columns, y, 1));
        for (y, row) in gray.rows().enumerate() {
            if y + reach < height {
                add(&mut columns, y + reach, 1);
            }
            if y > reach {
                add(&mut columns, y - reach - 1, -1);
            }
            let rows = (y + reach).min(height - 1) + 1 - y.saturating_sub(reach);
            let mut sum: u64 = columns.iter().take(reach).map(|&c| u64::from(c)).sum();
            for (x, &pixel) in row.iter().enumerate() {
                sum += columns.get(x + reach).map_or(0, |&c| u64::from(c));
                if x > reach {
                    sum -= columns.get(x - reach - 1).map_or(0, |&c| u64::from(c));
                }
                let count = ((x + reach).min(width - 1) + 1 - x.saturating_sub(reach)) * rows;
                dark.push(u64::from(pixel) * count as u64 * 100 < sum * 82);
            }
        }
        Self { width, height, dark }
    }

    /// Says whether there is ink; outside is none.
    pub(crate) fn is_dark(&self, x: usize, y: usize) -> bool {
        x < self.width && self.dark.get(y * self.width + x).copied().unwrap_or(false)
    }

    /// Returns the rows, from above.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[bool]> {
        self.dark.chunks_exact(self.width.max(1))
    }

    /// Returns the solid squares, discs and the like in the picture that this is the ink of.
    pub(crate) fn blots(&self, gray: &Gray) -> Vec<Blot> {
        let mut pieces = Pieces::default();
        let (mut above, mut here): (Vec<Run>, Vec<Run>) = (Vec::new(), Vec::new());
        for (y, row) in self.rows().enumerate() {
            here.clear();
            let mut x = 0;
            for run in row.chunk_by(|a, b| a == b) {
                if run.first() == Some(&true) {
                    let piece = pieces.start(x, x + run.len(), y);
                    here.push(Run { start: x, end: x + run.len(), piece });
                }
                x += run.len();
            }
            join(&above, &here, &mut pieces);
            std::mem::swap(&mut above, &mut here);
        }
        let largest = (self.width.min(self.height) as f64 / 8.0).max(SMALLEST);
        let blots = pieces.whole().filter_map(Shape::blot);
        let mut blots: Vec<_> = blots
            .filter(|blot| (SMALLEST..=largest).contains(&blot.side))
            .map(|blot| blot.compare(gray))
            .filter(|blot| blot.clear > 0.0)
            .collect();
        blots.sort_by(|a, b| b.clear.total_cmp(&a.clear));
        blots.truncate(BLOT_LIMIT);
        blots
    }
}

/// Dark pixels beside each other in a row.
#[derive(Clone, Copy)]
struct Run {
    start: usize,
    end: usize,
    piece: usize,
}

/// Joins the runs of two rows that touch.
fn join(above: &[Run], here: &[Run], pieces: &mut Pieces) {
    let (mut a, mut b) = (above.iter().peekable(), here.iter().peekable());
    while let (Some(upper), Some(lower)) = (a.peek(), b.peek()) {
        if upper.start < lower.end && lower.start < upper.end {
            pieces.join(upper.piece, lower.piece);
        }
        if upper.end < lower.end {
            a.next()
        } else {
            b.next()
        };
    }
}

/// Pieces of ink that grow together: the shapes of roots are right.
#[derive(Default)]
struct Pieces {
    parents: Vec<usize>,
    shapes: Vec<Shape>,
}

impl Pieces {
    fn start(&mut self, start: usize, end: usize, y: usize) -> usize {
        self.parents.push(self.parents.len());
        self.shapes.push(Shape::run(start as f64, end as f64, y as f64));
        self.parents.len() - 1
    }

    fn root(&mut self, mut piece: usize) -> usize {
        while let Some(&parent) = self.parents.get(piece)
            && parent != piece
        {
            let grandparent = self.parents.get(parent).copied().unwrap_or(parent);
            if let Some(slot) = self.parents.get_mut(piece) {
                *slot = grandparent;
            }
            piece = grandparent;
        }
        piece
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        if a != b
            && let Some(&shape) = self.shapes.get(b)
        {
            self.shapes[a].add(shape);
            self.parents[b] = a;
        }
    }

    fn whole(&self) -> impl Iterator<Item = &Shape> {
        self.shapes
            .iter()
            .zip(&self.parents)
            .enumerate()
            .filter(|(n, (_, parent))| n == *parent)
            .map(|(_, (s, _))| s)
    }
}

/// Sums over the pixels of a piece: count, places, squares of places.
#[derive(Clone, Copy)]
struct Shape {
    area: f64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

impl Shape {
    fn run(start: f64, end: f64, y: f64) -> Self {
        let (area, y) = (end - start, y + 0.5);
        let x = area * (start + end) / 2.0;
        let xx = (end * end * end - start * start * start) / 3.0;
        Self { area, x, y: area * y, xx, yy: area * (y * y + 1.0 / 12.0), xy: x * y }
    }

    fn add(&mut self, other: Self) {
        self.area += other.area;
        self.x += other.x;
        self.y += other.y;
        self.xx += other.xx;
        self.yy += other.yy;
        self.xy += other.xy;
    }

    /// A square spreads by a sixth of its area, however it is turned; hollow and ragged things by more.
    fn blot(&self) -> Option<Blot> {
        let at = Pixel { x: self.x / self.area, y: self.y / self.area };
        let xx = self.xx / self.area - at.x * at.x;
        let yy = self.yy / self.area - at.y * at.y;
        let xy = self.xy / self.area - at.x * at.y;
        let spread = (xx + yy) / self.area;
        let longer = (xx + yy) / 2.0 + ((xx - yy) / 2.0).hypot(xy);
        let shorter = xx + yy - longer;
        ((0.14..0.24).contains(&spread) && longer < shorter * 4.0).then_some(Blot {
            at,
            side: self.area.sqrt(),
            clear: 0.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Black where `ink` says so, under light that fades to the right.
    fn picture(side: usize, ink: impl Fn(f64, f64) -> bool) -> Gray {
        let pixel = |n: usize| {
            let (x, y) = ((n % side) as f64 + 0.5, (n / side) as f64 + 0.5);
            let light = 250.0 - 180.0 * x / side as f64;
            if ink(x, y) { (light * 0.3) as u8 } else { light as u8 }
        };
        Gray::new(side, side, (0..side * side).map(pixel).collect()).expect("a picture")
    }

    #[test]
    fn squares_are_found_at_any_angle() {
        for turn in [0.0, 0.3, 0.785] {
            let gray = picture(200, |x, y| {
                let (x, y) = (x - 90.0, y - 60.0);
                let (a, b) =
                    (x * f64::cos(turn) + y * f64::sin(turn), y * f64::cos(turn) - x * f64::sin(turn));
                a.abs() < 8.0 && b.abs() < 8.0
            });
            let blots = Ink::find(&gray, 20).blots(&gray);
            assert_eq!(blots.len(), 1, "{turn}");
            assert!(blots[0].at.distance(Pixel { x: 90.0, y: 60.0 }) < 0.3, "{:?}", blots[0]);
            assert!((blots[0].side - 16.0).abs() < 1.0, "{:?}", blots[0]);
        }
    }

    #[test]
    fn bars_and_rings_are_no_blots() {
        let bar = picture(200, |x, y| (40.0..80.0).contains(&x) && (58.0..62.0).contains(&y));
        assert!(Ink::find(&bar, 20).blots(&bar).is_empty());
        let ring = picture(200, |x, y| (10.0..14.0).contains(&(x - 60.0).hypot(y - 60.0)));
        assert!(Ink::find(&ring, 20).blots(&ring).is_empty());
    }

    #[test]
    fn joined_runs_are_one_piece() {
        // A U: its arms meet only at the bottom; filled between them it is a square.
        let u = picture(200, |x, y| {
            (20.0..40.0).contains(&x) && (20.0..40.0).contains(&y) && !((24.0..26.0).contains(&x) && y < 38.0)
        });
        assert_eq!(Ink::find(&u, 30).blots(&u).len(), 1);
    }
}
