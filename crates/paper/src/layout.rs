//! Where everything lies that a machine reads: the one description that drawing and reading share.
//!
//! All lengths are points, 1/72 inch, from the top left corner of the *block*: key ID, key and codes. The
//! block is the same on A4 and Letter, so that a reader need not know the paper. Widths of modules are
//! whole dots at 300 dpi (0.24 points), so that printers draw all bars of one width equally wide.

/// A place on the block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spot {
    /// To the right.
    pub x: f32,
    /// Downwards.
    pub y: f32,
}

/// An upright rectangle on the block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Its left edge.
    pub x: f32,
    /// Its upper edge.
    pub y: f32,
    /// Its width.
    pub width: f32,
    /// Its height.
    pub height: f32,
}

/// The width of the block; the marks stand outside.
pub const WIDTH: f32 = 468.0;
/// The height of the block.
pub const HEIGHT: f32 = 416.0;

/// The side of each registration mark, a black square.
pub const MARK: f32 = 7.2;
/// The centres of the registration marks. The middle ones are not half-way: upside down is another picture.
pub const MARKS: [Spot; 6] = [
    spot(-18.0, 4.0),
    spot(WIDTH + 18.0, 4.0),
    spot(-18.0, 196.0),
    spot(WIDTH + 18.0, 196.0),
    spot(-18.0, 412.0),
    spot(WIDTH + 18.0, 412.0),
];

/// A QR code's place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Square {
    /// The corner of its first module.
    pub corner: Spot,
    /// The side of a module.
    pub module: f32,
    /// Modules along a side.
    pub modules: usize,
}

impl Square {
    /// Returns the length of a side, without the quiet zone.
    pub const fn side(&self) -> f32 {
        self.module * self.modules as f32
    }

    /// Returns the middle of a module; halves lie between modules.
    pub fn module_at(&self, column: f32, row: f32) -> Spot {
        spot(self.corner.x + (column + 0.5) * self.module, self.corner.y + (row + 0.5) * self.module)
    }

    /// Returns the middles of the three finder patterns: top left, top right, bottom left.
    pub fn finders(&self) -> [Spot; 3] {
        let far = self.modules as f32 - 4.0;
        [self.module_at(3.0, 3.0), self.module_at(far, 3.0), self.module_at(3.0, far)]
    }
}

/// The QR code of the bare digits: version 2, 25 modules.
pub const DIGITS_CODE: Square = Square { corner: spot(0.0, 222.0), module: 4.32, modules: 25 };
/// The QR code of key ID and key: version 6, 41 modules.
pub const TEXT_CODE: Square = Square { corner: spot(144.0, 222.0), module: 2.64, modules: 41 };

/// The QR code of a share: version 7, 45 modules.
pub const SHARE_CODE: Square = Square { corner: spot(0.0, 222.0), module: 2.4, modules: 45 };

/// The barcode's narrowest bar.
pub const BAR: f32 = 1.2;
/// The barcode's place, without the quiet zones.
pub const BARCODE: Area =
    Area { x: 0.0, y: 364.0, width: BAR * crate::code128::MODULES as f32, height: 44.0 };

/// Characters in groups of six, two rows of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Groups {
    /// Groups in a row.
    pub columns: usize,
    /// The size of the type.
    pub size: f32,
    /// The baselines of both rows.
    pub baselines: [f32; 2],
}

/// What stands between groups: a row is one line of text, also for who selects and copies it.
pub const GAP: &str = "  ";
/// Characters in a group.
pub const GROUP: usize = 6;
/// The eight groups of a recovery key.
pub const KEY: Groups = Groups { columns: 4, size: 24.0, baselines: [112.0, 168.0] };
/// The ten groups of a share of a recovery key.
pub const SHARE: Groups = Groups { columns: 5, size: 360.0 / 19.0, baselines: [112.0, 168.0] };

/// The size of the first eight digits of the key ID.
pub const ID_SIZE: f32 = 25.0;
/// The baseline of the first eight digits of the key ID.
pub const ID_BASELINE: f32 = 36.0;
/// How many digits of the key ID are large.
pub const ID_DIGITS: usize = 8;

/// The width of every character of the digits' font, of its size.
pub const ADVANCE: f32 = 0.65;
/// The height of its digits and capitals, of its size.
pub const CAPITAL: f32 = 0.75;

impl Groups {
    /// Returns the number of groups.
    pub const fn count(&self) -> usize {
        self.columns * 2
    }

    /// Returns the width of a group.
    pub fn group_width(&self) -> f32 {
        GROUP as f32 * ADVANCE * self.size
    }

    /// Returns where a group starts, on its baseline.
    pub fn group(&self, number: usize) -> Spot {
        let [upper, lower] = self.baselines;
        let y = if number < self.columns { upper } else { lower };
        let gap = GAP.len() as f32 * ADVANCE * self.size;
        spot((number % self.columns) as f32 * (self.group_width() + gap), y)
    }

    /// Returns the area of a character, from the left end of its advance, between baseline and height.
    pub fn cell(&self, number: usize) -> Area {
        let start = self.group(number / GROUP);
        cell(spot(start.x + (number % GROUP) as f32 * ADVANCE * self.size, start.y), self.size)
    }
}

/// Returns the area of one of the large digits of the key ID.
pub fn id_cell(number: usize) -> Area {
    cell(spot(number as f32 * ADVANCE * ID_SIZE, ID_BASELINE), ID_SIZE)
}

fn cell(start: Spot, size: f32) -> Area {
    Area { x: start.x, y: start.y - CAPITAL * size, width: ADVANCE * size, height: CAPITAL * size }
}

const fn spot(x: f32, y: f32) -> Spot {
    Spot { x, y }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlap(a: Area, b: Area) -> bool {
        a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
    }

    /// A code with `quiet` modules of nothing around it.
    fn square(code: Square, quiet: f32) -> Area {
        let quiet = quiet * code.module;
        let side = code.side() + 2.0 * quiet;
        Area { x: code.corner.x - quiet, y: code.corner.y - quiet, width: side, height: side }
    }

    #[test]
    fn codes_have_their_quiet_zones() {
        let bars = Area { x: BARCODE.x - 10.0 * BAR, width: BARCODE.width + 20.0 * BAR, ..BARCODE };
        let codes = [square(DIGITS_CODE, 4.0), square(TEXT_CODE, 4.0), bars];
        let bare = [square(DIGITS_CODE, 0.0), square(TEXT_CODE, 0.0), BARCODE];
        let marks =
            MARKS.map(|at| Area { x: at.x - MARK / 2.0, y: at.y - MARK / 2.0, width: MARK, height: MARK });
        for (n, code) in codes.iter().enumerate() {
            assert!(marks.iter().all(|mark| !overlap(*mark, *code)), "a mark at code {n}");
            assert!((0..48).all(|digit| !overlap(KEY.cell(digit), *code)), "a digit at code {n}");
            for (other, area) in bare.iter().enumerate().filter(|(other, _)| *other != n) {
                assert!(!overlap(*code, *area), "code {other} at code {n}");
            }
        }
    }

    #[test]
    fn groups_fill_the_width() {
        for groups in [KEY, SHARE] {
            let last = groups.cell(groups.columns * GROUP - 1);
            assert!((last.x + last.width - WIDTH).abs() < 0.01, "{last:?}");
        }
    }
}
