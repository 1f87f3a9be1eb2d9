//! From the paths a person names to the files to read.

use crate::whole::{belongs, is_whole_folder};
use std::{
    fs, io,
    os::unix::{ffi::OsStrExt, fs::FileTypeExt},
    path::{Path, PathBuf},
};

/// The name that means standard input.
pub const STDIN: &str = "-";

/// Why a path gives no evidence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// A file or folder that cannot be opened or looked at.
    #[error("cannot open evidence {}", shown(path))]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A folder whose entries cannot be listed.
    #[error("cannot list folder {}", shown(path))]
    List {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something that is neither file nor folder: reading it could wait for ever or disturb a device.
    #[error("{} is a {what}, not a file", shown(path))]
    NotAFile {
        /// Which.
        path: PathBuf,
        /// `FIFO`, `socket`, `block device` or `character device`.
        what: &'static str,
    },
    /// A symbolic link to a folder, found inside a folder.
    #[error("{} is a link to a folder and was not followed", shown(path))]
    LinkedFolder {
        /// Which.
        path: PathBuf,
    },
    /// A named folder without any file.
    #[error("no evidence in {}", shown(path))]
    NoEvidence {
        /// Which.
        path: PathBuf,
    },
}

fn shown(path: &Path) -> String {
    model::escape_control(path.as_os_str().as_bytes())
}

/// One thing a walk came upon.
#[derive(Debug)]
pub enum Found {
    /// A file to read, or [`STDIN`].
    File {
        /// Where to open it.
        path: PathBuf,
        /// The path as people see it: control characters and invalid UTF-8 escaped.
        shown: String,
    },
    /// A path that gives nothing; the rest goes on.
    Problem {
        /// Which path.
        path: PathBuf,
        /// Why.
        error: EvidenceError,
    },
}

impl Found {
    /// Returns the path.
    pub fn path(&self) -> &Path {
        match self {
            Found::File { path, .. } | Found::Problem { path, .. } => path,
        }
    }
}

/// Returns every file under the paths, each once, in bytewise order of their paths.
///
/// Folders are walked to the bottom, hidden files included; one that `pg_dump -Fd` wrote is itself the
/// file to read. A link to a file is read (collectors of
/// Kubernetes logs lay them out so), a link to a folder is followed only if it was named itself.
pub fn walk(paths: &[PathBuf]) -> Vec<Found> {
    let mut found = Vec::new();
    for path in paths {
        if path.as_os_str() == STDIN {
            found.push(file(path.clone()));
            continue;
        }
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => {
                let before = found.len();
                folder(path, &mut found);
                if found.len() == before {
                    found.push(problem(EvidenceError::NoEvidence { path: path.clone() }));
                }
            }
            Ok(meta) => found.push(by_type(path.clone(), meta.file_type())),
            Err(source) => found.push(problem(EvidenceError::Open {
                path: path.clone(),
                source,
            })),
        }
    }
    found.sort_by(|a, b| {
        let (a, b) = (a.path().as_os_str(), b.path().as_os_str());
        a.as_bytes().cmp(b.as_bytes())
    });
    found.dedup_by(|a, b| a.path() == b.path());
    found
}

fn file(path: PathBuf) -> Found {
    let shown = shown(&path);
    Found::File { path, shown }
}

fn problem(error: EvidenceError) -> Found {
    let path = match &error {
        EvidenceError::Open { path, .. }
        | EvidenceError::List { path, .. }
        | EvidenceError::NotAFile { path, .. }
        | EvidenceError::LinkedFolder { path }
        | EvidenceError::NoEvidence { path } => path.clone(),
    };
    Found::Problem { path, error }
}

/// Names what is neither file nor folder.
pub(crate) fn special(kind: fs::FileType) -> Option<&'static str> {
    if kind.is_fifo() {
        Some("FIFO")
    } else if kind.is_socket() {
        Some("socket")
    } else if kind.is_block_device() {
        Some("block device")
    } else if kind.is_char_device() {
        Some("character device")
    } else {
        None
    }
}

fn by_type(path: PathBuf, kind: fs::FileType) -> Found {
    match special(kind) {
        Some(what) => problem(EvidenceError::NotAFile { path, what }),
        None => file(path),
    }
}

fn folder(path: &Path, found: &mut Vec<Found>) {
    // A stack instead of recursion: a folder may be nested as deep as its owner likes.
    let mut folders = vec![path.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let list = |source| {
            problem(EvidenceError::List {
                path: folder.clone(),
                source,
            })
        };
        let whole = is_whole_folder(&folder);
        if whole {
            found.push(file(folder.clone()));
        }
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(source) => {
                found.push(list(source));
                continue;
            }
        };
        for entry in entries {
            let (path, kind) = match entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))
            {
                Ok(entry) => entry,
                Err(source) => {
                    found.push(list(source));
                    continue;
                }
            };
            if whole
                && path
                    .file_name()
                    .is_some_and(|name| belongs(name.as_bytes()))
            {
                continue;
            }
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_symlink() {
                found.push(match fs::metadata(&path) {
                    Ok(meta) if meta.is_dir() => problem(EvidenceError::LinkedFolder { path }),
                    Ok(meta) => by_type(path, meta.file_type()),
                    Err(source) => problem(EvidenceError::Open { path, source }),
                });
            } else {
                found.push(by_type(path, kind));
            }
        }
    }
}
