//! One source as a stream of decoded bytes, hashed on the way.

use crate::whole::{Folder, is_whole_folder};
use crate::{
    gzip,
    input::{FileInput, Input, RawInput},
    layer::{Peeled, peel, told},
    limits::{Limits, Meter},
    walk::{EvidenceError, STDIN, special},
};
use sha2::{Digest, Sha256};
use std::{
    fmt,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Reads are cut to this size, so that bytes are hashed while they are still in the cache.
const STEP: usize = 256 * 1024;

/// A sha256; prints as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest256(pub [u8; 32]);

impl fmt::Display for Digest256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Digest256 {
    /// Returns the first 12 hex digits: a source's name in references.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(12);
        text
    }
}

pub(crate) fn digest(hasher: Sha256) -> Digest256 {
    Digest256(hasher.finalize().into())
}

/// What the decoded bytes were packed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerKind {
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// lz4.
    Lz4,
    /// A tar archive.
    Tar,
    /// A zip archive.
    Zip,
    /// A 7z archive.
    SevenZip,
}

impl ContainerKind {
    /// Returns the name.
    pub fn as_str(self) -> &'static str {
        match self {
            ContainerKind::Gzip => "gzip",
            ContainerKind::Zstd => "zstd",
            ContainerKind::Bzip2 => "bzip2",
            ContainerKind::Xz => "xz",
            ContainerKind::Lz4 => "lz4",
            ContainerKind::Tar => "tar",
            ContainerKind::Zip => "zip",
            ContainerKind::SevenZip => "7z",
        }
    }
}

/// The packed file itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// What kind.
    pub kind: ContainerKind,
    /// Its bytes.
    pub bytes: u64,
    /// sha256 of them.
    pub sha256: Digest256,
}

/// How the reading of a source ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Everything was read.
    Complete,
    /// The reader was dropped before the end: counts and hashes are those of a prefix.
    Unfinished,
    /// The container ended before its content did.
    Truncated,
    /// Something in it was wrong, or could not be read.
    Damaged,
}

impl Status {
    /// Returns the word that manifests and reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Complete => "complete",
            Status::Unfinished => "unfinished",
            Status::Truncated => "truncated",
            Status::Damaged => "damaged",
        }
    }
}

/// What is known of a source once it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFacts {
    /// The name it was opened by.
    pub name: String,
    /// Decoded bytes.
    pub bytes: u64,
    /// sha256 of the decoded bytes.
    pub sha256: Digest256,
    /// The layers of compression that were taken off, the outermost first. A member's archive is not
    /// among them: its hash is known when all of it was read ([`Streams::finish`](crate::Streams::finish)).
    pub containers: Vec<Container>,
    /// sha256 of the first n decoded bytes, for each n that was asked for and reached.
    pub prefixes: Vec<(u64, Digest256)>,
    /// How it ended.
    pub status: Status,
    /// What was wrong, each with the count of decoded bytes before it.
    pub problems: Vec<(u64, String)>,
}

/// A source as decoded bytes: compression is taken off, layer by layer, by its magic bytes and never by a
/// name.
///
/// Damage is no `Err`: what can be decoded is delivered, then comes the end, and
/// [`SourceReader::finish`] says where and what. Archives are opened by [`Streams`](crate::Streams),
/// which gives a reader for each member; opened by [`SourceReader::open`], an archive is what it is:
/// [`Content::sniff`](crate::Content::sniff) says so.
///
/// What is packed is decoded on a thread of its own, ahead of whoever reads.
pub struct SourceReader {
    name: String,
    raw: RawInput,
    /// What it is packed in, the outermost first.
    kinds: Vec<ContainerKind>,
    expected: Option<u64>,
    /// What the packing says of its length.
    told: Option<u64>,
    too_deep: bool,
    hasher: Sha256,
    bytes: u64,
    decoded: u64,
    /// Decoded but not delivered: what was peeked at.
    peeked: Vec<u8>,
    peeked_at: usize,
    ended: bool,
    status: Status,
    problems: Vec<(u64, String)>,
    /// Lengths still to be reached, the next one last.
    wanted: Vec<u64>,
    prefixes: Vec<(u64, Digest256)>,
}

impl SourceReader {
    /// Opens a file, or standard input if the path is [`STDIN`].
    ///
    /// # Errors
    /// If it cannot be opened, is no file, or not even its first byte can be read.
    pub fn open(path: &Path) -> Result<SourceReader, EvidenceError> {
        let failed = |source| EvidenceError::Open {
            path: PathBuf::from(path),
            source,
        };
        let meter = Meter::new(Limits::default());
        let (input, length) = open_input(path, &meter)?;
        let peeled = peel(input, 0, &meter).map_err(failed)?;
        let name = model::escape_control(path.as_os_str().as_encoded_bytes());
        let mut reader = SourceReader::over(peeled, &[], length, name);
        reader.look_at_end(path);
        Ok(reader)
    }

    /// Reads from anything.
    ///
    /// # Errors
    /// If not even the first byte can be read.
    pub fn from_reader(
        reader: Box<dyn Read + Send>,
        name: impl Into<String>,
    ) -> io::Result<SourceReader> {
        let meter = Meter::new(Limits::default());
        let input = FileInput::new(reader, Arc::clone(&meter));
        let peeled = peel(Box::new(input), 0, &meter)?;
        Ok(SourceReader::over(peeled, &[], None, name.into()))
    }

    /// Reads what was peeled; `around` are the layers it lay in before, `length` what is known of its
    /// length if nothing was peeled off.
    pub(crate) fn over(
        peeled: Peeled,
        around: &[ContainerKind],
        length: Option<u64>,
        name: String,
    ) -> SourceReader {
        let Peeled {
            raw,
            kinds,
            told,
            too_deep,
        } = peeled;
        let plain = kinds.is_empty();
        let kinds = [around, &kinds].concat();
        SourceReader {
            name,
            raw: if kinds.is_empty() { raw } else { raw.ahead() },
            kinds,
            expected: length.filter(|_| plain),
            told,
            too_deep,
            hasher: Sha256::new(),
            bytes: 0,
            decoded: 0,
            peeked: Vec::new(),
            peeked_at: 0,
            ended: false,
            status: Status::Unfinished,
            problems: Vec::new(),
            wanted: Vec::new(),
            prefixes: Vec::new(),
        }
    }

    /// Returns the name it was opened by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what it is packed in: the outermost, if there are several.
    pub fn container(&self) -> Option<ContainerKind> {
        self.kinds.first().copied()
    }

    /// Returns how many bytes it has, if nothing has to be unpacked to know it.
    pub fn expected_bytes(&self) -> Option<u64> {
        self.expected
    }

    /// Returns how many bytes it will have, as far as can be seen without unpacking it. What a packing says of
    /// its content may be wrong: nothing but speed may depend on it.
    pub fn likely_bytes(&self) -> Option<u64> {
        self.expected.or(self.told)
    }

    /// Looks at the end of a file that is packed once: gzip says there how much it holds.
    pub(crate) fn look_at_end(&mut self, path: &Path) {
        if self.kinds[..] == [ContainerKind::Gzip] && path.as_os_str() != STDIN {
            self.told = open_file(path)
                .ok()
                .and_then(|(mut file, length)| gzip::told_length(&mut file, length).ok());
        }
    }

    /// Whether there are more layers of compression than are taken off (limit of depth).
    pub fn too_deep(&self) -> bool {
        self.too_deep
    }

    /// Asks for the sha256 of the first n decoded bytes, for each n. Lengths already passed are
    /// ignored; ask before reading.
    pub fn check_prefixes(&mut self, lengths: &[u64]) {
        self.wanted
            .extend(lengths.iter().filter(|length| **length >= self.bytes));
        self.wanted.sort_unstable_by(|a, b| b.cmp(a));
        self.wanted.dedup();
        self.note_prefixes();
    }

    /// Returns the prefix digests reached so far.
    pub fn prefixes(&self) -> &[(u64, Digest256)] {
        &self.prefixes
    }

    /// Returns how many decoded bytes were delivered.
    pub fn position(&self) -> u64 {
        self.bytes
    }

    /// Returns the first `bytes` of what comes next without taking them; fewer at the end.
    pub fn peek(&mut self, bytes: usize) -> &[u8] {
        if self.peeked_at > 0 {
            self.peeked.drain(..self.peeked_at);
            self.peeked_at = 0;
        }
        while self.peeked.len() < bytes && !self.ended {
            let have = self.peeked.len();
            self.peeked.resize(bytes, 0);
            let mut peeked = std::mem::take(&mut self.peeked);
            let got = self.decode(&mut peeked[have..]);
            peeked.truncate(have + got);
            self.peeked = peeked;
        }
        &self.peeked[..bytes.min(self.peeked.len())]
    }

    /// Passes over decoded bytes (they are hashed all the same); returns how many there were.
    pub fn skip(&mut self, bytes: u64) -> u64 {
        let mut scratch = vec![0; STEP];
        let mut skipped = 0;
        while skipped < bytes {
            let want = usize::try_from(bytes - skipped).map_or(STEP, |left| left.min(STEP));
            match self.deliver(&mut scratch[..want]) {
                0 => break,
                got => skipped += got as u64,
            }
        }
        skipped
    }

    /// Returns what is known now. After the end of a damaged container the rest of its bytes is
    /// read, so that its hash is that of the whole file.
    pub fn finish(mut self) -> SourceFacts {
        let (_, _, layers) = self.raw.close(self.ended);
        // The innermost layer counts what the source does; of those around it the end is what shows.
        let innermost = layers.len().saturating_sub(1);
        let mut containers = Vec::new();
        for (index, layer) in layers.into_iter().enumerate() {
            if self.ended {
                self.status = self.status.max(layer.status);
            }
            for (byte, what) in layer.problems {
                let byte = if index == innermost {
                    byte
                } else {
                    self.decoded
                };
                if !self.problems.iter().any(|(_, known)| *known == what) {
                    self.problems.push((byte, what));
                }
            }
            containers.push(layer.container);
        }
        SourceFacts {
            name: self.name,
            bytes: self.bytes,
            sha256: digest(self.hasher),
            containers,
            prefixes: self.prefixes,
            status: self.status,
            problems: self.problems,
        }
    }

    fn note_prefixes(&mut self) {
        while self.wanted.last() == Some(&self.bytes) {
            self.wanted.pop();
            self.prefixes
                .push((self.bytes, digest(self.hasher.clone())));
        }
    }

    /// Decodes into `out`; 0 means the end, whatever its reason.
    fn decode(&mut self, out: &mut [u8]) -> usize {
        if out.is_empty() || self.ended {
            return 0;
        }
        let bytes = self.raw.read_plain(out);
        self.decoded += bytes as u64;
        if bytes == 0 {
            self.ended = true;
            self.status = Status::Complete;
            if let Some(error) = self.raw.take_error() {
                let (status, what) = told(&error);
                self.status = status;
                self.problems.extend(what.map(|what| (self.decoded, what)));
            }
        }
        bytes
    }

    /// Hands over decoded bytes and hashes them, stopping at each wanted prefix.
    fn deliver(&mut self, out: &mut [u8]) -> usize {
        let mut limit = out.len().min(STEP);
        if let Some(&next) = self.wanted.last() {
            limit = usize::try_from(next - self.bytes).map_or(limit, |left| limit.min(left));
        }
        let out = &mut out[..limit];
        let bytes = if self.peeked_at < self.peeked.len() {
            let bytes = out.len().min(self.peeked.len() - self.peeked_at);
            out[..bytes].copy_from_slice(&self.peeked[self.peeked_at..self.peeked_at + bytes]);
            self.peeked_at += bytes;
            if self.peeked_at == self.peeked.len() {
                self.peeked = Vec::new();
                self.peeked_at = 0;
            }
            bytes
        } else {
            self.decode(out)
        };
        self.hasher.update(&out[..bytes]);
        self.bytes += bytes as u64;
        self.note_prefixes();
        bytes
    }
}

impl Read for SourceReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        Ok(self.deliver(out))
    }
}

impl fmt::Debug for SourceReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceReader")
            .field("name", &self.name)
            .field("bytes", &self.bytes)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// Opens a file, or standard input; also returns a file's length.
pub(crate) fn open_input(
    path: &Path,
    meter: &Arc<Meter>,
) -> Result<(Box<dyn Input>, Option<u64>), EvidenceError> {
    if path.as_os_str() == STDIN {
        let input = FileInput::new(Box::new(io::stdin()), Arc::clone(meter));
        return Ok((Box::new(input), None));
    }
    let (reader, length) = open_whole(path, 0)?;
    let input = FileInput::new(reader, Arc::clone(meter));
    Ok((Box::new(input), Some(length)))
}

/// Opens a file, or a folder that is one source, at a byte of what lies there, as it lies there.
///
/// # Errors
/// If it cannot be opened, or is neither.
pub fn open_at(path: &Path, byte: u64) -> Result<Box<dyn Read + Send>, EvidenceError> {
    Ok(open_whole(path, byte)?.0)
}

fn open_whole(path: &Path, byte: u64) -> Result<(Box<dyn Read + Send>, u64), EvidenceError> {
    let failed = |source| EvidenceError::Open {
        path: PathBuf::from(path),
        source,
    };
    if path.is_dir() && is_whole_folder(path) {
        let mut folder = Folder::open(path).map_err(failed)?;
        let length = folder.length();
        folder.skip(byte).map_err(failed)?;
        return Ok((Box::new(folder), length));
    }
    let (mut file, length) = open_file(path)?;
    if byte > 0 {
        io::Seek::seek(&mut file, io::SeekFrom::Start(byte)).map_err(failed)?;
    }
    Ok((Box::new(file), length))
}

/// Opens a file that is one. It is looked at once more when it is open: a name may have become
/// something else meanwhile, and opening a FIFO for reading would wait for ever.
pub(crate) fn open_file(path: &Path) -> Result<(File, u64), EvidenceError> {
    let failed = |source| EvidenceError::Open {
        path: PathBuf::from(path),
        source,
    };
    let refused = |what| EvidenceError::NotAFile {
        path: PathBuf::from(path),
        what,
    };
    let meta = fs::metadata(path).map_err(failed)?;
    if let Some(what) = special(meta.file_type()) {
        return Err(refused(what));
    }
    let file = File::open(path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    match special(meta.file_type()) {
        Some(what) => Err(refused(what)),
        None => Ok((file, meta.len())),
    }
}
