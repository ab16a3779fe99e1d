//! Drawing on a page: text in the page's fonts, black rectangles, and what each of them means.
//!
//! Everything drawn is either content, and then stands in the document's structure for those who
//! listen to it, or an ornament.

use std::num::NonZeroU16;

use krilla::Document;
use krilla::color::luma;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::num::NormalizedF32;
use krilla::paint::{Fill, FillRule};
use krilla::surface::Surface;
use krilla::tagging::{Artifact, ArtifactType, ContentTag, Node, SpanTag, Tag, TagGroup, TagKind};
use krilla::text::{Font, TextDirection};
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};

use crate::layout::Area;

/// The fonts, each reduced to the characters that pages need (fonts/README.md).
#[derive(Clone, Copy)]
pub(crate) enum Face {
    /// Running text.
    Text,
    /// Headings.
    Heading,
    /// What is typed: all characters equally wide, no two alike.
    Typed,
}

impl Face {
    const ALL: [Self; 3] = [Self::Text, Self::Heading, Self::Typed];

    fn bytes(self) -> &'static [u8] {
        match self {
            Self::Text => include_bytes!("../fonts/Inter-Regular.otf"),
            Self::Heading => include_bytes!("../fonts/Inter-SemiBold.otf"),
            Self::Typed => include_bytes!("../fonts/B612Mono-Regular.otf"),
        }
    }
}

/// How a text looks.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    pub(crate) face: Face,
    pub(crate) size: f32,
    /// 0 black to 255 white.
    pub(crate) grey: u8,
}

/// The distance between lines, of the size of the type.
pub(crate) const LEADING: f32 = 1.36;

pub(crate) struct Fonts {
    fonts: [(Font, FontRef<'static>); 3],
}

impl Fonts {
    pub(crate) fn load() -> Option<Self> {
        let load = |face: Face| {
            Some((Font::new(face.bytes().into(), 0)?, FontRef::from_index(face.bytes(), 0).ok()?))
        };
        let [text, heading, typed] = Face::ALL.map(load);
        Some(Self { fonts: [text?, heading?, typed?] })
    }

    fn font(&self, face: Face) -> &(Font, FontRef<'static>) {
        &self.fonts[face as usize]
    }

    /// Returns the width of a line.
    pub(crate) fn width(&self, text: &str, style: Style) -> f32 {
        let (_, font) = self.font(style.face);
        let characters = font.charmap();
        let metrics = font.glyph_metrics(Size::new(style.size), LocationRef::default());
        text.chars().filter_map(|c| metrics.advance_width(characters.map(c).unwrap_or_default())).sum()
    }

    /// Replaces what the font cannot show, so that no reader meets an empty box.
    pub(crate) fn showable(&self, text: &str, face: Face) -> String {
        let characters = self.font(face).1.charmap();
        let show = |c: char| {
            if c.is_whitespace() {
                ' '
            } else if characters.map(c).is_some() {
                c
            } else {
                '?'
            }
        };
        text.chars().filter(|c| !c.is_control() || c.is_whitespace()).map(show).collect()
    }

    /// Breaks a text into lines of at most `width`.
    pub(crate) fn wrap(&self, text: &str, style: Style, width: f32) -> Vec<String> {
        let mut lines = vec![String::new()];
        for word in text.split_whitespace() {
            let Some(line) = lines.last_mut() else { continue };
            let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if line.is_empty() || self.width(&longer, style) <= width {
                *line = longer;
            } else {
                lines.push(word.to_owned());
            }
        }
        lines
    }

    /// Shortens a line that is wider than `width`.
    pub(crate) fn fit(&self, text: &str, style: Style, width: f32) -> String {
        let mut kept = text.to_owned();
        let mut shown = kept.clone();
        while self.width(&shown, style) > width && kept.pop().is_some() {
            shown = format!("{}\u{2026}", kept.trim_end());
        }
        shown
    }
}

/// A page being drawn.
pub(crate) struct Canvas<'a, 'b> {
    surface: Surface<'a>,
    fonts: &'b Fonts,
    nodes: Vec<Node>,
}

impl<'a, 'b> Canvas<'a, 'b> {
    pub(crate) fn new(surface: Surface<'a>, fonts: &'b Fonts) -> Self {
        Self { surface, fonts, nodes: Vec::new() }
    }

    /// Ends the page and returns its structure.
    pub(crate) fn finish(self) -> Vec<Node> {
        self.surface.finish();
        self.nodes
    }

    /// Writes lines that belong together: a heading of a level, or a paragraph.
    pub(crate) fn text(&mut self, lines: &[(f32, f32, &str)], style: Style, heading: Option<u16>) {
        let mut group = TagGroup::new(match heading.and_then(NonZeroU16::new) {
            Some(level) => {
                let title = lines.iter().map(|(_, _, text)| *text).collect::<Vec<_>>().join(" ");
                TagKind::from(Tag::Hn(level, Some(title)))
            }
            None => TagKind::from(Tag::P),
        });
        for &(x, y, text) in lines {
            group.push(self.surface.start_tagged(ContentTag::Span(SpanTag::empty())));
            self.write(x, y, text, style, false);
            self.surface.end_tagged();
        }
        self.nodes.push(group.into());
    }

    /// Writes an ornament, as shapes: nobody who copies the text wants it.
    pub(crate) fn ornament(&mut self, x: f32, y: f32, text: &str, style: Style) {
        self.as_ornament(|canvas| canvas.write(x, y, text, style, true));
    }

    /// Fills rectangles that mean nothing by themselves.
    pub(crate) fn ornaments(&mut self, areas: &[Area], grey: u8) {
        self.as_ornament(|canvas| canvas.fill(areas, grey));
    }

    /// Fills the black parts of a picture, which `meaning` describes.
    pub(crate) fn picture(&mut self, areas: &[Area], meaning: &str) {
        let mut group = TagGroup::new(Tag::Figure(Some(meaning.to_owned())));
        group.push(self.surface.start_tagged(ContentTag::Other));
        self.fill(areas, 0);
        self.surface.end_tagged();
        self.nodes.push(group.into());
    }

    fn as_ornament(&mut self, draw: impl FnOnce(&mut Self)) {
        self.surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Layout)));
        draw(self);
        self.surface.end_tagged();
    }

    fn write(&mut self, x: f32, y: f32, text: &str, style: Style, shapes: bool) {
        self.surface.set_fill(Some(fill(style.grey)));
        let font = self.fonts.font(style.face).0.clone();
        self.surface.draw_text(Point::from_xy(x, y), font, style.size, text, shapes, TextDirection::Auto);
    }

    /// One path for all of them: renderers leave no seams inside a path.
    fn fill(&mut self, areas: &[Area], grey: u8) {
        let mut path = PathBuilder::new();
        for area in areas {
            if let Some(rect) = Rect::from_xywh(area.x, area.y, area.width, area.height) {
                path.push_rect(rect);
            }
        }
        self.surface.set_fill(Some(fill(grey)));
        if let Some(path) = path.finish() {
            self.surface.draw_path(&path);
        }
    }
}

fn fill(grey: u8) -> Fill {
    Fill { paint: luma::Color::new(grey).into(), opacity: NormalizedF32::ONE, rule: FillRule::NonZero }
}

/// Returns the nodes of a page as the structure of a document.
pub(crate) fn structure(document: &mut Document, language: &str, nodes: Vec<Node>) {
    let mut tree = krilla::tagging::TagTree::new().with_lang(Some(language.to_owned()));
    let mut part = TagGroup::new(Tag::Part);
    for node in nodes {
        part.push(node);
    }
    tree.push(part);
    document.set_tag_tree(tree);
}

/// Draws single characters as pages show them, each at its own place.
pub(crate) fn specimen(characters: &[u8]) -> Option<(Vec<u8>, Vec<Area>)> {
    use crate::layout::{ADVANCE, CAPITAL};
    const SIZE: f32 = 25.0;
    let fonts = Fonts::load()?;
    let mut document = Document::new();
    let cells: Vec<_> = (0..characters.len())
        .map(|n| Area { x: 20.0 + n as f32 * 30.0, y: 20.0, width: ADVANCE * SIZE, height: CAPITAL * SIZE })
        .collect();
    let width = cells.last()?.x + 50.0;
    let mut page = document.start_page_with(krilla::page::PageSettings::from_wh(width, 60.0)?);
    let mut surface = page.surface();
    for (cell, &character) in cells.iter().zip(characters) {
        let (at, font) = (Point::from_xy(cell.x, cell.y + cell.height), fonts.font(Face::Typed).0.clone());
        surface.draw_text(at, font, SIZE, &char::from(character).to_string(), false, TextDirection::Auto);
    }
    surface.finish();
    page.finish();
    Some((document.finish().ok()?, cells))
}
