//! Where places on the block lie in a picture: a plane seen at an angle, and the paper's own waves.

use crate::layout::Spot;

/// A place in a picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pixel {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

impl Pixel {
    pub(crate) fn distance(self, other: Self) -> f64 {
        // Not `hypot`: this is asked a million times, and no picture has places near infinity.
        ((self.x - other.x).powi(2) + (self.y - other.y).powi(2)).sqrt()
    }
}

/// A plane seen in perspective.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plane([f64; 8]);

impl Plane {
    /// Fits a plane to at least four places of which no three are in line; `None` when there is none.
    pub(crate) fn fit(pairs: &[(Spot, Pixel)]) -> Option<Self> {
        if pairs.len() < 4 {
            return None;
        }
        // Least squares over u = (ax + by + c) / (gx + hy + 1), v = (dx + ey + f) / (gx + hy + 1), in
        // units of the picture's spread, so that the numbers are of one size.
        let unit = pairs.iter().map(|(_, p)| p.x.abs().max(p.y.abs())).fold(1.0, f64::max);
        let mut system = [[0.0; 9]; 8];
        for (spot, pixel) in pairs {
            let (x, y) = (f64::from(spot.x) / SCALE, f64::from(spot.y) / SCALE);
            let (u, v) = (pixel.x / unit, pixel.y / unit);
            for row in
                [[x, y, 1.0, 0.0, 0.0, 0.0, -x * u, -y * u, u], [0.0, 0.0, 0.0, x, y, 1.0, -x * v, -y * v, v]]
            {
                for (left, line) in row.iter().zip(&mut system) {
                    for (right, sum) in row.iter().zip(line) {
                        *sum += left * right;
                    }
                }
            }
        }
        let [a, b, c, d, e, f, g, h] = solve(system)?;
        Some(Self([
            a * unit / SCALE,
            b * unit / SCALE,
            c * unit,
            d * unit / SCALE,
            e * unit / SCALE,
            f * unit,
            g / SCALE,
            h / SCALE,
        ]))
    }

    pub(crate) fn at(&self, spot: Spot) -> Pixel {
        let [a, b, c, d, e, f, g, h] = self.0;
        let (x, y) = (f64::from(spot.x), f64::from(spot.y));
        let w = g * x + h * y + 1.0;
        Pixel { x: (a * x + b * y + c) / w, y: (d * x + e * y + f) / w }
    }

    /// Returns how many pixels a point is long there.
    pub(crate) fn scale(&self, spot: Spot) -> f64 {
        let here = self.at(spot);
        let right = self.at(Spot { x: spot.x + 1.0, ..spot });
        let down = self.at(Spot { y: spot.y + 1.0, ..spot });
        ((right.x - here.x) * (down.y - here.y) - (right.y - here.y) * (down.x - here.x)).abs().sqrt()
    }
}

/// Points in a unit of the equations.
const SCALE: f64 = 400.0;

/// Gauss with pivots; `None` when the places do not determine the plane.
fn solve(mut system: [[f64; 9]; 8]) -> Option<[f64; 8]> {
    for column in 0..8 {
        let pivot =
            (column..8).max_by(|&a, &b| system[a][column].abs().total_cmp(&system[b][column].abs()))?;
        if system[pivot][column].abs() < 1e-12 {
            return None;
        }
        system.swap(column, pivot);
        let line = system[column];
        for (row, other) in system.iter_mut().enumerate() {
            if row != column {
                let factor = other[column] / line[column];
                other.iter_mut().zip(line).for_each(|(value, by)| *value -= factor * by);
            }
        }
    }
    let mut solution = [0.0; 8];
    for (row, value) in solution.iter_mut().enumerate() {
        *value = system[row][8] / system[row][row];
    }
    solution.iter().all(|value| value.is_finite()).then_some(solution)
}

/// A plane, and how far the paper lies beside it near the places that were found.
#[derive(Clone, Debug)]
pub(crate) struct Surface {
    plane: Plane,
    waves: Vec<(Spot, f64, f64)>,
}

impl Surface {
    pub(crate) fn new(plane: Plane, found: &[(Spot, Pixel)]) -> Self {
        let wave = |&(spot, pixel): &(Spot, Pixel)| {
            let flat = plane.at(spot);
            (spot, pixel.x - flat.x, pixel.y - flat.y)
        };
        Self { plane, waves: found.iter().map(wave).collect() }
    }

    pub(crate) fn at(&self, spot: Spot) -> Pixel {
        let mut pixel = self.plane.at(spot);
        let (mut weights, mut dx, mut dy) = (0.0, 0.0, 0.0);
        for &(place, x, y) in &self.waves {
            let (right, down) = (f64::from(place.x - spot.x), f64::from(place.y - spot.y));
            let weight = 1.0 / (right * right + down * down + 25.0);
            weights += weight;
            dx += weight * x;
            dy += weight * y;
        }
        if weights > 0.0 {
            pixel.x += dx / weights;
            pixel.y += dy / weights;
        }
        pixel
    }

    /// Returns where a place was really found.
    pub(crate) fn found(&self, spot: Spot) -> Option<Pixel> {
        let flat = self.plane.at(spot);
        let (_, x, y) = self.waves.iter().find(|(place, ..)| *place == spot)?;
        Some(Pixel { x: flat.x + x, y: flat.y + y })
    }

    pub(crate) fn scale(&self, spot: Spot) -> f64 {
        self.plane.scale(spot)
    }
}

/// Anything that says where places on the block lie.
pub(crate) trait Map {
    /// Returns where it lies.
    fn at(&self, spot: Spot) -> Pixel;
}

impl Map for Plane {
    fn at(&self, spot: Spot) -> Pixel {
        self.at(spot)
    }
}

impl Map for Surface {
    fn at(&self, spot: Spot) -> Pixel {
        self.at(spot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORNERS: [Spot; 4] = [
        Spot { x: 0.0, y: 0.0 },
        Spot { x: 400.0, y: 0.0 },
        Spot { x: 400.0, y: 300.0 },
        Spot { x: 0.0, y: 300.0 },
    ];

    #[test]
    fn a_plane_is_found_again() {
        let seen = Plane([1.9, 0.3, 120.0, -0.2, 2.1, 80.0, 1e-4, -2e-4]);
        let found = Plane::fit(&CORNERS.map(|spot| (spot, seen.at(spot)))).expect("a plane");
        for spot in [Spot { x: 200.0, y: 150.0 }, Spot { x: -20.0, y: 400.0 }] {
            assert!(found.at(spot).distance(seen.at(spot)) < 1e-6);
        }
    }

    #[test]
    fn places_in_line_are_no_plane() {
        let line = [0.0, 1.0, 2.0, 3.0].map(|x| (Spot { x, y: 0.0 }, Pixel { x: x.into(), y: 0.0 }));
        assert!(Plane::fit(&line).is_none());
        assert!(Plane::fit(&line[..3]).is_none());
    }

    #[test]
    fn waves_are_followed_near_the_places() {
        let plane =
            Plane::fit(&CORNERS.map(|s| (s, Pixel { x: s.x.into(), y: s.y.into() }))).expect("a plane");
        let surface = Surface::new(plane, &[(CORNERS[1], Pixel { x: 403.0, y: -2.0 })]);
        assert!(surface.at(CORNERS[1]).distance(Pixel { x: 403.0, y: -2.0 }) < 1e-6);
        assert!((surface.scale(CORNERS[1]) - 1.0).abs() < 1e-6);
    }
}
