//! Sparse members of a tar: only what is not a hole lies in the archive, a map says where it belongs.
//!
//! Read are the maps of GNU tar's old header and of its pax formats 0.0, 0.1 and 1.0. Holes come out as the
//! zeros that they are in the file, and count as what a layer of compression gives: a hole costs a bomb
//! nothing. Layout: <https://www.gnu.org/software/tar/manual/html_node/Sparse-Formats.html>.

use crate::input::Input;
use crate::layer::LayerFacts;
use crate::limits::Meter;
use std::io;
use std::sync::Arc;

/// More stretches than a log that was cut while it was written ever has.
const STRETCHES: usize = 1 << 16;

/// Bytes of a block of the archive.
const BLOCK: usize = crate::tar::BLOCK;

/// Where the stretches of a member lie: offset and length of each, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Map(Vec<(u64, u64)>);

impl Map {
    /// Appends a stretch; says whether it can be one.
    pub(crate) fn push(&mut self, offset: u64, bytes: u64) -> bool {
        let after = self.0.last().map_or(0, |(offset, bytes)| offset + bytes);
        let fits =
            offset >= after && offset.checked_add(bytes).is_some() && self.0.len() < STRETCHES;
        if fits {
            self.0.push((offset, bytes));
        }
        fits
    }

    /// Reads `offset,length,offset,length`.
    pub(crate) fn read(text: &[u8]) -> Option<Map> {
        let mut map = Map::default();
        let mut numbers = text.split(|&byte| byte == b',');
        while let Some(offset) = numbers.next() {
            if !map.push(number(offset)?, number(numbers.next()?)?) {
                return None;
            }
        }
        Some(map)
    }
}

/// Reads decimal digits.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A sparse member with its holes.
pub(crate) struct Sparse {
    /// What lies in the archive.
    stored: Box<dyn Input>,
    /// `None` until it was read from the front of what is stored.
    map: Option<Map>,
    /// Bytes of the file, holes included.
    bytes: u64,
    at: u64,
    /// The stretch that is read, or comes next.
    stretch: usize,
    meter: Arc<Meter>,
}

impl Sparse {
    /// Begins; without a map it stands before the data (pax format 1.0).
    pub(crate) fn new(
        stored: Box<dyn Input>,
        map: Option<Map>,
        bytes: u64,
        meter: Arc<Meter>,
    ) -> Sparse {
        Sparse {
            stored,
            map,
            bytes,
            at: 0,
            stretch: 0,
            meter,
        }
    }

    /// Reads the map before the data: numbers on lines of their own, their count first, in whole blocks.
    fn read_map(&mut self) -> io::Result<Map> {
        let broken = || {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "is a sparse file whose map is broken: it was not read",
            )
        };
        let mut map = Map::default();
        let mut left = None;
        let mut offset = None;
        let mut digits = Vec::new();
        while left != Some(0) {
            let mut block = [0; BLOCK];
            let mut filled = 0;
            while filled < BLOCK {
                match self.stored.read(&mut block[filled..])? {
                    0 => return Err(broken()),
                    bytes => filled += bytes,
                }
            }
            for byte in block {
                if left == Some(0) {
                    break;
                }
                if byte != b'\n' {
                    digits.push(byte);
                    if digits.len() > 20 {
                        return Err(broken());
                    }
                    continue;
                }
                let value = number(&digits).ok_or_else(broken)?;
                digits.clear();
                match (left, offset.take()) {
                    (None, _) => left = Some(value),
                    (Some(_), None) => offset = Some(value),
                    (Some(count), Some(offset)) => {
                        if !map.push(offset, value) {
                            return Err(broken());
                        }
                        left = Some(count - 1);
                    }
                }
            }
        }
        Ok(map)
    }
}

impl Input for Sparse {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.map.is_none() {
            self.map = Some(Map::default());
            match self.read_map() {
                Ok(map) => self.map = Some(map),
                Err(error) => {
                    self.bytes = 0;
                    return Err(error);
                }
            }
        }
        let stretches = self.map.as_ref().map_or(&[][..], |map| &map.0);
        while stretches
            .get(self.stretch)
            .is_some_and(|(offset, bytes)| offset + bytes <= self.at)
        {
            self.stretch += 1;
        }
        let (offset, end) = stretches
            .get(self.stretch)
            .map_or((self.bytes, self.bytes), |(offset, bytes)| {
                (*offset, offset + bytes)
            });
        let to = if self.at < offset { offset } else { end }.min(self.bytes);
        let want = usize::try_from(to.saturating_sub(self.at))
            .map_or(out.len(), |left| left.min(out.len()));
        if want == 0 {
            return Ok(0);
        }
        let out = &mut out[..want];
        let bytes = if self.at < offset {
            if let Some(what) = self.meter.tripped() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, what.to_owned()));
            }
            out.fill(0);
            self.meter.expanded(want);
            want
        } else {
            match self.stored.read(out)? {
                0 => {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        format!(
                            "less of it lies in the archive than its map says, {} bytes in",
                            self.at
                        ),
                    ));
                }
                bytes => bytes,
            }
        };
        self.at += bytes as u64;
        Ok(bytes)
    }

    fn close(self: Box<Self>, whole: bool) -> Vec<LayerFacts> {
        self.stored.close(whole)
    }
}
