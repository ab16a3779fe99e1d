//! Progress of long work, on standard error, only when a person sees it.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::has_screen;

/// Starts a bar over a number of bytes, with rate and time left.
pub fn bytes(total: u64, what: &'static str) -> ProgressBar {
    let template = "{msg} {bar:30} {percent:>3}%  {binary_bytes} of {binary_total_bytes}  {binary_bytes_per_sec}  {eta} left";
    shown(ProgressBar::new(total).with_message(what), template)
}

/// Starts a count of files whose number nobody knows, with rate.
pub fn files(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::no_length().with_message(what);
    shown(bar, "{spinner} {msg}  {human_pos} files  {per_sec}  {elapsed}")
}

/// Starts a bar over a number of things.
pub fn count(total: u64, what: &'static str) -> ProgressBar {
    shown(ProgressBar::new(total).with_message(what), "{msg} {bar:30} {pos} of {len}  {eta} left")
}

/// Starts a bar over candidates for a key, with rate and time left.
pub fn candidates(total: u64) -> ProgressBar {
    let template = "trying {bar:30} {percent:>3}%  {human_pos} of {human_len}  {per_sec}  {eta} left";
    shown(ProgressBar::new(total), template)
}

fn shown(bar: ProgressBar, template: &str) -> ProgressBar {
    bar.set_draw_target(if has_screen() {
        ProgressDrawTarget::stderr_with_hz(10)
    } else {
        ProgressDrawTarget::hidden()
    });
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
