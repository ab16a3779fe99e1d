//! What was found, grouped: which copies are the same key, and which contradict one another.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};

use recovery_key::document::FoundSecret;
use recovery_key::{KeyId, KeyIdPrefix};

use crate::forms::Form;
use crate::walk::{Finding, Place};

/// The keys by key ID.
#[derive(Debug, Default)]
pub struct Report {
    /// In the order of their key IDs, those without one at the end.
    pub entries: Vec<Entry>,
}

/// All that stands under one key ID, or one key without any.
#[derive(Debug)]
pub struct Entry {
    /// The key ID, or as much of it as is left.
    pub key_id: Option<KeyIdPrefix>,
    /// The different keys; more than one is a conflict: at most one of them can be right.
    pub variants: Vec<Variant>,
}

/// One key, and all its copies.
#[derive(Debug)]
pub struct Variant {
    /// The key.
    pub secret: FoundSecret,
    /// Where it was found.
    pub copies: Vec<(Place, Form)>,
    /// Other key IDs that the same key stands under: one of them is wrong.
    pub also_under: Vec<KeyIdPrefix>,
}

impl Entry {
    /// Says whether different keys claim the same key ID.
    pub fn is_conflict(&self) -> bool {
        self.variants.len() > 1
    }
}

impl Report {
    pub(crate) fn of(findings: Vec<Finding>) -> Self {
        let mut groups = Groups::default();
        let (with_id, without): (Vec<_>, Vec<_>) =
            findings.into_iter().partition(|found| found.key_id.is_some());
        let (whole, cut): (Vec<_>, Vec<_>) =
            with_id.into_iter().partition(|found| found.key_id.is_some_and(|id| id.whole().is_some()));
        // What is known best first, so that the rest finds where it belongs.
        whole.into_iter().chain(cut).for_each(|found| groups.add(found));
        without.into_iter().for_each(|found| groups.add_without_id(found));
        groups.finish()
    }
}

#[derive(Default)]
struct Groups {
    entries: Vec<Entry>,
    /// The entry of each kind and key ID.
    by_id: BTreeMap<(bool, String), usize>,
    /// The entries of each key, by a sum of it.
    by_secret: HashMap<u64, Vec<usize>>,
    sums: RandomState,
}

impl Groups {
    fn add(&mut self, found: Finding) {
        let Some(id) = found.key_id else { return };
        let name = (is_external(&found.secret), id.to_string());
        let entry = match self.by_id.get(&name).copied().or_else(|| self.only_longer(&name)) {
            Some(entry) => entry,
            None => {
                self.entries.push(Entry { key_id: Some(id), variants: Vec::new() });
                self.by_id.insert(name, self.entries.len() - 1);
                self.entries.len() - 1
            }
        };
        self.put(entry, found);
    }

    /// Finds the only key ID that begins so.
    fn only_longer(&self, name: &(bool, String)) -> Option<usize> {
        let mut longer = self
            .by_id
            .range(name.clone()..)
            .take_while(|(other, _)| other.0 == name.0 && other.1.starts_with(&name.1));
        let first = longer.next().map(|(_, &entry)| entry);
        first.filter(|_| longer.next().is_none())
    }

    fn add_without_id(&mut self, found: Finding) {
        let known = self.by_secret.get(&self.sum(&found.secret)).into_iter().flatten().copied();
        let same = known.into_iter().find(|&entry| {
            self.entries
                .get(entry)
                .is_some_and(|entry| entry.variants.iter().any(|v| same(&v.secret, &found.secret)))
        });
        let entry = same.unwrap_or_else(|| {
            self.entries.push(Entry { key_id: None, variants: Vec::new() });
            self.entries.len() - 1
        });
        self.put(entry, found);
    }

    fn put(&mut self, at: usize, found: Finding) {
        let sum = self.sum(&found.secret);
        let Some(entry) = self.entries.get_mut(at) else { return };
        let copy = (found.place, found.form);
        match entry.variants.iter_mut().find(|variant| same(&variant.secret, &found.secret)) {
            // Two encodings of one document, or pieces of it that overlap.
            Some(variant) if variant.copies.contains(&copy) => {}
            Some(variant) => variant.copies.push(copy),
            None => {
                entry.variants.push(Variant {
                    secret: found.secret,
                    copies: vec![copy],
                    also_under: Vec::new(),
                });
                self.by_secret.entry(sum).or_default().push(at);
            }
        }
    }

    fn sum(&self, secret: &FoundSecret) -> u64 {
        match secret {
            FoundSecret::RecoveryPassword(password) => self.sums.hash_one(password.bytes().expose()),
            FoundSecret::ExternalKey(bek) => self.sums.hash_one(bek.key.expose()),
        }
    }

    fn finish(mut self) -> Report {
        for entries in self.by_secret.values().filter(|entries| entries.len() > 1) {
            let ids: Vec<_> = entries.iter().filter_map(|&at| self.entries.get(at)?.key_id).collect();
            for &at in entries {
                let Some(entry) = self.entries.get_mut(at) else { continue };
                let own = entry.key_id;
                for variant in &mut entry.variants {
                    // The sum of a variant that is not meant would be another one's by chance only.
                    let sum = match &variant.secret {
                        FoundSecret::RecoveryPassword(password) => {
                            self.sums.hash_one(password.bytes().expose())
                        }
                        FoundSecret::ExternalKey(bek) => self.sums.hash_one(bek.key.expose()),
                    };
                    if self.by_secret.get(&sum) == Some(entries) {
                        variant.also_under = ids.iter().copied().filter(|id| Some(*id) != own).collect();
                    }
                }
            }
        }
        self.entries.sort_by_cached_key(|entry| {
            let external = entry.variants.first().is_some_and(|variant| is_external(&variant.secret));
            (entry.key_id.is_none(), entry.key_id.map(|id| id.to_string()), external)
        });
        Report { entries: self.entries }
    }
}

fn is_external(secret: &FoundSecret) -> bool {
    matches!(secret, FoundSecret::ExternalKey(_))
}

fn same(a: &FoundSecret, b: &FoundSecret) -> bool {
    match (a, b) {
        (FoundSecret::RecoveryPassword(a), FoundSecret::RecoveryPassword(b)) => a == b,
        (FoundSecret::ExternalKey(a), FoundSecret::ExternalKey(b)) => a.key == b.key && a.key_id == b.key_id,
        _ => false,
    }
}

impl Variant {
    /// Returns the key ID that the key itself says, as a `.BEK` file does.
    pub fn own_id(&self) -> Option<KeyId> {
        match &self.secret {
            FoundSecret::RecoveryPassword(_) => None,
            FoundSecret::ExternalKey(bek) => Some(bek.key_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::Findings;
    use crate::forms::Readers;

    const ONE: &str = "284867-596541-514998-422114-660297-261613-215424-199408";
    const TWO: &str = "132858-327525-689172-680790-354607-080454-642268-377564";
    const ID: &str = "3C116B76-C67B-484E-B439-CE2ED68B561E";
    const OTHER: &str = "11111111-2222-4333-8444-555555555555";

    fn report(documents: &[String]) -> Report {
        let mut findings = Findings::default();
        for (n, document) in documents.iter().enumerate() {
            let place = Place::from(PathBuf::from(format!("{n}")));
            findings.add(&place, "a.txt", document.as_bytes(), &Readers::default());
        }
        findings.report()
    }

    fn shape(report: &Report) -> Vec<(Option<String>, Vec<usize>)> {
        let copies = |entry: &Entry| entry.variants.iter().map(|variant| variant.copies.len()).collect();
        report.entries.iter().map(|entry| (entry.key_id.map(|id| id.to_string()), copies(entry))).collect()
    }

    #[test]
    fn copies_are_gathered_whatever_is_left_of_their_key_id() {
        let documents = [
            format!("{ID}\n{ONE}\n"),
            format!("Key ID: {}\n{ONE}\n", &ID[..8]),
            ONE.to_owned(),
            TWO.to_owned(),
        ];
        let report = report(&documents);
        assert_eq!(shape(&report), [(Some(ID.to_owned()), vec![3]), (None, vec![1])]);
        assert!(!report.entries[0].is_conflict());
    }

    #[test]
    fn contradictions_are_found_both_ways() {
        let report =
            report(&[format!("{ID}\n{ONE}\n"), format!("{ID}\n{TWO}\n"), format!("{OTHER}\n{ONE}\n")]);
        assert_eq!(shape(&report), [(Some(OTHER.to_owned()), vec![1]), (Some(ID.to_owned()), vec![1, 1])]);
        assert!(report.entries[1].is_conflict());
        assert_eq!(report.entries[0].variants[0].also_under.len(), 1);
        assert_eq!(report.entries[1].variants[0].also_under.len(), 1);
        assert!(report.entries[1].variants[1].also_under.is_empty());
    }
}
