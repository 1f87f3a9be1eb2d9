//! A fast decoder of zlib streams (RFC 1950 and 1951), for the text of dumps: digits, mostly of hashes.
//!
//! Such a stream is nearly all literals of four or five bits. A table that is asked with eleven bits gives up to three
//! of them at once, and the length that stands behind them: a third more bytes a second than the fastest crate in Rust gives.
//! It judges nothing: whatever is not a whole stream with the right checksum is a fault, without saying where, and is
//! read again by a decoder that knows ([`Zlib`](super::zlib::Zlib)). So nothing rests on this one alone but time.

mod codes;

use simd_adler32::Adler32;
use std::io::{self, Read};

use codes::{
    BASE_AT, Bits, DISTANCE_BITS, END, KIND, LENGTH_BITS, LITERAL_AT, LITERAL_BITS, LITERALS_AT,
    LONG, Table, VALUE, WHAT, distance, distance_of, length, length_of, literal,
};

/// How far back a stream may reach.
pub(super) const REACH: usize = 32 << 10;

/// Bytes that must be free behind what was made for another step: literals and the longest match, rounded up.
const MARGIN: usize = 320;

/// Packed bytes that are held.
const PACKED: usize = 64 << 10;
/// A block's head, if it is longer than all there can be (RFC 1951 section 3.2.7: 317 lengths in 14 bits each).
const HEAD: usize = 768;
/// Zeros behind the last byte: a head may be read there until it is found to lie behind the end.
const PADDING: usize = HEAD + 16;

/// RFC 1951 section 3.2.7: the order of the code length code's lengths.
const ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// The stream is not whole.
struct Fault;

/// Where the stream goes on.
#[derive(Clone, Copy)]
enum State {
    Begin,
    Block,
    /// So many bytes of a stored block are left.
    Stored(usize),
    Codes,
    Checksum,
    Done,
}

/// What became of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fast {
    /// More of it comes.
    More,
    /// It ended, and its checksum is right.
    Whole,
    /// It is cut, broken or cannot be read, somewhere behind the bytes made so far.
    Fault,
}

/// Unpacks a stream.
pub(super) struct Inflate<R> {
    packed: R,
    held: Box<[u8]>,
    from: usize,
    to: usize,
    /// Nothing comes behind what is held.
    ended: bool,
    bits: Bits,
    state: State,
    last: bool,
    literals: Table<{ 1 << LITERAL_BITS }>,
    distances: Table<{ 1 << DISTANCE_BITS }>,
    lengths: Table<{ 1 << LENGTH_BITS }>,
    /// Not of a stream that is entered behind its begin.
    checksum: Option<Adler32>,
    /// Packed bytes that came before those held.
    before: u64,
    entry: Option<Entry>,
}

/// Where a stream can be entered: at the begin of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Bits of the packed stream before it.
    pub(super) bit: u64,
    /// Where it stood in the bytes that were made.
    pub(super) at: usize,
}

impl<R: Read> Inflate<R> {
    pub(super) fn new(packed: R) -> Inflate<R> {
        Inflate::holding(packed, PACKED)
    }

    /// Goes on at an entry whose whole bytes of the packed stream were read before. What was made before it stands
    /// before the bytes to be filled, as always. Nobody knows the checksum of what is left.
    pub(super) fn enter(packed: R, entry: Entry) -> Inflate<R> {
        let mut inflate = Inflate::new(packed);
        inflate.state = State::Block;
        inflate.checksum = None;
        inflate.hold();
        inflate.take((entry.bit & 7) as u32);
        inflate
    }

    /// The first entry that the last call of [`Inflate::fill`] came by.
    pub(super) fn entry(&self) -> Option<Entry> {
        self.entry
    }

    /// Holds so many packed bytes at once, more than a block's head has.
    fn holding(packed: R, bytes: usize) -> Inflate<R> {
        Inflate {
            packed,
            held: vec![0; bytes + PADDING].into_boxed_slice(),
            from: 0,
            to: 0,
            before: 0,
            entry: None,
            ended: false,
            bits: Bits::default(),
            state: State::Begin,
            last: false,
            literals: Table::new(),
            distances: Table::new(),
            lengths: Table::new(),
            checksum: Some(Adler32::new()),
        }
    }

    /// Fills `made` from `at` on, up to a step before its end; returns where the bytes end that came, and how it goes on.
    /// What stands before `at` must be what came before: all of it, or its last [`REACH`] bytes. After a fault the
    /// bytes from `at` on are worth nothing.
    pub(super) fn fill(&mut self, made: &mut [u8], at: usize) -> (usize, Fast) {
        self.try_fill(made, at).unwrap_or((at, Fast::Fault))
    }

    fn try_fill(&mut self, made: &mut [u8], at: usize) -> Result<(usize, Fast), Fault> {
        let mut end = at;
        self.entry = None;
        while made.len() - end >= MARGIN {
            self.hold();
            match self.state {
                State::Begin => {
                    let [method, flags, ..] = self.held[self.from..] else {
                        return Err(Fault);
                    };
                    let whole = u16::from_be_bytes([method, flags]) % 31 == 0;
                    // Deflate, a window of 32 KiB at most, no dictionary.
                    if !whole || method & 15 != 8 || method >> 4 > 7 || flags & 32 != 0 {
                        return Err(Fault);
                    }
                    self.from += 2;
                    self.state = State::Block;
                }
                State::Block if self.last => {
                    self.align();
                    self.state = State::Checksum;
                }
                State::Block => {
                    let bit = (self.before + self.from as u64) * 8 - u64::from(self.bits.count);
                    self.entry.get_or_insert(Entry { bit, at: end });
                    self.block()?;
                }
                State::Stored(0) => self.state = State::Block,
                State::Stored(left) => {
                    let held = self.to.saturating_sub(self.from);
                    let step = left.min(held).min(made.len() - end);
                    if step == 0 {
                        return Err(Fault);
                    }
                    made[end..end + step].copy_from_slice(&self.held[self.from..self.from + step]);
                    self.from += step;
                    end += step;
                    self.state = State::Stored(left - step);
                }
                State::Codes => end = self.codes(made, end)?,
                State::Checksum => {
                    let written = self.held[self.from..self.to].first_chunk().ok_or(Fault)?;
                    if let Some(checksum) = &mut self.checksum {
                        checksum.write(&made[at..end]);
                        if u32::from_be_bytes(*written) != checksum.finish() {
                            return Err(Fault);
                        }
                    }
                    self.state = State::Done;
                    return Ok((end, Fast::Whole));
                }
                State::Done => return Ok((end, Fast::Whole)),
            }
            // Bits that were taken from behind the end.
            if self.from * 8 > self.to * 8 + self.bits.count as usize {
                return Err(Fault);
            }
        }
        if let Some(checksum) = &mut self.checksum {
            checksum.write(&made[at..end]);
        }
        Ok((end, Fast::More))
    }

    /// Sees to it that a block's head is held, or all there is.
    fn hold(&mut self) {
        if self.ended || self.to - self.from >= HEAD {
            return;
        }
        // Bytes whose bits were taken may be given back.
        let first = self.from.saturating_sub(8);
        self.held.copy_within(first..self.to, 0);
        self.before += first as u64;
        (self.from, self.to) = (self.from - first, self.to - first);
        let most = self.held.len() - PADDING;
        while self.to < most && !self.ended {
            match self.packed.read(&mut self.held[self.to..most]) {
                Ok(0) => self.ended = true,
                Ok(read) => self.to += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The other decoder will meet it, and say where.
                Err(_) => self.ended = true,
            }
        }
        if self.ended {
            self.held[self.to..].fill(0);
        }
    }

    /// Gives whole bytes back, and drops the bits before them.
    fn align(&mut self) {
        self.from -= (self.bits.count >> 3) as usize;
        self.bits = Bits::default();
    }

    /// Takes bits of a block's head.
    fn take(&mut self, count: u32) -> u32 {
        if self.bits.count < count {
            self.bits.refill(&self.held, &mut self.from);
        }
        self.bits.take(count)
    }

    /// Reads a block's head.
    fn block(&mut self) -> Result<(), Fault> {
        self.last = self.take(1) == 1;
        match self.take(2) {
            0 => {
                self.align();
                let head = self.held[self.from..].first_chunk::<4>().ok_or(Fault)?;
                let [length, inverse] =
                    [[head[0], head[1]], [head[2], head[3]]].map(u16::from_le_bytes);
                if length != !inverse {
                    return Err(Fault);
                }
                self.from += 4;
                self.state = State::Stored(usize::from(length));
            }
            1 => {
                let mut lengths = [8; 288];
                lengths[144..256].fill(9);
                lengths[256..280].fill(7);
                self.tables(&lengths, &[5; 32])?;
            }
            2 => {
                let literals = self.take(5) as usize + 257;
                let distances = self.take(5) as usize + 1;
                let count = self.take(4) as usize + 4;
                if literals > 286 || distances > 30 {
                    return Err(Fault);
                }
                let mut lengths = [0; 19];
                for &at in &ORDER[..count] {
                    lengths[at] = self.take(3) as u8;
                }
                self.lengths.make(&lengths, length)?;
                let all = self.lengths_of(literals + distances)?;
                let (literals, distances) = all.split_at(literals);
                self.tables(literals, distances)?;
            }
            _ => return Err(Fault),
        }
        Ok(())
    }

    /// Reads so many lengths of codes.
    fn lengths_of(&mut self, count: usize) -> Result<Vec<u8>, Fault> {
        let mut lengths: Vec<u8> = Vec::with_capacity(count);
        while lengths.len() < count {
            if self.bits.count < 32 {
                self.bits.refill(&self.held, &mut self.from);
            }
            let entry = self.lengths.look(self.bits.bits);
            if entry & WHAT != VALUE || self.bits.count < 32 {
                return Err(Fault);
            }
            self.bits.drop(entry);
            let (length, times) = match (entry >> BASE_AT) as u8 {
                16 => (*lengths.last().ok_or(Fault)?, 3 + self.bits.take(2)),
                17 => (0, 3 + self.bits.take(3)),
                18 => (0, 11 + self.bits.take(7)),
                length => (length, 1),
            };
            lengths.resize(lengths.len() + times as usize, length);
        }
        if lengths.len() > count {
            return Err(Fault);
        }
        Ok(lengths)
    }

    fn tables(&mut self, literals: &[u8], distances: &[u8]) -> Result<(), Fault> {
        self.literals.make(literals, literal)?;
        self.literals.pack();
        self.distances.make(distances, distance)?;
        self.state = State::Codes;
        Ok(())
    }

    /// Decodes symbols while there are packed bytes and room.
    fn codes(&mut self, made: &mut [u8], mut end: usize) -> Result<usize, Fault> {
        let (literals, distances) = (&self.literals, &self.distances);
        let mut bits = self.bits;
        let held = match self.ended {
            true => &self.held[..self.to + 16],
            false => &self.held[..self.to],
        };
        let mut rest = &held[self.from..];
        while let Some(word) = rest.first_chunk() {
            let (before, room) = made.split_at_mut(end);
            let Some(room) = room.first_chunk_mut::<MARGIN>() else {
                break;
            };
            // The next code is looked up before more bits are taken in, if it can be: it does not wait for them then.
            let (mut entry, step);
            if bits.count >= LITERAL_BITS {
                entry = literals.look(bits.bits);
                step = bits.fill(word);
            } else {
                step = bits.fill(word);
                entry = literals.look(bits.bits);
            }
            rest = &rest[step..];
            // 56 bits are there at least: for literals of 11, and once more with a length's 5 extra bits and a distance
            // of 15 and 13; or for a long code of 15 and the same.
            let mut at = 0;
            if entry & WHAT == 0 {
                at = put(room, 0, entry);
                bits.drop(entry);
                entry = literals.look(bits.bits);
                if entry & WHAT == LONG {
                    end += at;
                    continue;
                }
            } else if entry & WHAT == LONG {
                entry = literals.long(entry, bits.bits);
            }
            at += put(room, at, entry);
            let packed = bits.bits;
            bits.drop(entry);
            if entry & WHAT == VALUE {
                let length = length_of(entry, packed);
                let mut entry = distances.look(bits.bits);
                if entry & WHAT != VALUE {
                    if entry & WHAT != LONG {
                        return Err(Fault);
                    }
                    entry = distances.long(entry, bits.bits);
                    if entry & WHAT != VALUE {
                        return Err(Fault);
                    }
                }
                let packed = bits.bits;
                bits.drop(entry);
                let distance = distance_of(entry, packed);
                end += at;
                // Nearly all are short, and of what stood there before this step.
                let from = end.wrapping_sub(distance);
                match before.get(from..from.wrapping_add(16)) {
                    Some(source) if length <= 16 => room[at..at + 16].copy_from_slice(source),
                    _ if distance > end => return Err(Fault),
                    _ => repeat(made, end, distance, length),
                }
                end += length;
            } else {
                end += at;
                if entry & WHAT != 0 {
                    if entry & KIND != END {
                        return Err(Fault);
                    }
                    self.state = State::Block;
                    break;
                }
            }
        }
        (self.bits, self.from) = (bits, held.len() - rest.len());
        Ok(end)
    }
}

/// Puts an entry's literals down, and says how many; 4 bytes are written.
#[inline(always)]
fn put(room: &mut [u8; MARGIN], at: usize, entry: u64) -> usize {
    room[at..at + 4].copy_from_slice(&((entry >> LITERAL_AT) as u32).to_le_bytes());
    (entry >> LITERALS_AT) as usize & 3
}

/// Repeats what came `distance` bytes before; up to 15 bytes behind it are overwritten.
#[inline(always)]
fn repeat(made: &mut [u8], end: usize, distance: usize, length: usize) {
    let from = end - distance;
    if distance >= 16 {
        let mut at = 0;
        while at < length {
            let mut chunk = [0; 16];
            chunk.copy_from_slice(&made[from + at..from + at + 16]);
            made[end + at..end + at + 16].copy_from_slice(&chunk);
            at += 16;
        }
    } else {
        for at in 0..length {
            made[end + at] = made[from + at];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::ZlibEncoder;
    use proptest::prelude::*;

    fn packed(text: &[u8], level: u32) -> Vec<u8> {
        let mut packed = Vec::new();
        let mut encoder = ZlibEncoder::new(text, flate2::Compression::new(level));
        encoder.read_to_end(&mut packed).unwrap();
        packed
    }

    /// Unpacks with room for so many bytes a time; the bytes, and the entries with their places in them.
    fn unpacked<R: Read>(
        mut inflate: Inflate<R>,
        room: usize,
        window: &[u8],
    ) -> (Vec<u8>, Fast, Vec<Entry>) {
        let mut all = window.to_vec();
        let mut entries = Vec::new();
        loop {
            let last = &all[all.len().saturating_sub(REACH)..];
            let at = last.len();
            let mut made = vec![0xaa; at + room];
            made[..at].copy_from_slice(last);
            let (end, how) = inflate.fill(&mut made, at);
            if how == Fast::Fault {
                return (all, how, entries);
            }
            let before = all.len() - at;
            all.extend_from_slice(&made[at..end]);
            entries.extend(inflate.entry().map(|entry| Entry {
                at: before + entry.at,
                ..entry
            }));
            if how == Fast::Whole {
                return (all, how, entries);
            }
        }
    }

    /// Letters of few kinds, then of many, then what cannot be packed, with repetitions near and far.
    fn texts() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            (1..=16u8, prop::collection::vec(any::<u8>(), 1..2000)).prop_map(
                |(kinds, mut bytes)| {
                    bytes
                        .iter_mut()
                        .for_each(|byte| *byte = b'a' + *byte % kinds);
                    bytes
                }
            ),
            prop::collection::vec(any::<u8>(), 1..3000),
            (any::<u8>(), 1..600usize).prop_map(|(byte, count)| vec![byte; count]),
        ];
        (prop::collection::vec(piece, 1..12), 1..24usize).prop_map(|(pieces, times)| {
            let all: Vec<&Vec<u8>> = pieces.iter().chain(pieces.iter().rev()).collect();
            let turned = (0..times).flat_map(|at| all[at * 7 % all.len()]).copied();
            turned.collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// However few packed bytes are held and however little room there is, and from every entry on.
        #[test]
        fn whole_streams_come_back(text in texts(), level in 0..10u32, held in 0..2000usize, room in MARGIN..5000) {
            let packed = packed(&text, level);
            let inflate = Inflate::holding(&packed[..], HEAD + 8 + held);
            let (bytes, how, entries) = unpacked(inflate, room, b"");
            prop_assert!(how == Fast::Whole && bytes == text);
            prop_assert_eq!(entries.first(), Some(&Entry { bit: 16, at: 0 }));
            for entry in entries {
                let rest = &packed[(entry.bit / 8) as usize..];
                let window = &text[entry.at.saturating_sub(REACH)..entry.at];
                let (bytes, how, _) = unpacked(Inflate::enter(rest, entry), room, window);
                prop_assert!(how == Fast::Whole && bytes[window.len()..] == text[entry.at..]);
            }
        }

        /// Whatever is broken: no panic, no end without end, and never other bytes with a right checksum.
        #[test]
        fn broken_streams_are_faults(
            text in texts(),
            level in 0..10u32,
            flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=u8::MAX), 0..4),
            cut in any::<prop::sample::Index>(),
            held in 0..2000usize,
        ) {
            let mut packed = packed(&text, level);
            let whole = packed.clone();
            for (at, value) in flips {
                let at = at.index(packed.len());
                packed[at] ^= value;
            }
            let inflate = Inflate::holding(&packed[..], HEAD + 8 + held);
            let (bytes, how, _) = unpacked(inflate, 4000, b"");
            prop_assert!(how == Fast::Fault || bytes == text);
            let cut = cut.index(whole.len());
            let (_, how, _) = unpacked(Inflate::holding(&whole[..cut], HEAD + 8 + held), 4000, b"");
            prop_assert_eq!(how, Fast::Fault);
        }

        #[test]
        fn anything_ends(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
            for head in [&[0x78, 0x9c][..], &[0x78, 0x9c, 5], &[0x78, 0x9c, 3]] {
                let stream = [head, &bytes].concat();
                unpacked(Inflate::holding(&stream[..], HEAD + 8), 4000, b"");
            }
        }
    }
}
