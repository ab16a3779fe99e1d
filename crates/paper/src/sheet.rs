//! Setting a sheet: everything on a page, in the order in which it is read.

use krilla::Document;
use krilla::SerializeSettings;
use krilla::configure::{Accessibility, ConfigurationBuilder, PdfVersion};
use krilla::destination::XyzDestination;
use krilla::geom::Point;
use krilla::metadata::Metadata;
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use recovery_key::{KeyId, Secret};

use crate::canvas::{Canvas, Face, Fonts, LEADING, Style, structure};
use crate::code128;
use crate::layout::{self, Area, Groups, MARK, MARKS, Spot, Square, WIDTH};
use crate::page::{PageError, Paper};
use crate::qr::Modules;
use crate::wording::Advice;

/// What stands on a sheet, and where.
pub(crate) struct Sheet<'a> {
    pub(crate) paper: Paper,
    pub(crate) language: &'a str,
    pub(crate) title: &'a str,
    pub(crate) purpose: &'a str,
    pub(crate) facts: &'a [(&'a str, &'a str)],
    pub(crate) key_id: KeyId,
    pub(crate) key_id_heading: &'a str,
    pub(crate) key_id_use: &'a str,
    pub(crate) groups_heading: &'a str,
    pub(crate) groups_use: &'a str,
    pub(crate) groups: Groups,
    /// Six for each group.
    pub(crate) characters: &'a str,
    pub(crate) pictures: &'a [Picture<'a>],
    /// Beside the codes.
    pub(crate) notes: &'a [&'a str],
    pub(crate) notes_left: f32,
    pub(crate) advice: &'a [Advice],
    /// Puts numbers into the advice.
    pub(crate) fill: &'a dyn Fn(&str) -> String,
}

/// A code, as black rectangles on the block.
pub(crate) struct Picture<'a> {
    areas: Vec<Area>,
    meaning: &'a str,
}

impl<'a> Picture<'a> {
    pub(crate) fn qr(text: &str, place: Square, meaning: &'a str) -> Result<Self, PageError> {
        let modules = Modules::encode(text, place).ok_or(PageError::Code)?;
        let area = |(row, column, length): (usize, usize, usize)| Area {
            x: place.corner.x + column as f32 * place.module,
            y: place.corner.y + row as f32 * place.module,
            width: length as f32 * place.module,
            height: place.module,
        };
        Ok(Self { areas: modules.runs().map(area).collect(), meaning })
    }

    pub(crate) fn barcode(digits: &str, meaning: &'a str) -> Result<Self, PageError> {
        let widths = code128::widths(digits.as_bytes()).ok_or(PageError::Code)?;
        let mut x = layout::BARCODE.x;
        let mut areas = Vec::new();
        for (n, width) in widths.into_iter().enumerate() {
            let width = f32::from(width) * layout::BAR;
            if n % 2 == 0 {
                areas.push(Area { x, width, ..layout::BARCODE });
            }
            x += width;
        }
        Ok(Self { areas, meaning })
    }
}

const TITLE: Style = Style { face: Face::Heading, size: 25.0, grey: 0 };
const PURPOSE: Style = Style { face: Face::Text, size: 10.5, grey: 50 };
const FACT: Style = Style { face: Face::Text, size: 10.5, grey: 0 };
const LABEL: Style = Style { face: Face::Heading, size: 9.0, grey: 0 };
const NOTE: Style = Style { face: Face::Text, size: 8.5, grey: 50 };
const HEADING: Style = Style { face: Face::Heading, size: 9.5, grey: 0 };
const COMMAND: Style = Style { face: Face::Typed, size: 7.0, grey: 0 };
const NUMBER: Style = Style { face: Face::Text, size: 8.0, grey: 90 };
const GUID: Style = Style { face: Face::Typed, size: 8.5, grey: 0 };
const RULE: u8 = 190;

/// Sets a sheet and returns it as a PDF of one page.
pub(crate) fn pdf(sheet: &Sheet<'_>) -> Result<Secret<Vec<u8>>, PageError> {
    let fonts = Fonts::load().ok_or(PageError::Font)?;
    let (width, height) = sheet.paper.size();
    let configuration = ConfigurationBuilder::new()
        .with_accessibility_validator(Accessibility::UA1)
        .with_version(PdfVersion::Pdf17)
        .finish()
        .map_err(|error| PageError::Pdf(format!("{error:?}")))?;
    let mut document = Document::new_with(SerializeSettings { configuration, ..Default::default() });
    document.set_metadata(
        Metadata::new()
            .title(sheet.title.to_owned())
            .language(sheet.language.to_owned())
            .creator("lastkey".to_owned()),
    );
    let settings = PageSettings::from_wh(width, height).ok_or(PageError::Font)?;
    let mut page = document.start_page_with(settings);
    let mut canvas = Canvas::new(page.surface(), &fonts);
    Setter { sheet, fonts: &fonts, canvas: &mut canvas, left: (width - WIDTH) / 2.0, extra: height - 792.0 }
        .set();
    let nodes = canvas.finish();
    page.finish();
    structure(&mut document, sheet.language, nodes);
    let mut outline = Outline::new();
    let top = XyzDestination::new(0, Point::from_xy(0.0, 0.0));
    outline.push_child(OutlineNode::new(sheet.title.to_owned(), top));
    document.set_outline(outline);
    document.finish().map(Secret::new).map_err(|error| PageError::Pdf(format!("{error:?}")))
}

struct Setter<'s, 'a, 'b> {
    sheet: &'s Sheet<'s>,
    fonts: &'s Fonts,
    canvas: &'s mut Canvas<'a, 'b>,
    /// The left edge of everything.
    left: f32,
    /// How much higher than Letter the paper is.
    extra: f32,
}

impl Setter<'_, '_, '_> {
    fn set(&mut self) {
        let title = 64.0 + 0.24 * self.extra;
        let block = 162.0 + 0.44 * self.extra;
        let advice = block + layout::HEIGHT + 36.0 + 0.2 * self.extra;
        self.heading(title);
        self.key_id(block);
        self.groups(block);
        self.codes(block);
        self.marks(block);
        self.advice(advice);
    }

    fn heading(&mut self, y: f32) {
        self.canvas.text(&[(self.left, y, self.sheet.title)], TITLE, Some(1));
        let below = self.paragraph(self.left, y + 22.0, WIDTH, self.sheet.purpose, PURPOSE);
        let widest =
            self.sheet.facts.iter().map(|(label, _)| self.fonts.width(label, LABEL)).fold(0.0, f32::max);
        let x = self.left + widest + 10.0;
        for (n, (label, fact)) in self.sheet.facts.iter().enumerate() {
            let y = below + 9.0 + n as f32 * 15.0;
            let fact = self.fonts.fit(&self.fonts.showable(fact, FACT.face), FACT, self.left + WIDTH - x);
            self.canvas.text(&[(self.left, y, label)], LABEL, None);
            self.canvas.text(&[(x, y, &fact)], FACT, None);
        }
    }

    fn key_id(&mut self, block: f32) {
        self.canvas.text(&[(self.left, block + 8.0, self.sheet.key_id_heading)], LABEL, Some(2));
        let style = Style { face: Face::Typed, size: layout::ID_SIZE, grey: 0 };
        let baseline = block + layout::ID_BASELINE;
        self.canvas.text(&[(self.left, baseline, &self.sheet.key_id.short())], style, None);
        let x = self.left + layout::ID_DIGITS as f32 * layout::ADVANCE * layout::ID_SIZE + 22.0;
        let below = self.paragraph(x, block + 14.0, self.left + WIDTH - x, self.sheet.key_id_use, NOTE);
        self.canvas.text(&[(x, below + 1.0, &self.sheet.key_id.to_string())], GUID, None);
    }

    fn groups(&mut self, block: f32) {
        let groups = self.sheet.groups;
        let y = block + groups.baselines[0] - groups.size - 13.0;
        let next = self.fonts.width(self.sheet.groups_heading, LABEL) + 10.0;
        self.canvas.text(&[(self.left, y, self.sheet.groups_heading)], LABEL, Some(2));
        self.canvas.text(&[(self.left + next, y, self.sheet.groups_use)], NOTE, None);
        let style = Style { face: Face::Typed, size: groups.size, grey: 0 };
        let characters: Vec<_> = (0..groups.count())
            .filter_map(|n| self.sheet.characters.get(n * layout::GROUP..(n + 1) * layout::GROUP))
            .collect();
        let place = |n: usize| {
            let Spot { x, y } = groups.group(n);
            (self.left + x, block + y)
        };
        let rows = characters.chunks(groups.columns).map(|row| Secret::new(row.join(layout::GAP)));
        let rows: Vec<_> = rows.enumerate().map(|(n, row)| (place(n * groups.columns), row)).collect();
        let lines: Vec<_> = rows.iter().map(|((x, y), row)| (*x, *y, row.expose().as_str())).collect();
        self.canvas.text(&lines, style, None);
        for n in 0..groups.count() {
            let (x, y) = place(n);
            // Every other guide is thick: the eye that comes back finds its line.
            let (height, grey) = if n % 2 == 0 { (1.8, 0) } else { (0.6, 0) };
            let guide = Area { x, y: y + 7.0, width: groups.group_width(), height };
            self.canvas.ornaments(&[guide], grey);
            self.canvas.ornament(x, y + 17.5, &(n + 1).to_string(), NUMBER);
        }
    }

    fn codes(&mut self, block: f32) {
        for picture in self.sheet.pictures {
            let areas: Vec<_> = picture
                .areas
                .iter()
                .map(|area| Area { x: self.left + area.x, y: block + area.y, ..*area })
                .collect();
            self.canvas.picture(&areas, picture.meaning);
        }
        let mut y = block + layout::DIGITS_CODE.corner.y + 8.0;
        let x = self.left + self.sheet.notes_left;
        for note in self.sheet.notes {
            y = self.paragraph(x, y, self.left + WIDTH - x, note, NOTE) + 5.0;
        }
    }

    fn marks(&mut self, block: f32) {
        let mark = |at: Spot| Area {
            x: self.left + at.x - MARK / 2.0,
            y: block + at.y - MARK / 2.0,
            width: MARK,
            height: MARK,
        };
        self.canvas.ornaments(&MARKS.map(mark), 0);
    }

    fn advice(&mut self, top: f32) {
        let gap = 24.0;
        let columns = self.sheet.advice.len() as f32;
        let width = (WIDTH - gap * (columns - 1.0)) / columns;
        self.canvas.ornaments(&[Area { x: self.left, y: top - 22.0, width: WIDTH, height: 0.6 }], RULE);
        for (n, advice) in self.sheet.advice.iter().enumerate() {
            let x = self.left + n as f32 * (width + gap);
            self.canvas.text(&[(x, top, advice.heading)], HEADING, Some(2));
            let mut y = top + 15.0;
            for text in advice.text {
                let text = (self.sheet.fill)(text);
                y = match text.strip_prefix('`') {
                    Some(command) => {
                        self.canvas.text(&[(x, y, command)], COMMAND, None);
                        y + NOTE.size * LEADING
                    }
                    None => self.paragraph(x, y, width, &text, NOTE),
                } + 3.0;
            }
        }
    }

    /// Writes a paragraph from its first baseline and returns the baseline below it.
    fn paragraph(&mut self, x: f32, y: f32, width: f32, text: &str, style: Style) -> f32 {
        let lines = self.fonts.wrap(text, style, width);
        let leading = style.size * LEADING;
        let placed: Vec<_> =
            lines.iter().enumerate().map(|(n, line)| (x, y + n as f32 * leading, line.as_str())).collect();
        self.canvas.text(&placed, style, None);
        y + lines.len() as f32 * leading
    }
}
