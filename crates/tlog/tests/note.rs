//! Notes and checkpoints, with the example of Go's package `note` and another implementation as judges.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use tlog::{Checkpoint, NOTE_LIMIT, NoteError, NoteSigner, NoteVerifier};

const NEUMANN: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const NEUMANNS_SECRET: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const CRYPTOGRAPHY: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\
    \n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn signer(name: &str) -> NoteSigner {
    NoteSigner::new(name, &[7; 32]).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: "keys.example/log".to_owned(), size: 20, root: [9; 32] }
}

#[test]
fn the_example_of_the_format_is_read_and_a_changed_one_is_not() {
    let verifier = NoteVerifier::parse(NEUMANN).unwrap();
    assert_eq!(verifier.to_string(), NEUMANN);
    let text = verifier.open(CRYPTOGRAPHY).unwrap();
    assert!(text.starts_with("If you") && text.ends_with("is.\n"));
    assert_eq!(verifier.open(&CRYPTOGRAPHY.replace("don't know", "know")), Err(NoteError::Forged));
}

#[test]
fn another_implementation_reads_what_is_signed_here() {
    use signed_note::{Note, StandardVerifier, VerifierList};
    let signer = signer("keys.example/log");
    let note = checkpoint().sign(&signer);
    let theirs = StandardVerifier::new(&signer.verifier().to_string()).unwrap();
    let note = Note::from_bytes(note.as_bytes()).unwrap();
    let (signed, unknown) = note.verify(&VerifierList::new(vec![Box::new(theirs)])).unwrap();
    assert_eq!((signed.len(), unknown.len()), (1, 0));
    assert_eq!(note.text(), checkpoint().to_string().as_bytes());
}

#[test]
fn what_another_implementation_signs_is_read_here() {
    use signed_note::{Note, StandardSigner};
    let mut note = Note::new(b"A text\n\nwith an empty line\n", &[]).unwrap();
    note.add_sigs(&[&StandardSigner::new(NEUMANNS_SECRET).unwrap()]).unwrap();
    let note = String::from_utf8(note.to_bytes()).unwrap();
    let verifier = NoteVerifier::parse(NEUMANN).unwrap();
    assert_eq!(verifier.open(&note), Ok("A text\n\nwith an empty line\n"));
}

#[test]
fn a_checkpoint_is_read_as_it_was_signed() {
    let signer = signer("keys.example/log");
    let note = checkpoint().sign(&signer);
    assert_eq!(Checkpoint::open(&note, signer.verifier()), Ok(checkpoint()));
    let verifier = NoteVerifier::parse(&signer.verifier().to_string()).unwrap();
    assert_eq!(&verifier, signer.verifier());
    let extended = signer.sign(&format!("{}Timestamp: 1\n", checkpoint()));
    assert_eq!(Checkpoint::open(&extended, &verifier), Ok(checkpoint()));
}

#[test]
fn others_who_signed_too_are_read_over() {
    let (log, witness) = (signer("keys.example/log"), NoteSigner::new("witness", &[8; 32]).unwrap());
    let note = checkpoint().sign(&log);
    let by_witness = checkpoint().sign(&witness);
    let line = by_witness.rsplit_once("\n\n").unwrap().1;
    assert_eq!(Checkpoint::open(&format!("{note}{line}"), log.verifier()), Ok(checkpoint()));
    assert_eq!(witness.verifier().open(&note), Err(NoteError::Unsigned));
    // The same name with another key is somebody else.
    let other = NoteSigner::new("keys.example/log", &[8; 32]).unwrap();
    assert_eq!(other.verifier().open(&note), Err(NoteError::Unsigned));
}

#[test]
fn a_checkpoint_of_another_log_is_refused_although_the_signature_holds() {
    let signer = signer("elsewhere.example/log");
    let note = checkpoint().sign(&signer);
    assert!(signer.verifier().open(&note).is_ok());
    assert_eq!(Checkpoint::open(&note, signer.verifier()), Err(NoteError::OtherLog));
}

#[test]
fn what_is_not_quite_a_checkpoint_is_refused() {
    let good = checkpoint().to_string();
    assert_eq!(Checkpoint::parse(&good), Ok(checkpoint()));
    let root = good.lines().last().unwrap();
    for text in [
        String::new(),
        "\n".to_owned(),
        good.trim_end().to_owned(),
        format!("{good}\n"),
        format!("\n20\n{root}\n"),
        format!("log\n\n{root}\n"),
        format!("log\n+20\n{root}\n"),
        format!("log\n020\n{root}\n"),
        format!("log\n-1\n{root}\n"),
        format!("log\n18446744073709551616\n{root}\n"),
        format!("log\n20\n{}\n", &root[4..]),
        format!("log\n20\n{}\n", root.trim_end_matches('=')),
        "log\n20\n".to_owned(),
    ] {
        assert_eq!(Checkpoint::parse(&text), Err(NoteError::NoCheckpoint), "{text:?}");
    }
}

#[test]
fn what_is_not_quite_a_note_is_refused() {
    let signer = signer("log");
    let note = signer.sign("A text");
    let (text, line) = note.split_once("\n\n").unwrap();
    let longest = "x".repeat(NOTE_LIMIT);
    for note in [
        String::new(),
        text.to_owned(),
        format!("{text}\n\n"),
        format!("{text}\n{line}"),
        format!("\n\n{line}"),
        note.trim_end().to_owned(),
        note.replace('—', "-"),
        note.replace("— log ", "— l+g "),
        note.replace("— log ", "— "),
        note.replace("A text", "A\ttext"),
        note.replace("A text", &longest),
        format!("{text}\n\n{}", line.repeat(101)),
        format!("{note}\n{line}more"),
    ] {
        assert_eq!(signer.verifier().open(&note), Err(NoteError::Malformed), "{note:.80?}");
    }
}

#[test]
fn what_is_not_quite_a_verifier_is_refused() {
    for (text, why) in [
        ("", NoteError::Verifier),
        ("log", NoteError::Verifier),
        (&NEUMANN.replace("c74f20a3", "c74f20a4"), NoteError::Verifier),
        (&NEUMANN.replace("c74f20a3", "C74F20A3"), NoteError::Verifier),
        (&NEUMANN.replace("+AR", "+BR"), NoteError::Verifier),
        (&NEUMANN[..NEUMANN.len() - 4], NoteError::Verifier),
        (&NEUMANN.replace("PeterNeumann", "Peter Neumann"), NoteError::Name),
        (&NEUMANN.replace("PeterNeumann", ""), NoteError::Name),
    ] {
        assert_eq!(NoteVerifier::parse(text), Err(why), "{text}");
    }
    assert_eq!(NoteSigner::new("a b", &[0; 32]).err(), Some(NoteError::Name));
}

#[test]
fn a_signer_is_read_from_its_text() {
    let signer = NoteSigner::parse(NEUMANNS_SECRET).unwrap();
    assert_eq!(signer.verifier().to_string(), NEUMANN);
    assert_eq!(*signer.secret_text(), NEUMANNS_SECRET);
    // Ed25519 signs the same text the same way each time.
    let text = CRYPTOGRAPHY.split_once("\n\n").unwrap().0;
    assert_eq!(signer.sign(text), CRYPTOGRAPHY);
    for text in
        ["", NEUMANN, &NEUMANNS_SECRET.replace("c74f", "c74e"), &NEUMANNS_SECRET.replace("+AY", "+BY")]
    {
        assert_eq!(NoteSigner::parse(text).err(), Some(NoteError::Signer), "{text}");
    }
}

#[test]
fn what_is_shown_of_a_signer_has_no_secret() {
    let shown = format!("{:?}", signer("log"));
    assert!(shown.contains("log") && !shown.contains("secret") && !shown.contains("7, 7, 7"));
}

proptest! {
    #[test]
    fn no_text_makes_the_parsers_panic(text in "\\PC*", lines in "([a-z—+ =/0-9]{0,8}\n){0,8}") {
        for text in [text, lines] {
            let _ = Checkpoint::parse(&text);
            let _ = NoteVerifier::parse(&text);
            prop_assert!(signer("log").verifier().open(&text).is_err());
        }
    }

    #[test]
    fn a_note_with_any_byte_changed_is_refused(at: prop::sample::Index, by in 1_u8..) {
        let signer = signer("keys.example/log");
        let mut note = checkpoint().sign(&signer).into_bytes();
        let at = at.index(note.len());
        note[at] ^= by;
        if let Ok(note) = String::from_utf8(note) {
            prop_assert!(Checkpoint::open(&note, signer.verifier()).is_err());
        }
    }
}
