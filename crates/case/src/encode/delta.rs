//! Parquet's DELTA_BINARY_PACKED: whole numbers as differences in few bits.
//!
//! <https://parquet.apache.org/docs/file-format/data-pages/encodings/>: a header, then blocks of 128
//! differences, each as four miniblocks of 32 with a width of their own.

const BLOCK: usize = 128;
const MINIBLOCK: usize = 32;

/// A block without any difference: zero as the smallest, and as the width of each miniblock.
const SAME_BLOCK_BYTES: usize = 1 + BLOCK / MINIBLOCK;

/// Appends a number, seven bits to a byte, lowest first.
pub(crate) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_zigzag(value: i64, out: &mut Vec<u8>) {
    put_varint(((value << 1) ^ (value >> 63)) as u64, out);
}

/// Appends the values.
pub(crate) fn encode(values: &[i64], out: &mut Vec<u8>) {
    put_varint(BLOCK as u64, out);
    put_varint((BLOCK / MINIBLOCK) as u64, out);
    put_varint(values.len() as u64, out);
    put_zigzag(values.first().copied().unwrap_or(0), out);
    if let Some((first, rest)) = values.split_first()
        && rest.iter().fold(0, |other, value| other | value ^ first) == 0
    {
        // What follows from the process is the same in all rows.
        let blocks = rest.len().div_ceil(BLOCK);
        out.resize(out.len() + blocks * SAME_BLOCK_BYTES, 0);
        return;
    }
    let mut deltas = [0i64; BLOCK];
    let mut at = 1;
    while at < values.len() {
        let count = (values.len() - at).min(BLOCK);
        let pairs = values[at - 1..at + count].windows(2);
        let mut min = i64::MAX;
        for (delta, pair) in deltas.iter_mut().zip(pairs) {
            *delta = pair[1].wrapping_sub(pair[0]);
            min = min.min(*delta);
        }
        // What is not filled is as small as can be.
        deltas[count..].fill(min);
        block(&deltas, count, min, out);
        at += count;
    }
}

fn block(deltas: &[i64; BLOCK], count: usize, min: i64, out: &mut Vec<u8>) {
    put_zigzag(min, out);
    let widths = out.len();
    out.extend_from_slice(&[0; BLOCK / MINIBLOCK]);
    // Miniblocks without values have a width but no bits.
    for (index, mini) in deltas[..count.next_multiple_of(MINIBLOCK)]
        .chunks_exact(MINIBLOCK)
        .enumerate()
    {
        let mut excess = [0u64; MINIBLOCK];
        let mut all = 0;
        for (excess, delta) in excess.iter_mut().zip(mini) {
            *excess = delta.wrapping_sub(min) as u64;
            all |= *excess;
        }
        let width = 64 - all.leading_zeros();
        out[widths + index] = width as u8;
        if width > 0 {
            pack(&excess, width, out);
        }
    }
}

/// Appends numbers of `width` bits (1 to 64), lowest bit first; there are 32 or a multiple.
fn pack(values: &[u64], width: u32, out: &mut Vec<u8>) {
    let mut word = 0u64;
    let mut filled = 0;
    for &value in values {
        word |= value << filled;
        filled += width;
        if filled >= 64 {
            out.extend_from_slice(&word.to_le_bytes());
            filled -= 64;
            // What did not fit; nothing of it if the value ended with the word.
            word = value.checked_shr(width - filled).unwrap_or(0);
        }
    }
    if filled > 0 {
        out.extend_from_slice(&word.to_le_bytes()[..filled as usize / 8]);
    }
}
