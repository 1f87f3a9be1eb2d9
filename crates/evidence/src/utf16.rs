//! UTF-16 as UTF-8, with the way back: every offset in the text leads to a byte of the original.

use model::Encoding;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Raw bytes taken at a time.
const STEP: usize = 64 * 1024;

/// A stretch of characters that all have as many bytes: `text` in the UTF-8, `raw` in the original.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    text: u64,
    raw: u64,
    /// Bytes of a character here and there.
    each: (u64, u64),
}

/// Leads from offsets in the decoded text to bytes of the original.
///
/// It is filled as the text is read and grows until it is told what is done with.
#[derive(Clone, Debug)]
pub struct OffsetMap {
    stretches: Arc<Mutex<VecDeque<Stretch>>>,
}

impl OffsetMap {
    fn new(at: u64) -> OffsetMap {
        let first = Stretch {
            text: at,
            raw: at,
            each: (1, 2),
        };
        OffsetMap {
            stretches: Arc::new(Mutex::new(VecDeque::from([first]))),
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Stretch>> {
        self.stretches
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the byte of the original that an offset of the text stands for.
    pub fn original(&self, text: u64) -> u64 {
        let stretches = self.lock();
        let after = stretches.partition_point(|stretch| stretch.text <= text);
        let Some(stretch) = stretches.get(after.saturating_sub(1)) else {
            return text;
        };
        stretch.raw + text.saturating_sub(stretch.text) / stretch.each.0 * stretch.each.1
    }

    /// Forgets what lies before an offset of the text.
    pub fn forget_before(&self, text: u64) {
        let mut stretches = self.lock();
        let keep = stretches.partition_point(|stretch| stretch.text <= text);
        stretches.drain(..keep.saturating_sub(1));
    }
}

/// Reads UTF-16 as UTF-8. A unit that is no character becomes U+FFFD.
pub struct Utf16Reader<R> {
    reader: R,
    encoding: Encoding,
    map: OffsetMap,
    /// Where the next character lies.
    raw_at: u64,
    text_at: u64,
    each: (u64, u64),
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
            raw_at: at,
            text_at: at,
            each: (1, 2),
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
        let mut fresh = Vec::new();
        for decoded in char::decode_utf16(units) {
            let (character, raw_bytes) = match decoded {
                Ok(character) => (character, 2 * character.len_utf16() as u64),
                Err(_) => (char::REPLACEMENT_CHARACTER, 2),
            };
            self.push(character, raw_bytes, &mut fresh);
        }
        if self.ended && raw.len() > usable {
            self.push(char::REPLACEMENT_CHARACTER, 1, &mut fresh);
            usable = raw.len();
        }
        self.map.lock().extend(fresh);
        self.rest = raw.split_off(usable);
        Ok(())
    }

    fn push(&mut self, character: char, raw_bytes: u64, fresh: &mut Vec<Stretch>) {
        let each = (character.len_utf8() as u64, raw_bytes);
        if each != self.each {
            self.each = each;
            fresh.push(Stretch {
                text: self.text_at,
                raw: self.raw_at,
                each,
            });
        }
        let mut utf8 = [0; 4];
        self.text
            .extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
        self.text_at += each.0;
        self.raw_at += each.1;
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
