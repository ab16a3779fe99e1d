//! Every word on the pages, so that another language is another value.

/// The words of a page, in one language.
#[derive(Clone, Copy, Debug)]
pub struct Wording {
    /// The language as PDF names it, like `en-GB`.
    pub language: &'static str,
    /// The heading, which is also the document's title.
    pub title: &'static str,
    /// What the page is for, below the heading.
    pub purpose: &'static str,
    /// In front of the drive's label.
    pub drive: &'static str,
    /// In front of the date.
    pub printed: &'static str,
    /// Above the key ID.
    pub key_id: &'static str,
    /// What the key ID is for.
    pub key_id_use: &'static str,
    /// Above the digits.
    pub key: &'static str,
    /// How to type them.
    pub key_use: &'static str,
    /// What the left QR code and the barcode are for.
    pub scanner: &'static str,
    /// What the right QR code is for.
    pub phone: &'static str,
    /// What the barcode is, for people who cannot see it.
    pub barcode: &'static str,
    /// What the left QR code is, for people who cannot see it.
    pub digits_code: &'static str,
    /// What the right QR code is, for people who cannot see it.
    pub text_code: &'static str,
    /// Heading and text, below the codes, side by side.
    pub advice: [Advice; 3],
}

/// A short text with its heading.
#[derive(Clone, Copy, Debug)]
pub struct Advice {
    /// The heading.
    pub heading: &'static str,
    /// Paragraphs; one that starts with a backquote is a command and stays on its line.
    pub text: &'static [&'static str],
}

impl Wording {
    /// English.
    pub const ENGLISH: Self = Self {
        language: "en",
        title: "BitLocker recovery key",
        purpose: "The key on this page opens the drive named here, without any password. \
                  Whoever holds this page can open that drive.",
        drive: "Drive",
        printed: "Printed",
        key_id: "Key ID",
        key_id_use: "The recovery screen shows a key ID. If it begins with these eight characters, this is \
                     the right page. In full:",
        key: "Recovery key",
        key_use: "Type the groups in this order, 1 to 8. Windows puts the hyphens in by itself.",
        scanner: "The left code and the barcode hold the 48 digits alone: a scanner that acts as a keyboard \
                  types them into the recovery screen.",
        phone: "The right code also holds the key ID, for a phone. Scan it only with an app you trust: it \
                sees the key.",
        barcode: "Barcode of the 48 digits",
        digits_code: "QR code of the 48 digits",
        text_code: "QR code of the key ID and the 48 digits",
        advice: [
            Advice {
                heading: "Check it now",
                text: &[
                    "Photograph or scan this page and run",
                    "`lastkey verify DRIVE photo.jpg",
                    "It reads the digits and the codes and tries them on the drive. Repeat it once a year. \
                     Delete the photo afterwards.",
                ],
            },
            Advice {
                heading: "Keep it safe",
                text: &[
                    "With your passport and other papers that you would not lose. Never with the computer \
                     or in its bag.",
                    "A second page in another building outlives fire and flood.",
                ],
            },
            Advice {
                heading: "Destroy it in time",
                text: &[
                    "Shred or burn it when the drive is gone, or when its recovery key was replaced and the \
                     new one is backed up.",
                    "Even then it still opens copies of the drive that are older than the new key.",
                ],
            },
        ],
    };
}

/// The words of a sheet with a share, in one language. `{number}`, `{sheets}`, `{needed}` and `{set}` stand
/// for what the sheet is.
#[derive(Clone, Copy, Debug)]
pub struct ShareWording {
    /// The language as PDF names it, like `en-GB`.
    pub language: &'static str,
    /// The heading, which is also the document's title.
    pub title: &'static str,
    /// What the sheet is for, below the heading.
    pub purpose: &'static str,
    /// In front of the drive's label.
    pub drive: &'static str,
    /// In front of the next.
    pub set: &'static str,
    /// The name of the set, and `{printed}`: when it was printed.
    pub set_and_date: &'static str,
    /// Above the key ID.
    pub key_id: &'static str,
    /// What the key ID is for.
    pub key_id_use: &'static str,
    /// Above the share.
    pub share: &'static str,
    /// How to type it.
    pub share_use: &'static str,
    /// How to put the sheets together.
    pub combine: &'static str,
    /// What the QR code is for.
    pub phone: &'static str,
    /// What the QR code is, for people who cannot see it.
    pub code: &'static str,
    /// Heading and text, at the foot, side by side.
    pub advice: [Advice; 3],
}

impl ShareWording {
    /// English.
    pub const ENGLISH: Self = Self {
        language: "en",
        title: "Recovery key, sheet {number} of {sheets}",
        purpose: "Any {needed} of the {sheets} sheets of this set together open the drive named here, without \
                  any password. Fewer than {needed} tell nothing about the key.",
        drive: "Drive",
        set: "Set",
        set_and_date: "{set}, printed {printed}",
        key_id: "Key ID",
        key_id_use: "The recovery screen shows a key ID. If it begins with these eight characters, this set is \
                     the right one. In full:",
        share: "Share",
        share_use: "This is no recovery key by itself: Windows does not take it.",
        combine: "Bring {needed} sheets of set {set} together, and let lastkey put the key together from their \
                  photos or from what you type. There are no letters I, L, O and U; the last character of each \
                  group checks the others.",
        phone: "The code holds the key ID and the share. Scan it only with an app you trust.",
        code: "QR code of the key ID and the share",
        advice: [
            Advice {
                heading: "Check it now",
                text: &[
                    "Photograph {needed} sheets and run",
                    "`lastkey verify DRIVE *.jpg",
                    "It puts the key together and tries it on the drive. Delete the photos afterwards.",
                ],
            },
            Advice {
                heading: "Keep them apart",
                text: &[
                    "Each sheet in another place or with another person. Who holds {needed} of them can open \
                     the drive.",
                    "You may lose some, as long as {needed} are left.",
                ],
            },
            Advice {
                heading: "Destroy it in time",
                text: &[
                    "Shred or burn all sheets when the drive is gone, or when its recovery key was replaced and \
                     the new one is backed up.",
                ],
            },
        ],
    };
}
