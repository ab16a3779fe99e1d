//! Names in FAT folders: short ones in a record's first 11 bytes, long ones in records before it.

use crate::bytes::utf16;
use crate::name::Name;
use crate::records::RECORD;

/// What code page 437 has above ASCII. FAT does not say which page its short names are in; this is the one
/// that PCs started with.
const UPPER_HALF: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

const NAME: usize = 8;
const SHORT: usize = 11;
/// The flags by which Windows NT keeps the case of short names.
const LOWER_NAME: u8 = 0x08;
const LOWER_EXTENSION: u8 = 0x10;
const LAST: u8 = 0x40;
/// Units of a long name in one record, and the most records.
const UNITS: usize = 13;
const MOST: u8 = 20;

/// Reads the label of a volume.
pub(crate) fn label(bytes: &[u8; SHORT]) -> Name {
    let text: String = bytes.iter().map(|&byte| character(byte)).collect();
    match text.trim_end() {
        "NO NAME" => Name::default(),
        label => label.into(),
    }
}

/// Reads a short name as Windows shows it.
pub(crate) fn short(record: &[u8; RECORD]) -> Name {
    let mut bytes = [0; SHORT];
    bytes.copy_from_slice(&record[..SHORT]);
    // What would otherwise mean that the record is deleted
    if bytes[0] == 0x05 {
        bytes[0] = 0xe5;
    }
    let flags = record[12];
    let part = |bytes: &[u8], lower: bool| {
        let text: String = bytes.iter().map(|&byte| character(byte)).collect();
        let text = text.trim_end_matches(' ');
        if lower { text.to_lowercase() } else { text.to_owned() }
    };
    let name = part(&bytes[..NAME], flags & LOWER_NAME != 0);
    let extension = part(&bytes[NAME..], flags & LOWER_EXTENSION != 0);
    let name = if extension.is_empty() { name } else { format!("{name}.{extension}") };
    name.as_str().into()
}

fn character(byte: u8) -> char {
    match byte {
        0x80.. => UPPER_HALF.chars().nth(usize::from(byte - 0x80)).unwrap_or('\u{fffd}'),
        _ => byte.into(),
    }
}

/// The long name that is being read, from its last record to its first.
#[derive(Default)]
pub(crate) struct Long {
    /// The number that the next record must have, 0 when the name is complete.
    expected: u8,
    checksum: u8,
    units: Vec<u16>,
}

impl Long {
    /// Takes a record of a long name. What does not fit in is forgotten: an old system deleted the file.
    pub(crate) fn push(&mut self, record: &[u8; RECORD]) {
        let number = record[0] & !LAST;
        if record[0] & LAST != 0 && (1..=MOST).contains(&number) {
            *self =
                Self { expected: number, checksum: record[13], units: vec![0; usize::from(number) * UNITS] };
        }
        if self.expected == 0 || number != self.expected || record[13] != self.checksum {
            *self = Self::default();
            return;
        }
        let units = utf16(&record[1..11]).chain(utf16(&record[14..26])).chain(utf16(&record[28..32]));
        let start = usize::from(number - 1) * UNITS;
        self.units[start..start + UNITS].iter_mut().zip(units).for_each(|(place, unit)| *place = unit);
        self.expected -= 1;
    }

    /// Returns the long name of the file with this record, if it has one, and forgets it.
    pub(crate) fn finish(&mut self, record: &[u8; RECORD]) -> Option<Name> {
        let Self { expected, checksum, units } = std::mem::take(self);
        let own = record[..SHORT].iter().fold(0_u8, |sum, &byte| sum.rotate_right(1).wrapping_add(byte));
        let name = Name::from_units(units.into_iter().take_while(|&unit| unit != 0));
        (expected == 0 && checksum == own && !name.is_empty()).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &[u8; 11], flags: u8) -> [u8; RECORD] {
        let mut record = [0; RECORD];
        record[..11].copy_from_slice(name);
        record[12] = flags;
        record
    }

    #[test]
    fn short_names_keep_their_case_in_flags() {
        assert_eq!(short(&record(b"README  TXT", 0)), "README.TXT".into());
        assert_eq!(short(&record(b"README  TXT", 0x10)), "README.txt".into());
        assert_eq!(short(&record(b"GR\x99\xe1E      ", 0x08)), "größe".into());
        assert_eq!(short(&record(b"\x05X         ", 0)).units().first(), Some(&0x3c3));
    }

    fn long(number: u8, checksum: u8, text: &str) -> [u8; RECORD] {
        let mut record = [0xff; RECORD];
        (record[0], record[11], record[13]) = (number, 0x0f, checksum);
        let places = (1..11).step_by(2).chain((14..26).step_by(2)).chain([28, 30]);
        for (at, unit) in places.zip(text.encode_utf16().chain([0])) {
            record[at..at + 2].copy_from_slice(&unit.to_le_bytes());
        }
        record
    }

    #[test]
    fn long_names_belong_to_a_short_one() {
        let file = record(b"ALONGN~1TXT", 0);
        let checksum = file[..11].iter().fold(0_u8, |sum, &byte| sum.rotate_right(1).wrapping_add(byte));
        let mut name = Long::default();
        let read = |name: &mut Long, records: &[[u8; RECORD]], file: &[u8; RECORD]| {
            records.iter().for_each(|record| name.push(record));
            name.finish(file)
        };
        let records = [long(0x42, checksum, "mé.txt"), long(1, checksum, "a long na mmm")];
        assert_eq!(read(&mut name, &records, &file), Some("a long na mmmmé.txt".into()));
        assert_eq!(read(&mut name, &[], &file), None);
        assert_eq!(read(&mut name, &records, &record(b"OTHER      ", 0)), None);
        assert_eq!(read(&mut name, &records[..1], &file), None);
        assert_eq!(read(&mut name, &records[1..], &file), None);
        assert_eq!(read(&mut name, &[records[0], long(1, checksum ^ 1, "a long na mmm")], &file), None);
        assert_eq!(read(&mut name, &[long(0x55, checksum, "x")], &file), None);
    }
}
