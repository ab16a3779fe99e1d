//! The programs that are compared, and how each is made to do the same work.

use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::volume::{PASSWORD, RECOVERY_PASSWORD};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Open the volume with the 48 digits.
    UnlockByRecoveryKey,
    /// Open the volume with its password.
    UnlockByPassword,
    /// Read all of it, decrypted.
    Read,
}

/// A program that opens BitLocker volumes.
pub struct Program {
    kind: Kind,
    path: PathBuf,
    /// Holds the keys, a mount point, and what must be written somewhere.
    folder: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Lastkey,
    DislockerFile,
    DislockerFuse,
    Libbde,
    Cryptsetup,
}

impl Program {
    /// Finds what is installed; lastkey is the first.
    pub fn all(lastkey: &Path, folder: &Path) -> Result<Vec<Self>, Box<dyn Error>> {
        fs::write(folder.join("password"), PASSWORD)?;
        fs::write(folder.join("recovery-key"), RECOVERY_PASSWORD)?;
        fs::create_dir(folder.join("mount"))?;
        let program = |kind, path: PathBuf| Self { kind, path, folder: folder.to_owned() };
        let mut all = vec![program(Kind::Lastkey, lastkey.to_owned())];
        for (kind, name) in [
            (Kind::DislockerFile, "dislocker-file"),
            (Kind::DislockerFuse, "dislocker-fuse"),
            (Kind::Libbde, "bdemount"),
            (Kind::Cryptsetup, "cryptsetup"),
        ] {
            match ["/usr/bin", "/usr/sbin"]
                .map(|folder| Path::new(folder).join(name))
                .into_iter()
                .find(|p| p.is_file())
            {
                Some(path) => all.push(program(kind, path)),
                None => println!("({name} is not installed, and left out)"),
            }
        }
        Ok(all)
    }

    /// Returns the program's name.
    pub fn name(&self) -> &'static str {
        match self.kind {
            Kind::Lastkey => "lastkey",
            Kind::DislockerFile => "dislocker-file",
            Kind::DislockerFuse => "dislocker-fuse",
            Kind::Libbde => "libbde (bdemount)",
            Kind::Cryptsetup => "cryptsetup",
        }
    }

    /// Returns whether the program does this job.
    pub fn can(&self, job: Job) -> bool {
        match self.kind {
            // Without device-mapper it only opens; with it, the kernel reads.
            Kind::Cryptsetup => job != Job::Read,
            // It copies all of the volume whenever it opens it.
            Kind::DislockerFile => job == Job::Read,
            Kind::Lastkey | Kind::DislockerFuse | Kind::Libbde => true,
        }
    }

    /// Does the job once. For [`Job::Read`] the time to open the volume is not counted.
    pub fn time(&self, job: Job, volume: &Path) -> Result<Duration, Box<dyn Error>> {
        let started = Instant::now();
        match (self.kind, job) {
            (Kind::Lastkey | Kind::DislockerFile, Job::Read) => {
                self.open(job, volume, true)?;
                let whole = started.elapsed();
                let started = Instant::now();
                self.open(job, volume, false)?;
                Ok(whole.saturating_sub(started.elapsed()))
            }
            (Kind::Lastkey | Kind::Cryptsetup, _) => {
                self.open(job, volume, false)?;
                Ok(started.elapsed())
            }
            _ => {
                self.open(job, volume, false)?;
                let opened = started.elapsed();
                let started = Instant::now();
                let read = if job == Job::Read { self.read_mounted() } else { Ok(()) };
                let took = started.elapsed();
                run(Command::new("fusermount").args(["-u", "-z"]).arg(self.folder.join("mount")))?;
                read?;
                Ok(if job == Job::Read { took } else { opened })
            }
        }
    }

    fn open(&self, job: Job, volume: &Path, read: bool) -> Result<(), Box<dyn Error>> {
        let by_password = job == Job::UnlockByPassword;
        let mut command = Command::new(&self.path);
        match self.kind {
            Kind::Lastkey => {
                command.arg("read").arg(volume).args(["--out", "/dev/null"]);
                if !read {
                    command.args(["--length", "0"]);
                }
                let (flag, file) = if by_password {
                    ("--password-file", "password")
                } else {
                    ("--recovery-key-file", "recovery-key")
                };
                command.arg(flag).arg(self.folder.join(file));
            }
            Kind::DislockerFile | Kind::DislockerFuse => {
                command.arg("-V").arg(volume).arg(if by_password {
                    format!("-u{PASSWORD}")
                } else {
                    format!("-p{RECOVERY_PASSWORD}")
                });
                if self.kind == Kind::DislockerFuse {
                    command.arg("--").arg(self.folder.join("mount"));
                } else if read {
                    // It writes only into a file of its own making: one in memory.
                    let out = self.folder.join("decrypted");
                    let _ = fs::remove_file(&out);
                    command.arg("--").arg(out);
                } else {
                    // Opening alone: it fails once it is to create a file where none can be.
                    command.arg("--").arg(self.folder.join("missing/file"));
                    command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
                    return Ok(());
                }
            }
            Kind::Libbde => {
                if by_password {
                    command.args(["-p", PASSWORD]);
                } else {
                    command.args(["-r", RECOVERY_PASSWORD]);
                }
                command.arg(volume).arg(self.folder.join("mount"));
            }
            Kind::Cryptsetup => {
                let file = if by_password { "password" } else { "recovery-key" };
                command.args(["open", "--type", "bitlk", "--test-passphrase"]).arg(volume);
                command.stdin(File::open(self.folder.join(file))?);
            }
        }
        run(&mut command)
    }

    fn read_mounted(&self) -> Result<(), Box<dyn Error>> {
        let file = if self.kind == Kind::Libbde { "bde1" } else { "dislocker-file" };
        let input = format!("if={}", self.folder.join("mount").join(file).display());
        run(Command::new("dd").arg(input).args(["of=/dev/null", "bs=1M"]))
    }
}

fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let program = command.get_program().to_string_lossy().into_owned();
    Err(format!("{program}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}
