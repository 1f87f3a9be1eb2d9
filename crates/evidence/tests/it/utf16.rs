use evidence::Utf16Reader;
use model::Encoding;
use proptest::prelude::*;
use std::io::{Cursor, Read};

fn encode(text: &str, encoding: Encoding) -> Vec<u8> {
    text.encode_utf16()
        .flat_map(|unit| match encoding {
            Encoding::Utf16Be => unit.to_be_bytes(),
            _ => unit.to_le_bytes(),
        })
        .collect()
}

/// Every character of the text leads to its place in the original.
#[track_caller]
fn check(text: &str, encoding: Encoding, step: usize) {
    let raw = encode(text, encoding);
    let mut reader = Utf16Reader::new(Cursor::new(raw), encoding, 0);
    let map = reader.map();
    let mut out = Vec::new();
    let mut buffer = vec![0; step];
    loop {
        match reader.read(&mut buffer).unwrap() {
            0 => break,
            bytes => out.extend_from_slice(&buffer[..bytes]),
        }
    }
    assert_eq!(std::str::from_utf8(&out).unwrap(), text);
    let mut raw_at = 0;
    for (at, character) in text.char_indices() {
        map.forget_before(at as u64);
        assert_eq!(map.original(at as u64), raw_at, "at {at}");
        raw_at += 2 * character.len_utf16() as u64;
    }
    assert_eq!(map.original(text.len() as u64), raw_at);
}

#[test]
fn characters_keep_their_places() {
    let text = "\u{feff}INFO n\u{f6}de: \u{8282}\u{70b9} ready \u{1f680}\r\nnext line\r\n";
    for step in [1, 3, 4096] {
        check(text, Encoding::Utf16Le, step);
        check(text, Encoding::Utf16Be, step);
    }
    // Longer than what is taken at a time, a pair of surrogates across every border.
    check(&"\u{1f680}".repeat(50_000), Encoding::Utf16Le, 1000);
    check(
        &format!("x{}", "\u{1f680}".repeat(50_000)),
        Encoding::Utf16Be,
        1000,
    );
}

#[test]
fn half_characters_are_replaced() {
    let mut out = String::new();
    let raw = b"a\0\x00\xd8b\0\x00";
    Utf16Reader::new(&raw[..], Encoding::Utf16Le, 0)
        .read_to_string(&mut out)
        .unwrap();
    assert_eq!(out, "a\u{fffd}b\u{fffd}");
}

#[test]
fn reading_goes_on_from_any_character() {
    let text = "eins\nzw\u{f6}lf\ndrei\n";
    let raw = encode(text, Encoding::Utf16Le);
    let mut reader = Utf16Reader::new(&raw[10..], Encoding::Utf16Le, 10);
    let map = reader.map();
    let mut out = String::new();
    reader.read_to_string(&mut out).unwrap();
    assert_eq!(out, "zw\u{f6}lf\ndrei\n");
    // "drei" begins 7 bytes further in the text and 12 in the original.
    assert_eq!(map.original(17), 22);
}

#[test]
fn evident_utf16_is_seen_without_a_mark() {
    let log = "[2020-08-14 17:30:40]  INFO node: started\r\n";
    assert_eq!(
        Encoding::detect(&encode(log, Encoding::Utf16Le)),
        Encoding::Utf16Le
    );
    assert_eq!(
        Encoding::detect(&encode(log, Encoding::Utf16Be)),
        Encoding::Utf16Be
    );
    let mut hole = log.as_bytes().to_vec();
    hole.extend([0; 400]);
    assert_eq!(Encoding::detect(&hole), Encoding::Utf8);
}

proptest! {
    #[test]
    fn any_text_finds_its_way_back(text in "(?s).{0,200}", big in any::<bool>(), step in 1usize..64) {
        let encoding = if big { Encoding::Utf16Be } else { Encoding::Utf16Le };
        check(&text, encoding, step);
    }
}
