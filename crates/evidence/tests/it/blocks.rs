use evidence::{Blocks, Piece};
use model::Position;
use proptest::prelude::*;
use std::io::{self, Read};

/// Gives bytes in reads of the given sizes, over and over, with interruptions.
struct Jerky<'a> {
    bytes: &'a [u8],
    sizes: &'a [usize],
    turn: usize,
}

impl Read for Jerky<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.turn += 1;
        if self.turn.is_multiple_of(5) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let size = self.sizes[self.turn % self.sizes.len()].max(1);
        let n = size.min(out.len()).min(self.bytes.len());
        out[..n].copy_from_slice(&self.bytes[..n]);
        self.bytes = &self.bytes[n..];
        Ok(n)
    }
}

/// A record starts at a line that begins with `[`; `style` makes other, stranger cutters.
fn cutter(style: u8) -> impl FnMut(&[u8]) -> Option<usize> {
    move |block: &[u8]| match style {
        0 => (1..block.len())
            .rev()
            .find(|&at| block[at - 1] == b'\n' && block[at] == b'['),
        1 => None,
        2 => Some(block.len()),
        3 => Some(0),
        4 => Some(block.len() + 7),
        _ => (1..block.len()).find(|&at| block[at - 1] == b'\n'),
    }
}

fn pieces(
    bytes: &[u8],
    sizes: &[usize],
    block_size: usize,
    limit: usize,
    style: u8,
) -> (Vec<Piece>, Vec<u8>) {
    let reader = Jerky {
        bytes,
        sizes,
        turn: 0,
    };
    let mut blocks = Blocks::new(reader, block_size, limit);
    let mut cut = cutter(style);
    let (mut all, mut tapped) = (Vec::new(), Vec::new());
    while let Some(piece) = blocks
        .next(&mut cut, &mut |bytes| tapped.extend_from_slice(bytes))
        .unwrap()
    {
        if let Piece::Block { bytes, .. } = &piece {
            blocks.recycle(bytes.clone());
        }
        all.push(piece);
    }
    (all, tapped)
}

fn source() -> impl Strategy<Value = Vec<u8>> {
    let line = (prop::bool::ANY, prop::collection::vec(any::<u8>(), 0..40)).prop_map(
        |(start, mut line)| {
            if start {
                line.insert(0, b'[');
            }
            line.push(b'\n');
            line
        },
    );
    (prop::collection::vec(line, 0..60), prop::bool::ANY).prop_map(|(lines, whole)| {
        let mut bytes = lines.concat();
        if !whole {
            bytes.pop();
        }
        bytes
    })
}

proptest! {
    #[test]
    fn pieces_tile_the_source_and_know_their_place(
        bytes in source(),
        sizes in prop::collection::vec(1usize..50, 1..6),
        block_size in 1usize..200,
        limit in 1usize..60,
        style in 0u8..6,
    ) {
        let (all, tapped) = pieces(&bytes, &sizes, block_size, limit, style);
        prop_assert_eq!(&tapped, &bytes);
        let mut at = 0;
        for piece in &all {
            let line = 1 + bytes[..at].iter().filter(|b| **b == b'\n').count() as u64;
            let here = Position { byte: at as u64, line };
            match piece {
                Piece::Block { bytes: block, at: told } => {
                    prop_assert_eq!(*told, here);
                    prop_assert!(!block.is_empty());
                    prop_assert_eq!(block.as_slice(), &bytes[at..at + block.len()]);
                    at += block.len();
                    prop_assert!(block.ends_with(b"\n") || at == bytes.len());
                    for line in block.split_inclusive(|b| *b == b'\n') {
                        prop_assert!(line.strip_suffix(b"\n").unwrap_or(line).len() < limit);
                    }
                    prop_assert!(block.len() <= 4 * block_size.max(limit));
                }
                Piece::LongLine { span } => {
                    prop_assert_eq!((span.byte, span.line, span.lines), (at as u64, here.line, 1));
                    let line = &bytes[at..at + span.length as usize];
                    prop_assert!(line.strip_suffix(b"\n").unwrap_or(line).len() >= limit);
                    at += line.len();
                    prop_assert!(line.ends_with(b"\n") || at == bytes.len());
                    prop_assert_eq!(line.iter().rposition(|b| *b == b'\n').unwrap_or(line.len() - 1), line.len() - 1);
                }
            }
        }
        prop_assert_eq!(at, bytes.len());
        // However the reads are split, the pieces are the same.
        let (same, _) = pieces(&bytes, &[usize::MAX], block_size, limit, style);
        prop_assert_eq!(all, same);
    }
}

#[test]
fn a_line_of_100_mb_is_passed_by_and_not_held() {
    let start: &[u8] = b"[one]\n";
    let reader = start
        .chain(io::repeat(b'x').take(100_000_000))
        .chain(b"\n[two]\n".as_slice());
    let mut blocks = Blocks::new(reader, 4 << 20, 1 << 20);
    let mut cut = cutter(0);
    let mut seen = 0u64;
    let mut all = Vec::new();
    while let Some(piece) = blocks
        .next(&mut cut, &mut |bytes| seen += bytes.len() as u64)
        .unwrap()
    {
        all.push(piece);
    }
    assert_eq!(seen, 100_000_013);
    let [
        Piece::Block { bytes: one, .. },
        Piece::LongLine { span },
        Piece::Block { bytes: two, at },
    ] = all.as_slice()
    else {
        panic!("{} pieces", all.len());
    };
    assert_eq!(
        (one.as_slice(), two.as_slice()),
        (b"[one]\n".as_slice(), b"[two]\n".as_slice())
    );
    assert_eq!((span.byte, span.length, span.line), (6, 100_000_001, 2));
    assert_eq!((at.byte, at.line), (100_000_007, 3));
}

#[test]
fn a_later_start_counts_on() {
    let at = Position { byte: 100, line: 7 };
    let mut blocks = Blocks::starting_at(b"a\nb\n".as_slice(), at, 64, 16);
    let piece = blocks.next(&mut |_| None, &mut |_| {}).unwrap();
    assert_eq!(
        piece,
        Some(Piece::Block {
            bytes: b"a\nb\n".to_vec(),
            at
        })
    );
    assert_eq!(blocks.position(), Position { byte: 104, line: 9 });
    assert_eq!(blocks.next(&mut |_| None, &mut |_| {}).unwrap(), None);
}
