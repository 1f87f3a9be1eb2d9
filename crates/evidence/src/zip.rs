//! zip: members by the directory at the end of the file, or by their own headers where it is missing.
//!
//! Written here because a damaged member must give what can be decoded of it, a cut archive its
//! members, and nothing of a directory may be trusted: it is read as a stream, never held.
//! Layout: <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>.

use crate::input::Input;
use crate::layer::LayerFacts;
use crate::limits::Meter;
use crate::tar::Entry;
use crate::unzip::{Expected, Method, Unzip};
use memchr::memmem;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// What all marks begin with.
const MARK: &[u8] = b"PK";
const LOCAL: &[u8] = b"PK\x03\x04";
const DIRECTORY: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const END64: &[u8] = b"PK\x06\x06";
const END64_AT: &[u8] = b"PK\x06\x07";
const DESCRIPTOR: &[u8] = b"PK\x07\x08";

const LOCAL_BYTES: u64 = 30;
const DIRECTORY_BYTES: usize = 46;
const END_BYTES: u64 = 22;

/// Bytes that are looked through at a time.
const WINDOW: usize = 64 * 1024;
/// The first of them: the next mark is often near.
const FIRST_WINDOW: usize = 256;

/// Whether a stream begins like a zip archive.
pub(crate) fn is_zip(head: &[u8]) -> bool {
    head.starts_with(LOCAL) || head.starts_with(END) || head.starts_with(b"PK00PK\x03\x04")
}

/// A zip archive in a file.
pub(crate) struct Zip {
    file: Arc<File>,
    length: u64,
    meter: Arc<Meter>,
    listing: Listing,
    /// Data of members given out, first byte to last: a bomb uses the same data many times.
    used: BTreeMap<u64, u64>,
}

enum Listing {
    /// By the directory: where the next entry lies, where the directory ends, and what every offset
    /// in it must be moved by (a program may stand before the archive).
    Directory {
        at: u64,
        end: u64,
        base: u64,
    },
    /// By the members' own headers, from here on.
    Headers {
        at: u64,
        told: bool,
    },
    Ended,
}

/// What a header says of a member.
struct Header {
    flags: u16,
    method: u16,
    crc: u32,
    packed: u64,
    bytes: u64,
}

impl Header {
    /// Reads the fields that local and directory headers share, from the flags on.
    fn read(fields: &[u8]) -> Header {
        Header {
            flags: u16_at(fields, 0),
            method: u16_at(fields, 2),
            crc: u32_at(fields, 8),
            packed: u64::from(u32_at(fields, 12)),
            bytes: u64::from(u32_at(fields, 16)),
        }
    }

    fn encrypted(&self) -> bool {
        self.flags & 1 != 0 || self.method == 99
    }

    /// Whether lengths and checksum stand behind the data.
    fn described_behind(&self) -> bool {
        self.flags & 8 != 0
    }
}

impl Zip {
    pub(crate) fn open(file: File, length: u64, meter: Arc<Meter>) -> Zip {
        let mut zip = Zip {
            file: Arc::new(file),
            length,
            meter,
            listing: Listing::Ended,
            used: BTreeMap::new(),
        };
        zip.listing = zip
            .find_directory()
            .unwrap_or(Listing::Headers { at: 0, told: false });
        zip
    }

    /// Looks for the record at the end that says where the directory lies.
    fn find_directory(&self) -> Option<Listing> {
        let tail = self.bytes(
            self.length.saturating_sub(END_BYTES + 0xffff),
            (END_BYTES + 0xffff) as usize,
        );
        let from = self.length - tail.len() as u64;
        let found = memmem::rfind(&tail, END)?;
        let record = tail.get(found..found + END_BYTES as usize)?;
        let end_at = from + found as u64;
        let mut size = u64::from(u32_at(record, 12));
        let mut offset = u64::from(u32_at(record, 16));
        let mut end = end_at;
        if let Some(locator_at) = end_at.checked_sub(20) {
            let locator = self.bytes(locator_at, 20);
            if locator.starts_with(END64_AT) && locator.len() == 20 {
                let written = u64_at(&locator, 8);
                // With a program before the archive it stands right before its locator.
                let places = [written, locator_at.saturating_sub(56)];
                let (at, record) = places.into_iter().find_map(|at| {
                    let record = self.bytes(at, 56);
                    (record.starts_with(END64) && record.len() == 56).then_some((at, record))
                })?;
                (size, offset, end) = (u64_at(&record, 40), u64_at(&record, 48), at);
            }
        }
        let at = end.checked_sub(size)?;
        let base = at.checked_sub(offset)?;
        let first = self.bytes(at, 4);
        (size == 0 || first == DIRECTORY).then_some(Listing::Directory { at, end, base })
    }

    /// Returns the next member.
    pub(crate) fn next(&mut self) -> Option<Entry> {
        match self.listing {
            Listing::Ended => None,
            Listing::Directory { at, end, base } => self.by_directory(at, end, base),
            Listing::Headers { at, told: false } => {
                self.listing = Listing::Headers { at, told: true };
                Some(Entry::Trouble(
                    "the zip archive has no directory at its end (it is cut or damaged): \
                     members were looked for by their own headers"
                        .to_owned(),
                ))
            }
            Listing::Headers { at, told: true } => self.by_headers(at),
        }
    }

    fn by_directory(&mut self, mut at: u64, end: u64, base: u64) -> Option<Entry> {
        loop {
            if at >= end {
                self.listing = Listing::Ended;
                return None;
            }
            let fixed = self.bytes(at, DIRECTORY_BYTES);
            if fixed.len() < DIRECTORY_BYTES || !fixed.starts_with(DIRECTORY) {
                self.listing = Listing::Ended;
                return Some(Entry::Trouble(format!(
                    "the zip archive's directory is damaged at byte {at}: \
                     members listed from there on were not read"
                )));
            }
            let mut header = Header::read(&fixed[8..]);
            let (name, extra, comment) = (
                u64::from(u16_at(&fixed, 28)),
                u16_at(&fixed, 30),
                u64::from(u16_at(&fixed, 32)),
            );
            let made_by = fixed[5];
            let mode = u32_at(&fixed, 38) >> 16;
            let mut offset = u64::from(u32_at(&fixed, 42));
            let name_at = at + DIRECTORY_BYTES as u64;
            let rest = self.bytes(name_at, name as usize + usize::from(extra));
            let (name, extra) = rest.split_at((name as usize).min(rest.len()));
            zip64(extra, &mut header, Some(&mut offset));
            let name = name.to_vec();
            at = name_at + rest.len() as u64 + comment;
            self.listing = Listing::Directory { at, end, base };
            if name.ends_with(b"/") {
                continue;
            }
            // Unix and macOS write what the file was.
            if matches!(made_by, 3 | 19)
                && let Some(what) = special(mode)
            {
                let what = format!("is {what}, which is never followed or made: it was not read");
                return Some(Entry::Skipped { name, what });
            }
            return Some(self.member(name, header, base.saturating_add(offset)));
        }
    }

    /// Opens the data of a member whose local header begins at `offset`.
    fn member(&mut self, name: Vec<u8>, header: Header, offset: u64) -> Entry {
        let local = self.bytes(offset, LOCAL_BYTES as usize);
        if local.len() < LOCAL_BYTES as usize || !local.starts_with(LOCAL) {
            let what = format!(
                "has no header at byte {offset} of the archive, where the directory says: \
                 it was not read"
            );
            return Entry::Skipped { name, what };
        }
        let from =
            offset + LOCAL_BYTES + u64::from(u16_at(&local, 26)) + u64::from(u16_at(&local, 28));
        self.data(name, &header, from, Some(header.packed))
    }

    /// Opens the data of a member from its first byte on; `packed` is its length, if that is known.
    fn data(&mut self, name: Vec<u8>, header: &Header, from: u64, packed: Option<u64>) -> Entry {
        let skipped = |name, what: String| Entry::Skipped { name, what };
        if header.encrypted() {
            let what = "is encrypted: unpack it with its password and name what comes out";
            return skipped(name, what.to_owned());
        }
        let Some(method) = Method::of(header.method) else {
            let what = format!(
                "is packed by zip method {}, which is not read here: unpack it and name what comes out",
                header.method
            );
            return skipped(name, what);
        };
        let to = from.saturating_add(packed.unwrap_or(self.length));
        let to = to.min(self.length).max(from);
        let cut = packed.is_some_and(|packed| from.saturating_add(packed) > self.length);
        let before = self.used.range(..to.max(from + 1)).next_back();
        if to > from && before.is_some_and(|(_, end)| *end > from) {
            let what = format!(
                "shares its data, at byte {from} of the archive, with another member, \
                 as only bombs do: it was not read"
            );
            return skipped(name, what);
        }
        if to > from {
            self.used.insert(from, to);
        }
        let input = Window {
            file: Arc::clone(&self.file),
            at: from,
            end: to,
            cut,
            meter: Arc::clone(&self.meter),
        };
        let known = header.bytes > 0 || !header.described_behind();
        let expected = known.then_some(Expected {
            bytes: header.bytes,
            crc: header.crc,
        });
        let input = match Unzip::new(Box::new(input), method, expected, Arc::clone(&self.meter)) {
            Ok(unzip) => Box::new(unzip),
            Err(error) => return skipped(name, format!("cannot be read: {error}")),
        };
        Entry::File {
            name,
            bytes: header.bytes,
            input,
        }
    }

    /// Looks for the next member's own header.
    fn by_headers(&mut self, at: u64) -> Option<Entry> {
        let mut at = at;
        loop {
            let Some(found) = self.find(&[LOCAL], at) else {
                self.listing = Listing::Ended;
                return None;
            };
            let fixed = self.bytes(found, LOCAL_BYTES as usize);
            if fixed.len() < LOCAL_BYTES as usize {
                self.listing = Listing::Ended;
                return None;
            }
            let mut header = Header::read(&fixed[6..]);
            let name_bytes = usize::from(u16_at(&fixed, 26));
            let extra_bytes = usize::from(u16_at(&fixed, 28));
            // A mark inside of packed data is followed by anything.
            let plausible = fixed[4] <= 63 && fixed[5] <= 19 && name_bytes > 0;
            let rest = match plausible {
                true => self.bytes(found + LOCAL_BYTES, name_bytes + extra_bytes),
                false => Vec::new(),
            };
            if rest.len() < name_bytes + extra_bytes || !plausible {
                at = found + LOCAL.len() as u64;
                continue;
            }
            let (name, extra) = rest.split_at(name_bytes);
            zip64(extra, &mut header, None);
            let from = found + LOCAL_BYTES + rest.len() as u64;
            // Lengths that stand behind the data: it ends where the next header begins.
            let known = !header.described_behind() || header.packed > 0;
            let packed = known
                .then_some(header.packed)
                .or_else(|| Some(self.find(&[LOCAL, DIRECTORY, DESCRIPTOR], from)? - from));
            let end = from.saturating_add(packed.unwrap_or(u64::MAX));
            self.listing = match end < self.length {
                true => Listing::Headers {
                    at: end,
                    told: true,
                },
                false => Listing::Ended,
            };
            if name.ends_with(b"/") {
                at = end;
                continue;
            }
            if !known {
                // Packed data says itself where it ends, and may hold anything that looks like a header.
                let bound = packed.filter(|_| header.method == 0);
                (header.flags, header.bytes) = (header.flags | 8, 0);
                let entry = self.data(name.to_vec(), &header, from, bound);
                if let (Some(packed), Entry::File { .. }) = (packed, &entry) {
                    self.used.insert(from, from + packed);
                }
                return Some(entry);
            }
            let name = name.to_vec();
            return Some(self.data(name, &header, from, packed));
        }
    }

    /// Returns where the first of some marks stands, from an offset on. Reads little beyond it, however many
    /// marks a hostile archive has: what it costs grows with the distance.
    fn find(&self, marks: &[&[u8]], mut at: u64) -> Option<u64> {
        let mut bytes = FIRST_WINDOW;
        loop {
            let window = self.bytes(at, bytes);
            let found = memmem::find_iter(&window, MARK)
                .find(|found| marks.iter().any(|mark| window[*found..].starts_with(mark)));
            if let Some(found) = found {
                return Some(at + found as u64);
            }
            if window.len() < bytes {
                return None;
            }
            // A mark may lie across the border.
            at += (bytes - LOCAL.len() + 1) as u64;
            bytes = (bytes * 2).min(WINDOW);
        }
    }

    /// As [`bytes_at`].
    fn bytes(&self, at: u64, bytes: usize) -> Vec<u8> {
        bytes_at(&self.file, at, bytes)
    }
}

/// Reads bytes of a file; fewer at its end, or where it cannot be read.
pub(crate) fn bytes_at(file: &File, at: u64, bytes: usize) -> Vec<u8> {
    let mut out = vec![0; bytes];
    let mut filled = 0;
    while filled < bytes {
        match file.read_at(&mut out[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    out.truncate(filled);
    out
}

/// The packed bytes of one member.
pub(crate) struct Window {
    pub(crate) file: Arc<File>,
    pub(crate) at: u64,
    pub(crate) end: u64,
    /// Whether the archive ends before the member does.
    pub(crate) cut: bool,
    pub(crate) meter: Arc<Meter>,
}

impl Input for Window {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let want =
            usize::try_from(self.end - self.at).map_or(out.len(), |left| left.min(out.len()));
        let bytes = match want {
            0 => 0,
            _ => self.file.read_at(&mut out[..want], self.at)?,
        };
        if bytes == 0 && !out.is_empty() && (self.cut || self.at < self.end) {
            self.cut = false;
            self.end = self.at;
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!(
                    "the archive ends at its byte {}, inside this member",
                    self.at
                ),
            ));
        }
        self.at += bytes as u64;
        self.meter.read(bytes);
        Ok(bytes)
    }

    fn close(self: Box<Self>, _: bool) -> Vec<LayerFacts> {
        Vec::new()
    }
}

/// Names what no text can be read from, by the mode that Unix keeps.
pub(crate) fn special(mode: u32) -> Option<&'static str> {
    match mode & 0o170_000 {
        0o120_000 => Some("a symbolic link"),
        0o020_000 => Some("a character device"),
        0o060_000 => Some("a block device"),
        0o010_000 => Some("a FIFO"),
        0o140_000 => Some("a socket"),
        _ => None,
    }
}

/// Takes lengths and offset from the extra field where they did not fit.
fn zip64(mut extra: &[u8], header: &mut Header, offset: Option<&mut u64>) {
    const TOO_LONG: u64 = u32::MAX as u64;
    while extra.len() >= 4 {
        let (id, length) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let Some(body) = extra.get(4..4 + length) else {
            return;
        };
        if id == 1 {
            let mut numbers = body.chunks_exact(8).map(|number| u64_at(number, 0));
            for field in [Some(&mut header.bytes), Some(&mut header.packed), offset]
                .into_iter()
                .flatten()
            {
                if *field == TOO_LONG {
                    *field = numbers.next().unwrap_or(*field);
                }
            }
            return;
        }
        extra = &extra[4 + length..];
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
