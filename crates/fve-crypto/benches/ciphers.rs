//! How fast one core turns sectors around, beside `openssl speed` in the same run.
//!
//! `cargo bench -p fve-crypto --bench ciphers [-- WORD...]` measures the lines that contain every word,
//! for instance `-- "XTS-AES 128" 512 decrypt`. Each figure is the best of many passes over 1 MiB, in
//! place, every sector at its own place on the volume. `openssl speed` encrypts one small buffer over and
//! over under one tweak or IV, which flatters it at 512 bytes.

use std::hint::black_box;
use std::process::Command;
use std::time::Duration;

use fve_crypto::{Kernel, Method, SectorCipher, SectorSize};

fn main() {
    let (flags, words): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|word| word.starts_with("--"));
    if !flags.iter().any(|flag| flag == "--bench") {
        return println!("Nothing to test; `cargo bench` measures.");
    }
    println!(
        "{:<22}{:>6} {:<8} {:<11}{:>6} {:>9} {:>6}",
        "cipher", "sector", "", "kernel", "GB/s", "openssl", "ratio"
    );
    for method in Method::ALL {
        for size in [SectorSize::B512, SectorSize::B4096] {
            for decrypt in [true, false] {
                let line = format!(
                    "{:<22}{:>6} {:<8}",
                    method.to_string(),
                    size.bytes(),
                    if decrypt { "decrypt" } else { "encrypt" }
                );
                if words.iter().all(|word| line.contains(word.as_str())) {
                    compare(&line, method, size, decrypt);
                }
            }
        }
    }
}

fn compare(line: &str, method: Method, size: SectorSize, decrypt: bool) {
    let peer = openssl(method, size, decrypt);
    for kernel in Kernel::ALL {
        let key: Vec<u8> = (0..method.key_len() as u8).collect();
        let Some(cipher) = SectorCipher::with_kernel(kernel, method, &key, size) else { continue };
        let ours = gigabytes_per_second(&cipher, decrypt);
        print!("{line} {:<11}{ours:>6.2}", format!("{kernel:?}"));
        match peer {
            Some(peer) => println!(" {peer:>9.2} {:>6.2}", ours / peer),
            None => println!("         -      -"),
        }
    }
}

fn gigabytes_per_second(cipher: &SectorCipher, decrypt: bool) -> f64 {
    let mut data = vec![0x5a; 1 << 20];
    let mut best = Duration::MAX;
    let started = clock();
    while clock() - started < Duration::from_millis(500) {
        let pass = clock();
        match decrypt {
            true => cipher.decrypt(black_box(0x1234_5000), &mut data),
            false => cipher.encrypt(black_box(0x1234_5000), &mut data),
        }
        best = best.min(clock() - pass);
        black_box(&mut data);
    }
    data.len() as f64 / best.as_secs_f64() / 1e9
}

/// What `openssl speed` reports for the same cipher without diffuser; `None` when there is no openssl.
fn openssl(method: Method, size: SectorSize, decrypt: bool) -> Option<f64> {
    let cipher = match method {
        Method::AesXts128 => "aes-128-xts",
        Method::AesXts256 => "aes-256-xts",
        Method::AesCbc128 => "aes-128-cbc",
        Method::AesCbc256 => "aes-256-cbc",
        Method::AesCbc128Diffuser | Method::AesCbc256Diffuser => return None,
    };
    let mut command = Command::new("openssl");
    command.args(["speed", "-seconds", "3", "-bytes", &size.bytes().to_string()]);
    command.args(decrypt.then_some("-decrypt")).args(["-evp", cipher]);
    let output = String::from_utf8(command.output().ok()?.stdout).ok()?;
    // The last line ends in thousands of bytes per second: "AES-128-XTS    4246064.64k".
    let thousands = output.lines().last()?.split_whitespace().last()?.strip_suffix('k')?;
    Some(thousands.parse::<f64>().ok()? / 1e6)
}

/// The processor time of this thread where it can be had, else the time of day.
#[cfg(unix)]
fn clock() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(not(unix))]
fn clock() -> Duration {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
}
