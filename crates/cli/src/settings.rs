//! What a run was told: options everywhere and the environment, converted once. No clap in here.

use crate::args::{FormatArg, Globals, ProgressWhen, When};
use coroner::{Error, LiveLogin, OpenOptions, Secret, TimeSpec, Zone};
use report::Format;
use std::io::IsTerminal;
use std::path::PathBuf;

/// Facts that only the terminal crate may ask for.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub(crate) cache_home: Option<PathBuf>,
    pub(crate) no_color: bool,
    pub(crate) dumb_terminal: bool,
    pub(crate) stdout_terminal: bool,
    pub(crate) stderr_terminal: bool,
    pub(crate) width: usize,
    pub(crate) user: String,
    /// Without the passwords of databases.
    pub(crate) command_line: String,
    /// Who asks a database, where its URL does not say it.
    login: LiveLogin,
    password_file: Option<PathBuf>,
}

impl Environment {
    /// Reads the environment: the only place that does.
    pub(crate) fn read() -> Environment {
        let path = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let text = |name: &str| std::env::var(name).unwrap_or_default();
        let given = |name: &str| Some(text(name)).filter(|value| !value.is_empty());
        let cache_home = path("XDG_CACHE_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| path("HOME").map(|home| home.join(".cache")));
        let words: Vec<String> = std::env::args_os()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        Environment {
            cache_home,
            no_color: !text("NO_COLOR").is_empty(),
            dumb_terminal: text("TERM") == "dumb",
            stdout_terminal: std::io::stdout().is_terminal(),
            stderr_terminal: std::io::stderr().is_terminal(),
            width: terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0)),
            user: [text("USER"), text("LOGNAME")]
                .into_iter()
                .find(|name| !name.is_empty())
                .unwrap_or_else(|| "unknown".into()),
            command_line: words
                .iter()
                .map(|word| coroner::redacted(word))
                .collect::<Vec<_>>()
                .join(" "),
            login: LiveLogin {
                password: given("PGPASSWORD").map(Secret::new),
                password_file: None,
                user: given("PGUSER").or_else(|| given("USER")),
                host: given("PGHOST"),
                ssl: [
                    ("PGSSLMODE", "sslmode"),
                    ("PGSSLROOTCERT", "sslrootcert"),
                    ("PGSSLCERT", "sslcert"),
                    ("PGSSLKEY", "sslkey"),
                ]
                .into_iter()
                .filter_map(|(variable, option)| Some((option, given(variable)?)))
                .collect(),
            },
            password_file: path("PGPASSFILE")
                .or_else(|| path("HOME").map(|home| home.join(".pgpass"))),
        }
    }
}

impl Environment {
    /// Returns who asks a database. The password file is read only now, and only if nobody else may: PostgreSQL's
    /// own programs ignore others, too.
    pub(crate) fn login(&self) -> LiveLogin {
        use std::os::unix::fs::PermissionsExt as _;
        let mut login = self.login.clone();
        let private = |path: &PathBuf| {
            let data = std::fs::metadata(path).ok();
            data.is_some_and(|data| data.is_file() && data.permissions().mode() & 0o077 == 0)
        };
        if let Some(path) = self.password_file.as_ref().filter(|path| private(path)) {
            login.password_file = std::fs::read_to_string(path).ok().map(Secret::new);
        }
        login
    }
}

/// Options everywhere, as plain data.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) format: Option<Format>,
    pub(crate) output: Option<PathBuf>,
    pub(crate) force: bool,
    pub(crate) zone: Zone,
    pub(crate) zone_given: bool,
    pub(crate) from: Option<TimeSpec>,
    pub(crate) to: Option<TimeSpec>,
    pub(crate) network: Option<String>,
    pub(crate) snapshot: Option<String>,
    pub(crate) color: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: u8,
    pub(crate) progress: bool,
    pub(crate) threads: usize,
    pub(crate) memory: Option<u64>,
    pub(crate) cache_size: u64,
    pub(crate) environment: Environment,
}

const DEFAULT_CACHE_SIZE: u64 = 20 << 30;

impl Settings {
    /// Converts what was typed.
    pub(crate) fn new(globals: &Globals, environment: Environment) -> Result<Settings, Error> {
        let output = globals
            .output
            .clone()
            .filter(|path| path.as_os_str() != "-");
        let format = globals.format.map(|format| match format {
            FormatArg::Table => Format::Table,
            FormatArg::Json => Format::Json,
            FormatArg::Jsonl => Format::Jsonl,
            FormatArg::Csv => Format::Csv,
            FormatArg::Md => Format::Md,
            FormatArg::Parquet => Format::Parquet,
            FormatArg::Chat => Format::Chat,
        });
        let color = match globals.color {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                environment.stdout_terminal && !environment.no_color && !environment.dumb_terminal
            }
        };
        Ok(Settings {
            format: match format {
                None => output.as_deref().map(format_of_file).transpose()?.flatten(),
                given => given,
            },
            force: globals.force,
            zone: globals.tz.as_deref().map_or(Ok(Zone::UTC), str::parse)?,
            zone_given: globals.tz.is_some(),
            from: globals.from.as_deref().map(str::parse).transpose()?,
            to: globals.to.as_deref().map(str::parse).transpose()?,
            network: globals.network.clone(),
            snapshot: globals.snapshot.clone(),
            color: color && output.is_none(),
            output,
            quiet: globals.quiet,
            verbose: globals.verbose,
            progress: globals.progress == ProgressWhen::Auto
                && environment.stderr_terminal
                && !globals.quiet,
            threads: globals.threads,
            memory: globals.memory.as_deref().map(size).transpose()?,
            cache_size: globals
                .cache_size
                .as_deref()
                .map_or(Ok(DEFAULT_CACHE_SIZE), size)?,
            environment,
        })
    }

    /// Returns the cache folder, if there is a home for one.
    pub(crate) fn cache_dir(&self) -> Option<PathBuf> {
        self.environment
            .cache_home
            .as_ref()
            .map(|home| home.join("coroner"))
    }

    /// Returns how evidence is opened.
    pub(crate) fn open_options(&self) -> OpenOptions {
        let mut options = OpenOptions {
            cache_dir: self.cache_dir(),
            cache_size: self.cache_size,
            ..OpenOptions::default()
        };
        options.ingest.network = self.network.clone();
        options.ingest.threads = self.threads;
        options
    }
}

/// The form that a file's ending asks for; `None` where it asks for none.
fn format_of_file(path: &std::path::Path) -> Result<Option<Format>, Error> {
    let ending = path
        .extension()
        .map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    Ok(Some(match ending.as_deref() {
        Some("json") => Format::Json,
        Some("jsonl" | "ndjson") => Format::Jsonl,
        Some("csv") => Format::Csv,
        Some("md" | "markdown") => Format::Md,
        Some("parquet") => Format::Parquet,
        Some("txt") => Format::Table,
        Some(ending @ ("html" | "htm" | "svg" | "png")) => {
            return Err(Error::new(
                coroner::ErrorKind::NotAvailable,
                format!("writing .{ending} comes with a later version"),
            )
            .with_hint("write .md, .json, .jsonl, .csv or .txt"));
        }
        _ => return Ok(None),
    }))
}

/// Reads `512M`, `2G`, `20GiB` or bytes.
pub(crate) fn size(text: &str) -> Result<u64, Error> {
    let wrong = || {
        Error::request(format!("`{text}` is not a size")).with_hint("write a size as 512M or 2G")
    };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text[digits.len()..].to_ascii_lowercase();
    let shift = match unit.trim_end_matches("ib").trim_end_matches('b') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err(wrong()),
    };
    digits
        .trim()
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("300M", 300 << 20),
            ("2G", 2 << 30),
            ("20GiB", 20 << 30),
            ("7", 7),
            ("1kB", 1024),
        ] {
            assert_eq!(size(text).expect(text), bytes);
        }
        for text in ["", "G", "1X", "-1", "1.5G"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
