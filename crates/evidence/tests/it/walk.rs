use evidence::{EvidenceError, Found, SourceReader, walk};
use std::{fs, os::unix::fs::symlink, path::PathBuf, process::Command};

fn told(found: &[Found], root: &std::path::Path) -> Vec<String> {
    let root = format!("{}/", root.display());
    found
        .iter()
        .map(|found| match found {
            Found::File { shown, .. } => shown.replace(&root, ""),
            Found::Problem { error, .. } => format!("! {}", error.to_string().replace(&root, "")),
        })
        .collect()
}

#[test]
fn folders_are_walked_in_bytewise_order_and_oddities_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::create_dir_all(root.join("b/deep/er")).unwrap();
    fs::create_dir(root.join("hollow")).unwrap();
    for name in [
        "b/deep/er/z.log",
        "b/a.log",
        "B.log",
        "a\u{1b}[31m.log",
        ".hidden",
    ] {
        fs::write(root.join(name), b"x\n").unwrap();
    }
    symlink(root.join("b"), root.join("linked")).unwrap();
    symlink(root.join("B.log"), root.join("c.log")).unwrap();
    symlink(root.join("gone"), root.join("dangling")).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(root.join("pipe"))
            .status()
            .unwrap()
            .success()
    );
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();

    let found = walk(&[root.to_path_buf(), root.join("B.log")]);
    assert_eq!(
        told(&found, root),
        [
            ".hidden",
            "B.log",
            "a\\x1b[31m.log",
            "b/a.log",
            "b/deep/er/z.log",
            "c.log",
            "! cannot open evidence dangling",
            "! linked is a link to a folder and was not followed",
            "! pipe is a FIFO, not a file",
            "! socket is a socket, not a file",
        ]
    );
    // Named itself, a linked folder is read.
    assert_eq!(
        told(&walk(&[root.join("linked")]), root),
        ["linked/a.log", "linked/deep/er/z.log"]
    );
}

#[test]
fn what_gives_nothing_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::create_dir(root.join("hollow")).unwrap();
    let found = walk(&[
        root.join("hollow"),
        root.join("missing"),
        PathBuf::from("/dev/null"),
    ]);
    assert_eq!(
        told(&found, root),
        [
            "! /dev/null is a character device, not a file",
            "! no evidence in hollow",
            "! cannot open evidence missing",
        ]
    );
    assert!(matches!(
        SourceReader::open(&PathBuf::from("/dev/null")),
        Err(EvidenceError::NotAFile {
            what: "character device",
            ..
        })
    ));
    assert!(matches!(
        SourceReader::open(root),
        Err(EvidenceError::Open { .. })
    ));
}

#[test]
fn a_folder_without_permission_is_named_and_the_rest_goes_on() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::create_dir(root.join("closed")).unwrap();
    fs::write(root.join("closed/a.log"), b"x\n").unwrap();
    fs::write(root.join("open.log"), b"x\n").unwrap();
    fs::set_permissions(root.join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    let found = walk(&[root.to_path_buf()]);
    let closed = fs::read_dir(root.join("closed")).is_err();
    fs::set_permissions(root.join("closed"), fs::Permissions::from_mode(0o700)).unwrap();
    if closed {
        assert_eq!(
            told(&found, root),
            ["! cannot list folder closed", "open.log"]
        );
    } else {
        // Root may read everything.
        assert_eq!(told(&found, root), ["closed/a.log", "open.log"]);
    }
}
