//! What the publishers of the real drives and independent readers say about them.

/// A real drive, its keys, and what must come out of it.
pub struct Drive {
    /// The file's name.
    pub file: &'static str,
    /// Its password.
    pub password: Option<&'static str>,
    /// Its recovery passwords.
    pub recovery_passwords: &'static [&'static str],
    /// Its external key file.
    pub bek: Option<&'static str>,
    /// Whether it opens without a key.
    pub open: bool,
    /// Parts of the decrypted view and their SHA-256; an end of 0 is the end of the drive.
    pub views: &'static [(u64, u64, &'static str)],
}

const fn drive(file: &'static str, sha256: &'static [(u64, u64, &'static str)]) -> Drive {
    Drive { file, password: None, recovery_passwords: &[], bek: None, open: false, views: sha256 }
}

const PASSWORD: Option<&str> = Some("password12!@");
const ANACONDA: Option<&str> = Some("anaconda");

/// The real drives.
pub const DRIVES: [Drive; 18] = [
    Drive {
        password: PASSWORD,
        ..drive(
            "aes-xts_128.bin",
            &[(0, 0, "bdbb11a68b004640f3c11b3fadb9f7e909982013bf0a1a45ff859ab72fa22e76")],
        )
    },
    Drive {
        password: PASSWORD,
        ..drive(
            "aes-xts_256.bin",
            &[(0, 0, "8fb3b6c8d52d2786109265c75d0e2fd5acbc296c3a7ba7e6b74ad7a4ddb6cde4")],
        )
    },
    Drive {
        password: PASSWORD,
        ..drive("aes_128.bin", &[(0, 0, "d8ef2d32ff58b96c7a8256dbce2acdc8a9ff7f1ef241859bc139e622fb5109c8")])
    },
    Drive {
        password: PASSWORD,
        ..drive(
            "aes_128_diffuser.bin",
            &[(0, 0, "1d256fffb04c5e514d2da5e9bdc157348afdd616a95cd8d8a1cb1f417758bf72")],
        )
    },
    Drive {
        password: PASSWORD,
        ..drive("aes_256.bin", &[(0, 0, "167160be4e1dfcd58a058d012e23bf4dd7660345d48e01dbf4cf2a440ada0550")])
    },
    Drive {
        password: PASSWORD,
        ..drive(
            "aes_256_diffuser.bin",
            &[(0, 0, "16072a02dc419649c66d413237ad7c64b5bd6290d7617685b58d96d51819cd3b")],
        )
    },
    Drive {
        open: true,
        ..drive(
            "decrypted.bin",
            &[(0, 0, "6c39a3b99f5ea7f750507ce04b66e30c854d8399e43d4a8f88d99c0deb588c48")],
        )
    },
    Drive {
        password: PASSWORD,
        ..drive(
            "eow_partial.bin",
            &[(0, 0, "c05674cf6406fc47466bb6363427c0185109750e30bfba201fbab6db74d9146c")],
        )
    },
    Drive {
        password: PASSWORD,
        bek: Some("recovery_key.bek"),
        ..drive(
            "recovery_key.bin",
            &[(0, 0, "60f5a1ede3dfe897149be90b625ebb49ba31efac2a5f572befd29c6438e5c280")],
        )
    },
    Drive {
        password: PASSWORD,
        recovery_passwords: &["284867-596541-514998-422114-660297-261613-215424-199408"],
        ..drive(
            "recovery_password.bin",
            &[(0, 0, "85f7a58cc2014572419e221a93cd5c33c641257e3fa3a6b722333c9e70d734d9")],
        )
    },
    Drive {
        password: PASSWORD,
        bek: Some("startup_key.bek"),
        ..drive(
            "startup_key.bin",
            &[(0, 0, "b5171ef7567ad2d977e33fa1294604caaa2f72a4b28775c36ba5b2648a09552a")],
        )
    },
    Drive {
        open: true,
        ..drive(
            "suspended.bin",
            &[(0, 0, "0ff0d66c8d438a887a47844b647247f9ee7a573f22f1ed947622be30b4b55161")],
        )
    },
    Drive {
        recovery_passwords: &["517506-503998-044583-576191-587004-635965-501270-087802"],
        ..drive(
            "vista.bin",
            &[(0, 0x8000, "0928eeb24bf207ca67f9d1d097c80fc5a6e79178b10a767b6a75d8ae243c0032")],
        )
    },
    Drive {
        recovery_passwords: &["131450-120197-153989-250338-511368-495572-680944-381546"],
        open: true,
        ..drive(
            "win7_partial.bin",
            &[
                (0, 0x8000, "1a3aeebb4e5c5e948ba25b8f7689e40c07438b9ca1db8c865a1b3f6a46577b47"),
                (
                    0x442d_0000,
                    0x442d_8000,
                    "75d750760395ff13ec2bed0e185573d526b30f5c6f110abd2c097394e7a27553",
                ),
            ],
        )
    },
    Drive {
        password: ANACONDA,
        recovery_passwords: &["486552-140030-675719-163900-264671-413787-580239-152614"],
        ..drive(
            "bitlk-aes-xts-128-4k.img",
            &[(0, 0, "b4c0416ae643537207413ed78d4bcadae697bb86a6262864ac00afda01312277")],
        )
    },
    Drive {
        recovery_passwords: &["538329-080597-399190-348700-323345-161062-279807-230978"],
        ..drive(
            "bitlk-aes-xts-128-smart-card.img",
            &[(0, 0, "007de1a342f49a15f97712f634aa1684e1d8c24e220652fc9796b22421413268")],
        )
    },
    Drive {
        password: ANACONDA,
        recovery_passwords: &[
            "478401-067859-043868-000935-121330-337425-718509-484979",
            "297693-343387-338492-284526-405482-424886-634931-555093",
        ],
        ..drive(
            "bitlk-aes-xts-128-two-recovery.img",
            &[(0, 0, "15570b2a7a1255e2d0f34a0ff82b6e255d8a7e25c24c7849c91321bcb1858cb3")],
        )
    },
    Drive {
        password: ANACONDA,
        recovery_passwords: &["243067-548680-059818-148852-287771-550088-628265-631653"],
        ..drive(
            "bitlk-togo-aes-xts-128.img",
            &[(0, 0, "5954795eb41764b59a10d86c26fd3b43fb6d89f433c8edc1e8fd48067d198591")],
        )
    },
];
