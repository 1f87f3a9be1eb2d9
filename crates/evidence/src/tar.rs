//! tar: ustar, GNU and pax headers, read as a stream, one member after the other.
//!
//! Written here because a member has to be read by other threads than the one that lists them, a
//! damaged header must not end the reading, and nothing of a header may be trusted: sizes and names
//! are bounded, links and devices are never followed or made.
//! Layout: <https://www.gnu.org/software/tar/manual/html_node/Standard.html>.

use crate::input::{Input, RawInput};
use crate::layer::LayerFacts;
use crate::limits::Meter;
use crate::reader::Digest256;
use crate::sparse::{self, Map, Sparse};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) const BLOCK: usize = 512;

/// Names and pax records longer than this are nobody's.
const HEADER_BYTES: u64 = 1 << 20;

/// Whether a stream begins with a tar header.
pub(crate) fn is_tar(head: &[u8]) -> bool {
    match head.get(..BLOCK) {
        Some(block) => is_header(block),
        // A cut first header still says what it is.
        None => head.get(257..262) == Some(b"ustar"),
    }
}

fn is_header(block: &[u8]) -> bool {
    // The checksum counts its own field as blanks; old writers summed signed bytes.
    let Some(wanted) = octal(&block[148..156]) else {
        return false;
    };
    let rest = || block[..148].iter().chain(&block[156..]);
    let unsigned: u64 = rest().map(|&byte| u64::from(byte)).sum::<u64>() + 256;
    let signed: i64 = rest().map(|&byte| i64::from(byte as i8)).sum::<i64>() + 256;
    wanted == unsigned || i64::try_from(wanted) == Ok(signed)
}

/// Reads a number field: octal digits, or base 256 behind a set first bit.
fn octal(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        return field[1..].iter().try_fold(0u64, |number, &byte| {
            number.checked_mul(256).map(|n| n + u64::from(byte))
        });
    }
    let text = field.trim_ascii();
    let end = text.iter().position(|b| matches!(b, 0 | b' '));
    let digits = &text[..end.unwrap_or(text.len())];
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| match digit {
        b'0'..=b'7' => number.checked_mul(8).map(|n| n + u64::from(digit - b'0')),
        _ => None,
    })
}

/// What comes next in the archive.
pub(crate) enum Entry {
    /// A file; reading it reads the archive.
    File {
        name: Vec<u8>,
        bytes: u64,
        input: Box<dyn Input>,
    },
    /// Something that is never read, and why.
    Skipped { name: Vec<u8>, what: String },
    /// Damage of the archive itself.
    Trouble(String),
}

/// The state that the lister and the reader of the present member share.
struct Shared {
    raw: RawInput,
    /// Bytes of the present member still to come, its padding not counted.
    left: u64,
    padding: u64,
    /// Counts members: a reader of an earlier one reads nothing more.
    member: u64,
    /// Whether the archive ended inside a member.
    cut: bool,
}

pub(crate) struct Tar {
    shared: Arc<Mutex<Shared>>,
    /// A header found behind damage.
    found: Option<[u8; BLOCK]>,
    /// Whether blocks of zeros were seen since the last member.
    end_mark: bool,
    ended: bool,
    /// What pax and GNU headers said of the next member, and of all that follow.
    said: Said,
    global: Said,
    meter: Arc<Meter>,
}

#[derive(Clone, Default)]
struct Said {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    bytes: Option<u64>,
    sparse: Option<SaidSparse>,
}

/// What pax headers say of a sparse member.
#[derive(Clone, Default)]
struct SaidSparse {
    /// The member's name; the header's own is made up.
    name: Option<Vec<u8>>,
    /// Bytes of the file with its holes.
    bytes: Option<u64>,
    /// Where the stretches lie; `None` where it stands before the data.
    map: Option<Map>,
    /// The offset of a stretch whose length comes next (format 0.0).
    offset: Option<u64>,
    /// Whether something said of the map could not be.
    broken: bool,
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tar {
    pub(crate) fn new(raw: RawInput, meter: Arc<Meter>) -> Tar {
        Tar {
            shared: Arc::new(Mutex::new(Shared {
                raw,
                left: 0,
                padding: 0,
                member: 0,
                cut: false,
            })),
            found: None,
            end_mark: false,
            ended: false,
            said: Said::default(),
            global: Said::default(),
            meter,
        }
    }

    /// Returns the next member, whatever was read of the one before.
    pub(crate) fn next(&mut self) -> Option<Entry> {
        let shared = Arc::clone(&self.shared);
        let mut state = lock(&shared);
        state.leave_member();
        loop {
            if self.ended {
                return None;
            }
            let at = state.raw.offset();
            let mut block = [0; BLOCK];
            match self.found.take() {
                Some(found) => block = found,
                None => {
                    let got = read_full(&mut state.raw, &mut block);
                    if got < BLOCK {
                        self.ended = true;
                        let whole = got == 0 && self.end_mark && !state.cut;
                        let place = at + got as u64;
                        return (!whole).then(|| {
                            Entry::Trouble(format!(
                                "the tar archive ends early, at its byte {place}: \
                                 what followed was not read"
                            ))
                        });
                    }
                }
            }
            if block == [0; BLOCK] {
                self.end_mark = true;
                continue;
            }
            if !is_header(&block) {
                self.said = Said::default();
                self.found = next_header(&mut state.raw);
                self.ended = self.found.is_none();
                let place = match self.found {
                    Some(_) => format!("{at} to {}", state.raw.offset() - BLOCK as u64),
                    None => format!("{at} on"),
                };
                return Some(Entry::Trouble(format!(
                    "no tar header where one must be, from byte {place} of the archive: \
                     members that began there were not read"
                )));
            }
            self.end_mark = false;
            if let Some(entry) = self.header(&mut state, &block) {
                return Some(entry);
            }
        }
    }

    /// Takes a header; returns a member if it is one's.
    fn header(&mut self, state: &mut MutexGuard<'_, Shared>, block: &[u8]) -> Option<Entry> {
        let kind = block[156];
        let bytes = octal(&block[124..136]).unwrap_or(0);
        if matches!(kind, b'L' | b'K' | b'x' | b'g') {
            let body = state.body(bytes);
            match (kind, body) {
                (_, None) => {
                    return Some(Entry::Trouble(format!(
                        "a tar header of {bytes} bytes, before byte {} of the archive: it was passed over",
                        state.raw.offset()
                    )));
                }
                (b'L', Some(body)) => self.said.name = Some(until_nul(&body).to_vec()),
                (b'K', Some(body)) => self.said.link = Some(until_nul(&body).to_vec()),
                (b'x', Some(body)) => pax(&body, &mut self.said),
                (_, Some(body)) => pax(&body, &mut self.global),
            }
            return None;
        }
        let said = std::mem::take(&mut self.said);
        let sparse = said.sparse.as_ref().and_then(|sparse| sparse.name.clone());
        let name = sparse.or(said.name).or_else(|| self.global.name.clone());
        let name = name.unwrap_or_else(|| written_name(block));
        let link = said
            .link
            .unwrap_or_else(|| until_nul(&block[157..257]).to_vec());
        let bytes = said.bytes.unwrap_or(bytes);
        let refused = |state: &mut Shared, what: &str, bytes: u64| {
            state.enter_member(bytes);
            let what = format!("is {what}, which is never followed or made: it was not read");
            Some(Entry::Skipped {
                name: name.clone(),
                what,
            })
        };
        let to = || model::escape_control(&link);
        match kind {
            b'1' => refused(state, &format!("a hard link to {}", to()), 0),
            b'2' => refused(state, &format!("a symbolic link to {}", to()), 0),
            b'3' => refused(state, "a character device", 0),
            b'4' => refused(state, "a block device", 0),
            b'6' => refused(state, "a FIFO", 0),
            // Folders, lists of folders and names of volumes have no text.
            b'5' | b'D' | b'V' => {
                state.enter_member(if kind == b'5' { 0 } else { bytes });
                state.leave_member();
                None
            }
            b'M' => {
                state.enter_member(bytes);
                let what = "is the part of a file that began on another volume, which is not read: \
                            unpack the archive with tar and name the folder";
                Some(Entry::Skipped {
                    name,
                    what: what.to_owned(),
                })
            }
            b'S' => {
                let (map, real) = old_sparse(&mut state.raw, block);
                self.sparse(state, name, bytes, map.map(Some), real)
            }
            _ if said.sparse.is_some() => {
                let said = said.sparse.unwrap_or_default();
                let map = (!said.broken).then_some(said.map);
                self.sparse(state, name, bytes, map, said.bytes.unwrap_or(bytes))
            }
            _ if name.ends_with(b"/") => {
                state.enter_member(bytes);
                state.leave_member();
                None
            }
            _ => {
                state.enter_member(bytes);
                Some(Entry::File {
                    name,
                    bytes,
                    input: Box::new(Member {
                        shared: Arc::clone(&self.shared),
                        member: state.member,
                    }),
                })
            }
        }
    }

    /// Opens a sparse member of which `stored` bytes lie in the archive and `bytes` come out. `map` is `None`
    /// where it is broken, `Some(None)` where it stands before the data.
    fn sparse(
        &self,
        state: &mut Shared,
        name: Vec<u8>,
        stored: u64,
        map: Option<Option<Map>>,
        bytes: u64,
    ) -> Option<Entry> {
        state.enter_member(stored);
        let Some(map) = map else {
            let what = "is a sparse file whose map is broken: it was not read";
            return Some(Entry::Skipped {
                name,
                what: what.to_owned(),
            });
        };
        let member = Member {
            shared: Arc::clone(&self.shared),
            member: state.member,
        };
        let meter = Arc::clone(&self.meter);
        Some(Entry::File {
            name,
            bytes,
            input: Box::new(Sparse::new(Box::new(member), map, bytes, meter)),
        })
    }

    /// Ends the reading; returns length and hash of the archive's own bytes, if they were asked for,
    /// and the layers it lay in.
    pub(crate) fn close(self) -> (u64, Option<Digest256>, Vec<LayerFacts>) {
        let mut state = lock(&self.shared);
        // A reader of a member that is still about reads nothing more.
        state.member += 1;
        let gone = RawInput::nothing();
        let mut raw = std::mem::replace(&mut state.raw, gone);
        raw.drain();
        raw.close(true)
    }
}

impl Shared {
    fn enter_member(&mut self, bytes: u64) {
        self.member += 1;
        self.left = bytes;
        // To the next whole block; a header may say any length, so nothing is added up.
        self.padding = bytes.wrapping_neg() % BLOCK as u64;
    }

    /// Passes over what nobody read of the present member.
    fn leave_member(&mut self) {
        self.member += 1;
        let left = std::mem::take(&mut self.left).saturating_add(std::mem::take(&mut self.padding));
        self.cut |= pass(&mut self.raw, left) < left;
    }

    /// Reads the body of a header; `None` if it is too long to be one.
    fn body(&mut self, bytes: u64) -> Option<Vec<u8>> {
        self.enter_member(bytes);
        let mut body = None;
        if bytes <= HEADER_BYTES {
            let mut whole = vec![0; bytes as usize];
            let got = read_full(&mut self.raw, &mut whole);
            whole.truncate(got);
            self.left -= got as u64;
            body = Some(whole);
        }
        self.leave_member();
        body
    }
}

/// The reader of one member.
struct Member {
    shared: Arc<Mutex<Shared>>,
    member: u64,
}

impl Input for Member {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut state = lock(&self.shared);
        if state.member != self.member || state.left == 0 || out.is_empty() {
            return Ok(0);
        }
        let want = usize::try_from(state.left).map_or(out.len(), |left| left.min(out.len()));
        match state.raw.read_plain(&mut out[..want]) {
            0 => {
                let missing = std::mem::take(&mut state.left);
                state.padding = 0;
                state.cut = true;
                Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("the archive ends here, {missing} bytes before this member does"),
                ))
            }
            bytes => {
                state.left -= bytes as u64;
                Ok(bytes)
            }
        }
    }

    fn close(self: Box<Self>, _: bool) -> Vec<LayerFacts> {
        Vec::new()
    }
}

/// Looks on for a header, block by block.
fn next_header(raw: &mut RawInput) -> Option<[u8; BLOCK]> {
    let mut block = [0; BLOCK];
    while read_full(raw, &mut block) == BLOCK {
        if block[257..262] == *b"ustar" && is_header(&block) {
            return Some(block);
        }
    }
    None
}

fn read_full(raw: &mut RawInput, out: &mut [u8]) -> usize {
    let mut filled = 0;
    while filled < out.len() {
        match raw.read_plain(&mut out[filled..]) {
            0 => break,
            bytes => filled += bytes,
        }
    }
    filled
}

/// Takes bytes off; returns how many there were.
fn pass(raw: &mut RawInput, bytes: u64) -> u64 {
    let mut passed = 0;
    while passed < bytes {
        let here = raw.fill().len() as u64;
        if here == 0 {
            break;
        }
        let take = here.min(bytes - passed);
        raw.consume(take as usize);
        passed += take;
    }
    passed
}

fn until_nul(field: &[u8]) -> &[u8] {
    let end = memchr::memchr(0, field).unwrap_or(field.len());
    &field[..end]
}

/// Reads the map of GNU tar's old sparse header (`None` if it is broken), and the length of the file. It goes
/// on in blocks of its own behind the header.
fn old_sparse(raw: &mut RawInput, block: &[u8]) -> (Option<Map>, u64) {
    const ENTRY: usize = 24;
    let real = octal(&block[483..495]).unwrap_or(0);
    let mut map = Some(Map::default());
    let mut take = |entries: &[u8]| {
        for entry in entries.chunks_exact(ENTRY) {
            if entry[0] == 0 {
                break;
            }
            let stretch = octal(&entry[..12]).zip(octal(&entry[12..]));
            let fits = match (&mut map, stretch) {
                (Some(map), Some((offset, bytes))) => map.push(offset, bytes),
                _ => false,
            };
            if !fits {
                map = None;
            }
        }
    };
    take(&block[386..482]);
    let mut more = block[482] != 0;
    while more {
        let mut next = [0; BLOCK];
        if read_full(raw, &mut next) < BLOCK {
            break;
        }
        take(&next[..504]);
        more = next[504] != 0;
    }
    (map, real)
}

/// A name as the header itself has it.
fn written_name(block: &[u8]) -> Vec<u8> {
    let name = until_nul(&block[..100]);
    // GNU headers keep times where ustar keeps the front of a long name.
    let front = match &block[257..263] {
        b"ustar\0" => until_nul(&block[345..500]),
        _ => b"",
    };
    match front {
        b"" => name.to_vec(),
        front => [front, b"/", name].concat(),
    }
}

/// Reads pax records: `length key=value` and a line feed, the length counting all of it.
fn pax(mut body: &[u8], said: &mut Said) {
    while let Some(blank) = memchr::memchr(b' ', body) {
        let length = std::str::from_utf8(&body[..blank])
            .ok()
            .and_then(|digits| digits.parse::<usize>().ok());
        let Some(record) = length
            .filter(|length| *length > blank + 1)
            .and_then(|length| body.get(blank + 1..length))
        else {
            return;
        };
        let rest = &body[blank + 1 + record.len()..];
        let record = record.strip_suffix(b"\n").unwrap_or(record);
        if let Some(equals) = memchr::memchr(b'=', record) {
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" => said.name = Some(value.to_vec()),
                b"linkpath" => said.link = Some(value.to_vec()),
                b"size" => {
                    said.bytes = std::str::from_utf8(value).ok().and_then(|n| n.parse().ok());
                }
                _ => {
                    if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
                        pax_sparse(key, value, said.sparse.get_or_insert_default());
                    }
                }
            }
        }
        body = rest;
    }
}

/// Takes one pax record of a sparse member; its key without what they all begin with.
fn pax_sparse(key: &[u8], value: &[u8], said: &mut SaidSparse) {
    let value_of = sparse::number;
    match key {
        b"name" => said.name = Some(value.to_vec()),
        b"size" | b"realsize" => said.bytes = value_of(value),
        b"map" => {
            said.map = Map::read(value);
            said.broken |= said.map.is_none();
        }
        b"offset" => said.offset = value_of(value),
        b"numbytes" => {
            let stretch = said.offset.take().zip(value_of(value));
            let map = said.map.get_or_insert_default();
            said.broken |= !stretch.is_some_and(|(offset, bytes)| map.push(offset, bytes));
        }
        _ => {}
    }
}
