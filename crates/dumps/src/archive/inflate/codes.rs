//! Huffman codes as tables (RFC 1951 section 3.2): what the next bits of a stream say, by one look.

use super::Fault;

/// Bits that are looked up at once.
pub(super) const LITERAL_BITS: u32 = 11;
pub(super) const DISTANCE_BITS: u32 = 8;
pub(super) const LENGTH_BITS: u32 = 7;

// An entry of a table says what the next bits are: literals, and what stands behind them.
/// How many bits it takes, codes and extra bits together.
const BITS: u64 = 63;
/// What follows the literals, or stands alone: nothing, or one of the four below.
pub(super) const WHAT: u64 = 3 << 6;
/// A length or a distance.
pub(super) const VALUE: u64 = 1 << 6;
/// The code is longer: the next bits choose in the table's rest, under a mask, from the base on.
pub(super) const LONG: u64 = 2 << 6;
/// The block's end, if it has a base; or a code that is none.
const OTHER: u64 = 3 << 6;
pub(super) const END: u64 = OTHER | 1 << BASE_AT;
const INVALID: u64 = OTHER;
/// What tells the end from all others.
pub(super) const KIND: u64 = WHAT | u64::MAX << BASE_AT;
/// Up to three literals; of a distance, which has none, the bits of its code.
pub(super) const LITERAL_AT: u32 = 8;
/// A mask for the extra bits.
const MASK_AT: u32 = 32;
/// How many literals.
pub(super) const LITERALS_AT: u32 = 40;
const LITERALS: u64 = 3 << LITERALS_AT;
/// Bits of the codes, of all together.
const CODE_AT: u32 = 42;
const CODE: u64 = 63 << CODE_AT;
/// What the extra bits add to.
pub(super) const BASE_AT: u32 = 48;

/// RFC 1951 section 3.2.5: what a length's symbol (257 and up) begins at, and its extra bits.
const LENGTHS: [(u16, u8); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];
/// The same of distances.
const DISTANCES: [(u16, u8); 30] = [
    (1, 0),
    (2, 0),
    (3, 0),
    (4, 0),
    (5, 1),
    (7, 1),
    (9, 2),
    (13, 2),
    (17, 3),
    (25, 3),
    (33, 4),
    (49, 4),
    (65, 5),
    (97, 5),
    (129, 6),
    (193, 6),
    (257, 7),
    (385, 7),
    (513, 8),
    (769, 8),
    (1025, 9),
    (1537, 9),
    (2049, 10),
    (3073, 10),
    (4097, 11),
    (6145, 11),
    (8193, 12),
    (12289, 12),
    (16385, 13),
    (24577, 13),
];

/// The entry of a literal, a length or the block's end.
pub(super) fn literal(symbol: usize, bits: u64) -> u64 {
    let entry = match symbol {
        0..256 => 1 << LITERALS_AT | (symbol as u64) << LITERAL_AT,
        256 => END,
        _ => based(&LENGTHS, symbol - 257),
    };
    (entry + bits) | (bits << CODE_AT)
}

/// The entry of a distance.
pub(super) fn distance(symbol: usize, bits: u64) -> u64 {
    (based(&DISTANCES, symbol) + bits) | (bits << LITERAL_AT)
}

/// The entry of a code's length.
pub(super) fn length(symbol: usize, bits: u64) -> u64 {
    VALUE | (symbol as u64) << BASE_AT | bits
}

/// Symbols that are not assigned are no codes.
fn based(bases: &[(u16, u8)], symbol: usize) -> u64 {
    match bases.get(symbol) {
        Some(&(base, extra)) => {
            let mask = (1u64 << extra) - 1;
            VALUE | u64::from(base) << BASE_AT | mask << MASK_AT | u64::from(extra)
        }
        None => INVALID,
    }
}

/// The length that an entry gives with its extra bits, of the bits that began with it.
#[inline(always)]
pub(super) fn length_of(entry: u64, bits: u64) -> usize {
    let extra = bits >> (entry >> CODE_AT & 63) & (entry >> MASK_AT & 0xff);
    (entry >> BASE_AT) as usize + extra as usize
}

/// The same of a distance.
#[inline(always)]
pub(super) fn distance_of(entry: u64, bits: u64) -> usize {
    let extra = bits >> (entry >> LITERAL_AT & 63) & (entry >> MASK_AT & 0xffff);
    (entry >> BASE_AT) as usize + extra as usize
}

/// A table of codes: looked up by the first bits, and a rest for longer codes.
pub(super) struct Table<const SIZE: usize> {
    first: Box<[u64; SIZE]>,
    rest: Vec<u64>,
}

impl<const SIZE: usize> Table<SIZE> {
    pub(super) fn new() -> Table<SIZE> {
        Table {
            first: Box::new([INVALID; SIZE]),
            rest: Vec::new(),
        }
    }

    /// Makes the table of codes of these lengths (RFC 1951 section 3.2.2). A code that leaves bits unused is a fault,
    /// unless it has one symbol or none.
    pub(super) fn make(
        &mut self,
        lengths: &[u8],
        entry_of: impl Fn(usize, u64) -> u64,
    ) -> Result<(), Fault> {
        let first_bits = SIZE.trailing_zeros();
        let mut counts = [0u32; 16];
        for &length in lengths {
            counts[usize::from(length & 15)] += 1;
        }
        let used = lengths.len() as u32 - counts[0];
        counts[0] = 0;
        let (mut next, mut code, mut free) = ([0u32; 16], 0, 1i32);
        for length in 1..16 {
            code = (code + counts[length - 1]) << 1;
            next[length] = code;
            free = free * 2 - counts[length] as i32;
            if free < 0 {
                return Err(Fault);
            }
        }
        if free > 0 && (used > 1 || counts[1] != used) {
            return Err(Fault);
        }
        let longest = (1..16).rev().find(|&length| counts[length] > 0);
        let rest_bits = (longest.unwrap_or(0) as u32).saturating_sub(first_bits);
        self.first.fill(INVALID);
        self.rest.clear();
        for (symbol, &length) in lengths
            .iter()
            .enumerate()
            .filter(|(_, length)| **length > 0)
        {
            let bits = u32::from(length);
            let code = next[usize::from(length & 15)];
            next[usize::from(length & 15)] += 1;
            let reversed = (code.reverse_bits() >> (32 - bits)) as usize;
            let entry = entry_of(symbol, u64::from(bits));
            if bits <= first_bits {
                for at in (reversed..SIZE).step_by(1 << bits) {
                    self.first[at] = entry;
                }
                continue;
            }
            let first = &mut self.first[reversed & (SIZE - 1)];
            if *first & WHAT != LONG {
                *first = LONG
                    | ((1u64 << rest_bits) - 1) << MASK_AT
                    | (self.rest.len() as u64) << BASE_AT;
                self.rest
                    .resize(self.rest.len() + (1 << rest_bits), INVALID);
            }
            let from = (*first >> BASE_AT) as usize;
            for at in ((reversed >> first_bits)..1 << rest_bits).step_by(1 << (bits - first_bits)) {
                self.rest[from + at] = entry;
            }
        }
        Ok(())
    }

    /// Puts together what one look can give: literals, and a length behind them.
    pub(super) fn pack(&mut self) {
        let first_bits = u64::from(SIZE.trailing_zeros());
        // Downwards: what stands behind the first literal is looked up further below, where nothing is packed yet.
        for at in (0..SIZE).rev() {
            let mut entry = self.first[at];
            if entry & LITERALS == 0 {
                continue;
            }
            for count in 1..=3 {
                let bits = entry & BITS;
                let next = self.first[at >> bits];
                let code = bits + (next >> CODE_AT & 63);
                if code > first_bits {
                    break;
                }
                match next & LITERALS != 0 {
                    true if count < 3 => {
                        let literal =
                            (next >> LITERAL_AT & 0xff) << (u64::from(LITERAL_AT) + 8 * count);
                        entry &= !(LITERALS | BITS | CODE);
                        entry |= literal | (count + 1) << LITERALS_AT | code << CODE_AT | code;
                    }
                    false if next & WHAT == VALUE => {
                        entry &= !(BITS | CODE);
                        entry |= next & !(BITS | CODE) | code << CODE_AT;
                        entry += bits + (next & BITS);
                        break;
                    }
                    _ => break,
                }
            }
            self.first[at] = entry;
        }
    }

    #[inline(always)]
    pub(super) fn look(&self, bits: u64) -> u64 {
        self.first[bits as usize & (SIZE - 1)]
    }

    /// Follows an entry of a longer code.
    #[inline(always)]
    pub(super) fn long(&self, entry: u64, bits: u64) -> u64 {
        let mask = entry >> MASK_AT & 0xff;
        let at = (entry >> BASE_AT) as usize + (bits >> SIZE.trailing_zeros() & mask) as usize;
        self.rest.get(at).copied().unwrap_or(INVALID)
    }
}

/// Bits that were taken from the packed bytes, the next one lowest.
#[derive(Clone, Copy, Default)]
pub(super) struct Bits {
    pub(super) bits: u64,
    pub(super) count: u32,
}

impl Bits {
    /// Takes bytes from `from` on until there are 56 bits at least.
    #[inline(always)]
    pub(super) fn refill(&mut self, packed: &[u8], from: &mut usize) {
        if let Some(next) = packed.get(*from..).and_then(|rest| rest.first_chunk()) {
            *from += self.fill(next);
        }
    }

    /// Takes bytes of the next eight in until there are 56 bits at least; returns how many.
    #[inline(always)]
    pub(super) fn fill(&mut self, next: &[u8; 8]) -> usize {
        self.bits |= u64::from_le_bytes(*next) << (self.count & 63);
        let step = (63 - self.count) >> 3 & 7;
        self.count |= 56;
        step as usize
    }

    #[inline(always)]
    pub(super) fn drop(&mut self, entry: u64) {
        self.bits >>= entry & BITS;
        self.count = self.count.wrapping_sub((entry & BITS) as u32);
    }

    #[inline(always)]
    pub(super) fn take(&mut self, count: u32) -> u32 {
        let value = (self.bits & ((1 << count) - 1)) as u32;
        self.bits >>= count;
        self.count = self.count.wrapping_sub(count);
        value
    }
}
