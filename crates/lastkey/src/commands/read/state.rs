//! `FILE.part.state`: what `FILE.part` is a copy of, and how much of it is on the medium.
//!
//! One line of JSON says what is copied; each line after it says how far. A line is added only when everything that it
//! speaks of is on the medium. A line that is torn, or anything that is none, ends what is believed: the copy then
//! goes on a little earlier.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use disk_image::Mark;
use serde::{Deserialize, Serialize};

/// A line a second for two weeks. Of a longer one the rest is not believed.
const LIMIT: u64 = 64 << 20;

/// What is copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Raised when an older program could not go on with it.
    pub lastkey_copy: u32,
    /// What the drive was called.
    pub drive: String,
    /// The volume's GUID.
    pub volume: String,
    /// How many bytes the volume has.
    pub size: u64,
    /// Where the copy begins.
    pub offset: u64,
    /// How many bytes it has.
    pub length: u64,
    /// What the file looks like.
    pub out_format: String,
}

impl Job {
    /// What this program writes.
    pub const VERSION: u32 = 1;
}

#[derive(Serialize, Deserialize)]
struct Reached {
    copied: u64,
    /// How long the file is then.
    end: u64,
}

/// The file.
#[derive(Debug)]
pub struct State {
    file: File,
    mark: Mark,
}

impl State {
    /// Begins one in a file, whatever was in it.
    pub fn begin(mut file: File, job: &Job) -> io::Result<Self> {
        file.set_len(0)?;
        file.rewind()?;
        add(&mut file, job)?;
        Ok(Self { file, mark: Mark::default() })
    }

    /// Reads one; `None` when the file is none, or was cut off in its first line.
    pub fn read(mut file: File) -> io::Result<Option<(Job, Self)>> {
        let mut text = Vec::new();
        (&file).take(LIMIT).read_to_end(&mut text)?;
        let mut lines = text.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n"));
        let Some((job, first)) = lines.next().and_then(|line| Some((parse::<Job>(line)?, line.len()))) else {
            return Ok(None);
        };
        let (mut mark, mut end) = (Mark::default(), first);
        for line in lines {
            match parse::<Reached>(line) {
                Some(Reached { copied, end }) if copied >= mark.position => {
                    mark = Mark { position: copied, end };
                }
                _ => break,
            }
            end += line.len();
        }
        file.set_len(end as u64)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Some((job, Self { file, mark })))
    }

    /// Returns up to where the copy is on the medium.
    pub fn mark(&self) -> Mark {
        self.mark
    }

    /// Notes that everything up to a mark is on the medium.
    pub fn reach(&mut self, mark: Mark) -> io::Result<()> {
        if mark != self.mark {
            add(&mut self.file, &Reached { copied: mark.position, end: mark.end })?;
            self.mark = mark;
        }
        Ok(())
    }
}

fn parse<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Option<T> {
    serde_json::from_slice(line).ok()
}

fn add(file: &mut File, line: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(line)?;
    line.push(b'\n');
    file.write_all(&line)?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        Job {
            lastkey_copy: Job::VERSION,
            drive: "/dev/sda3".to_owned(),
            volume: "11111111-2222-3333-4444-555555555555".to_owned(),
            size: 1 << 40,
            offset: 0,
            length: 1 << 40,
            out_format: "raw".to_owned(),
        }
    }

    fn at(position: u64) -> Mark {
        Mark { position, end: position + 7 }
    }

    fn of(bytes: &[u8]) -> Option<(Job, State)> {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes).and_then(|()| file.rewind()).expect("written");
        State::read(file).expect("read")
    }

    fn bytes(state: &State) -> Vec<u8> {
        let (mut file, mut bytes) = (&state.file, Vec::new());
        file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("read");
        bytes
    }

    #[test]
    fn cut_off_anywhere_it_says_what_it_said_before() {
        let mut state = State::begin(tempfile::tempfile().expect("a file"), &job()).expect("begun");
        let first = bytes(&state).len();
        state.reach(at(65536)).expect("written");
        let second = bytes(&state).len();
        state.reach(at(131_072)).expect("written");
        let whole = bytes(&state);
        for end in 0..=whole.len() {
            let read = of(&whole[..end]);
            let expected = match end {
                _ if end < first => None,
                _ if end < second => Some(0),
                _ if end < whole.len() => Some(65536),
                _ => Some(131_072),
            };
            assert_eq!(read.as_ref().map(|(_, state)| state.mark().position), expected, "{end} bytes");
            if let Some((read, mut state)) = read {
                assert_eq!(read, job());
                state.reach(at(1 << 30)).expect("written");
                let again = of(&bytes(&state)).expect("a state");
                assert_eq!(again.1.mark(), at(1 << 30), "{end} bytes");
            }
        }
    }

    #[test]
    fn what_is_spoilt_is_not_believed() {
        let mut state = State::begin(tempfile::tempfile().expect("a file"), &job()).expect("begun");
        let begun = bytes(&state);
        state.reach(at(65536)).expect("written");
        let good = bytes(&state);
        for bad in [
            "{\"copied\":1,\"end\":1}\n",
            "{\"copied\":99999999}\n",
            "\0\0\0\0\n",
            "{\"copied\":-1,\"end\":9}\n",
            "{}\n",
            "\n",
        ] {
            let later = "{\"copied\":9999999,\"end\":9999999}\n";
            let (_, state) = of(&[&good, bad.as_bytes(), later.as_bytes()].concat()).expect("a state");
            assert_eq!(state.mark(), at(65536), "{bad:?}");
        }
        assert!(of(b"").is_none() && of(b"{}\n").is_none() && of(b"mine\n").is_none());
        assert!(of(&begun[1..]).is_none());
    }
}
