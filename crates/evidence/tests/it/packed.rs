//! Members of zip archives packed by methods that no library here writes.

use crate::archives::{Seen, Shelf};
use flate2::{Compression, Crc, write::DeflateEncoder};
use std::io::Write;

const DEFLATE64: u16 = 9;

/// An archive of one member.
fn zip(method: u16, packed: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(plain);
    let name = b"beacon.log";
    let mut fields = Vec::new();
    for number in [20, 0, method, 0, 0x21] {
        fields.extend_from_slice(&u16::to_le_bytes(number));
    }
    for number in [crc.sum(), packed.len() as u32, plain.len() as u32] {
        fields.extend_from_slice(&number.to_le_bytes());
    }
    fields.extend_from_slice(&(name.len() as u16).to_le_bytes());
    fields.extend_from_slice(&[0; 2]);
    let member = [b"PK\x03\x04", &fields[..], name, packed].concat();
    let entry = [b"PK\x01\x02\x14\x00", &fields[..], &[0; 14], name].concat();
    let end = [
        b"PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00",
        &(entry.len() as u32).to_le_bytes()[..],
        &(member.len() as u32).to_le_bytes(),
        &[0; 2],
    ]
    .concat();
    [member, entry, end].concat()
}

/// Writes bits as deflate has them, the lowest first.
#[derive(Default)]
struct Bits(Vec<u8>, u32);

impl Bits {
    fn number(&mut self, value: u32, bits: u32) {
        for bit in 0..bits {
            if self.1.is_multiple_of(8) {
                self.0.push(0);
            }
            *self.0.last_mut().unwrap() |= ((value >> bit & 1) as u8) << (self.1 % 8);
            self.1 += 1;
        }
    }

    /// A code of Huffman's stands with its highest bit first.
    fn code(&mut self, code: u32, bits: u32) {
        for bit in (0..bits).rev() {
            self.number(code >> bit & 1, 1);
        }
    }

    fn letter(&mut self, letter: u8) {
        assert!(letter < 144);
        self.code(0x30 + u32::from(letter), 8);
    }
}

/// A line, and the same many times over in one copy of more than 258 bytes, which deflate has no word for: length
/// code 285 has 16 bits of its own in deflate64.
fn long_copy(line: &[u8], copied: u32) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.number(1, 1); // the last block
    bits.number(1, 2); // fixed codes
    for letter in line {
        bits.letter(*letter);
    }
    bits.code(0xc0 + 285 - 280, 8);
    bits.number(copied - 3, 16);
    // Distance code 10 reaches 33 to 48.
    bits.code(10, 5);
    bits.number(line.len() as u32 - 33, 4);
    bits.code(0, 7); // the end
    bits.0
}

#[track_caller]
fn see(packed: &[u8], plain: &[u8]) -> Seen {
    Shelf::new().see("a.zip", &zip(DEFLATE64, packed, plain))
}

#[test]
fn deflate64_is_read() {
    let line = b"[2020-08-14 17:30:40]  INFO node: one\n";
    let copied = 38 * 1000;
    let packed = long_copy(line, copied);
    let plain = line.repeat(1001);
    let seen = see(&packed, &plain).sound();
    assert_eq!(seen.names(), ["a.zip!beacon.log"]);
    assert!(seen.sources[0].1 == plain);
    // Without long copies deflate is the same.
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(&plain).unwrap();
    let seen = see(&encoder.finish().unwrap(), &plain).sound();
    assert!(seen.sources[0].1 == plain);
}

#[test]
fn deflate64_that_is_cut_or_damaged_says_so() {
    let line = b"[2020-08-14 17:30:40]  INFO node: one\n";
    let plain = line.repeat(1001);
    let packed = long_copy(line, 38 * 1000);
    let seen = see(&packed[..packed.len() - 1], &plain);
    assert!(!seen.problems.is_empty(), "{:?}", seen.problems);
    let mut damaged = packed.clone();
    damaged[0] |= 6; // a block of the kind that is none
    let seen = see(&damaged, &plain);
    seen.trouble("a.zip!beacon.log", "damaged near byte");
    // Any byte: no panic, and never silence.
    for at in 0..packed.len() {
        let mut damaged = packed.clone();
        damaged[at] ^= 0x41;
        let seen = see(&damaged, &plain);
        let told = !seen.problems.is_empty() || !seen.troubles.is_empty();
        assert!(told, "byte {at}");
    }
}
