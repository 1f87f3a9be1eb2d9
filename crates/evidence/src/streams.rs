//! What a file holds: itself, or the members of an archive, of archives in it, and so on.
//!
//! Every member is a source of its own, named by its way in: `pods.tar.gz!a/beacon.log`. Members come
//! in the order of the archive and are read as they pass; nothing is written anywhere by their names.
//! Only a zip or 7z archive that lies inside of something, or comes by standard input, is put into a
//! temporary file first, since its directory stands at its end.

use crate::input::{FileInput, RawInput};
use crate::layer::{LayerFacts, Peeled, peel};
use crate::limits::{Limits, Meter};
use crate::parts::{Joined, Parts, may_belong};
use crate::reader::{
    Container, ContainerKind, Digest256, SourceReader, digest, open_file, open_input,
};
use crate::seven::{self, Seven};
use crate::tar::{self, Entry, Tar};
use crate::walk::{EvidenceError, STDIN};
use crate::whole::{is_whole_folder, is_whole_tar};
use crate::zip::{self, Zip};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::ffi::OsStr;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Stands between an archive and its member in a name.
pub const INSIDE: char = '!';

/// One thing in a file.
#[derive(Debug)]
pub enum Stream {
    /// A source to read; [`SourceReader::name`] says which.
    Source(Box<SourceReader>),
    /// Something that was not read, or an archive's damage; the rest goes on.
    Trouble {
        /// The archive or the member, control characters escaped.
        name: String,
        /// What is wrong.
        what: String,
    },
}

/// The sources in a file, one after the other.
pub struct Streams {
    path: PathBuf,
    name: String,
    meter: Arc<Meter>,
    /// A file that is no archive.
    single: Option<SourceReader>,
    levels: Vec<Level>,
    /// How many bytes the file has on disk.
    length: Option<u64>,
    waiting: VecDeque<(String, String)>,
    /// How often each member's name occurred, by hash.
    names: HashMap<u64, u32>,
    container: Option<ArchiveFacts>,
}

/// The archive file as it lies on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveFacts {
    /// What it is, the archive first, what is around it after: `tar+gzip`.
    pub kind: String,
    /// Its bytes.
    pub bytes: u64,
    /// sha256 of them.
    pub sha256: Digest256,
}

/// An archive that is being read.
struct Level {
    archive: Archive,
    name: String,
    /// Layers around its members.
    kinds: Vec<ContainerKind>,
    /// Members that may be one database together.
    parts: Parts,
    ended: bool,
}

enum Archive {
    Tar(Box<Tar>),
    /// With what is known of the file it was put into, if it was.
    Zip(Zip, Closed),
    /// The same.
    Seven(Box<Seven>, Closed),
}

/// Length and hash of an input, if they were asked for, and the layers around it.
type Closed = (u64, Option<Digest256>, Vec<LayerFacts>);

impl Streams {
    /// Opens a file, or standard input if the path is [`STDIN`].
    ///
    /// # Errors
    /// If it cannot be opened, is no file, or not even its first byte can be read.
    pub fn open(path: &Path, limits: Limits) -> Result<Streams, EvidenceError> {
        let failed = |source| EvidenceError::Open {
            path: PathBuf::from(path),
            source,
        };
        let meter = Meter::new(limits);
        let (input, length) = open_input(path, &meter)?;
        let mut streams = Streams {
            path: path.to_path_buf(),
            name: model::escape_control(path.as_os_str().as_encoded_bytes()),
            meter,
            single: None,
            levels: Vec::new(),
            length,
            waiting: VecDeque::new(),
            names: HashMap::new(),
            container: None,
        };
        let peeled = peel(input, 0, &streams.meter).map_err(failed)?;
        let name = streams.name.clone();
        streams.single = streams.enter(peeled, &[], length, name).map_err(failed)?;
        if let Some(reader) = &mut streams.single {
            reader.look_at_end(path);
        }
        Ok(streams)
    }

    /// Whether the file is an archive.
    pub fn is_archive(&self) -> bool {
        !self.levels.is_empty() || self.container.is_some()
    }

    /// Returns the next source or trouble. The reader of the one before reads nothing more then.
    #[expect(
        clippy::should_implement_trait,
        reason = "readers must be dropped in between"
    )]
    pub fn next(&mut self) -> Option<Stream> {
        if let Some(reader) = self.single.take() {
            return Some(Stream::Source(Box::new(reader)));
        }
        loop {
            if let Some((name, what)) = self.waiting.pop_front() {
                return Some(Stream::Trouble { name, what });
            }
            let level = self.levels.last_mut()?;
            let entry = match &mut level.archive {
                _ if level.ended => None,
                Archive::Tar(tar) => tar.next(),
                Archive::Zip(zip, _) => zip.next(),
                Archive::Seven(seven, _) => seven.next(),
            };
            let Some(entry) = entry else {
                level.ended = true;
                if let Some(joined) = level.parts.take() {
                    if let Some(reader) = self.joined(joined) {
                        return Some(Stream::Source(Box::new(reader)));
                    }
                    continue;
                }
                self.leave();
                continue;
            };
            let archive = level.name.clone();
            match entry {
                Entry::Trouble(what) => {
                    if self.counted() {
                        self.waiting.push_back((archive, what));
                    }
                }
                Entry::Skipped { name, what } => {
                    if let Some(name) = self.member(&archive, &name) {
                        self.waiting.push_back((name, what));
                    }
                }
                Entry::File { name, bytes, input } => {
                    let label = name;
                    let Some(name) = self.member(&archive, &label) else {
                        continue;
                    };
                    if may_belong(&label)
                        && let Some(level) = self.levels.last_mut()
                    {
                        let limit = self.meter.limits.spool_bytes;
                        let put = level.parts.put(&label, name.clone(), input, limit);
                        match put {
                            Ok(None) => {}
                            Ok(Some(what)) => self.waiting.push_back((name, what)),
                            Err(error) => self.waiting.push_back((name, error.to_string())),
                        }
                        continue;
                    }
                    let depth = self.levels.iter().map(|level| level.kinds.len()).sum();
                    let opened = peel(input, depth, &self.meter).and_then(|peeled| {
                        let around = self.levels.last().map(|level| level.kinds.clone());
                        let around = around.unwrap_or_default();
                        self.enter(peeled, &around, Some(bytes), name.clone())
                    });
                    match opened {
                        Ok(Some(reader)) => return Some(Stream::Source(Box::new(reader))),
                        Ok(None) => {}
                        Err(error) => self.waiting.push_back((name, error.to_string())),
                    }
                }
            }
        }
    }

    /// Makes a reader of members that were put aside.
    fn joined(&mut self, joined: io::Result<Joined>) -> Option<SourceReader> {
        let level = self.levels.last()?;
        let (archive, kinds) = (level.name.clone(), level.kinds.clone());
        let depth: usize = self.levels.iter().map(|level| level.kinds.len()).sum();
        let (name, reader, length): (_, Box<dyn Read + Send>, _) = match joined {
            Ok(Joined::Whole(folder, whole)) => {
                let name = format!("{archive}{INSIDE}{}", model::escape_control(&folder));
                let length = whole.length();
                (name, Box::new(whole), length)
            }
            Ok(Joined::Member(name, reader, length)) => (name, reader, length),
            Err(error) => {
                self.waiting.push_back((archive, error.to_string()));
                return None;
            }
        };
        // Its bytes were counted when they came out of the archive.
        let input = FileInput::new(reader, Meter::new(self.meter.limits.clone()));
        let opened = peel(Box::new(input), depth, &self.meter)
            .and_then(|peeled| self.enter(peeled, &kinds, Some(length), name.clone()));
        opened.unwrap_or_else(|error| {
            self.waiting.push_back((name, error.to_string()));
            None
        })
    }

    /// Returns what is known of an archive once all of it was read; `None` if the file is none.
    pub fn finish(self) -> Option<ArchiveFacts> {
        self.container
    }

    /// Counts a member, or damage that stands in the place of some; leaves the file if there are too many.
    fn counted(&mut self) -> bool {
        if let Err(what) = self.meter.member() {
            self.levels.truncate(1);
            self.waiting.push_back((self.name.clone(), what));
            self.leave();
            return false;
        }
        true
    }

    /// Names a member and counts it; `None` if there are too many.
    fn member(&mut self, archive: &str, name: &[u8]) -> Option<String> {
        if !self.counted() {
            return None;
        }
        let mut name = format!("{archive}{INSIDE}{}", model::escape_control(name));
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let times = self.names.entry(hasher.finish()).or_default();
        *times += 1;
        if *times > 1 {
            // tar appends a newer state of a file under the same name.
            name = format!("{name}#{times}");
        }
        Some(name)
    }

    /// Makes a reader of what was peeled, or, if that is an archive, goes into it.
    fn enter(
        &mut self,
        peeled: Peeled,
        around: &[ContainerKind],
        length: Option<u64>,
        name: String,
    ) -> io::Result<Option<SourceReader>> {
        let head = peeled.raw.window();
        let is_tar = tar::is_tar(head) && !is_whole_tar(head);
        let is_seven = seven::is_seven(head);
        let is_zip = zip::is_zip(head);
        let depth: usize = self.levels.iter().map(|level| level.kinds.len()).sum();
        let layers = depth + peeled.kinds.len();
        let archive = is_tar || is_zip || is_seven;
        if peeled.too_deep || (archive && layers >= self.meter.limits.depth) {
            self.waiting.push_back((name, self.meter.too_deep()));
            return Ok(None);
        }
        if !archive {
            return Ok(Some(SourceReader::over(peeled, around, length, name)));
        }
        let mut kinds = peeled.kinds;
        let mut raw = peeled.raw;
        let archive = if is_tar {
            if self.levels.is_empty() && kinds.is_empty() {
                raw.hash();
            }
            kinds.push(ContainerKind::Tar);
            Archive::Tar(Box::new(Tar::new(raw, Arc::clone(&self.meter))))
        } else {
            let direct =
                self.levels.is_empty() && kinds.is_empty() && self.path != Path::new(STDIN);
            let kind = match is_seven {
                true => ContainerKind::SevenZip,
                false => ContainerKind::Zip,
            };
            kinds.push(kind);
            let (file, length, closed) = if direct {
                drop(raw);
                self.meter.start_again();
                let (file, length) = open_file(&self.path).map_err(io::Error::other)?;
                (file, length, (0, None, Vec::new()))
            } else {
                if self.levels.is_empty() && kinds.len() == 1 {
                    raw.hash();
                }
                let (file, length, cut, closed) = spool(raw, self.meter.limits.spool_bytes)?;
                if cut {
                    self.waiting.push_back((
                        name.clone(),
                        format!(
                            "is a {} archive inside of something and longer than {} bytes \
                             (limit of the temporary file): unpack it and name the folder",
                            kind.as_str(),
                            self.meter.limits.spool_bytes
                        ),
                    ));
                }
                (file, length, closed)
            };
            let meter = Arc::clone(&self.meter);
            match is_seven {
                true => Archive::Seven(Box::new(Seven::open(file, length, meter)), closed),
                false => Archive::Zip(Zip::open(file, length, meter), closed),
            }
        };
        self.levels.push(Level {
            archive,
            name,
            kinds,
            parts: Parts::default(),
            ended: false,
        });
        Ok(None)
    }

    /// Closes the innermost archive.
    fn leave(&mut self) {
        let Some(level) = self.levels.pop() else {
            return;
        };
        let (bytes, sha256, layers) = match level.archive {
            Archive::Tar(tar) => tar.close(),
            Archive::Zip(_, closed) | Archive::Seven(_, closed) => closed,
        };
        for layer in &layers {
            for (_, what) in &layer.problems {
                let what = format!("{what}; what followed in the archive was not read");
                self.waiting.push_back((level.name.clone(), what));
            }
        }
        if !self.levels.is_empty() {
            return;
        }
        let mut names: Vec<&str> = level.kinds.iter().map(|kind| kind.as_str()).collect();
        names.reverse();
        let facts = match (layers.into_iter().next(), sha256) {
            (Some(outermost), _) => {
                let Container { bytes, sha256, .. } = outermost.container;
                Some((bytes, sha256))
            }
            (None, Some(sha256)) => Some((bytes, sha256)),
            (None, None) => hash_file(&self.path).ok(),
        };
        self.container = facts.map(|(bytes, sha256)| ArchiveFacts {
            kind: names.join("+"),
            bytes,
            sha256,
        });
    }

    /// Returns the file's length on disk.
    pub fn length(&self) -> Option<u64> {
        self.length
    }
}

/// Puts what is left of an input into a temporary file that has no name.
fn spool(mut raw: RawInput, limit: u64) -> io::Result<(File, u64, bool, Closed)> {
    let mut file = tempfile::tempfile()?;
    let mut buffer = vec![0; 256 * 1024];
    let mut length = 0;
    let cut = loop {
        match raw.read_plain(&mut buffer) {
            0 => break false,
            bytes if length + bytes as u64 > limit => break true,
            bytes => {
                file.write_all(&buffer[..bytes])?;
                length += bytes as u64;
            }
        }
    };
    file.seek(SeekFrom::Start(0))?;
    Ok((file, length, cut, raw.close(!cut)))
}

/// Opens the source of a name that [`Streams`] gave for a file: its own, or a member's. Members before
/// it are passed over.
///
/// # Errors
/// If the file cannot be opened or has no such source.
pub fn open_member(path: &Path, name: &str) -> Result<SourceReader, EvidenceError> {
    let mut streams = Streams::open(path, Limits::default())?;
    while let Some(stream) = streams.next() {
        match stream {
            Stream::Source(reader) if reader.name() == name => return Ok(*reader),
            _ => {}
        }
    }
    Err(EvidenceError::Open {
        path: PathBuf::from(name),
        source: io::Error::new(io::ErrorKind::NotFound, "no such member in the archive"),
    })
}

/// Returns the file that a source's name begins with: itself, or the archive around it
/// (`pods.tar.gz!a/beacon.log`).
pub fn file_of(name: &Path) -> Option<&Path> {
    let bytes = name.as_os_str().as_bytes();
    let ends = memchr::memchr_iter(INSIDE as u8, bytes).chain([bytes.len()]);
    ends.map(|end| Path::new(OsStr::from_bytes(&bytes[..end])))
        .find(|path| path.is_file() || is_whole_folder(path))
}

/// Opens one source by its name: a path, or a path and the way in (`pods.tar.gz!a/beacon.log`).
///
/// # Errors
/// If there is no such file or member, or it cannot be opened.
pub fn open_source(name: &Path) -> Result<SourceReader, EvidenceError> {
    match file_of(name) {
        Some(file) if file != name => {
            open_member(file, &model::escape_control(name.as_os_str().as_bytes()))
        }
        _ => SourceReader::open(name),
    }
}

/// Returns length and sha256 of a file as it lies on disk.
///
/// # Errors
/// If it is no file or cannot be read to its end.
pub fn hash_file(path: &Path) -> Result<(u64, Digest256), EvidenceError> {
    let (mut file, _) = open_file(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((bytes, digest(hasher))),
            Ok(read) => {
                hasher.update(&buffer[..read]);
                bytes += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => {
                return Err(EvidenceError::Open {
                    path: path.to_path_buf(),
                    source,
                });
            }
        }
    }
}
