//! Every definition proves itself, and no two claim one line.

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
