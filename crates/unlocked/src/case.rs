//! Which names are the same: the file systems of Windows keep case and do not tell by it.

use std::cmp::Ordering;
use std::sync::{Arc, LazyLock};

/// A table that gives every UTF-16 unit its capital.
#[derive(Clone)]
pub(crate) struct Case(Arc<[u16]>);

const UNITS: usize = 0x1_0000;

impl Case {
    /// Makes a table of the first units' capitals; the others are their own.
    pub(crate) fn new(capitals: impl Iterator<Item = u16>) -> Self {
        let mut table: Vec<u16> = (0..=u16::MAX).collect();
        table.iter_mut().zip(capitals.take(UNITS)).for_each(|(place, capital)| *place = capital);
        Self(table.into())
    }

    /// Returns Unicode's table, for FAT, which has none, and for volumes whose own cannot be read.
    pub(crate) fn unicode() -> Self {
        static TABLE: LazyLock<Case> = LazyLock::new(|| Case::new((0..=u16::MAX).map(unicode_capital)));
        TABLE.clone()
    }

    fn capital(&self, unit: u16) -> u16 {
        self.0.get(usize::from(unit)).copied().unwrap_or(unit)
    }

    /// Compares as the index of an NTFS folder does, but for case.
    pub(crate) fn compare(
        &self,
        left: impl Iterator<Item = u16>,
        right: impl Iterator<Item = u16>,
    ) -> Ordering {
        left.map(|unit| self.capital(unit)).cmp(right.map(|unit| self.capital(unit)))
    }

    /// Returns whether two names are the same but for case.
    pub(crate) fn same(&self, left: impl Iterator<Item = u16>, right: impl Iterator<Item = u16>) -> bool {
        self.compare(left, right).is_eq()
    }
}

/// Returns the capital of a unit, itself where Unicode has none, or one of several units.
fn unicode_capital(unit: u16) -> u16 {
    let mut capitals = char::from_u32(unit.into()).into_iter().flat_map(char::to_uppercase);
    match (capitals.next(), capitals.next()) {
        (Some(capital), None) => u16::try_from(u32::from(capital)).unwrap_or(unit),
        _ => unit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(case: &Case, left: &str, right: &str) -> bool {
        case.same(left.encode_utf16(), right.encode_utf16())
    }

    #[test]
    fn unicode_knows_more_than_ascii() {
        let case = Case::unicode();
        assert!(same(&case, "Ünïcode ж", "ÜNÏCODE Ж"));
        // Its capital is two characters, so it is its own.
        assert!(!same(&case, "straße", "strasse"));
        assert!(same(&case, "straße", "STRAßE"));
    }

    #[test]
    fn a_short_table_leaves_the_rest_alone() {
        let case = Case::new((0..128).map(|unit: u8| unit.to_ascii_uppercase().into()));
        assert!(same(&case, "abc", "ABC"));
        assert!(!same(&case, "ä", "Ä"));
    }
}
