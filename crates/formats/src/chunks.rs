//! Lines that a runtime cut (docker and CRI at 16 KiB) and whose rest comes in later lines.
//!
//! The chunks of a line have its wrapping, stream included; lines of other streams may stand between. They
//! are joined before anybody asks whose line it is, since JSON is a record only when it is whole.

use crate::catalogue::Catalogue;
use crate::document::Source;
use crate::line::Line;
use crate::parser::RECORD_BYTES;
use crate::wrapper::{Peeled, Way};
use memchr::memrchr;
use model::Position;

/// How many lines after a chunk the next one is looked for: bounds the work on hostile input.
pub(crate) const REACH: usize = 128;

/// A line of the block that is a later chunk of another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunk {
    pub(crate) start: usize,
    pub(crate) next: usize,
    /// Where what it goes on with begins, and the number of its line.
    pub(crate) owner: usize,
    pub(crate) of: u64,
    /// Whether that became a record.
    pub(crate) record: bool,
}

/// The chunks found ahead, by place.
#[derive(Default)]
pub(crate) struct Chunks(Vec<Chunk>);

impl Chunks {
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn add(&mut self, chunk: Chunk) {
        let at = self.0.partition_point(|other| other.start < chunk.start);
        self.0.insert(at, chunk);
    }

    /// The chunk that lies at `start`.
    #[inline]
    pub(crate) fn at(&self, start: usize) -> Option<Chunk> {
        if self.0.is_empty() {
            return None;
        }
        let at = self
            .0
            .binary_search_by_key(&start, |chunk| chunk.start)
            .ok()?;
        Some(self.0[at])
    }

    /// Forgets the chunks before `position`, and says of those of the line there what became of it.
    pub(crate) fn settle(&mut self, position: usize, record: bool) {
        let passed = self.0.partition_point(|chunk| chunk.start < position);
        self.0.drain(..passed);
        for chunk in &mut self.0 {
            if chunk.owner == position {
                chunk.record = record;
            }
        }
    }
}

/// Finds the chunks that go on with `line`, which its runtime cut, and fills `joined` with all of its text;
/// `line` stays as it is. Returns how many there are.
pub(crate) fn join(
    catalogue: &Catalogue,
    source: Source<'_>,
    line: &Line,
    ahead: &mut Line,
    chunks: &mut Chunks,
    of: u64,
    joined: &mut Vec<u8>,
) -> usize {
    let block = source.block;
    let depth = usize::from(line.peeled.partial);
    let text = |line: &Line, out: &mut Vec<u8>| {
        let place = line.peeled.layers[depth - 1].text;
        out.extend_from_slice(place.of(block, &line.decoded));
    };
    joined.clear();
    text(line, joined);
    let mut found = 0;
    let mut at = line.next;
    let mut reach = 0;
    while at < source.end() && reach < REACH {
        reach += 1;
        if let Some(other) = chunks.at(at) {
            at = other.next;
            continue;
        }
        ahead.read(catalogue, source, at, &Way::default());
        if !line.peeled.same_kinds(depth, &ahead.peeled) {
            break;
        }
        let same = line.peeled.same_outer(
            depth,
            (block, &line.decoded),
            &ahead.peeled,
            (block, &ahead.decoded),
        );
        if same {
            let before = joined.len();
            text(ahead, joined);
            if joined.len() > RECORD_BYTES {
                joined.truncate(before);
                break;
            }
            chunks.add(Chunk {
                start: at,
                next: ahead.next,
                owner: line.start,
                of,
                record: false,
            });
            found += 1;
            reach = 0;
            if usize::from(ahead.peeled.partial) != depth {
                break;
            }
        }
        at = ahead.next;
    }
    ahead.start = usize::MAX;
    found
}

/// Whether a line before `start` was cut and its rest may stand at `start` or behind.
pub(crate) fn pending(
    catalogue: &Catalogue,
    block: &[u8],
    mut start: usize,
    line: &mut Line,
) -> bool {
    let mut seen: Vec<u64> = Vec::new();
    for _ in 0..REACH {
        if start == 0 {
            return false;
        }
        let before = memrchr(b'\n', &block[..start - 1]).map_or(0, |feed| feed + 1);
        // NUL bytes before it are rejected by themselves (see `parse_block`).
        let nuls = block[before..start]
            .iter()
            .take_while(|byte| **byte == 0)
            .count();
        let mut at = before + nuls;
        if at == 0 && block.starts_with(b"\xef\xbb\xbf") {
            at = 3;
        }
        if at >= start {
            return false;
        }
        line.read(
            catalogue,
            Source::lines(block, Position::START),
            at,
            &Way::default(),
        );
        let peeled = &line.peeled;
        if peeled.layers.is_empty() {
            return false;
        }
        let depth = usize::from(peeled.partial);
        if depth > 0 && !seen.contains(&signature(peeled, depth, block, &line.decoded)) {
            return true;
        }
        if nuls > 0 {
            return false;
        }
        for depth in 1..=peeled.layers.len() {
            seen.push(signature(peeled, depth, block, &line.decoded));
        }
        start = before;
    }
    false
}

/// A number for the outermost layers of a line: lines that come the same way have the same.
fn signature(peeled: &Peeled, depth: usize, block: &[u8], decoded: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes.iter().chain(&[0xff]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    for layer in &peeled.layers[..depth] {
        add(layer.kind.as_bytes());
        for (name, place) in peeled.facts_of(layer) {
            add(name.as_bytes());
            add(place.of(block, decoded));
        }
    }
    hash
}
