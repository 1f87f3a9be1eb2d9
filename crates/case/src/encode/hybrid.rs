//! Parquet's hybrid of runs and packed bits, for codes into a dictionary and for levels.
//!
//! <https://parquet.apache.org/docs/file-format/data-pages/encodings/#run-length-encoding--bit-packing-hybrid-rle--3>

use super::delta::put_varint;

/// Bits that hold every number up to `max`.
pub(crate) fn width_of(max: u32) -> u32 {
    (32 - max.leading_zeros()).max(1)
}

/// Appends a run of one value.
pub(crate) fn put_run(value: u32, count: usize, width: u32, out: &mut Vec<u8>) {
    if count > 0 {
        put_varint((count as u64) << 1, out);
        out.extend_from_slice(&value.to_le_bytes()[..width.div_ceil(8) as usize]);
    }
}

/// Appends bits in groups of eight, lowest first: levels of width 1.
pub(crate) fn put_bits(bytes: &[u8], out: &mut Vec<u8>) {
    put_varint((bytes.len() as u64) << 1 | 1, out);
    out.extend_from_slice(bytes);
}

/// Appends codes: equal ones as runs, the others packed. Only the last group may be short.
pub(crate) fn encode(codes: &[u32], width: u32, out: &mut Vec<u8>) {
    let mut packed_from = 0;
    let mut at = 0;
    while at + 8 <= codes.len() {
        let first = codes[at];
        if codes[at..at + 8].iter().any(|code| *code != first) {
            at += 8;
            continue;
        }
        let run = 8 + codes[at + 8..]
            .iter()
            .position(|code| *code != first)
            .unwrap_or(codes.len() - at - 8);
        pack(&codes[packed_from..at], width, out);
        put_run(first, run, width, out);
        at += run;
        packed_from = at;
    }
    pack(&codes[packed_from..], width, out);
}

fn pack(codes: &[u32], width: u32, out: &mut Vec<u8>) {
    if codes.is_empty() {
        return;
    }
    let groups = codes.len().div_ceil(8);
    put_varint((groups as u64) << 1 | 1, out);
    let mut word = 0u64;
    let mut filled = 0;
    let padding = groups * 8 - codes.len();
    let padded = codes.iter().copied().chain(std::iter::repeat_n(0, padding));
    for code in padded {
        word |= u64::from(code) << filled;
        filled += width;
        if filled >= 32 {
            out.extend_from_slice(&(word as u32).to_le_bytes());
            word >>= 32;
            filled -= 32;
        }
    }
    out.extend_from_slice(&word.to_le_bytes()[..filled as usize / 8]);
}
