//! Reading Code 128: by the widths of its bars anywhere, by its shape at its place on our block.

use recovery_key::Secret;

use crate::code128::{DIGITS, PATTERNS, START_C, STOP, check};
use crate::gray::Gray;
use crate::layout::{BAR, BARCODE, Spot};
use crate::read::ink::Ink;
use crate::read::plane::Surface;

/// Lines across a picture that are looked at, each way.
const LINES: usize = 60;
/// Lines across the barcode at its place.
const PLACES: usize = 13;
/// Symbols of a recovery key's barcode, without stop.
const SYMBOLS: usize = DIGITS / 2 + 2;
/// Samples of a module.
const FINE: usize = 5;
/// Samples of a symbol.
const SYMBOL: usize = 11 * FINE;
/// How far a symbol may lie beside its place, in samples.
const DRIFT: isize = 2 * FINE as isize;

/// Finds barcodes of 48 digits that lie level or upright in a picture.
pub(crate) fn find(ink: &Ink) -> Vec<Secret<String>> {
    let mut found = Vec::new();
    let mut look = |line: &mut Vec<bool>| {
        for _ in 0..2 {
            found.extend(along(line));
            line.reverse();
        }
    };
    for n in 0..LINES {
        let (x, y) = ((2 * n + 1) * ink.width / (2 * LINES), (2 * n + 1) * ink.height / (2 * LINES));
        look(&mut (0..ink.width).map(|x| ink.is_dark(x, y)).collect());
        look(&mut (0..ink.height).map(|y| ink.is_dark(x, y)).collect());
    }
    found
}

/// Reads a line of ink and paper.
fn along(line: &[bool]) -> Option<Secret<String>> {
    let runs: Vec<(bool, usize)> =
        line.chunk_by(|a, b| a == b).map(|run| (run.first() == Some(&true), run.len())).collect();
    (1..runs.len()).find_map(|start| {
        // A bar after paper of at least five modules, then the start symbol.
        let first = runs.get(start..start + 6)?;
        let width: usize = first.iter().map(|run| run.1).sum();
        let quiet = runs.get(start - 1)?.1;
        if !first.first()?.0 || quiet * 11 < width * 5 || nearest(first) != Some(START_C) {
            return None;
        }
        let mut symbols = Secret::new(Vec::with_capacity(SYMBOLS));
        for runs in runs.get(start..start + SYMBOLS * 6)?.chunks_exact(6) {
            symbols.expose_mut().push(nearest(runs)?);
        }
        let stop = runs.get(start + SYMBOLS * 6..start + SYMBOLS * 6 + 7)?;
        let width: usize = stop.iter().map(|run| run.1).sum();
        let stops = stop
            .iter()
            .zip(STOP)
            .all(|(run, modules)| (run.1 as f32 * 13.0 / width as f32 - f32::from(modules)).abs() < 0.9);
        if stops { digits(symbols.expose()) } else { None }
    })
}

/// Returns the symbol whose widths are most alike, when they are alike at all.
fn nearest(runs: &[(bool, usize)]) -> Option<u8> {
    let total: usize = runs.iter().map(|run| run.1).sum();
    let distance = |pattern: &[u8; 6]| -> f32 {
        runs.iter()
            .zip(pattern)
            .map(|(run, &modules)| (run.1 as f32 * 11.0 / total as f32 - f32::from(modules)).powi(2))
            .sum()
    };
    let best = PATTERNS.iter().enumerate().map(|(n, pattern)| (n, distance(pattern)));
    let (symbol, distance) = best.min_by(|a, b| a.1.total_cmp(&b.1))?;
    (distance < 1.5).then_some(symbol as u8)
}

/// Reads the barcode at its place on a block that was found.
pub(crate) fn read_at(gray: &Gray, surface: &Surface) -> Option<Secret<String>> {
    let lines: Vec<_> = (0..PLACES).map(|n| profile(gray, surface, n)).collect();
    let shapes = shapes();
    lines.iter().find_map(|line| by_shape(line.expose(), &shapes)).or_else(|| {
        // No line is good enough alone: their mean has less noise.
        let mean: Vec<f32> = (0..lines.first()?.expose().len())
            .map(|n| lines.iter().filter_map(|line| line.expose().get(n)).sum::<f32>() / PLACES as f32)
            .collect();
        by_shape(Secret::new(mean).expose(), &shapes)
    })
}

/// Returns the brightness along a line through the barcode, [`FINE`] samples a module, with some paper
/// at both ends.
fn profile(gray: &Gray, surface: &Surface, line: usize) -> Secret<Vec<f32>> {
    let y = BARCODE.y + BARCODE.height * (line as f32 + 1.5) / (PLACES as f32 + 2.0);
    let samples = (SYMBOLS + 2) * SYMBOL + 2 * DRIFT as usize;
    let at = |n: usize| {
        let x = BARCODE.x + (n as f32 + 0.5 - DRIFT as f32) * BAR / FINE as f32;
        let mean = |dy: f32| {
            let pixel = surface.at(Spot { x, y: y + dy });
            gray.sample(pixel.x, pixel.y)
        };
        (mean(-0.8) + mean(0.0) + mean(0.8)) / 3.0
    };
    Secret::new((0..samples).map(at).collect())
}

/// What every symbol looks like, sampled and slightly blurred, with a mean of 0 and a length of 1.
fn shapes() -> Vec<[f32; SYMBOL]> {
    let shape = |pattern: &[u8; 6]| {
        let mut sharp = [0.0; SYMBOL];
        let mut n = 0;
        for (place, &modules) in pattern.iter().enumerate() {
            for _ in 0..usize::from(modules) * FINE {
                if let Some(sample) = sharp.get_mut(n) {
                    *sample = if place % 2 == 0 { -1.0 } else { 1.0 };
                }
                n += 1;
            }
        }
        let mut shape = [0.0; SYMBOL];
        for (n, blurred) in shape.iter_mut().enumerate() {
            // Before a symbol there is a space, after it a bar.
            let near = |d: isize| match n as isize + d {
                before if before < 0 => 1.0,
                inside => sharp.get(inside as usize).copied().unwrap_or(-1.0),
            };
            *blurred = (-2..=2).map(near).sum::<f32>();
        }
        normalise(&mut shape);
        shape
    };
    PATTERNS.iter().map(shape).collect()
}

fn normalise(shape: &mut [f32; SYMBOL]) {
    let mean = shape.iter().sum::<f32>() / SYMBOL as f32;
    shape.iter_mut().for_each(|sample| *sample -= mean);
    let length = shape.iter().map(|sample| sample * sample).sum::<f32>().sqrt().max(1e-6);
    shape.iter_mut().for_each(|sample| *sample /= length);
}

/// Compares each symbol's place with every symbol's shape; follows the paper when it is stretched.
fn by_shape(line: &[f32], shapes: &[[f32; SYMBOL]]) -> Option<Secret<String>> {
    let mut symbols = Secret::new(Vec::with_capacity(SYMBOLS));
    let mut drift = 0isize;
    for n in 0..SYMBOLS {
        let mut best = (0.0, 0, 0);
        // The first may lie anywhere near, the next only a little beside where the last one ended.
        let reach = if n == 0 { DRIFT } else { 2 };
        for step in -reach..=reach {
            let start = usize::try_from((n * SYMBOL) as isize + DRIFT + drift + step).ok()?;
            let mut window: [f32; SYMBOL] = line.get(start..start + SYMBOL)?.try_into().ok()?;
            normalise(&mut window);
            let candidates = if n == 0 { usize::from(START_C)..shapes.len() } else { 0..shapes.len() };
            for symbol in candidates {
                let alike: f32 = window.iter().zip(shapes.get(symbol)?).map(|(a, b)| a * b).sum();
                if alike > best.0 {
                    best = (alike, symbol, step);
                }
            }
        }
        if best.0 < 0.5 {
            return None;
        }
        drift = (drift + best.2).clamp(-DRIFT, DRIFT);
        symbols.expose_mut().push(best.1 as u8);
    }
    digits(symbols.expose())
}

/// Checks the symbols of a recovery key's barcode and returns its digits.
fn digits(symbols: &[u8]) -> Option<Secret<String>> {
    let (&sum, data) = symbols.split_last()?;
    let (&start, pairs) = data.split_first()?;
    if start != START_C || check(data) != sum || !pairs.iter().all(|&pair| pair < 100) {
        return None;
    }
    let mut digits = Secret::new(String::with_capacity(pairs.len() * 2));
    for pair in pairs {
        digits.expose_mut().push(char::from(b'0' + pair / 10));
        digits.expose_mut().push(char::from(b'0' + pair % 10));
    }
    Some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code128::widths;

    const KEY: &str = "132858327525689172680790377564111111222222333333";

    fn line(digits: &str, module: f32) -> Vec<bool> {
        let mut line = vec![false; 40];
        let mut end = 0.0;
        let mut drawn = 0;
        for (n, width) in widths(digits.as_bytes()).expect("digits").into_iter().enumerate() {
            end += f32::from(width) * module;
            while (drawn as f32) < end.round() {
                line.push(n % 2 == 0);
                drawn += 1;
            }
        }
        line.extend([false; 40]);
        line
    }

    #[test]
    fn bars_are_read_at_any_size() {
        for module in [2.0, 2.4, 3.3, 7.0] {
            assert_eq!(along(&line(KEY, module)).expect("a key").expose(), KEY, "{module}");
        }
    }

    #[test]
    fn a_wrong_bar_is_no_key() {
        let right = line(KEY, 3.0);
        for at in (100..right.len() - 100).step_by(37) {
            let mut wrong = right.clone();
            for pixel in &mut wrong[at..at + 6] {
                *pixel = !*pixel;
            }
            assert!(along(&wrong).is_none_or(|digits| digits.expose() == KEY), "{at}");
        }
    }

    #[test]
    fn the_start_is_told_from_other_symbols() {
        let shapes = shapes();
        for (n, shape) in shapes.iter().enumerate() {
            let alike = |other: &[f32; SYMBOL]| shape.iter().zip(other).map(|(a, b)| a * b).sum::<f32>();
            let best = (0..shapes.len()).max_by(|&a, &b| alike(&shapes[a]).total_cmp(&alike(&shapes[b])));
            assert_eq!(best, Some(n));
        }
    }
}
