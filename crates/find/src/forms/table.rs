//! Tables: comma-separated values in all their dialects, and the sheets of Excel and LibreOffice.

use recovery_key::Secret;

use super::record::{self, Field};

/// More columns than this are no list of keys.
const COLUMN_LIMIT: usize = 1000;

/// Reads a text as a table, and returns its keys each below its key ID; `None` when it is no table.
pub(super) fn text(text: &str) -> Option<Secret<String>> {
    // PowerShell may write the type of its objects first.
    let body = if text.starts_with("#TYPE") { text.split_once('\n')?.1 } else { text };
    let first = body.lines().find(|line| !line.trim().is_empty())?;
    let delimiter = [b'\t', b';', b',', b'|'].into_iter().max_by_key(|&delimiter| {
        (first.bytes().filter(|&byte| byte == delimiter).count(), delimiter == b'\t')
    })?;
    if !first.as_bytes().contains(&delimiter) {
        return None;
    }
    let mut sheet = Sheet::new(body.len());
    rows(body, delimiter, |row| sheet.row(row));
    sheet.finish()
}

/// Takes a table row by row; the first may have the names of its columns.
pub(super) struct Sheet {
    names: Option<Vec<String>>,
    out: Secret<String>,
    records: usize,
}

impl Sheet {
    /// Begins a table that was read from so many bytes.
    pub(super) fn new(length: usize) -> Self {
        Self { names: None, out: record::room(length), records: 0 }
    }

    /// Takes a row.
    pub(super) fn row(&mut self, cells: &[String]) {
        if cells.iter().all(|cell| cell.trim().is_empty()) {
            return;
        }
        let is_data = |cell: &String| record::has_guid(cell) || Field { name: "", value: cell }.has_digits();
        let Some(names) = &self.names else {
            let headed = !cells.iter().any(is_data);
            self.names = Some(if headed { cells.to_vec() } else { Vec::new() });
            if !headed {
                self.row(cells);
            }
            return;
        };
        let name = |at: usize| names.get(at).map_or("", String::as_str);
        let fields: Vec<_> = cells
            .iter()
            .enumerate()
            .map(|(at, value)| Field { name: name(at), value: value.trim() })
            .collect();
        let before = self.out.expose().len();
        record::put(&fields, self.out.expose_mut());
        self.records += usize::from(self.out.expose().len() > before);
    }

    /// Returns the keys, each below its key ID; `None` when there are none.
    pub(super) fn finish(self) -> Option<Secret<String>> {
        (self.records != 0).then_some(self.out)
    }
}

/// Cuts a text into rows and cells: quotes hold delimiters and line breaks, two of them are one.
fn rows(text: &str, delimiter: u8, mut take: impl FnMut(&[String])) {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let columns = cells.len();
        let Some(cell) = cells.last_mut() else { return };
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if cell.trim().is_empty() => quoted = true,
            '\r' if !quoted => {}
            '\n' if !quoted => {
                take(&cells);
                wipe(&mut cells);
                cells.push(String::new());
            }
            c if !quoted && c == char::from(delimiter) && columns < COLUMN_LIMIT => {
                cells.push(String::new());
            }
            c => cell.push(c),
        }
    }
    take(&cells);
    wipe(&mut cells);
}

/// Empties cells that may have held digits.
pub(super) fn wipe(cells: &mut Vec<String>) {
    for cell in cells.drain(..) {
        drop(Secret::new(cell));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "284867-596541-514998-422114-660297-261613-215424-199408";
    const ID: &str = "3C116B76-C67B-484E-B439-CE2ED68B561E";
    const OTHER: &str = "11111111-2222-4333-8444-555555555555";

    #[test]
    fn the_dialects_are_read() {
        let lines = [
            format!("Computer,Key ID,Device ID,Key\nPC01,{ID},{OTHER},{KEY}\n"),
            format!(
                "#TYPE x\r\n\"Computer\",\"Key ID\",\"Device ID\",\"Key\"\r\n\"PC, 01\",\"{{{ID}}}\",\"{OTHER}\",\"{KEY}\"\r\n"
            ),
            format!("Computer;Key ID;Device ID;Key\nPC \"01\";{ID};{OTHER};\"{KEY}\""),
            format!("Computer\tKey ID\tDevice ID\tKey\n\"a\nb\"\t{ID}\t{OTHER}\t{KEY}"),
        ];
        for line in lines {
            let text = text(&line).expect("a table");
            assert_eq!(text.expose(), &format!("{ID}\n{KEY}\n|\n\n"), "{line}");
        }
        assert!(text("a,b\nc,d\n").is_none());
        assert!(text("").is_none());
    }

    #[test]
    fn a_table_without_a_header_is_read_too() {
        let text = text(&format!("PC01,{ID},{KEY}\nPC02,{OTHER},{KEY}\n")).expect("a table");
        assert_eq!(text.expose(), &format!("{ID}\n{KEY}\n|\n\n{OTHER}\n{KEY}\n|\n\n"));
    }
}
