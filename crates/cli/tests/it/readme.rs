//! The README's examples: every `$ coroner …` line is run, and what stands below it is what comes out.
//!
//! `UPDATE_GOLDEN=1 cargo test -p cli readme` writes the output into the README; read the diff.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs a command line in a shell, in a folder where `samples` lies, printing what a terminal would show.
fn run(folder: &Path, command: &str) -> String {
    let command = if command.contains("--format") {
        command.to_owned()
    } else {
        match command.split_once(" | ") {
            Some((ours, rest)) => format!("{ours} --format table | {rest}"),
            None => format!("{command} --format table"),
        }
    };
    let output = Command::new("sh")
        .arg("-c")
        .arg(command.replacen("coroner", env!("CARGO_BIN_EXE_coroner"), 1))
        .current_dir(folder)
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env("COLUMNS", "100")
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// A folder with the samples in it, to write cases into.
fn workplace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(
        root().join("samples").canonicalize().unwrap(),
        folder.path().join("samples"),
    )
    .unwrap();
    folder
}

#[test]
fn examples_print_what_the_readme_shows() {
    let folder = workplace();
    let path = root().join("README.md");
    let text = fs::read_to_string(&path).unwrap();
    let mut made = String::new();
    let mut inside = false;
    let mut examples = 0;
    for line in text.lines() {
        if line == "```console" {
            inside = true;
        } else if line == "```" {
            inside = false;
        } else if inside {
            let Some(command) = line.strip_prefix("$ ") else {
                continue;
            };
            made.push_str(line);
            made.push('\n');
            let output = run(folder.path(), command);
            for line in output.lines() {
                made.push_str(line.trim_end());
                made.push('\n');
            }
            examples += 1;
            continue;
        }
        made.push_str(line);
        made.push('\n');
    }
    assert!(examples >= 5, "the README has examples");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, made).unwrap();
        return;
    }
    for (shown, real) in text.lines().zip(made.lines()) {
        assert_eq!(
            shown, real,
            "README.md does not show what comes out; UPDATE_GOLDEN=1 rewrites it"
        );
    }
    assert_eq!(text.lines().count(), made.lines().count());
}

#[test]
fn the_first_command_writes_a_postmortem() {
    let folder = workplace();
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let command = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("cargo run -- "))
        .unwrap();
    run(folder.path(), &format!("coroner {command} --format md"));
    let draft = fs::read_to_string(folder.path().join("postmortem.md")).unwrap();
    assert!(
        draft.contains("0x0b01e199877faef52b95477119f53bf546a2915bc903132331f41542e58da53d"),
        "the L1 hash"
    );
}
