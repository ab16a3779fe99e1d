//! Reading QR codes: wherever they are in a picture, or at their place on our block.
//!
//! A code is found by the hearts of its three finder patterns, which are blots like any other, and by the
//! modules between them that alternate; what is then read of its modules is decoded by rqrr. Nothing
//! here takes longer than the number of blots allows, whatever a picture shows.

use recovery_key::Secret;
use rqrr::{Grid, SimpleGrid};

use crate::gray::Gray;
use crate::layout::{Spot, Square};
use crate::read::ink::Blot;
use crate::read::plane::{Map, Pixel, Plane, Surface};

/// The most codes in one picture that are read.
const CODE_LIMIT: usize = 32;
/// The most times that modules are read of one picture.
const TRIES: usize = 60;
/// Where else to look for a code's modules, in modules: paper is never quite flat.
const STEPS: [f32; 5] = [0.0, 0.35, -0.35, 0.7, -0.7];

/// A QR code somewhere in a picture.
pub(crate) struct Code {
    pub(crate) text: Secret<String>,
    /// Its middle.
    pub(crate) at: Pixel,
}

/// Finds the QR codes in a picture.
pub(crate) fn find(gray: &Gray, blots: &[Blot]) -> Vec<Code> {
    let mut codes: Vec<Code> = Vec::new();
    let mut tries = 0;
    for [corner, right, down] in corners(blots) {
        let middle = Pixel { x: (right.at.x + down.at.x) / 2.0, y: (right.at.y + down.at.y) / 2.0 };
        if codes.iter().any(|code| code.at.distance(middle) < corner.at.distance(middle) / 2.0) {
            continue;
        }
        for modules in sizes(corner, right, down) {
            let place = Square { corner: Spot { x: 0.0, y: 0.0 }, module: 1.0, modules };
            let finders = [corner.at, right.at, down.at];
            if !alternates(gray, &finders, place) || tries == TRIES {
                continue;
            }
            tries += 1;
            let Some(plane) = plane(gray, finders, place) else { continue };
            if let Some(text) = STEPS.iter().take(3).find_map(|&d| read_modules(gray, &plane, place, d, d)) {
                codes.push(Code { text, at: middle });
                break;
            }
        }
        if codes.len() == CODE_LIMIT {
            break;
        }
    }
    codes
}

/// Returns three blots that may be finder patterns: the one in the corner, the one to its right, the one below.
fn corners(blots: &[Blot]) -> impl Iterator<Item = [&Blot; 3]> {
    let alike = |a: &Blot, b: &Blot| (0.6..1.7).contains(&(a.side / b.side));
    // Finder patterns are 14 to 170 modules apart, and three modules wide.
    let apart = |a: &Blot, b: &Blot| (4.0..60.0).contains(&(a.at.distance(b.at) / a.side));
    let pairs = blots
        .iter()
        .flat_map(move |a| blots.iter().filter(move |b| alike(a, b) && apart(a, b)).map(move |b| (a, b)));
    pairs.flat_map(move |(a, b)| {
        let (right, down) = (b.at.x - a.at.x, b.at.y - a.at.y);
        let length = a.at.distance(b.at);
        blots.iter().filter_map(move |c| {
            let (x, y) = (c.at.x - a.at.x, c.at.y - a.at.y);
            let long = a.at.distance(c.at);
            let sine = (right * y - down * x) / (length * long);
            let square = alike(a, c) && sine > 0.8 && (0.65..1.55).contains(&(long / length));
            square.then_some([a, b, c])
        })
    })
}

/// Returns the numbers of modules that a code with such finder patterns may have, the likeliest first.
fn sizes(corner: &Blot, right: &Blot, down: &Blot) -> Vec<usize> {
    let side = (corner.side + right.side + down.side) / 3.0;
    let apart = (corner.at.distance(right.at) + corner.at.distance(down.at)) / 2.0;
    // A heart is three modules wide, and ink spreads.
    let modules = apart * 3.0 / side + 7.0;
    let mut sizes: Vec<usize> = (1..=40).map(|version| 17 + 4 * version).collect();
    sizes.retain(|&size| (size as f64 / modules - 1.0).abs() < 0.2);
    sizes.sort_by(|a, b| (*a as f64 - modules).abs().total_cmp(&(*b as f64 - modules).abs()));
    sizes.truncate(5);
    sizes
}

/// Says whether the modules between the finder patterns alternate as they must, along both sides.
fn alternates(gray: &Gray, [corner, right, down]: &[Pixel; 3], place: Square) -> bool {
    let far = place.modules as f64 - 7.0;
    let step = |to: &Pixel| ((to.x - corner.x) / far, (to.y - corner.y) / far);
    let (across, along) = (step(right), step(down));
    let at = |column: f64, row: f64| {
        let (column, row) = (column - 3.0, row - 3.0);
        gray.sample(
            corner.x + column * across.0 + row * along.0,
            corner.y + column * across.1 + row * along.1,
        )
    };
    let changes = |line: &dyn Fn(f64) -> f32| {
        let between = 7..place.modules - 7;
        let right = |&n: &usize| {
            let (here, next) = (line(n as f64), line(n as f64 + 1.0));
            if n % 2 == 0 { here < next } else { here > next }
        };
        between.clone().filter(right).count() * 100 >= between.len() * 80
    };
    changes(&|n| at(n, 6.0)) && changes(&|n| at(6.0, n))
}

/// Reads the code at its place on a block that was found.
pub(crate) fn read_at(gray: &Gray, surface: &Surface, place: Square) -> Option<Secret<String>> {
    // A small piece of paper is flatter than all of it.
    let [a, b, c] = place.finders().map(|finder| surface.found(finder));
    let own = a.zip(b).zip(c).and_then(|((a, b), c)| plane(gray, [a, b, c], place));
    let maps = own.iter().map(|plane| plane as &dyn Map).chain([surface as &dyn Map]);
    maps.into_iter().find_map(|map| {
        let offsets = STEPS.iter().flat_map(|dy| STEPS.iter().map(move |dx| (*dx, *dy)));
        offsets.into_iter().find_map(|(dx, dy)| read_modules(gray, map, place, dx, dy))
    })
}

fn read_modules(gray: &Gray, map: &dyn Map, place: Square, dx: f32, dy: f32) -> Option<Secret<String>> {
    let dark = modules(gray, map, place, dx, dy);
    let side = place.modules;
    let grid = SimpleGrid::from_func(side, |x, y| dark.expose().get(y * side + x) == Some(&true));
    text(&Grid::new(grid))
}

/// Returns the plane of a code by its finder patterns and its last alignment pattern, or without one as
/// if it were seen straight from above.
fn plane(gray: &Gray, finders: [Pixel; 3], place: Square) -> Option<Plane> {
    let far = place.modules as f32 - 7.0;
    let last = place.module_at(far, far);
    let spots = place.finders();
    let [a, b, c] = finders;
    // Where the finder patterns say it is, all being one parallelogram.
    let share = f64::from((last.x - spots[0].x) / (spots[1].x - spots[0].x));
    let step = |to: Pixel| ((to.x - a.x) * share, (to.y - a.y) * share);
    let (right, down) = (step(b), step(c));
    let guess = Pixel { x: a.x + right.0 + down.0, y: a.y + right.1 + down.1 };
    let modules = f64::from(far - 3.0);
    let (right, down) = ((right.0 / modules, right.1 / modules), (down.0 / modules, down.1 / modules));
    let fourth = if place.modules > 21 { alignment(gray, guess, right, down)? } else { guess };
    Plane::fit(&[(spots[0], a), (spots[1], b), (spots[2], c), (last, fourth)])
}

/// Looks for the alignment pattern: a dark module, light ones around it, dark ones around those.
fn alignment(gray: &Gray, guess: Pixel, right: (f64, f64), down: (f64, f64)) -> Option<Pixel> {
    let fit = |at: Pixel| {
        let light = |column: f64, row: f64| {
            let (x, y) = (at.x + column * right.0 + row * down.0, at.y + column * right.1 + row * down.1);
            f64::from(gray.sample(x, y))
        };
        let ring = |reach: i32| {
            let all = (-reach..=reach).flat_map(move |a| (-reach..=reach).map(move |b| (a, b)));
            let edge = all.filter(move |(a, b)| a.abs().max(b.abs()) == reach);
            edge.map(|(a, b)| light(a.into(), b.into())).sum::<f64>() / f64::from(8 * reach)
        };
        ring(1) - (ring(2) + light(0.0, 0.0)) / 2.0
    };
    let steps = || (-10..=10).map(|n| f64::from(n) * 0.25);
    let places = steps().flat_map(|dy| steps().map(move |dx| (dx, dy))).map(|(dx, dy)| Pixel {
        x: guess.x + dx * right.0 + dy * down.0,
        y: guess.y + dx * right.1 + dy * down.1,
    });
    places.map(|at| (fit(at), at)).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, at)| at)
}

fn text<G: rqrr::BitGrid>(grid: &Grid<G>) -> Option<Secret<String>> {
    // Room for the longest text, so that no copy stays behind when it grows.
    let mut bytes = Secret::new(Vec::with_capacity(rqrr::MAX_PAYLOAD_SIZE));
    grid.decode_to(&mut *bytes.expose_mut()).ok()?;
    String::from_utf8(std::mem::take(bytes.expose_mut())).ok().map(Secret::new)
}

/// Says of each module whether it is dark, compared with the modules around it.
fn modules(gray: &Gray, map: &dyn Map, place: Square, dx: f32, dy: f32) -> Secret<Vec<bool>> {
    const AROUND: usize = 5;
    let side = place.modules;
    let light: Vec<f32> = (0..side * side)
        .map(|n| {
            let at = |x: f32, y: f32| {
                let spot = place.module_at((n % side) as f32 + dx + x, (n / side) as f32 + dy + y);
                let pixel = map.at(spot);
                gray.sample(pixel.x, pixel.y)
            };
            (2.0 * at(0.0, 0.0) + at(0.25, 0.0) + at(-0.25, 0.0) + at(0.0, 0.25) + at(0.0, -0.25)) / 6.0
        })
        .collect();
    let light = Secret::new(light);
    let is_dark = |n: usize| {
        let (column, row) = (n % side, n / side);
        let (mut darkest, mut lightest) = (255.0f32, 0.0f32);
        for y in row.saturating_sub(AROUND)..(row + AROUND + 1).min(side) {
            for x in column.saturating_sub(AROUND)..(column + AROUND + 1).min(side) {
                let value = light.expose().get(y * side + x).copied().unwrap_or(255.0);
                darkest = darkest.min(value);
                lightest = lightest.max(value);
            }
        }
        light.expose().get(n).is_some_and(|&value| value < (darkest + lightest) / 2.0)
    };
    Secret::new((0..side * side).map(is_dark).collect())
}
