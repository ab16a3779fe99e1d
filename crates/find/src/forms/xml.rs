//! The XML inside Office documents: texts, lines, rows and cells, by local names.

use quick_xml::Reader;
use quick_xml::events::Event;
use recovery_key::Secret;

use super::table::{Sheet, wipe};

/// XML in documents is nested less deeply than this.
const DEPTH_LIMIT: usize = 10_000;

/// The texts of a document.
pub(super) struct Texts {
    /// All of it, line by line.
    pub(super) text: Secret<String>,
    /// The keys in its tables, each below its key ID.
    pub(super) records: Option<Secret<String>>,
}

/// Reads XML up to its end or to where it is broken. `shared` are the texts that Excel keeps apart.
pub(super) fn texts(xml: &str, shared: &[String]) -> Texts {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = false;
    // No text is longer than its XML, but shared ones are used many times; line ends are added.
    let room = xml.len() + 16;
    let mut state = State { out: Secret::new(String::with_capacity(room)), room, ..State::new(xml.len()) };
    let mut depth = 0_usize;
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Eof => break,
            Event::Start(start) => {
                depth += 1;
                if depth > DEPTH_LIMIT {
                    break;
                }
                let is_shared = attribute(&start, "t").as_deref() == Some("s");
                state.start(start.local_name().as_ref(), is_shared);
            }
            Event::Empty(empty) => {
                let name = empty.local_name();
                state.start(name.as_ref(), false);
                state.end(name.as_ref(), shared);
            }
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                state.end(end.local_name().as_ref(), shared);
            }
            Event::Text(text) => state.text(&text),
            Event::CData(text) => state.text(&text),
            Event::GeneralRef(name) => state.text(&entity(&name)),
            _ => {}
        }
    }
    Texts { text: state.out, records: state.sheet.finish() }
}

/// Reads the texts that Excel keeps apart from its cells.
pub(super) fn shared_strings(xml: &str) -> Vec<String> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = false;
    let mut all = Vec::new();
    let mut current = String::new();
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Eof => break,
            Event::Text(text) => current.push_str(&text),
            Event::GeneralRef(name) => current.push_str(&entity(&name)),
            Event::End(end) if end.local_name().as_ref() == "si" => all.push(std::mem::take(&mut current)),
            // An empty text counts too.
            Event::Empty(empty) if empty.local_name().as_ref() == "si" => all.push(String::new()),
            _ => {}
        }
    }
    all
}

struct State {
    out: Secret<String>,
    room: usize,
    sheet: Sheet,
    cells: Vec<String>,
    cell: Option<String>,
    is_shared: bool,
}

impl State {
    fn new(length: usize) -> Self {
        let (out, sheet) = (Secret::new(String::new()), Sheet::new(length));
        Self { out, room: 0, sheet, cells: Vec::new(), cell: None, is_shared: false }
    }

    fn start(&mut self, name: &str, is_shared: bool) {
        if is_cell(name) {
            self.cell = Some(String::new());
            self.is_shared = is_shared;
        }
    }

    fn end(&mut self, name: &str, shared: &[String]) {
        match name {
            "tab" => self.put("\t"),
            "noBreakHyphen" => self.put("-"),
            "s" => self.put(" "),
            "p" | "h" | "br" | "cr" | "line-break" => self.put("\n"),
            "row" | "tr" | "table-row" => {
                self.put("\n");
                self.sheet.row(&self.cells);
                wipe(&mut self.cells);
            }
            name if is_cell(name) => {
                let own = self.cell.take().unwrap_or_default();
                let value = if std::mem::take(&mut self.is_shared) {
                    let text = own.trim().parse().ok().and_then(|at: usize| shared.get(at)).cloned();
                    let text = text.unwrap_or_default();
                    // The number that stood for it is in the text already, and is nothing.
                    self.put(&text);
                    text
                } else {
                    own
                };
                self.put("\t");
                if self.cells.len() < 1000 {
                    self.cells.push(value);
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.is_shared {
            if let Some(cell) = &mut self.cell {
                cell.push_str(text);
            }
        } else {
            self.put(text);
        }
    }

    /// Adds to the text and to the cell, as long as there is room: nothing grows beyond its XML.
    fn put(&mut self, text: &str) {
        if let Some(cell) = &mut self.cell
            && cell.len() + text.len() <= 1 << 16
        {
            cell.push_str(text);
        }
        // Shared texts can make a small file large: let it grow, within bounds.
        let out = self.out.expose_mut();
        if out.len() + text.len() <= self.room.saturating_mul(4).min(super::WHOLE_LIMIT) {
            out.push_str(text);
        }
    }
}

fn is_cell(name: &str) -> bool {
    matches!(name, "c" | "tc" | "table-cell")
}

fn attribute(start: &quick_xml::events::BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = start.attributes().with_checks(false).flatten().find(|a| a.key.as_ref() == name)?;
    Some(attribute.value.into_owned())
}

/// Returns what an entity stands for; unknown ones are nothing.
fn entity(name: &str) -> String {
    let number = |digits, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    let c = match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => match name.strip_prefix('#') {
            Some(digits) => {
                digits.strip_prefix('x').map_or_else(|| number(digits, 10), |hex| number(hex, 16))
            }
            None => None,
        },
    };
    c.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_cells_and_runs_are_told_apart() {
        let xml = r#"<w:document><w:body><w:p><w:r><w:t>28</w:t></w:r><w:r><w:t>4867</w:t><w:noBreakHyphen/></w:r></w:p>
<w:tbl><w:tr><w:tc><w:p>a &amp; &#65;</w:p></w:tc><w:tc><w:p>b</w:p></w:tc></w:tr></w:tbl></w:body>"#;
        assert_eq!(texts(xml, &[]).text.expose().replace("\n\n", "\n"), "284867-\na & A\n\tb\n\t\n");
    }

    #[test]
    fn broken_xml_is_read_up_to_where_it_breaks() {
        for xml in ["<a><b>text</c></x>", "<a>text<", "<a>text</a><![CDATA[", "text"] {
            assert!(texts(xml, &[]).text.expose().contains("text"), "{xml:?}");
        }
    }

    #[test]
    fn shared_texts_take_the_place_of_their_numbers() {
        let shared =
            shared_strings("<sst><si><t>zero</t></si><si/><si><r><t>t</t></r><r><t>wo</t></r></si></sst>");
        assert_eq!(shared, ["zero", "", "two"]);
        let sheet = r#"<row><c t="s"><v>2</v></c><c><v>7</v></c><c t="s"><v>99</v></c></row>"#;
        assert_eq!(texts(sheet, &shared).text.expose(), "two\t7\t\t\n");
    }
}
