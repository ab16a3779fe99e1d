//! Reading and decrypting on all processors, writing in order.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use fve::ReadAt;

use crate::interrupt;

/// Large enough that system calls do not count, small enough to stay in a processor's cache.
const CHUNK: u64 = 256 << 10;
/// More than this, and the memory for chunks counts.
const MAX_WORKERS: usize = 32;

/// Why a copy stopped.
#[derive(Debug)]
pub enum Stopped {
    /// The person pressed Ctrl-C.
    Interrupted,
    /// The source could not be read.
    Reading {
        /// Where.
        at: u64,
        /// Why.
        source: io::Error,
    },
    /// The destination could not be written.
    Writing(io::Error),
}

/// Hands `length` bytes of `source` from `offset` on to `write`, in order.
///
/// Each worker takes the next chunk, reads it, and waits for its turn to hand it on.
pub fn copy(
    source: &dyn ReadAt,
    offset: u64,
    length: u64,
    write: impl FnMut(&[u8]) -> io::Result<()> + Send,
) -> Result<(), Stopped> {
    let chunks = length.div_ceil(CHUNK);
    let next = AtomicU64::new(0);
    let line = Mutex::new(Line { turn: 0, write, stopped: None });
    let moved = Condvar::new();
    let work = || {
        let mut buf = vec![0; usize::try_from(CHUNK.min(length)).unwrap_or(0)];
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= chunks {
                break;
            }
            let start = n * CHUNK;
            let buf = &mut buf[..usize::try_from((length - start).min(CHUNK)).unwrap_or(0)];
            let read = if interrupt::asked() {
                Err(Stopped::Interrupted)
            } else {
                let at = offset + start;
                source.read_at(at, buf).map_err(|source| Stopped::Reading { at, source })
            };
            let mut line = line.lock().unwrap_or_else(PoisonError::into_inner);
            while line.turn != n && line.stopped.is_none() {
                line = moved.wait(line).unwrap_or_else(PoisonError::into_inner);
            }
            if line.stopped.is_some() {
                break;
            }
            let result = read.and_then(|()| (line.write)(buf).map_err(Stopped::Writing));
            line.stopped = result.err();
            line.turn = n + 1;
            moved.notify_all();
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS);
    std::thread::scope(|scope| {
        (1..workers).for_each(|_| drop(scope.spawn(work)));
        work();
    });
    line.into_inner().unwrap_or_else(PoisonError::into_inner).stopped.map_or(Ok(()), Err)
}

/// The chunk whose turn it is, and what became of those before it.
struct Line<W> {
    turn: u64,
    write: W,
    stopped: Option<Stopped>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_arrives_once_and_in_order() {
        let source: Vec<u8> = (0..CHUNK * 5 + 77).map(|n| (n * 31 / 256) as u8).collect();
        for (offset, length) in [(0, source.len() as u64), (3, 1), (100, CHUNK * 2), (7, 0)] {
            let mut out = Vec::new();
            copy(&source, offset, length, |bytes| {
                out.extend_from_slice(bytes);
                Ok(())
            })
            .expect("memory can be read");
            assert!(out == source[offset as usize..(offset + length) as usize]);
        }
    }

    #[test]
    fn the_first_error_in_order_stops_it() {
        let source = vec![0; CHUNK as usize * 3];
        let mut written = 0;
        let result = copy(&source, 0, CHUNK * 5, |bytes| {
            written += bytes.len() as u64;
            Ok(())
        });
        assert!(matches!(result, Err(Stopped::Reading { at, .. }) if at == CHUNK * 3));
        assert_eq!(written, CHUNK * 3);
        let full = || Err(io::ErrorKind::StorageFull.into());
        assert!(matches!(copy(&source, 0, CHUNK * 3, |_| full()), Err(Stopped::Writing(_))));
    }
}
