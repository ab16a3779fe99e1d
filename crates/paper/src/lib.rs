//! Recovery keys on paper.
//!
//! - [`Page`] is a page with a recovery key, as a PDF: for typing, scanning and checking.
//! - [`read`](read::read) finds the keys on a PDF, a scan or a photo, by its pixels alone.
//! - [`mod@print`] sends a page to a printer through IPP and follows it until it is done.
//! - [`share`] splits a key into sheets of which any k give it back; [`ShareSheet`] is such a sheet.
//!
//! Keys, pictures of pages and finished files are wiped when dropped. The libraries that write PDF,
//! render it and decode pictures keep working memory of their own, which is not.

mod canvas;
pub mod code128;
mod gray;
mod layout;
mod page;
pub mod print;
mod qr;
mod raster;
pub mod read;
pub mod share;
mod share_sheet;
mod sheet;
mod wording;

pub use gray::Gray;
pub use page::{Page, PageError, Paper};
pub use raster::{RasterError, rasterise};
pub use share_sheet::ShareSheet;
pub use wording::{Advice, ShareWording, Wording};
