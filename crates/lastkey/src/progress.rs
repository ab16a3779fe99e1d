//! Progress of long work, on standard error, only when a person sees it.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::has_screen;

/// Starts a bar over a number of bytes, with rate and time left.
pub fn bytes(total: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(total).with_message(what);
    bar.set_draw_target(if has_screen() {
        ProgressDrawTarget::stderr_with_hz(10)
    } else {
        ProgressDrawTarget::hidden()
    });
    let template = "{msg} {bar:30} {percent:>3}%  {binary_bytes} of {binary_total_bytes}  {binary_bytes_per_sec}  {eta} left";
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
