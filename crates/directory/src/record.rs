//! A key as it lies in the directory: an object below its computer.
//!
//! Its class is `msFVE-RecoveryInformation` (documented by Microsoft) and it has
//!
//! | attribute | holds |
//! |---|---|
//! | `cn` | `2005-09-30T17:08:23-08:00{063EA4E1-220C-4293-BA01-4754620A96E7}`: local time, key ID |
//! | `msFVE-RecoveryGuid` | the key ID, 16 bytes as in the drive's metadata |
//! | `msFVE-VolumeGuid` | the volume's GUID, in the same way |
//! | `msFVE-RecoveryPassword` | the 48 digits with hyphens; shown only to those with a right of its own |
//! | `msFVE-KeyPackage` | what Windows' repair tool takes; its bytes are not documented, so none are written |

use std::collections::HashSet;

use jiff::{Timestamp, Zoned};
use recovery_key::{KeyId, KeyIdPrefix, RecoveryPassword, Secret};
use uuid::Uuid;

use crate::dn;

pub(crate) const CLASS: &str = "msFVE-RecoveryInformation";
pub(crate) const KEY_ID: &str = "msFVE-RecoveryGuid";
const VOLUME: &str = "msFVE-VolumeGuid";
const PASSWORD: &str = "msFVE-RecoveryPassword";
const CREATED: &str = "whenCreated";
/// What is asked for when keys are read.
pub(crate) const ATTRIBUTES: [&str; 4] = [KEY_ID, VOLUME, PASSWORD, CREATED];

/// A key to be stored.
#[derive(Debug)]
pub struct NewRecord<'a> {
    /// Its key ID.
    pub key_id: KeyId,
    /// Its digits.
    pub password: &'a RecoveryPassword,
    /// The volume that it opens.
    pub volume: Uuid,
    /// Now, in local time.
    pub created: Zoned,
}

/// A key that was found.
#[derive(Debug)]
pub struct Entry {
    /// Its distinguished name.
    pub dn: String,
    /// The name of the computer that it lies below.
    pub computer: String,
    /// Its key ID.
    pub key_id: KeyId,
    /// The volume that it is for.
    pub volume: Option<Uuid>,
    /// When it was stored: as its name says, else as the directory says.
    pub created: Option<Timestamp>,
    /// The digits as they stand there; `None` when this account may not see them.
    pub password: Option<Secret<String>>,
}

/// One attribute of a new object: its name, its values.
pub(crate) type Attribute = (Vec<u8>, HashSet<Vec<u8>>);

impl NewRecord<'_> {
    /// Returns the name of its object: always 63 characters.
    pub(crate) fn name(&self) -> String {
        let offset = self.created.offset();
        // Windows writes no offset as -00:00.
        let zone =
            if offset.is_zero() { "-00:00".to_owned() } else { self.created.strftime("%:z").to_string() };
        format!("{}{zone}{{{}}}", self.created.strftime("%Y-%m-%dT%H:%M:%S"), self.key_id)
    }

    pub(crate) fn attributes(&self) -> Vec<Attribute> {
        let digits = self.password.digits();
        [
            ("objectClass", vec![b"top".to_vec(), CLASS.into()]),
            (KEY_ID, vec![self.key_id.to_bytes_le().to_vec()]),
            (VOLUME, vec![self.volume.to_bytes_le().to_vec()]),
            (PASSWORD, vec![digits.expose().clone().into_bytes()]),
        ]
        .map(|(name, values)| (name.into(), HashSet::from_iter(values)))
        .into()
    }
}

impl Entry {
    /// Types an object; `None` when neither an attribute nor its name has a key ID.
    pub(crate) fn new(dn: String, mut take: impl FnMut(&str) -> Option<Secret<Vec<u8>>>) -> Option<Self> {
        let guid = |bytes: Secret<Vec<u8>>| <[u8; 16]>::try_from(bytes.expose().as_slice()).ok();
        let name = dn::name(&dn).unwrap_or_default();
        let (time, id) = name.split_once('{').unwrap_or((&name, ""));
        let key_id = take(KEY_ID).and_then(guid).map(KeyId::from_bytes_le).or_else(|| id.parse().ok())?;
        let volume = take(VOLUME).and_then(guid).map(Uuid::from_bytes_le);
        let server_time = take(CREATED).and_then(|text| generalized_time(text.expose()));
        Some(Self {
            computer: dn::parent(&dn).and_then(dn::name).unwrap_or_default(),
            key_id,
            volume,
            created: time.parse().ok().or(server_time),
            password: take(PASSWORD).and_then(text),
            dn,
        })
    }

    /// Returns whether the digits are those of `password`; `None` when they cannot be seen.
    pub fn has(&self, password: &RecoveryPassword) -> Option<bool> {
        let text = self.password.as_ref()?;
        Some(RecoveryPassword::parse(text.expose()).is_ok_and(|own| own == *password))
    }
}

/// Returns what finds the objects whose key ID starts so, and perhaps some more.
///
/// The bytes of a GUID's first three groups are stored in reverse, so only whole groups can be looked for
/// by them. The name says the same in clear: Windows' own tools go by it.
pub(crate) fn filter(prefix: &KeyIdPrefix) -> String {
    let name = format!("(name=*{{{prefix}*)");
    let stored = stored_start(prefix);
    let by_key_id = match stored.len() {
        0 => String::new(),
        16 => format!("({KEY_ID}={})", dn::octets(&stored)),
        _ => format!("({KEY_ID}={}*)", dn::octets(&stored)),
    };
    format!("(&(objectClass={CLASS})(|{by_key_id}{name}))")
}

/// Returns the bytes that every key ID with this start begins with as it is stored.
fn stored_start(prefix: &KeyIdPrefix) -> Vec<u8> {
    let digits: Vec<u8> = prefix.to_string().bytes().filter(u8::is_ascii_hexdigit).collect();
    let known: Vec<u8> = digits.chunks_exact(2).filter_map(dn::hex_pair).collect();
    let mut stored = Vec::new();
    let mut rest = known.as_slice();
    for group in [4, 2, 2] {
        let Some((bytes, tail)) = rest.split_at_checked(group) else { return stored };
        stored.extend(bytes.iter().rev());
        rest = tail;
    }
    stored.extend(rest);
    stored
}

fn text(bytes: Secret<Vec<u8>>) -> Option<Secret<String>> {
    std::str::from_utf8(bytes.expose()).ok().map(|text| Secret::new(text.to_owned()))
}

/// Reads `20261122103000.0Z`.
fn generalized_time(bytes: &[u8]) -> Option<Timestamp> {
    let digits = std::str::from_utf8(bytes.get(..14)?).ok()?;
    let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", digits).ok()?;
    time.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use jiff::tz::{self, TimeZone};
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "063EA4E1-220C-4293-BA01-4754620A96E7";
    const DIGITS: &str = "132858-327525-689172-680790-354607-080454-642268-377564";

    fn key_id() -> KeyId {
        ID.parse().expect("a key ID")
    }

    fn name_at(offset_minutes: i32) -> String {
        let offset = tz::Offset::from_seconds(offset_minutes * 60).expect("an offset");
        let created: Timestamp = "2005-10-01T01:08:23Z".parse().expect("a time");
        let password = RecoveryPassword::parse(DIGITS).expect("digits");
        NewRecord {
            key_id: key_id(),
            password: &password,
            volume: Uuid::nil(),
            created: created.to_zoned(TimeZone::fixed(offset)),
        }
        .name()
    }

    fn entry(dn: &str, attributes: &[(&str, &[u8])]) -> Option<Entry> {
        Entry::new(dn.to_owned(), |wanted| {
            let found = attributes.iter().find(|(name, _)| *name == wanted)?;
            Some(Secret::new(found.1.to_vec()))
        })
    }

    /// The example in Microsoft's documentation, and the same moment elsewhere.
    #[test]
    fn names_are_those_of_windows() {
        for (offset, time) in [
            (-480, "2005-09-30T17:08:23-08:00"),
            (0, "2005-10-01T01:08:23-00:00"),
            (60, "2005-10-01T02:08:23+01:00"),
            (345, "2005-10-01T06:53:23+05:45"),
        ] {
            assert_eq!(name_at(offset), format!("{time}{{{ID}}}"));
            assert_eq!(name_at(offset).len(), 63);
            let dn = format!("CN={},CN=PC01,DC=example", dn::escape(&name_at(offset)));
            let found = entry(&dn, &[]).expect("a key ID in its name");
            assert_eq!(found.created.map(|time| time.as_second()), Some(1_128_128_903), "{dn}");
            assert_eq!((found.computer.as_str(), found.key_id), ("PC01", key_id()));
            assert!(found.password.is_none() && found.volume.is_none());
        }
    }

    #[test]
    fn objects_with_other_names_are_read_by_their_attributes() {
        let attributes: [(&str, &[u8]); 4] = [
            (KEY_ID, &key_id().to_bytes_le()),
            (VOLUME, &[1; 16]),
            (PASSWORD, DIGITS.as_bytes()),
            (CREATED, b"20261122103000.0Z"),
        ];
        let found = entry(r"CN=by hand,CN=B\, \C3\BC,DC=example", &attributes).expect("a key ID");
        assert_eq!((found.computer.as_str(), found.key_id), ("B, ü", key_id()));
        assert_eq!(found.volume, Some(Uuid::from_bytes_le([1; 16])));
        assert_eq!(found.created, "2026-11-22T10:30:00Z".parse().ok());
        assert_eq!(found.has(&RecoveryPassword::parse(DIGITS).expect("digits")), Some(true));
        assert!(!format!("{found:?}").contains("132858"));
        let other = RecoveryPassword::from_bytes(Secret::new([0; 16]));
        assert_eq!(found.has(&other), Some(false));
        assert!(entry("CN=by hand,CN=PC01,DC=example", &[(KEY_ID, &[1; 15])]).is_none());
    }

    #[test]
    fn the_filter_knows_how_guids_are_stored() {
        let of = |text: &str| filter(&text.parse().expect("a prefix"));
        let class = "(&(objectClass=msFVE-RecoveryInformation)(|";
        assert_eq!(of("063EA4E"), format!("{class}(name=*{{063EA4E*)))"));
        assert_eq!(
            of("063ea4e1"),
            format!(r"{class}(msFVE-RecoveryGuid=\e1\a4\3e\06*)(name=*{{063EA4E1*)))")
        );
        assert_eq!(
            of("063EA4E1-220C-4"),
            format!(r"{class}(msFVE-RecoveryGuid=\e1\a4\3e\06\0c\22*)(name=*{{063EA4E1-220C-4*)))")
        );
        assert!(of(ID).contains(r"=\e1\a4\3e\06\0c\22\93\42\ba\01\47\54\62\0a\96\e7)"));
    }

    proptest! {
        #[test]
        fn every_key_id_begins_with_its_stored_start(guid: u128, digits in 1usize..=32) {
            let id = KeyId::from(Uuid::from_u128(guid));
            let prefix: KeyIdPrefix = format!("{guid:032x}")[..digits].parse().expect("a prefix");
            let start = stored_start(&prefix);
            prop_assert!(id.to_bytes_le().starts_with(&start));
            let whole_groups = match digits { 0..8 => 0, 8..12 => 4, 12..16 => 6, more => more / 2 };
            prop_assert_eq!(start.len(), whole_groups);
        }

        #[test]
        fn any_object_is_survived(name in ".{1,80}", bytes in prop::collection::vec(any::<u8>(), 0..20)) {
            let dn = format!("CN={},CN=PC01,DC=example", dn::escape(&name));
            let all = ATTRIBUTES.map(|attribute| (attribute, bytes.as_slice()));
            if let Some(found) = entry(&dn, &all) {
                prop_assert_eq!(found.computer, "PC01");
            }
        }
    }
}
