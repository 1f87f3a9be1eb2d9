//! lz4 frames, any number of them, and the legacy form that kernels and `lz4 -l` write.
//!
//! The frame is read here and only blocks are left to `lz4_flex`, so that what stands before damage is
//! delivered and the damage has a place. A block is at most 4 MiB (legacy: 8 MiB), whatever a header says.
//! Layout: <https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md>.

use crate::input::{RawInput, Step};
use lz4_flex::block::{decompress_into, decompress_into_with_dict};
use std::hash::Hasher;
use twox_hash::XxHash32;

const MAGIC: u32 = 0x184d_2204;
const LEGACY: u32 = 0x184c_2102;
/// The last four bits are free.
const SKIPPABLE: u32 = 0x184d_2a50;

/// Bytes of a legacy block's content, and what it may take at most.
const LEGACY_BYTES: usize = 8 << 20;
const LEGACY_PACKED: usize = LEGACY_BYTES + LEGACY_BYTES / 255 + 16;

/// How far back a block may refer.
const WINDOW: usize = 64 * 1024;

/// A block that is stored as it is.
const STORED: u32 = 1 << 31;

/// Whether these bytes begin a frame. Skippable frames are zstd's too, and are taken for that.
pub(crate) fn is_frame(head: &[u8]) -> bool {
    matches!(word(head), Some(MAGIC | LEGACY))
}

/// Returns how much the frame that begins here holds, if it says so.
pub(crate) fn told_length(head: &[u8]) -> Option<u64> {
    let flags = *head.get(4)?;
    if word(head) != Some(MAGIC) || flags & 8 == 0 {
        return None;
    }
    Some(u64::from_le_bytes(head.get(6..14)?.try_into().ok()?))
}

fn word(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?))
}

/// What a frame's header says.
#[derive(Clone, Copy)]
struct Frame {
    linked: bool,
    block_checksums: bool,
    checksum: bool,
    block_bytes: usize,
}

enum State {
    /// Before a frame: the first one, or another.
    Start,
    Block(Frame),
    Legacy,
    End,
}

pub(crate) struct Lz4 {
    state: State,
    packed: Vec<u8>,
    /// The present block, behind what it may refer to.
    plain: Vec<u8>,
    /// Where in `plain` the block begins, how far it was handed over, where it ends.
    from: usize,
    at: usize,
    end: usize,
    hasher: XxHash32,
    first: bool,
}

/// What ends a frame before its time.
enum Broken {
    Cut,
    Wrong(String),
}

impl Lz4 {
    pub(crate) fn new() -> Lz4 {
        Lz4 {
            state: State::Start,
            packed: Vec::new(),
            plain: Vec::new(),
            from: 0,
            at: 0,
            end: 0,
            hasher: XxHash32::with_seed(0),
            first: true,
        }
    }

    pub(crate) fn step(&mut self, raw: &mut RawInput, out: &mut [u8]) -> Step {
        loop {
            if self.at < self.end {
                let bytes = out.len().min(self.end - self.at);
                out[..bytes].copy_from_slice(&self.plain[self.at..self.at + bytes]);
                self.at += bytes;
                return Step::Bytes(bytes);
            }
            let result = match self.state {
                State::End => return Step::End,
                State::Start => self.start(raw),
                State::Block(frame) => self.block(raw, frame),
                State::Legacy => self.legacy(raw),
            };
            match result {
                Ok(None) => {}
                Ok(Some(doubt)) => return Step::Doubt(doubt),
                Err(broken) => {
                    self.state = State::End;
                    return match broken {
                        Broken::Cut => Step::Truncated(format!(
                            "lz4 data ends early, at container byte {}",
                            raw.offset()
                        )),
                        Broken::Wrong(what) => Step::Damaged(what),
                    };
                }
            }
        }
    }

    /// Reads what begins here: a frame, one to skip, the end.
    fn start(&mut self, raw: &mut RawInput) -> Result<Option<String>, Broken> {
        let at = raw.offset();
        if raw.fill().is_empty() {
            self.state = State::End;
            return Ok(None);
        }
        let magic = read_word(raw)?;
        self.begin(raw, magic, at)
    }

    fn begin(&mut self, raw: &mut RawInput, magic: u32, at: u64) -> Result<Option<String>, Broken> {
        self.hasher = XxHash32::with_seed(0);
        (self.from, self.at, self.end) = (0, 0, 0);
        match magic {
            MAGIC => self.state = State::Block(header(raw, at)?),
            LEGACY => self.state = State::Legacy,
            _ if magic & !0xf == SKIPPABLE => {
                let length = read_word(raw)?;
                for _ in 0..length {
                    raw.byte().ok_or(Broken::Cut)?;
                }
                self.state = State::Start;
            }
            _ if self.first => {
                return Err(Broken::Wrong(format!(
                    "no lz4 frame at container byte {at}"
                )));
            }
            _ => {
                return Err(Broken::Wrong(format!(
                    "bytes after the lz4 data, from container byte {at}, are not lz4"
                )));
            }
        }
        self.first = false;
        Ok(None)
    }

    fn block(&mut self, raw: &mut RawInput, frame: Frame) -> Result<Option<String>, Broken> {
        let at = raw.offset();
        let size = read_word(raw)?;
        if size == 0 {
            self.state = State::Start;
            if frame.checksum && read_word(raw)? != self.hasher.finish_32() {
                return Ok(Some(format!(
                    "checksum of the lz4 frame that ends at container byte {} does not match",
                    raw.offset()
                )));
            }
            return Ok(None);
        }
        let (stored, size) = (size & STORED != 0, (size & !STORED) as usize);
        if size > frame.block_bytes {
            return Err(Broken::Wrong(format!(
                "lz4 block at container byte {at} is longer than its frame allows"
            )));
        }
        read_full(raw, &mut self.packed, size)?;
        let doubt = if frame.block_checksums {
            let mut hasher = XxHash32::with_seed(0);
            hasher.write(&self.packed);
            (read_word(raw)? != hasher.finish_32())
                .then(|| format!("checksum of the lz4 block at container byte {at} does not match"))
        } else {
            None
        };
        // What the next block may refer to goes to the front.
        let keep = if frame.linked {
            self.end.min(WINDOW)
        } else {
            0
        };
        self.plain.copy_within(self.end - keep..self.end, 0);
        self.unpack(stored, keep, frame.block_bytes, at)?;
        if frame.checksum {
            self.hasher.write(&self.plain[self.from..self.end]);
        }
        Ok(doubt)
    }

    fn legacy(&mut self, raw: &mut RawInput) -> Result<Option<String>, Broken> {
        let at = raw.offset();
        if raw.fill().is_empty() {
            self.state = State::End;
            return Ok(None);
        }
        let size = read_word(raw)?;
        // A frame has no mark at its end: another one may follow.
        if size as usize > LEGACY_PACKED {
            return self.begin(raw, size, at);
        }
        read_full(raw, &mut self.packed, size as usize)?;
        self.unpack(false, 0, LEGACY_BYTES, at)?;
        Ok(None)
    }

    /// Unpacks the block that was read, behind `keep` bytes of those before it.
    fn unpack(&mut self, stored: bool, keep: usize, most: usize, at: u64) -> Result<(), Broken> {
        if self.plain.len() < keep + most {
            self.plain.resize(keep + most, 0);
        }
        let (before, place) = self.plain.split_at_mut(keep);
        let place = &mut place[..most];
        let bytes = if stored {
            place[..self.packed.len()].copy_from_slice(&self.packed);
            Ok(self.packed.len())
        } else if keep == 0 {
            decompress_into(&self.packed, place)
        } else {
            decompress_into_with_dict(&self.packed, place, before)
        };
        (self.from, self.at, self.end) = (keep, keep, keep);
        self.end += bytes
            .map_err(|_| Broken::Wrong(format!("lz4 block at container byte {at} is damaged")))?;
        Ok(())
    }
}

fn header(raw: &mut RawInput, at: u64) -> Result<Frame, Broken> {
    let mut bytes = Vec::new();
    read_full(raw, &mut bytes, 2)?;
    let (flags, sizes) = (bytes[0], bytes[1]);
    let mut rest = Vec::new();
    let extra = if flags & 8 != 0 { 8 } else { 0 } + if flags & 1 != 0 { 4 } else { 0 };
    read_full(raw, &mut rest, extra + 1)?;
    let check = rest.pop();
    bytes.extend_from_slice(&rest);
    let mut hasher = XxHash32::with_seed(0);
    hasher.write(&bytes);
    let size = sizes >> 4 & 7;
    let known = flags >> 6 == 1 && flags & 2 == 0 && sizes & 0x8f == 0 && size >= 4;
    if !known || check != Some((hasher.finish_32() >> 8) as u8) {
        return Err(Broken::Wrong(format!(
            "lz4 frame at container byte {at} has a broken header"
        )));
    }
    if flags & 1 != 0 {
        return Err(Broken::Wrong(format!(
            "lz4 frame at container byte {at} needs a dictionary: unpack it with that and name what comes out"
        )));
    }
    Ok(Frame {
        linked: flags & 0x20 == 0,
        block_checksums: flags & 0x10 != 0,
        checksum: flags & 4 != 0,
        block_bytes: 1 << (8 + 2 * size),
    })
}

fn read_word(raw: &mut RawInput) -> Result<u32, Broken> {
    let mut word = [0; 4];
    for byte in &mut word {
        *byte = raw.byte().ok_or(Broken::Cut)?;
    }
    Ok(u32::from_le_bytes(word))
}

/// Reads so many bytes, in the place of what was there.
fn read_full(raw: &mut RawInput, out: &mut Vec<u8>, bytes: usize) -> Result<(), Broken> {
    out.resize(bytes, 0);
    let mut filled = 0;
    while filled < bytes {
        match raw.read_plain(&mut out[filled..]) {
            0 => return Err(Broken::Cut),
            got => filled += got,
        }
    }
    Ok(())
}
