//! The look that the sites share: layout, style, icons, QR codes, how a recovery key is
//! shown, and the languages they speak.
//!
//! A [`Page`] is a whole document around a body. Nothing in it is fetched from elsewhere, no style or script stands in
//! it, and it is whole without JavaScript.

mod asset;
mod icon;
mod key;
mod page;
mod qr;
mod texts;

pub use asset::{Asset, STYLE};
pub use icon::Icon;
pub use key::KeyDigits;
pub use page::{Frame, Link, Page};
pub use qr::qr;
pub use texts::{Language, Say, Texts};
