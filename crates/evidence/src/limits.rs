//! What hostile evidence may cost: how far a file may expand, how deep and into how many parts.
//!
//! The counts are kept on one thread per file (everything below a source is decoded in one chain), so
//! a limit stops at the same byte on every machine.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Limits of one file, each with a default that no honest log comes near.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many bytes may come out of one that goes in, over all layers …
    pub ratio: u64,
    /// … once more than this has come out.
    pub free_bytes: u64,
    /// How many layers may lie in one another: compression, archive, compression …
    pub depth: usize,
    /// How many members a file may have, those of archives in it included.
    pub members: u64,
    /// How many bytes of an archive that needs its end first (a zip or 7z inside of something, or on
    /// standard input) are put into a temporary file.
    pub spool_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            ratio: 1000,
            free_bytes: 256 << 20,
            depth: 8,
            members: 100_000,
            spool_bytes: 4 << 30,
        }
    }
}

/// Counts what one file costs.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) limits: Limits,
    raw: AtomicU64,
    expanded: AtomicU64,
    members: AtomicU64,
    tripped: OnceLock<String>,
}

impl Meter {
    pub(crate) fn new(limits: Limits) -> Arc<Meter> {
        Arc::new(Meter {
            limits,
            raw: AtomicU64::new(0),
            expanded: AtomicU64::new(0),
            members: AtomicU64::new(0),
            tripped: OnceLock::new(),
        })
    }

    /// Takes note of bytes read from the file itself.
    pub(crate) fn read(&self, bytes: usize) {
        self.raw.fetch_add(bytes as u64, Relaxed);
    }

    /// What was read so far will be read again.
    pub(crate) fn start_again(&self) {
        self.raw.store(0, Relaxed);
    }

    /// Takes note of bytes that a layer gave.
    pub(crate) fn expanded(&self, bytes: usize) {
        let expanded = self.expanded.fetch_add(bytes as u64, Relaxed) + bytes as u64;
        let Limits {
            ratio, free_bytes, ..
        } = self.limits;
        if expanded > free_bytes && expanded / ratio > self.raw.load(Relaxed) {
            let _ = self.tripped.set(format!(
                "expands more than {ratio}-fold (limit of ratio): a bomb, or nothing but the same line; \
                 nothing after this was unpacked; unpack it yourself if you trust it"
            ));
        }
    }

    /// Counts a member; says what is wrong if there are too many.
    pub(crate) fn member(&self) -> Result<(), String> {
        let members = self.members.fetch_add(1, Relaxed);
        if members < self.limits.members {
            return Ok(());
        }
        Err(format!(
            "holds more than {} members (limit of count): what follows was not read; \
             unpack it and name the folder",
            self.limits.members
        ))
    }

    /// Returns what stopped the unpacking of this file.
    pub(crate) fn tripped(&self) -> Option<&str> {
        self.tripped.get().map(String::as_str)
    }

    /// Says that something lies too deep.
    pub(crate) fn too_deep(&self) -> String {
        format!(
            "lies in more than {} layers of compression and archives (limit of depth): it was not read; \
             unpack it yourself",
            self.limits.depth
        )
    }
}
