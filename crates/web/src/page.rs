//! A whole document.

use askama::Template;

use crate::asset::STYLE;
use crate::icon::Icon;
use crate::texts::Language;

/// A place that the menu leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link<'p> {
    /// Where.
    pub path: &'p str,
    /// What it says.
    pub text: &'p str,
}

/// What every page of a site has around its body.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'p> {
    /// The language of the page.
    pub language: Language,
    /// What leads past the menu.
    pub skip: &'p str,
    /// What the menu is called.
    pub menu_name: &'p str,
    /// The places that the menu leads to.
    pub menu: &'p [Link<'p>],
    /// Which of them this is.
    pub here: &'p str,
    /// The way out, which is a POST: signing out, ending the program.
    pub leave: Option<Link<'p>>,
    /// What stands under the body: HTML.
    pub foot: &'p str,
    /// The paths of styles beside the one that all sites have.
    pub styles: &'p [&'p str],
    /// The paths of the scripts that it can do without.
    pub scripts: &'p [&'p str],
}

/// A whole document: head, menu, body.
#[derive(Template)]
#[template(path = "page.html")]
pub struct Page<'p> {
    /// What the page is about; stands in the window's title.
    pub title: &'p str,
    /// What is around the body.
    pub frame: Frame<'p>,
    /// What stands in it: HTML.
    pub body: &'p str,
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
        let frame = Frame {
            language: Language::English,
            skip: "Skip",
            menu_name: "Main",
            menu: &menu,
            here: "/",
            leave: Some(Link { path: "/sign-out", text: "Sign out" }),
            foot: "",
            styles: &[],
            scripts: &[],
        };
        let page = Page { title: "<Ada>", frame, body: "<p>here</p>" };
        let html = page.render().expect("rendered");
        assert!(html.starts_with("<!DOCTYPE html>\n<html lang=\"en\" dir=\"ltr\">"), "{html}");
        assert!(html.contains("&#60;Ada&#62;") && html.contains("<p>here</p>"));
        assert_eq!(html.matches("aria-current=\"page\"").count(), 1);
        assert!(!html.contains("style=") && !html.contains("<script"));
    }
}
