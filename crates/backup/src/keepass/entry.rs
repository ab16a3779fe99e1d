//! Entries in the text of a database: found, written, added.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use recovery_key::Secret;

use super::error::KeePassError;
use super::text::{Step, Walker, escape, replace};

/// The group that ours go to.
pub(super) const GROUP: &str = "BitLocker";
/// Seconds from the year 1, where format 4 counts from, to 1970.
const YEAR_1: i64 = 62_135_596_800;
/// The picture of a key, and of a folder.
const ICONS: [u8; 2] = [0, 48];

/// An entry that is there.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// The groups it lies in, the outermost first.
    pub(super) groups: Vec<String>,
    /// Whether it is an earlier state of another entry.
    pub(super) old: bool,
    /// Its fields by name, shown.
    pub(super) fields: Vec<(String, Secret<String>)>,
    /// Its attachments: name and number.
    pub(super) files: Vec<(String, usize)>,
}

impl Entry {
    /// Returns a field.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.expose().as_str())
    }

    /// Returns whether it lies where ours are put, under this title.
    pub(super) fn is_ours(&self, title: &str) -> bool {
        !self.old
            && matches!(self.groups.as_slice(), [_, group] if group == GROUP)
            && self.field("Title") == Some(title)
    }
}

/// Finds every entry, earlier states too.
pub(super) fn entries(text: &str) -> Result<Vec<Entry>, KeePassError> {
    let mut walker = Walker::new(text);
    let mut found = Vec::new();
    let mut path: Vec<String> = Vec::new();
    let mut groups: Vec<String> = Vec::new();
    // An entry and, within its history, an earlier state of it.
    let mut open: Vec<Entry> = Vec::new();
    let mut pair = Pair::default();
    while let Some(step) = walker.step()? {
        match step {
            Step::Open { name, protected, number, .. } => {
                match name.as_str() {
                    "Group" => groups.push(String::new()),
                    "Entry" => {
                        open.push(Entry { groups: groups.clone(), old: !open.is_empty(), ..Entry::default() })
                    }
                    "String" | "Binary" => pair = Pair::default(),
                    "Value" => (pair.protected, pair.number) = (protected, number),
                    _ => {}
                }
                path.push(name);
            }
            Step::Text(part) => match path.as_slice() {
                [.., group, name] if group == "Group" && name == "Name" => {
                    if let Some(group) = groups.last_mut() {
                        group.push_str(&part);
                    }
                }
                [.., parent, name] if parent == "String" || parent == "Binary" => match name.as_str() {
                    "Key" => pair.key.push_str(&part),
                    "Value" => pair.value.expose_mut().push_str(&part),
                    _ => {}
                },
                _ => {}
            },
            Step::Close { .. } => {
                let name = path.pop().unwrap_or_default();
                match (name.as_str(), open.last_mut()) {
                    ("String", Some(entry)) => {
                        let pair = std::mem::take(&mut pair);
                        let value = pair.shown()?;
                        entry.fields.push((pair.key, value));
                    }
                    ("Binary", Some(entry)) => {
                        let pair = std::mem::take(&mut pair);
                        entry.files.extend(pair.number.map(|number| (pair.key, number)));
                    }
                    ("Entry", Some(_)) => found.extend(open.pop()),
                    ("Group", _) => drop(groups.pop()),
                    _ => {}
                }
            }
        }
    }
    Ok(found)
}

/// A field or an attachment while it is read.
struct Pair {
    key: String,
    value: Secret<String>,
    protected: bool,
    number: Option<usize>,
}

impl Default for Pair {
    fn default() -> Self {
        Self { key: String::new(), value: Secret::new(String::new()), protected: false, number: None }
    }
}

impl Pair {
    fn shown(&self) -> Result<Secret<String>, KeePassError> {
        if !self.protected {
            return Ok(self.value.duplicate());
        }
        let bytes = BASE64_STANDARD.decode(self.value.expose());
        let bytes = Secret::new(bytes.map_err(|_| KeePassError::Damaged("a protected value"))?);
        Ok(Secret::new(String::from_utf8_lossy(bytes.expose()).into_owned()))
    }
}

/// An entry to be added.
#[derive(Debug)]
pub(super) struct NewEntry<'a> {
    pub(super) title: &'a str,
    pub(super) user_name: &'a str,
    pub(super) password: Option<&'a Secret<String>>,
    pub(super) notes: &'a str,
    /// Fields that are not KeePass' own.
    pub(super) more: &'a [(&'a str, String)],
    /// An attachment: name and number.
    pub(super) file: Option<(&'a str, usize)>,
    /// Seconds since 1970.
    pub(super) now: i64,
    /// Whether times are written as text, not as numbers.
    pub(super) times_as_text: bool,
}

impl NewEntry<'_> {
    /// Returns the text with this entry in the group that ours go to, which is made when it is missing.
    pub(super) fn added_to(&self, text: &Secret<String>) -> Result<Secret<String>, KeePassError> {
        let place = Place::find(text.expose())?;
        let entry = self.to_xml()?;
        if place.group {
            return Ok(replace(text, place.at..place.at, entry.expose()));
        }
        let [_, icon] = ICONS;
        let start = format!(
            "<Group><UUID>{}</UUID><Name>{GROUP}</Name><Notes/><IconID>{icon}</IconID>{}\
             <IsExpanded>True</IsExpanded><DefaultAutoTypeSequence/>\
             <EnableAutoType>null</EnableAutoType><EnableSearching>null</EnableSearching>\
             <LastTopVisibleEntry>{}</LastTopVisibleEntry>",
            id()?,
            self.times(),
            BASE64_STANDARD.encode([0; 16])
        );
        let mut group = Secret::new(String::with_capacity(start.len() + entry.expose().len() + 16));
        [&start, entry.expose(), "</Group>"].iter().for_each(|part| group.expose_mut().push_str(part));
        Ok(replace(text, place.at..place.at, group.expose()))
    }

    fn times(&self) -> String {
        let text = || jiff::Timestamp::from_second(self.now).ok().map(|time| time.to_string());
        times(&self.times_as_text.then(text).flatten().unwrap_or_else(|| time(self.now)))
    }

    fn to_xml(&self) -> Result<Secret<String>, KeePassError> {
        let mut out = Secret::new(String::with_capacity(4096));
        let xml = out.expose_mut();
        let [icon, _] = ICONS;
        xml.push_str(&format!(
            "<Entry><UUID>{}</UUID><IconID>{icon}</IconID><ForegroundColor/><BackgroundColor/><OverrideURL/>\
             <Tags/>{}",
            id()?,
            self.times()
        ));
        let own = [("Title", self.title), ("UserName", self.user_name), ("URL", ""), ("Notes", self.notes)];
        let more = self.more.iter().map(|(key, value)| (*key, value.as_str()));
        for (key, value) in own.into_iter().chain(more) {
            let (key, value) = (escape(key), escape(value));
            xml.push_str(&format!("<String><Key>{key}</Key><Value>{value}</Value></String>"));
        }
        xml.push_str("<String><Key>Password</Key><Value Protected=\"True\">");
        if let Some(password) = self.password {
            BASE64_STANDARD.encode_string(password.expose(), xml);
        }
        xml.push_str("</Value></String>");
        if let Some((name, number)) = self.file {
            let name = escape(name);
            xml.push_str(&format!("<Binary><Key>{name}</Key><Value Ref=\"{number}\"/></Binary>"));
        }
        // A recovery screen has no programs that could type the key into it.
        xml.push_str(
            "<AutoType><Enabled>False</Enabled><DataTransferObfuscation>0</DataTransferObfuscation>\
             <DefaultSequence/></AutoType><History/></Entry>",
        );
        Ok(out)
    }
}

/// Where an entry is added.
struct Place {
    at: usize,
    /// Whether it is the end of our group, else of the root group.
    group: bool,
}

impl Place {
    fn find(text: &str) -> Result<Self, KeePassError> {
        let mut walker = Walker::new(text);
        let mut path: Vec<String> = Vec::new();
        let mut name = String::new();
        while let Some(step) = walker.step()? {
            match step {
                Step::Open { name: element, .. } => {
                    path.push(element);
                    if path == ["KeePassFile", "Root", "Group", "Group"] {
                        name.clear();
                    }
                }
                Step::Text(part) => {
                    if path == ["KeePassFile", "Root", "Group", "Group", "Name"] {
                        name.push_str(&part);
                    }
                }
                Step::Close { start, .. } => {
                    if path == ["KeePassFile", "Root", "Group", "Group"] && name == GROUP {
                        return Ok(Self { at: start, group: true });
                    }
                    if path == ["KeePassFile", "Root", "Group"] {
                        return Ok(Self { at: start, group: false });
                    }
                    path.pop();
                }
            }
        }
        Err(KeePassError::Damaged("it has no root group"))
    }
}

/// Returns the text of a database that holds nothing yet.
pub(super) fn empty(name: &str, now: i64) -> Result<Secret<String>, KeePassError> {
    let (name, time) = (escape(name), time(now));
    let [_, icon] = ICONS;
    let none = BASE64_STANDARD.encode([0; 16]);
    Ok(Secret::new(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n\
         <KeePassFile><Meta><Generator>lastkey</Generator><DatabaseName>{name}</DatabaseName>\
         <DatabaseNameChanged>{time}</DatabaseNameChanged><DatabaseDescription/>\
         <DatabaseDescriptionChanged>{time}</DatabaseDescriptionChanged><DefaultUserName/>\
         <DefaultUserNameChanged>{time}</DefaultUserNameChanged>\
         <MaintenanceHistoryDays>365</MaintenanceHistoryDays><Color/>\
         <MasterKeyChanged>{time}</MasterKeyChanged><MasterKeyChangeRec>-1</MasterKeyChangeRec>\
         <MasterKeyChangeForce>-1</MasterKeyChangeForce><MemoryProtection>\
         <ProtectTitle>False</ProtectTitle><ProtectUserName>False</ProtectUserName>\
         <ProtectPassword>True</ProtectPassword><ProtectURL>False</ProtectURL>\
         <ProtectNotes>False</ProtectNotes></MemoryProtection><CustomIcons/>\
         <RecycleBinEnabled>True</RecycleBinEnabled><RecycleBinUUID>{none}</RecycleBinUUID>\
         <RecycleBinChanged>{time}</RecycleBinChanged><EntryTemplatesGroup>{none}</EntryTemplatesGroup>\
         <EntryTemplatesGroupChanged>{time}</EntryTemplatesGroupChanged>\
         <LastSelectedGroup>{none}</LastSelectedGroup><LastTopVisibleGroup>{none}</LastTopVisibleGroup>\
         <HistoryMaxItems>10</HistoryMaxItems><HistoryMaxSize>6291456</HistoryMaxSize>\
         <SettingsChanged>{time}</SettingsChanged><CustomData/></Meta><Root>\
         <Group><UUID>{}</UUID><Name>{name}</Name><Notes/><IconID>{icon}</IconID>{}\
         <IsExpanded>True</IsExpanded><DefaultAutoTypeSequence/><EnableAutoType>null</EnableAutoType>\
         <EnableSearching>null</EnableSearching><LastTopVisibleEntry>{none}</LastTopVisibleEntry>\
         </Group><DeletedObjects/></Root></KeePassFile>",
        id()?,
        times(&time)
    )))
}

fn times(time: &str) -> String {
    format!(
        "<Times><LastModificationTime>{time}</LastModificationTime><CreationTime>{time}</CreationTime>\
         <LastAccessTime>{time}</LastAccessTime><ExpiryTime>{time}</ExpiryTime><Expires>False</Expires>\
         <UsageCount>0</UsageCount><LocationChanged>{time}</LocationChanged></Times>"
    )
}

fn time(now: i64) -> String {
    BASE64_STANDARD.encode(now.saturating_add(YEAR_1).to_le_bytes())
}

fn id() -> Result<String, KeePassError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| KeePassError::NoRandom)?;
    Ok(BASE64_STANDARD.encode(uuid::Builder::from_random_bytes(bytes).into_uuid().as_bytes()))
}
