//! The command line of the control panel.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// `lastkey panel`
#[derive(Debug, Args)]
pub struct Panel {
    /// Image files to show beside the drives of this computer
    #[arg(value_name = "IMAGE", value_hint = ValueHint::FilePath)]
    pub images: Vec<PathBuf>,
    /// Listen on this port of this computer; none: on any that is free
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    pub port: u16,
    /// Only say where it is; open no browser
    #[arg(long)]
    pub no_browser: bool,
}
