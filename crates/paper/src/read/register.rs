//! Finding the block in a picture: which blots are its marks and the hearts of its codes.

use crate::layout::{DIGITS_CODE, MARK, MARKS, SHARE_CODE, Spot, Square, TEXT_CODE};
use crate::read::ink::Blot;
use crate::read::plane::{Pixel, Plane, Surface};

/// How many known places must be found: four make a plane of anything.
const ENOUGH: usize = 6;
/// Corners of rectangles of the layout that are tried, by their place in [`MARKS`]: any one of the
/// marks may be lost.
const RECTANGLES: [[usize; 4]; 3] = [[0, 1, 4, 5], [0, 1, 2, 3], [2, 3, 4, 5]];
/// The most planes that are tried on one picture.
const TRIES: usize = 20_000;

/// The places on a kind of sheet that show as blots, with the sides of the blots.
pub(crate) struct Places(Vec<(Spot, f64)>);

impl Places {
    /// A page with a recovery key.
    pub(crate) fn of_page() -> Self {
        Self::new(&[DIGITS_CODE, TEXT_CODE])
    }

    /// A sheet with a share.
    pub(crate) fn of_share() -> Self {
        Self::new(&[SHARE_CODE])
    }

    fn new(codes: &[Square]) -> Self {
        let mut places = MARKS.map(|spot| (spot, f64::from(MARK))).to_vec();
        for code in codes {
            places.extend(code.finders().map(|spot| (spot, f64::from(code.module) * 3.0)));
        }
        Self(places)
    }

    /// Finds the block among the blots.
    pub(crate) fn find(&self, blots: &[Blot]) -> Option<Surface> {
        let mut best: Option<Found> = None;
        let mut tries = 0;
        for rectangle in RECTANGLES {
            if best.as_ref().is_some_and(|best| best.places * 4 >= self.0.len() * 3) {
                break;
            }
            for corners in quadrilaterals(blots, rectangle) {
                tries += 1;
                let found = self.check(&corners, blots);
                if found.as_ref().map(Found::rank) > best.as_ref().map(Found::rank) {
                    best = found;
                }
                let all = best.as_ref().is_some_and(|best| best.places == self.0.len());
                if all || tries > TRIES {
                    return best.map(|best| best.surface);
                }
            }
        }
        best.map(|best| best.surface)
    }

    fn check(&self, corners: &[(Spot, Pixel)], blots: &[Blot]) -> Option<Found> {
        let mut plane = Plane::fit(corners)?;
        let mut found = self.matches(&plane, blots, 0.030);
        if found.len() < ENOUGH {
            return None;
        }
        for reach in [0.022, 0.016] {
            plane = Plane::fit(&found)?;
            found = self.matches(&plane, blots, reach);
        }
        let error =
            found.iter().map(|(spot, pixel)| plane.at(*spot).distance(*pixel) / plane.scale(*spot)).sum();
        Some(Found { places: found.len(), error, surface: Surface::new(plane, &found) })
    }

    /// Returns the places near which there is a blot of about the right size.
    fn matches(&self, plane: &Plane, blots: &[Blot], reach: f64) -> Vec<(Spot, Pixel)> {
        let nearest = |&(spot, side): &(Spot, f64)| {
            let (expected, scale) = (plane.at(spot), plane.scale(spot));
            if !(scale > 0.2 && scale.is_finite()) {
                return None;
            }
            blots
                .iter()
                .filter(|blot| (0.55..1.8).contains(&(blot.side / (side * scale))))
                .map(|blot| (blot.at.distance(expected), blot.at))
                .filter(|(distance, _)| *distance < reach * 468.0 * scale)
                .min_by(|a, b| a.0.total_cmp(&b.0))
                .map(|(_, at)| (spot, at))
        };
        self.0.iter().filter_map(nearest).collect()
    }
}

/// A block that was found.
#[derive(Debug)]
struct Found {
    places: usize,
    /// The distances of the places from the plane, in points.
    error: f64,
    surface: Surface,
}

impl Found {
    /// More places are better, then those that lie better.
    fn rank(&self) -> (usize, i64) {
        (self.places, -(self.error * 100.0) as i64)
    }
}

/// Returns four blots for the corners of a rectangle of the layout, in every way that can be a sheet of
/// paper seen from the front.
fn quadrilaterals(
    blots: &[Blot],
    [top_left, top_right, bottom_left, bottom_right]: [usize; 4],
) -> impl Iterator<Item = [(Spot, Pixel); 4]> + '_ {
    let spots = [MARKS[top_left], MARKS[top_right], MARKS[bottom_left], MARKS[bottom_right]];
    let width = f64::from(spots[1].x - spots[0].x);
    let aspect = f64::from(spots[2].y - spots[0].y) / width;
    let alike = |a: &Blot, b: &Blot| (0.5..2.0).contains(&(a.side / b.side));
    let three = blots.iter().flat_map(move |a| {
        let size = f64::from(MARK) / width;
        blots
            .iter()
            .filter(move |b| {
                let length = a.at.distance(b.at);
                alike(a, b) && (size * 0.5..size * 2.0).contains(&(a.side / length))
            })
            .map(move |b| (a, b))
    });
    let three = three.flat_map(move |(a, b)| {
        let (right, down) = (b.at.x - a.at.x, b.at.y - a.at.y);
        let length = a.at.distance(b.at);
        blots.iter().filter_map(move |c| {
            let (x, y) = (c.at.x - a.at.x, c.at.y - a.at.y);
            let long = a.at.distance(c.at);
            let sine = (right * y - down * x) / (length * long);
            (alike(a, c) && sine > 0.8 && (aspect * 0.5..aspect * 1.8).contains(&(long / length)))
                .then_some((a, b, c))
        })
    });
    three.flat_map(move |(a, b, c)| {
        let expected = Pixel { x: b.at.x + c.at.x - a.at.x, y: b.at.y + c.at.y - a.at.y };
        let reach = 0.3 * a.at.distance(b.at);
        blots
            .iter()
            .filter(move |d| alike(a, d) && d.at.distance(expected) < reach)
            .map(move |d| [(spots[0], a.at), (spots[1], b.at), (spots[2], c.at), (spots[3], d.at)])
    })
}
