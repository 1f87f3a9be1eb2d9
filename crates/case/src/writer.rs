//! Writing: the lock and recovery.

use crate::disk::Disk;
use crate::error::AtPath;
use crate::spool::Work;
use crate::{Case, CaseError, Manifest, Transaction};
use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

const LOCK: &str = "lock";
/// Where files lie until they are renamed.
const TEMP: &str = "tmp";
/// Folders whose files the manifest names, all of them.
const STORES: [&str; 7] = [
    "duplicates",
    "evidence",
    "hashes",
    "obs",
    "records",
    "rejects",
    "tables",
];

/// The one writer of a case. Dropped (or killed) it lets go of the lock.
#[derive(Debug)]
pub struct CaseWriter {
    pub(crate) case: Case,
    pub(crate) disk: Disk,
    pub(crate) threads: usize,
    /// Files that left the manifest with the last commit: readers of the manifest before it may still
    /// open them. They are deleted with the next commit, or when the case is next opened to write.
    pub(crate) left: Vec<String>,
    transactions: u64,
    _lock: File,
}

impl CaseWriter {
    /// Opens a case to write it, or creates it (mode 0700); removes what an interrupted write left.
    ///
    /// # Errors
    /// [`CaseError::Locked`] if another process writes it, [`CaseError::NewerFormat`],
    /// [`CaseError::Occupied`] if the folder holds other things.
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<CaseWriter, CaseError> {
        CaseWriter::open_with(path.as_ref(), Disk::default())
    }

    pub(crate) fn open_with(path: &Path, disk: Disk) -> Result<CaseWriter, CaseError> {
        let exists = Case::is_case(path);
        if exists {
            // A newer case is refused before anything in it is touched.
            Case::open(path)?;
        } else {
            check_free(path)?;
            disk.create_dir_all(path)?;
        }
        let lock = lock(path)?;
        let case = if Case::is_case(path) {
            Case::open(path)?
        } else {
            Case {
                path: path.to_path_buf(),
                manifest: Manifest::default(),
            }
        };
        let mut writer = CaseWriter {
            case,
            disk,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            left: Vec::new(),
            transactions: 0,
            _lock: lock,
        };
        writer.recover()?;
        if !Case::is_case(path) {
            writer.begin().commit()?;
        }
        Ok(writer)
    }

    /// Sets how many threads a commit may use; the files do not depend on it.
    pub fn set_threads(&mut self, threads: usize) {
        self.threads = threads.max(1);
    }

    /// Returns the case as last committed.
    pub fn case(&self) -> &Case {
        &self.case
    }

    /// Begins a transaction; dropped without commit it leaves the case as it was.
    pub fn begin(&mut self) -> Transaction<'_> {
        self.transactions += 1;
        let folder = self
            .case
            .path
            .join(TEMP)
            .join(format!("tx{}", self.transactions));
        let work = Work::new(self.disk.clone(), &folder);
        Transaction::new(self, work)
    }

    /// Removes what no manifest names: an interrupted write's files, and replaced ones.
    fn recover(&mut self) -> Result<(), CaseError> {
        let root = self.case.path.clone();
        self.disk.remove_tree(&root.join(TEMP))?;
        let named = named_files(&self.case.manifest);
        for store in STORES {
            let mut files = Vec::new();
            collect_files(&root.join(store), &mut files)?;
            for file in files {
                let ours = file
                    .extension()
                    .is_some_and(|end| end == "parquet" || end == "zst" || end == &LEFT[1..]);
                let relative = file.strip_prefix(&root).unwrap_or(&file);
                let relative = relative.to_string_lossy().replace('\\', "/");
                if ours && !named.contains(relative.as_str()) {
                    self.disk.remove(&file)?;
                }
            }
        }
        self.recover_notes()
    }
}

/// Behind the name of a file that a commit replaced, until the next write removes it.
pub(crate) const LEFT: &str = ".left";

/// Returns the files that a manifest names.
pub(crate) fn named_files(manifest: &Manifest) -> BTreeSet<&str> {
    let segments = manifest
        .segments
        .iter()
        .map(|segment| segment.file.as_str());
    let evidence = manifest.sources.iter().flat_map(|source| &source.evidence);
    segments
        .chain(evidence.map(|part| part.file.as_str()))
        .collect()
}

fn collect_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), CaseError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.at("read", folder)?,
    };
    for entry in entries {
        let entry = entry.at("read", folder)?;
        let kind = entry.file_type().at("read", &entry.path())?;
        if kind.is_dir() {
            collect_files(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// Whether a case may be created here: nothing is there, or what an interrupted creation left.
fn check_free(path: &Path) -> Result<(), CaseError> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            return Err(CaseError::Occupied {
                path: path.to_path_buf(),
            });
        }
        entries => entries.at("read", path)?,
    };
    for entry in entries {
        let entry = entry.at("read", path)?;
        if entry.file_name() != LOCK && entry.file_name() != TEMP {
            return Err(CaseError::Occupied {
                path: path.to_path_buf(),
            });
        }
    }
    Ok(())
}

/// Takes the lock; the operating system lets go of it when the process ends, however it ends.
fn lock(case: &Path) -> Result<File, CaseError> {
    let path = case.join(LOCK);
    let mut file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .at("open", &path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            let holder = holder.lines().next().filter(|line| !line.is_empty());
            return Err(CaseError::Locked {
                path: case.to_path_buf(),
                holder: holder.unwrap_or("another process").to_owned(),
            });
        }
        Err(TryLockError::Error(error)) => return Err(error).at("lock", &path),
    }
    // Who holds it is a courtesy to people: a full disk must not keep a case from being opened.
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs() as i64);
    let holder = format!(
        "process {} since {}\n",
        std::process::id(),
        model::time::format_utc_short(now * 1_000_000)
    );
    let _ = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(holder.as_bytes()));
    Ok(file)
}
