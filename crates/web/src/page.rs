//! A whole document.

use askama::Template;

use crate::asset::STYLE;
use crate::icon::Icon;

/// A place that the menu leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link<'p> {
    /// Where.
    pub path: &'p str,
    /// What it says.
    pub text: &'p str,
}

/// A whole document: head, menu, body.
#[derive(Template)]
#[template(path = "page.html")]
pub struct Page<'p> {
    /// What the page is about; stands in the window's title.
    pub title: &'p str,
    /// The places that the menu leads to.
    pub menu: &'p [Link<'p>],
    /// Which of them this is.
    pub here: &'p str,
    /// Whether somebody is signed in, so that there is a way out.
    pub sign_out: bool,
    /// What stands in it: HTML.
    pub body: &'p str,
    /// The paths of the scripts that it can do without.
    pub scripts: &'p [&'p str],
}

impl Page<'_> {
    fn style(&self) -> &'static str {
        STYLE.path()
    }

    fn logo(&self) -> Icon {
        Icon::Key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_its_language_and_escapes_its_title() {
        let menu = [Link { path: "/", text: "Keys" }, Link { path: "/devices", text: "Devices" }];
        let page = Page {
            title: "<Ada>",
            menu: &menu,
            here: "/",
            sign_out: true,
            body: "<p>here</p>",
            scripts: &[],
        };
        let html = page.render().expect("rendered");
        assert!(html.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"), "{html}");
        assert!(html.contains("&#60;Ada&#62;") && html.contains("<p>here</p>"));
        assert_eq!(html.matches("aria-current=\"page\"").count(), 1);
        assert!(!html.contains("style=") && !html.contains("<script"));
    }
}
