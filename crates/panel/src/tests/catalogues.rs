//! The languages say the same, and say all that pages ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Returns the messages of a language: the variables that each names.
fn messages(language: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for file in files(&format!("locales/{language}"), "ftl") {
        let mut last = String::new();
        for line in fs::read_to_string(&file).unwrap().lines() {
            if let Some((id, _)) =
                line.split_once(" =").filter(|_| line.starts_with(|first: char| first.is_ascii_lowercase()))
            {
                assert!(
                    all.insert(id.to_owned(), BTreeSet::new()).is_none(),
                    "{id} stands twice, in {}",
                    file.display()
                );
                last = id.to_owned();
            }
            for variable in line.split('$').skip(1) {
                let name =
                    variable.split(|next: char| !next.is_ascii_alphanumeric() && next != '_').next().unwrap();
                all.get_mut(&last).unwrap().insert(name.to_owned());
            }
        }
    }
    all
}

#[test]
fn all_languages_have_the_same_messages() {
    let (english, german) = (messages("en"), messages("de"));
    for (id, variables) in &english {
        assert_eq!(german.get(id), Some(variables), "{id} in German");
    }
    for id in german.keys() {
        assert!(english.contains_key(id), "{id} is German only");
    }
}

#[test]
fn every_message_can_be_read() {
    for language in ["en", "de"] {
        for file in files(&format!("locales/{language}"), "ftl") {
            let text = fs::read_to_string(&file).unwrap();
            let parsed = fluent_bundle::FluentResource::try_new(text);
            assert!(parsed.is_ok(), "{}: {:?}", file.display(), parsed.err().map(|(_, errors)| errors));
        }
    }
}

#[test]
fn pages_say_what_there_is_and_nothing_is_left_over() {
    let english = messages("en");
    let sources = files("src", "rs").into_iter().chain(files("templates", "html"));
    let sources: String = sources.map(|file| fs::read_to_string(file).unwrap()).collect();
    // Names of messages are written in full wherever they are used: "drive-locked".
    for id in english.keys() {
        assert!(sources.contains(&format!("\"{id}\"")), "nothing says {id}");
    }
    for call in ["say.of(\"", "say.with(\"", "say.count(\""] {
        for part in sources.split(call).skip(1) {
            let id = part.split('"').next().unwrap();
            assert!(english.contains_key(id), "there is no message {id}");
        }
    }
}
