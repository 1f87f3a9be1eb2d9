//! Any bytes: the entries of `parse` tile them, and parts give the same records as the whole.
#![no_main]

#[allow(dead_code, reason = "the tests' sink, of which this uses a part")]
#[path = "../../tests/it/seen.rs"]
mod seen;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let entries = seen::parse(bytes);
    seen::assert_tiles(bytes, &entries);
    for largest in [64, 1000] {
        assert_eq!(seen::parse_in_parts(bytes, largest), entries);
    }
});
