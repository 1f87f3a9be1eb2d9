//! Where an entry's data lie, and unpacking them from there.

use std::io::{self, BufRead, Read};

use super::BLOCK_DATA;
use super::ahead::{Gave, Giver};
use super::custom::{Chunks, End};
use super::tar::{BLOCK, Body};
use super::toc::{Compression, Fault, Fields, Numbers};
use super::unpack::{Failure, Lenient, unpack};
use crate::facts::DumpError;
use crate::input::Input;

/// Opens the archive at a byte.
pub(super) type OpenAt<'a> = &'a (dyn Fn(u64) -> io::Result<Box<dyn BufRead + Send>> + Send + Sync);

/// Where an entry's data lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) start: u64,
    pub(super) packing: Packing,
    pub(super) compression: Compression,
    pub(super) numbers: Numbers,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Packing {
    /// A block of a custom archive, with the number of its entry; nothing of it lies beyond the limit.
    Block(i64, Option<u64>),
    /// A member of a tar, of so many bytes.
    Member(u64),
}

/// Which decoder unpacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// The fast one, which knows whole streams only.
    Fast,
    /// The one that knows where a stream is broken; so many bytes were given already.
    Sure(u64),
}

/// Unpacks an entry's data, on a thread of its own.
pub(super) fn give(open: OpenAt<'_>, place: Place, giver: &Giver) {
    let zlib =
        place.compression == Compression::Gzip && matches!(place.packing, Packing::Block(..));
    let mut how = match zlib {
        true => How::Fast,
        false => How::Sure(0),
    };
    loop {
        let mut file = match open(place.start) {
            Ok(file) => file,
            Err(error) => return giver.stopped(error),
        };
        let mut input = Input::starting_at(&mut *file, place.start, 1);
        match once(&mut input, place, how, giver) {
            Ok((Gave::All, end)) => return giver.end(end),
            Ok((Gave::Unwanted, _)) => return,
            // Only the fast decoder gives up, and it is tried once.
            Ok((Gave::Fault(given), _)) => how = How::Sure(given),
            Err(error) => return giver.end(End::Broken(error.to_string())),
        }
    }
}

/// Unpacks the data at which the input stands; says how they ended where all were given.
fn once(
    input: &mut Input<'_>,
    place: Place,
    how: How,
    giver: &Giver,
) -> Result<(Gave, End), DumpError> {
    match place.packing {
        Packing::Block(id, limit) => {
            let numbers = place.numbers;
            if let Some(end) = head(input, numbers, id)? {
                return Ok((Gave::All, end));
            }
            let mut chunks = Chunks::new(input, numbers, limit);
            let gave = match how {
                How::Fast => giver.give_zlib(&mut chunks),
                How::Sure(given) => pump(giver, &mut chunks, place.compression, false, given),
            };
            match gave {
                // Nobody asks how the block ends.
                Gave::Unwanted | Gave::Fault(_) => Ok((gave, End::Whole)),
                Gave::All => Ok((gave, chunks.finish()?)),
            }
        }
        Packing::Member(bytes) => {
            Body::new(input, BLOCK as u64).finish()?;
            let mut body = Body::new(input, bytes);
            match pump(giver, &mut body, place.compression, true, 0) {
                Gave::All => {
                    let end = if body.finish()? { End::Whole } else { End::Cut };
                    Ok((Gave::All, end))
                }
                gave => Ok((gave, End::Whole)),
            }
        }
    }
}

/// Reads the head of an entry's block; how that ended, if it is not the one.
fn head(input: &mut Input<'_>, numbers: Numbers, id: i64) -> Result<Option<End>, DumpError> {
    let mut fields = Fields { input, numbers };
    match fields.byte().and_then(|kind| Ok((kind, fields.int()?))) {
        Ok((BLOCK_DATA, found)) if found == id => Ok(None),
        Ok(_) | Err(Fault::Broken(_)) => {
            let what = "the table's data are not where the table of contents says";
            Ok(Some(End::Broken(what.to_owned())))
        }
        Err(Fault::Cut) => Ok(Some(End::Cut)),
        Err(Fault::Stopped(error)) => Err(error),
    }
}

/// Opens the chunks of a zlib stream for a look at it; `None` if there is none, or nothing comes of the look.
pub(super) fn with_chunks<T>(
    open: OpenAt<'_>,
    place: Place,
    look: impl FnOnce(&mut Chunks<'_, '_>) -> Option<T>,
) -> Option<T> {
    let Packing::Block(id, limit) = place.packing else {
        return None;
    };
    let mut file = open(place.start).ok()?;
    let mut input = Input::starting_at(&mut *file, place.start, 1);
    match head(&mut input, place.numbers, id) {
        Ok(None) => look(&mut Chunks::new(&mut input, place.numbers, limit)),
        _ => None,
    }
}

/// Gives what stands behind the first `given` bytes.
fn pump(
    giver: &Giver,
    packed: &mut dyn Read,
    compression: Compression,
    file: bool,
    given: u64,
) -> Gave {
    let failure = Failure::default();
    let mut gave = Gave::All;
    let mut skipped = 0;
    match unpack(packed, compression, file) {
        Ok(unpacked) => {
            let mut unpacked = Lenient::new(unpacked, &failure);
            // What fails here is told as the failure, like everything behind it.
            skipped = io::copy(&mut unpacked.by_ref().take(given), &mut io::sink()).unwrap_or(0);
            gave = giver.give(&mut unpacked);
        }
        Err(error) => {
            *failure.borrow_mut() = Some(format!("unpacking does not begin: {error}"));
        }
    }
    if let Some(mut what) = failure.take() {
        if skipped < given {
            what.push_str(&behind_the_fault(given));
        }
        giver.failed(what);
    }
    gave
}

/// Said where the fast decoder went past the byte at which the sure one stops: its reader has those rows already.
fn behind_the_fault(given: u64) -> String {
    format!("; what was read behind it, up to byte {given}, is not to be trusted")
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::ahead::{Ahead, Budget, pair};
    use super::*;
    use flate2::read::ZlibEncoder;
    use proptest::prelude::*;

    const ID: u8 = 7;

    /// A block of a custom archive, in chunks of so many bytes.
    pub(in super::super) fn block(packed: &[u8], chunk: usize) -> Vec<u8> {
        let int = |value: usize| [&[0][..], &(value as u32).to_le_bytes()].concat();
        let mut block = vec![BLOCK_DATA];
        block.extend(int(usize::from(ID)));
        for bytes in packed.chunks(chunk) {
            block.extend(int(bytes.len()));
            block.extend(bytes);
        }
        block.extend(int(0));
        block
    }

    pub(in super::super) fn place() -> Place {
        Place {
            start: 0,
            packing: Packing::Block(i64::from(ID), None),
            compression: Compression::Gzip,
            numbers: Numbers {
                int_bytes: 4,
                offset_bytes: 8,
            },
        }
    }

    type Unpacked = (Vec<u8>, Option<String>, Option<End>);

    fn taken(given: super::super::ahead::Given) -> Unpacked {
        let failure = Failure::default();
        let mut ahead = Ahead::new(given, &failure);
        let mut bytes = Vec::new();
        ahead.read_to_end(&mut bytes).unwrap();
        let what = failure.borrow().clone();
        (bytes, what, ahead.end.take())
    }

    /// Unpacks with the fast decoder first.
    fn unpacked(block: &[u8]) -> Unpacked {
        let budget = Budget::new(usize::MAX);
        let (giver, given) = pair(&budget);
        let open = |byte: u64| {
            let bytes = block[byte as usize..].to_vec();
            Ok(Box::new(io::Cursor::new(bytes)) as Box<dyn BufRead + Send>)
        };
        give(&open, place(), &giver);
        drop(giver);
        taken(given)
    }

    /// Unpacks with the sure decoder alone.
    fn surely(block: &[u8]) -> Unpacked {
        let (giver, given) = pair(&Budget::new(usize::MAX));
        let mut reader = block;
        let mut input = Input::new(&mut reader);
        let (gave, end) = once(&mut input, place(), How::Sure(0), &giver).unwrap();
        assert_eq!(gave, Gave::All);
        giver.end(end);
        drop(giver);
        taken(given)
    }

    /// What a plain reader of zlib streams gives, without the bytes of the call that fails.
    fn plainly(packed: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = flate2::read::ZlibDecoder::new(packed).read_to_end(&mut bytes);
        bytes
    }

    pub(in super::super) fn pack(text: &[u8], level: u32) -> Vec<u8> {
        let mut packed = Vec::new();
        ZlibEncoder::new(text, flate2::Compression::new(level))
            .read_to_end(&mut packed)
            .unwrap();
        packed
    }

    /// Rows of hex digits, which are nearly all literals, between repetitions near and far.
    fn text(rows: usize, seed: u64) -> Vec<u8> {
        let mut state = seed | 1;
        let mut text = Vec::new();
        for row in 0..rows {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let line = match state % 7 {
                0 => format!("{row}\t\\N\t{}\n", "0".repeat((state >> 40) as usize % 400)),
                _ => format!(
                    "{row}\t\\\\x{state:016x}{:016x}\t2023-09-01\n",
                    state.rotate_left(17)
                ),
            };
            text.extend_from_slice(line.as_bytes());
        }
        text
    }

    #[test]
    fn whole_streams_are_unpacked_by_the_fast_decoder_to_the_same_bytes() {
        // Up to several of its buffers, and beyond what a stream may reach back.
        for rows in [0, 1, 100, 700, 8_000, 20_000] {
            for level in [0, 1, 6, 9] {
                let text = text(rows, 11);
                let packed = pack(&text, level);
                let (giver, given) = pair(&Budget::new(usize::MAX));
                assert_eq!(
                    giver.give_zlib(&mut &packed[..]),
                    Gave::All,
                    "{rows} {level}"
                );
                giver.end(End::Whole);
                drop(giver);
                let (bytes, what, _) = taken(given);
                assert!(bytes == text, "{rows} {level}");
                assert_eq!(what, None);
                let (bytes, what, end) = unpacked(&block(&packed, 4096));
                assert!(bytes == text, "{rows} {level}");
                assert_eq!((what, end), (None, Some(End::Whole)));
            }
        }
    }

    #[test]
    fn a_wrong_checksum_is_told_behind_all_bytes() {
        let text = text(9_000, 3);
        let mut packed = pack(&text, 6);
        let last = packed.len() - 1;
        packed[last] ^= 1;
        let (bytes, what, _) = unpacked(&block(&packed, 4096));
        assert!(bytes == text);
        assert!(what.unwrap().contains("is broken"));
        // Bytes behind the stream are of no table.
        packed[last] ^= 1;
        packed.extend_from_slice(b"more");
        let (bytes, what, _) = unpacked(&block(&packed, 4096));
        assert!(bytes == text);
        assert_eq!(what, None);
    }

    #[test]
    fn nothing_is_no_stream() {
        assert_eq!(unpacked(&block(b"", 1)), surely(&block(b"", 1)));
        // A window of 64 KiB, and a dictionary that nobody has.
        for head in [[0x88, 0x1c], [0x78, 0xbb]] {
            let (bytes, what, _) = unpacked(&block(&head, 1));
            assert!(bytes.is_empty() && what.is_some());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Cut or flipped anywhere: both decoders together give what the sure one gives alone, no less than a plain
        /// reader does, and say that and where the stream ends. What goes beyond is named.
        #[test]
        fn broken_streams_lose_nothing_by_the_fast_decoder(
            rows in 1..9_000usize,
            seed: u64,
            level in 0..10u32,
            chunk in 1..5_000usize,
            flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=u8::MAX), 0..3),
            cut in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let text = text(rows, seed);
            let mut packed = pack(&text, level);
            for (at, value) in flips {
                let at = at.index(packed.len());
                packed[at] ^= value;
            }
            if let Some(cut) = cut {
                packed.truncate(cut.index(packed.len()));
            }
            let block = block(&packed, chunk);
            let found = unpacked(&block);
            let sure = surely(&block);
            // Compared before they are asserted: nobody reads a diff of half a million bytes.
            let same = found == sure;
            let beyond = found.0.len() > sure.0.len()
                && found.0.starts_with(&sure.0)
                && found.1 == sure.1.map(|what| what + &behind_the_fault(found.0.len() as u64));
            prop_assert!(same || beyond);
            let (bytes, what, _) = found;
            prop_assert!(bytes.starts_with(&plainly(&packed)));
            prop_assert!(bytes == text || what.is_some());
        }
    }
}
