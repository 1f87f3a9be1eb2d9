//! Every definition proves itself, and no two claim one line.

use crate::seen::{assert_tiles, parse};
use formats::{Catalogue, check_samples};

#[test]
fn every_sample_becomes_what_it_says() {
    let failures = check_samples(Catalogue::builtin());
    let shown: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert!(shown.is_empty(), "{}", shown.join("\n"));
}

#[test]
fn no_line_is_claimed_twice() {
    assert_eq!(Catalogue::builtin().contested_samples(), []);
}

/// One byte changed, or the end cut off, anywhere in any sample: everything still tiles, nothing panics.
#[test]
fn damaged_samples_still_tile() {
    for (_, line) in Catalogue::builtin().sample_lines() {
        let mut bytes = line.as_bytes().to_vec();
        // Steps of a prime length, so that the places differ from line to line.
        for at in (0..bytes.len()).step_by(7) {
            let cut = &bytes[..at];
            assert_tiles(cut, &parse(cut));
            for replacement in [b'"', b'\n', b'=', b' ', b':', b'{', b'9', 0xce] {
                let kept = std::mem::replace(&mut bytes[at], replacement);
                assert_tiles(&bytes, &parse(&bytes));
                bytes[at] = kept;
            }
        }
    }
}
