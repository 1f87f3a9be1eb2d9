//! UTF-16 as UTF-8, with the way back: every offset in the text leads to a byte of the original.

use crate::Encoding;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Raw bytes taken at a time.
const STEP: usize = 64 * 1024;

/// Characters in a block that tells of each how long it is.
const BLOCK: usize = 512;
/// Most blocks: 240 MiB of them, for 1.5 GiB of a source's bytes.
const BLOCKS: usize = 3 << 19;

/// Characters that follow each other: the first is at `text` in the UTF-8, at `raw` in the original.
#[derive(Debug)]
struct Block {
    text: u64,
    raw: u64,
    /// `None`: all of them, however many, are ASCII. Dumps and logs are little else, and cost nothing.
    lengths: Option<Lengths>,
}

/// Two bits for each character: its bytes in UTF-8 less one. Four bytes there are four here, any other number two.
#[derive(Debug)]
struct Lengths {
    count: usize,
    bits: Box<[u8; BLOCK / 4]>,
}

impl Lengths {
    fn new() -> Lengths {
        Lengths {
            count: 0,
            bits: Box::new([0; BLOCK / 4]),
        }
    }

    fn push(&mut self, bytes: u64) {
        let code = (bytes as u8).saturating_sub(1) & 3;
        self.bits[self.count / 4] |= code << (2 * (self.count % 4));
        self.count += 1;
    }

    /// Bytes of each character, in UTF-8 and in the original.
    fn each(&self) -> impl Iterator<Item = (u64, u64)> {
        (0..self.count).map(|nth| {
            let code = self.bits[nth / 4] >> (2 * (nth % 4)) & 3;
            (u64::from(code) + 1, if code == 3 { 4 } else { 2 })
        })
    }
}

/// What an [`OffsetMap`] holds.
#[derive(Debug)]
struct Blocks {
    blocks: VecDeque<Block>,
    /// Where the text ends so far, there and here: its last character may be half of one.
    end: (u64, u64),
}

impl Blocks {
    fn push(&mut self, bytes: u64, raw_bytes: u64) -> io::Result<()> {
        let (text, raw) = self.end;
        self.end = (text + bytes, raw + raw_bytes);
        match self.blocks.back_mut().map(|block| &mut block.lengths) {
            Some(None) if bytes == 1 => return Ok(()),
            Some(Some(lengths)) if lengths.count < BLOCK => {
                lengths.push(bytes);
                return Ok(());
            }
            _ => {}
        }
        if self.blocks.len() == BLOCKS {
            return Err(io::Error::other(
                "too much UTF-16 that is not ASCII: write it anew with iconv -f UTF-16 -t UTF-8",
            ));
        }
        let lengths = (bytes > 1).then(|| {
            let mut lengths = Lengths::new();
            lengths.push(bytes);
            lengths
        });
        self.blocks.push_back(Block { text, raw, lengths });
        Ok(())
    }

    fn original(&self, text: u64) -> u64 {
        let (end, raw_end) = self.end;
        if text >= end {
            return raw_end + 2 * (text - end);
        }
        let after = self.blocks.partition_point(|block| block.text <= text);
        let Some(block) = self.blocks.get(after.saturating_sub(1)) else {
            return text;
        };
        let Some(lengths) = &block.lengths else {
            return block.raw + 2 * text.saturating_sub(block.text);
        };
        let (mut at, mut raw) = (block.text, block.raw);
        for (bytes, raw_bytes) in lengths.each() {
            if at + bytes > text {
                break;
            }
            at += bytes;
            raw += raw_bytes;
        }
        raw
    }
}

/// Leads from offsets in the decoded text to bytes of the original.
///
/// It is filled as the text is read. Stretches of ASCII take no room, other text takes a sixth of the original until it is
/// told what is done with.
#[derive(Clone, Debug)]
pub struct OffsetMap {
    blocks: Arc<Mutex<Blocks>>,
}

impl OffsetMap {
    fn new(at: u64) -> OffsetMap {
        let first = Block {
            text: at,
            raw: at,
            lengths: None,
        };
        OffsetMap {
            blocks: Arc::new(Mutex::new(Blocks {
                blocks: VecDeque::from([first]),
                end: (at, at),
            })),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Blocks> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the byte of the original that an offset of the text stands for.
    pub fn original(&self, text: u64) -> u64 {
        self.lock().original(text)
    }

    /// Forgets what lies before an offset of the text.
    pub fn forget_before(&self, text: u64) {
        let blocks = &mut self.lock().blocks;
        let keep = blocks.partition_point(|block| block.text <= text);
        blocks.drain(..keep.saturating_sub(1));
    }
}

/// Reads UTF-16 as UTF-8. A unit that is no character becomes U+FFFD.
pub struct Utf16Reader<R> {
    reader: R,
    encoding: Encoding,
    map: OffsetMap,
    /// Raw bytes of half a character.
    rest: Vec<u8>,
    /// The text, and what of it was handed out.
    text: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<R: Read> Utf16Reader<R> {
    /// Starts at a byte of the original which the reader has reached; offsets of the text count from
    /// the same number.
    pub fn new(reader: R, encoding: Encoding, at: u64) -> Utf16Reader<R> {
        Utf16Reader {
            reader,
            encoding,
            map: OffsetMap::new(at),
            rest: Vec::new(),
            text: Vec::new(),
            given: 0,
            ended: false,
        }
    }

    /// Returns the way back.
    pub fn map(&self) -> OffsetMap {
        self.map.clone()
    }

    /// Returns the reader.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// Returns the reader, for what it knows at the end.
    pub fn into_inner(self) -> R {
        self.reader
    }

    fn more(&mut self) -> io::Result<()> {
        let mut raw = std::mem::take(&mut self.rest);
        let have = raw.len();
        raw.resize(have + STEP, 0);
        let got = self.reader.read(&mut raw[have..])?;
        raw.truncate(have + got);
        self.ended = got == 0;
        let mut usable = raw.len() & !1;
        if !self.ended && usable >= 2 {
            let last = self.encoding.unit([raw[usable - 2], raw[usable - 1]]);
            // Its other half is still to come.
            if (0xd800..0xdc00).contains(&last) {
                usable -= 2;
            }
        }
        self.text.clear();
        self.given = 0;
        let (units, _) = raw[..usable].as_chunks::<2>();
        let encoding = self.encoding;
        let units = units.iter().map(|unit| encoding.unit(*unit));
        let mut blocks = self.map.lock();
        let mut utf8 = [0; 4];
        let mut push = |character: char, raw_bytes: u64| {
            let bytes = character.encode_utf8(&mut utf8).as_bytes();
            self.text.extend_from_slice(bytes);
            blocks.push(bytes.len() as u64, raw_bytes)
        };
        for decoded in char::decode_utf16(units) {
            match decoded {
                Ok(character) => push(character, 2 * character.len_utf16() as u64)?,
                Err(_) => push(char::REPLACEMENT_CHARACTER, 2)?,
            }
        }
        if self.ended && raw.len() > usable {
            push(char::REPLACEMENT_CHARACTER, 1)?;
            usable = raw.len();
        }
        drop(blocks);
        self.rest = raw.split_off(usable);
        Ok(())
    }
}

impl<R: Read> Read for Utf16Reader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() && !self.ended && !out.is_empty() {
            self.more()?;
        }
        let bytes = out.len().min(self.text.len() - self.given);
        out[..bytes].copy_from_slice(&self.text[self.given..self.given + bytes]);
        self.given += bytes;
        Ok(bytes)
    }
}
