//! Comparison with files that are checked in.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Returns the workspace's root folder.
pub fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the workspace this crate was built in exists")
}

/// Compares with a golden file; with `UPDATE_GOLDEN=1` in the environment, writes it instead.
///
/// # Panics
/// If they differ, naming the first differing line.
#[track_caller]
pub fn check_golden(path: &Path, actual: &[u8]) {
    let expected = fs::read(path).unwrap_or_default();
    if expected == actual {
        return;
    }
    if env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).expect("the golden folder can be made");
        }
        fs::write(path, actual).expect("the golden file can be written");
        return;
    }
    let (mut old, mut new) = (
        expected.split(|byte| *byte == b'\n'),
        actual.split(|byte| *byte == b'\n'),
    );
    let mut line = 1;
    loop {
        let (old, new) = (old.next(), new.next());
        if old != new || old.is_none() {
            let show = |text: Option<&[u8]>| match text {
                Some(text) => model::escape_control(text),
                None => "(end)".to_owned(),
            };
            panic!(
                "{} differs from line {line} on\n expected: {}\n   actual: {}\nrun with UPDATE_GOLDEN=1 to rewrite, then read the diff",
                path.display(),
                show(old),
                show(new)
            );
        }
        line += 1;
    }
}
