//! Opening evidence: a case, or plain evidence through a throw-away case.

use crate::originals::Originals;
use crate::partial::{self, LookedAt, Partial};
use crate::{Cache, Error, ErrorKind, TimeContext, TimeSpec, Window, Zone};
use case::{Case, Manifest, SourceStatus};
use ingest::IngestOptions;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The name of standard input among paths.
pub const STDIN: &str = "-";

/// How evidence is opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Where throw-away cases are kept between questions; `None`: nowhere, each is built anew.
    pub cache_dir: Option<PathBuf>,
    /// Beyond this many bytes the least recently used throw-away cases go; 0: no limit.
    pub cache_size: u64,
    /// How plain evidence is read. What changes records is part of the throw-away case's key.
    pub ingest: IngestOptions,
}

/// Evidence that can be asked.
#[derive(Debug)]
pub struct Evidence {
    pub(crate) case: Case,
    /// Whether the case is one that the user keeps.
    kept: bool,
    /// The path as the user wrote it.
    named: PathBuf,
    /// Paths that gave nothing at all.
    unread: Vec<Partial>,
    /// A case that lives as long as this value.
    _temporary: Option<TempDir>,
    pub(crate) originals: Originals,
}

impl Evidence {
    /// Opens a case folder, or plain evidence: a file, a folder, or `-` for standard input.
    ///
    /// # Errors
    /// If there is no such path, nothing in it is evidence, or a case in it cannot be read.
    pub fn open(path: impl AsRef<Path>, options: &OpenOptions) -> Result<Evidence, Error> {
        let path = path.as_ref();
        if Case::is_case(path) {
            return Ok(Evidence {
                case: Case::open(path)?,
                kept: true,
                named: path.to_path_buf(),
                unread: Vec::new(),
                _temporary: None,
                originals: Originals::default(),
            });
        }
        exists(path)?;
        let cache = Cache::new(options.cache_dir.clone(), options.cache_size);
        let thrown = cache.open(path, &options.ingest)?;
        let evidence = Evidence {
            case: thrown.case,
            kept: false,
            named: path.to_path_buf(),
            unread: thrown.unread,
            _temporary: thrown.temporary,
            originals: Originals::default(),
        };
        if evidence.manifest().sources.is_empty() {
            return Err(nothing_readable(path, &evidence.unread));
        }
        Ok(evidence)
    }

    /// Opens a case folder only.
    ///
    /// # Errors
    /// If the path is no case.
    pub fn open_case(path: impl AsRef<Path>) -> Result<Evidence, Error> {
        let path = path.as_ref();
        exists(path)?;
        Ok(Evidence {
            case: Case::open(path)?,
            kept: true,
            named: path.to_path_buf(),
            unread: Vec::new(),
            _temporary: None,
            originals: Originals::default(),
        })
    }

    /// Returns the case behind the evidence.
    pub fn case(&self) -> &Case {
        &self.case
    }

    /// Returns what the case holds.
    pub fn manifest(&self) -> &Manifest {
        self.case.manifest()
    }

    /// Whether the user keeps the case (it is not a throw-away one).
    pub fn is_kept(&self) -> bool {
        self.kept
    }

    /// Returns the root digest over sources, segments, notes and versions, in hex.
    ///
    /// # Errors
    /// If the case cannot be read.
    pub fn seal(&self) -> Result<String, Error> {
        Ok(self.case.seal())
    }

    /// Returns the path as it was named.
    pub fn named(&self) -> &Path {
        &self.named
    }

    /// Returns the parts of the evidence that could not be read.
    pub fn partial(&self) -> Vec<Partial> {
        let damage = partial::damage(self.manifest());
        let mut parts = self.unread.clone();
        parts.retain(|part| !damage.contains(part));
        parts.extend(damage);
        parts
    }

    /// Says how hard an answer looked.
    pub fn looked_at(&self, window: &Window, missing_kinds: &[String]) -> LookedAt {
        partial::looked_at(self.manifest(), window, missing_kinds)
    }

    /// Returns the names of the networks in the evidence, sorted.
    pub fn networks(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .manifest()
            .processes
            .iter()
            .filter_map(|process| process.network.clone())
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Returns the newest time that is solved (not assumed) and no outlier: what `-3h` counts from.
    pub fn newest_trusted_us(&self) -> Option<i64> {
        let mut newest: Vec<i64> = self
            .manifest()
            .sources
            .iter()
            .filter(|source| source.status != SourceStatus::Skipped)
            .filter(|source| {
                !source.pieces.is_empty()
                    && source
                        .pieces
                        .iter()
                        .all(|piece| !matches!(piece.basis.as_str(), "assumed" | "none"))
            })
            .filter_map(|source| source.last_ts_us)
            .collect();
        newest.sort_unstable();
        // A stray year puts one source far beyond the others: further than a month and ten times the
        // spread of the earlier half.
        const MONTH_US: i64 = 30 * model::time::MICROS_PER_DAY;
        let median = *newest.get(newest.len().saturating_sub(1) / 2)?;
        let spread = median.saturating_sub(newest[0]);
        let limit = median.saturating_add(spread.saturating_mul(10).max(MONTH_US));
        newest.into_iter().rfind(|us| *us <= limit)
    }

    /// Returns a network that the case was told about.
    fn kept_network(&self, name: &str) -> Option<chain::Network> {
        let mut kept = self.manifest().networks.iter();
        let kept = kept.find(|network| network.name == name)?;
        let network =
            chain::Network::from_config_yaml(&kept.config, Some(kept.genesis_time_s)).ok()?;
        Some(chain::Network {
            name: kept.name.clone(),
            ..network
        })
    }

    /// Resolves the ends of a window as typed.
    ///
    /// # Errors
    /// As [`Window::resolve`], and if the network is unknown.
    pub fn window(
        &self,
        from: Option<TimeSpec>,
        to: Option<TimeSpec>,
        zone: Zone,
        network: Option<&str>,
    ) -> Result<Window, Error> {
        let seen = self.networks();
        let network = match (network, seen.as_slice()) {
            (Some(name), _) => match self.kept_network(name) {
                Some(kept) => Some(kept),
                None => Some(chain::Network::clone(&ingest::network_named(name)?.network)),
            },
            (None, [only]) => self
                .kept_network(only)
                .or_else(|| chain::Network::by_name(only).cloned()),
            _ => None,
        };
        let context = TimeContext {
            zone,
            network: network.as_ref(),
            networks_seen: &seen,
            newest_us: self.newest_trusted_us(),
        };
        Window::resolve(from, to, &context)
    }
}

/// Refuses a path that is not there, with a word on what was probably meant.
pub(crate) fn exists(path: &Path) -> Result<(), Error> {
    if path == Path::new(STDIN) {
        return Ok(());
    }
    if let Some(url) = path.to_str().filter(|text| dumps::LiveTarget::is_url(text)) {
        return Err(Error::request(format!(
            "{} is a live database: it is read into a case, nothing of it stays in a cache",
            dumps::redacted(url)
        ))
        .with_hint("coroner ingest CASE URL, then ask the case"));
    }
    match std::fs::metadata(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Error::request(format!(
            "there is no file or folder {}",
            shown(path)
        ))),
        Err(error) => Err(unreadable("open", path, error)),
    }
}

pub(crate) fn shown(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    model::escape_control(path.as_os_str().as_bytes())
}

pub(crate) fn unreadable(action: &str, path: &Path, error: std::io::Error) -> Error {
    #[derive(Debug, thiserror::Error)]
    #[error("cannot {action} {path}")]
    struct OnPath {
        action: String,
        path: String,
        source: std::io::Error,
    }
    Error::wrap(
        ErrorKind::Unreadable,
        OnPath {
            action: action.to_owned(),
            path: shown(path),
            source: error,
        },
    )
}

fn nothing_readable(path: &Path, unread: &[Partial]) -> Error {
    let message = match unread {
        [] => format!("no evidence in {}", shown(path)),
        [only] => format!("nothing could be read: {only}"),
        [first, rest @ ..] => format!("nothing could be read: {first} (and {} more)", rest.len()),
    };
    Error::new(ErrorKind::Unreadable, message)
        .with_hint("name a log, a database dump, or a folder that holds some")
}
