//! The file system as the case uses it: every change passes here, so that tests can let any of them
//! fail.

use crate::CaseError;
use crate::error::AtPath;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
#[cfg(test)]
use std::sync::Arc;

/// Makes changes to the file system.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    #[cfg(test)]
    pub(crate) faults: Option<Arc<faults::Faults>>,
}

impl Disk {
    /// Counts a change; in tests it may fail here.
    fn step(&self) -> io::Result<()> {
        #[cfg(test)]
        if let Some(faults) = &self.faults {
            return faults.step();
        }
        Ok(())
    }

    /// Creates a folder that only its owner can enter.
    pub(crate) fn create_dir_all(&self, path: &Path) -> Result<(), CaseError> {
        if path.is_dir() {
            return Ok(());
        }
        self.step().at("create", path)?;
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path).at("create", path)
    }

    /// Creates or truncates a file.
    pub(crate) fn create(&self, path: &Path) -> Result<DiskFile, CaseError> {
        self.step().at("create", path)?;
        let file = File::options()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(path)
            .at("create", path)?;
        Ok(DiskFile {
            file,
            path: path.to_path_buf(),
            disk: self.clone(),
        })
    }

    /// Opens a file to append to it.
    pub(crate) fn append(&self, path: &Path) -> Result<DiskFile, CaseError> {
        self.step().at("open", path)?;
        let file = File::options()
            .create(true)
            .append(true)
            .open(path)
            .at("open", path)?;
        Ok(DiskFile {
            file,
            path: path.to_path_buf(),
            disk: self.clone(),
        })
    }

    /// Renames a file, replacing what is there.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), CaseError> {
        self.step().at("rename", from)?;
        fs::rename(from, to).at("rename", from)
    }

    /// Removes a file; it may be gone already.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), CaseError> {
        self.step().at("remove", path)?;
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).at("remove", path),
            _ => Ok(()),
        }
    }

    /// Removes a folder and all in it; it may be gone already.
    pub(crate) fn remove_tree(&self, path: &Path) -> Result<(), CaseError> {
        if !path.exists() {
            return Ok(());
        }
        self.step().at("remove", path)?;
        fs::remove_dir_all(path).at("remove", path)
    }

    /// Cuts a file to a length.
    pub(crate) fn truncate(&self, path: &Path, length: u64) -> Result<(), CaseError> {
        self.step().at("truncate", path)?;
        let file = File::options()
            .write(true)
            .open(path)
            .at("truncate", path)?;
        file.set_len(length).at("truncate", path)
    }

    /// Makes renames in a folder durable.
    pub(crate) fn sync_dir(&self, path: &Path) -> Result<(), CaseError> {
        self.step().at("sync", path)?;
        #[cfg(unix)]
        File::open(path)
            .and_then(|folder| folder.sync_all())
            .at("sync", path)?;
        Ok(())
    }
}

/// A file being written.
#[derive(Debug)]
pub(crate) struct DiskFile {
    pub(crate) file: File,
    path: PathBuf,
    disk: Disk,
}

impl DiskFile {
    /// Returns where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes all bytes.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), CaseError> {
        self.write_all(bytes).at("write", &self.path)
    }

    /// Makes the content durable.
    pub(crate) fn sync(&self) -> Result<(), CaseError> {
        self.disk.step().at("sync", &self.path)?;
        self.file.sync_all().at("sync", &self.path)
    }
}

impl Write for DiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.disk.step() {
            // What a killed process or a full disk leaves behind: a part of the bytes.
            let _ = self.file.write(&bytes[..bytes.len() / 2]);
            return Err(error);
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Faults on command.
#[cfg(test)]
pub(crate) mod faults {
    use std::io;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Lets the n-th change fail, alone (a full disk) or with all that follow (a killed process).
    #[derive(Debug)]
    pub(crate) struct Faults {
        done: AtomicU64,
        fail_at: u64,
        killed: bool,
    }

    impl Faults {
        pub(crate) fn full_disk(fail_at: u64) -> Faults {
            Faults {
                done: AtomicU64::new(0),
                fail_at,
                killed: false,
            }
        }

        pub(crate) fn killed(fail_at: u64) -> Faults {
            Faults {
                killed: true,
                ..Faults::full_disk(fail_at)
            }
        }

        /// Whether the fault happened.
        pub(crate) fn fired(&self) -> bool {
            self.done.load(Ordering::SeqCst) > self.fail_at
        }

        pub(crate) fn step(&self) -> io::Result<()> {
            let done = self.done.fetch_add(1, Ordering::SeqCst);
            if done == self.fail_at || (self.killed && done > self.fail_at) {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            Ok(())
        }
    }
}
