//! Throw-away cases: plain evidence is asked through a case that nobody has to keep (foundations §4).
//!
//! A case lies in `<cache>/cases/<key>`; the key is a digest over everything that decides its records:
//! content, relative paths (nodes are named after them), parser version, case format version, options.
//! Digests of files are remembered by (path, size, mtime, inode), so a second question hashes nothing.

use crate::evidence::{shown, unreadable};
use crate::{Error, ErrorKind, Partial, STDIN};
use case::{Case, CaseWriter};
use evidence::Found;
use ingest::IngestOptions;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder of throw-away cases.
#[derive(Clone, Debug)]
pub struct Cache {
    dir: Option<PathBuf>,
    size_limit: u64,
}

/// A throw-away case in the cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheEntry {
    /// Digest over everything that decides its records.
    pub key: String,
    /// The evidence it was made of, as named.
    pub evidence: String,
    /// Bytes on disk.
    pub bytes: u64,
    /// When it was last used, in seconds since 1970 UTC.
    pub used_s: i64,
}

/// A throw-away case that was opened.
pub(crate) struct Thrown {
    pub(crate) case: Case,
    pub(crate) unread: Vec<Partial>,
    pub(crate) temporary: Option<TempDir>,
}

/// What lies beside a throw-away case.
#[derive(Debug, Default, Serialize, Deserialize)]
struct About {
    evidence: String,
    unread: Vec<UnreadPath>,
}

#[derive(Debug, Serialize, Deserialize)]
struct UnreadPath {
    path: String,
    what: String,
}

/// A file as the key sees it.
struct Input {
    shown: String,
    sha256: String,
}

impl Cache {
    /// Names a cache; nothing is created yet. A size limit of 0 is none.
    pub fn new(dir: Option<PathBuf>, size_limit: u64) -> Cache {
        Cache { dir, size_limit }
    }

    /// Lists the throw-away cases, the most recently used first.
    ///
    /// # Errors
    /// If the folder is there but cannot be listed.
    pub fn list(&self) -> Result<Vec<CacheEntry>, Error> {
        let Some(cases) = self.cases() else {
            return Ok(Vec::new());
        };
        let listing = match fs::read_dir(&cases) {
            Ok(listing) => listing,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable("list", &cases, error)),
        };
        let mut entries = Vec::new();
        for item in listing.flatten() {
            let path = item.path();
            if !Case::is_case(&path) {
                continue;
            }
            let about = read_about(&path);
            let used_s = fs::metadata(path.join(USED)).map_or(0, |meta| meta.mtime());
            entries.push(CacheEntry {
                key: item.file_name().to_string_lossy().into_owned(),
                evidence: about.evidence,
                bytes: folder_bytes(&path),
                used_s,
            });
        }
        entries.sort_by(|a, b| b.used_s.cmp(&a.used_s).then(a.key.cmp(&b.key)));
        Ok(entries)
    }

    /// Removes all throw-away cases and everything remembered; returns how many cases went.
    ///
    /// # Errors
    /// If something cannot be removed.
    pub fn purge(&self) -> Result<usize, Error> {
        let entries = self.list()?;
        if let Some(dir) = &self.dir {
            for name in ["cases", "spool"] {
                remove(&dir.join(name))?;
            }
            match fs::remove_file(dir.join(DIGESTS)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(unreadable("remove", &dir.join(DIGESTS), error));
                }
                _ => {}
            }
        }
        Ok(entries.len())
    }

    fn cases(&self) -> Option<PathBuf> {
        self.dir.as_ref().map(|dir| dir.join("cases"))
    }

    /// Opens the throw-away case of some evidence, making it if needed.
    pub(crate) fn open(&self, path: &Path, options: &IngestOptions) -> Result<Thrown, Error> {
        if path == Path::new(STDIN) {
            return self.open_stdin(options);
        }
        let Some(cases) = self.cases() else {
            return build_temporary(None, path, options);
        };
        private_folder(&cases)?;
        let key = self.key(path, options)?;
        let folder = cases.join(&key);
        if Case::is_case(&folder)
            && let Ok(case) = Case::open(&folder)
        {
            touch(&folder);
            let unread = to_partial(read_about(&folder).unread);
            return Ok(Thrown {
                case,
                unread,
                temporary: None,
            });
        }
        // Built beside its place and moved there as a whole: two that ask at once do not meet.
        let thrown = build_temporary(Some(&cases), path, options)?;
        let Some(temporary) = thrown.temporary else {
            return Ok(thrown);
        };
        let about = About {
            evidence: shown(path),
            unread: thrown
                .unread
                .iter()
                .map(|part| UnreadPath {
                    path: part.source.clone(),
                    what: part.what.clone(),
                })
                .collect(),
        };
        let built = temporary.path().join("case");
        write_about(&built, &about)?;
        touch(&built);
        let case = match fs::rename(&built, &folder) {
            Ok(()) => Case::open(&folder)?,
            // Somebody else was faster: theirs is the same.
            Err(_) if Case::is_case(&folder) => Case::open(&folder)?,
            Err(error) => return Err(unreadable("write", &folder, error)),
        };
        self.forget_least_used(&key)?;
        Ok(Thrown {
            case,
            unread: thrown.unread,
            temporary: None,
        })
    }

    /// Standard input cannot be read twice: it is kept in a file while its case lives.
    fn open_stdin(&self, options: &IngestOptions) -> Result<Thrown, Error> {
        let spool = self.dir.as_ref().map(|dir| dir.join("spool"));
        if let Some(spool) = &spool {
            private_folder(spool)?;
        }
        let temporary = temporary_in(spool.as_deref())?;
        let file = temporary.path().join("stdin");
        let mut out = File::create_new(&file).map_err(|e| unreadable("write", &file, e))?;
        io::copy(&mut io::stdin().lock(), &mut out).map_err(|e| unreadable("write", &file, e))?;
        drop(out);
        let folder = temporary.path().join("case");
        let (case, unread) = build(&folder, &file, options)?;
        let _ = fs::remove_file(&file);
        Ok(Thrown {
            case,
            unread,
            temporary: Some(temporary),
        })
    }

    /// Returns the digest over everything that decides the records.
    fn key(&self, path: &Path, options: &IngestOptions) -> Result<String, Error> {
        let overlaid;
        let parser = if options.formats_overlay.is_empty() {
            formats::Catalogue::builtin().parser_version()
        } else {
            overlaid = formats::Catalogue::with_overlay(&options.formats_overlay)
                .map_err(|error| Error::wrap(ErrorKind::Request, error))?;
            overlaid.parser_version()
        };
        // A configuration is its content, wherever it lies.
        let network = options.network.as_deref();
        let network = network.map(ingest::network_named).transpose()?;
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        add("coroner throw-away case 1");
        add(&case::FORMAT_VERSION.to_string());
        add(parser);
        add(&format!(
            "{:?}",
            (
                &options.node,
                &options.zone,
                options.year,
                &options.log_format,
                &options.as_name,
                &network,
                options.keep_dumps,
            )
        ));
        for input in self.digests(path)? {
            add(&input.shown);
            add(&input.sha256);
        }
        Ok(hex(&hash.finalize())[..32].to_owned())
    }

    /// Returns every file's digest, hashing only files that changed since they were last seen.
    fn digests(&self, path: &Path) -> Result<Vec<Input>, Error> {
        let store = self.dir.as_ref().map(|dir| dir.join(DIGESTS));
        let mut known: BTreeMap<String, String> = store
            .as_ref()
            .and_then(|store| fs::read(store).ok())
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let mut changed = false;
        let mut inputs = Vec::new();
        for item in evidence::walk(&[path.to_path_buf()]) {
            match item {
                Found::Problem { path, error } => inputs.push(Input {
                    shown: shown(&path),
                    sha256: format!("unread: {error}"),
                }),
                Found::File { path, shown } => {
                    let Ok(meta) = fs::metadata(&path) else {
                        continue;
                    };
                    let absolute = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
                    let identity = format!(
                        "{}|{}|{}.{:09}|{}:{}",
                        absolute.display(),
                        meta.len(),
                        meta.mtime(),
                        meta.mtime_nsec(),
                        meta.dev(),
                        meta.ino()
                    );
                    let sha256 = match known.get(&identity) {
                        Some(sha256) => sha256.clone(),
                        None => match hash_file(&path) {
                            Ok(sha256) => {
                                changed = true;
                                known.insert(identity, sha256.clone());
                                sha256
                            }
                            Err(error) => format!("unread: {error}"),
                        },
                    };
                    inputs.push(Input { shown, sha256 });
                }
            }
        }
        if let (true, Some(store)) = (changed, store) {
            remember(&store, &known);
        }
        Ok(inputs)
    }

    /// Removes the least recently used cases beyond the size limit, never `key`.
    fn forget_least_used(&self, key: &str) -> Result<(), Error> {
        let Some(cases) = self.cases().filter(|_| self.size_limit > 0) else {
            return Ok(());
        };
        remove_abandoned(&cases);
        let mut total = 0;
        for entry in self.list()? {
            total += entry.bytes;
            if total > self.size_limit && entry.key != key {
                remove(&cases.join(&entry.key))?;
            }
        }
        Ok(())
    }
}

const ABOUT: &str = "throw-away.json";
const BUILDING: &str = ".building-";
const USED: &str = "throw-away.used";
const DIGESTS: &str = "digests.json";

fn build_temporary(
    beside: Option<&Path>,
    path: &Path,
    options: &IngestOptions,
) -> Result<Thrown, Error> {
    let temporary = temporary_in(beside)?;
    let (case, unread) = build(&temporary.path().join("case"), path, options)?;
    Ok(Thrown {
        case,
        unread,
        temporary: Some(temporary),
    })
}

/// Reads evidence into a new case.
fn build(
    folder: &Path,
    path: &Path,
    options: &IngestOptions,
) -> Result<(Case, Vec<Partial>), Error> {
    let mut writer = CaseWriter::open_or_create(folder)?;
    let report = ingest::ingest(
        &mut writer,
        &[path.to_path_buf()],
        options,
        &mut ingest::Quiet,
    )?;
    let unread = report
        .problems
        .into_iter()
        .filter(|problem| problem.unread)
        .map(|problem| Partial {
            source: problem.path,
            byte: None,
            what: problem.what,
        })
        .collect();
    drop(writer);
    Ok((Case::open(folder)?, unread))
}

fn temporary_in(folder: Option<&Path>) -> Result<TempDir, Error> {
    let made = match folder {
        Some(folder) => tempfile::Builder::new().prefix(BUILDING).tempdir_in(folder),
        None => tempfile::Builder::new().prefix("coroner-").tempdir(),
    };
    made.map_err(|error| unreadable("write into", folder.unwrap_or(Path::new("/tmp")), error))
}

/// Removes what a killed run left half built: a day is longer than any run takes.
fn remove_abandoned(cases: &Path) {
    const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);
    let Ok(listing) = fs::read_dir(cases) else {
        return;
    };
    for item in listing.flatten() {
        let half_built = item.file_name().to_string_lossy().starts_with(BUILDING);
        let modified = item.metadata().and_then(|meta| meta.modified());
        let old = modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > DAY));
        if half_built && old {
            let _ = fs::remove_dir_all(item.path());
        }
    }
}

fn private_folder(folder: &Path) -> Result<(), Error> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| {
            unreadable("create", folder, error).with_hint(
                "throw-away cases lie in the cache; set XDG_CACHE_HOME to a folder you may write",
            )
        })
}

fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(unreadable("remove", folder, error))
        }
        _ => Ok(()),
    }
}

fn to_partial(unread: Vec<UnreadPath>) -> Vec<Partial> {
    unread
        .into_iter()
        .map(|part| Partial {
            source: part.path,
            byte: None,
            what: part.what,
        })
        .collect()
}

fn read_about(folder: &Path) -> About {
    fs::read(folder.join(ABOUT))
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}

fn write_about(folder: &Path, about: &About) -> Result<(), Error> {
    let path = folder.join(ABOUT);
    let text = serde_json::to_vec(about).expect("plain values serialise");
    fs::write(&path, text).map_err(|error| unreadable("write", &path, error))
}

/// Marks a case as used now. Failing costs only its place in the queue.
fn touch(folder: &Path) {
    let _ = fs::write(folder.join(USED), b"");
}

/// Replaces the file of digests in one step. Failing costs only a second hashing.
fn remember(store: &Path, known: &BTreeMap<String, String>) {
    const KEPT: usize = 100_000;
    let text = if known.len() > KEPT {
        serde_json::to_vec(&BTreeMap::<String, String>::new())
    } else {
        serde_json::to_vec(known)
    };
    let (Ok(text), Some(folder)) = (text, store.parent()) else {
        return;
    };
    if let Ok(temp) = tempfile::NamedTempFile::new_in(folder)
        && fs::write(temp.path(), text).is_ok()
    {
        let _ = temp.persist(store);
    }
}

fn hash_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..read]);
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn folder_bytes(folder: &Path) -> u64 {
    let Ok(listing) = fs::read_dir(folder) else {
        return 0;
    };
    listing
        .flatten()
        .map(|item| match item.metadata() {
            Ok(meta) if meta.is_dir() => folder_bytes(&item.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}
