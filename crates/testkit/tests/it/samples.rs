use std::fs;
use testkit::{Sample, check_golden, gunzip, medalla, workspace_root, zksync};

/// What is checked in is what the generator writes; `UPDATE_GOLDEN=1` writes it.
fn check(sample: &Sample, least_bytes: usize, most_bytes: u64) {
    let folder = workspace_root().join("samples").join(sample.name);
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        sample.write(&folder).unwrap();
    }
    let (mut stored, mut text) = (0, 0);
    for file in &sample.files {
        let path = folder.join(&file.path);
        text += file.text.len();
        if file.path.ends_with(".gz") {
            let bytes = fs::read(&path).unwrap();
            stored += bytes.len() as u64;
            // Another packer may give other bytes; what counts is what they hold.
            assert!(
                gunzip(&bytes).as_deref() == Some(&file.text),
                "{} differs: run `cargo run -p testkit --bin samples`",
                path.display()
            );
        } else {
            check_golden(&path, &file.text);
            stored += file.text.len() as u64;
        }
    }
    assert!(text >= least_bytes, "{text} bytes of text");
    assert!(stored <= most_bytes, "{stored} bytes stored");
    assert!(
        folder.join("README.md").exists(),
        "no README.md in {}",
        folder.display()
    );
}

#[test]
fn zksync_2023_is_what_its_generator_writes() {
    check(&zksync::sample(), 500_000, 700_000);
}

#[test]
fn medalla_2020_is_what_its_generator_writes() {
    check(&medalla::sample(), 500_000, 2_300_000);
}
