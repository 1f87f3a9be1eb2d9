//! A live PostgreSQL, read once into the text of a plain dump.
//!
//! Everything is read in one REPEATABLE READ, READ ONLY transaction: all tables show the same instant, nothing
//! is written, no lock is held that a server would notice but the one that forbids dropping a table that is
//! being read. Rows stream by COPY; memory holds one row. What comes out is a plain dump of our own, so that a
//! live database is a source like any other: it is kept, hashed, referred to and read again.
//!
//! Over the network it is read through TLS wherever the server offers it; `sslmode` says more, as for psql.

mod catalog;
mod target;
mod tls;

pub use target::{LiveLogin, LiveTarget, Secret, redacted};

use catalog::{Relation, quoted};
use postgres::{Client, IsolationLevel, NoTls, Transaction};
use std::fmt::Write as _;
use std::io::{self, BufRead, Write};
use std::time::Duration;
use tokio_postgres_rustls::MakeRustlsConnect;

/// A table that somebody locks is given up after this long.
const LOCK_TIMEOUT_MS: u64 = 10_000;
/// A server that does not answer is given up after this long, where the URL says nothing else.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What is read.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// Only tables of which one of these says the name (`eth_txs*`, `prover.*`); all if there is none.
    pub tables: Vec<String>,
    /// Seconds that one table may take; 0 for any time.
    pub statement_timeout_s: u64,
}

impl Default for LiveOptions {
    fn default() -> Self {
        LiveOptions {
            tables: Vec::new(),
            statement_timeout_s: 600,
        }
    }
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveFacts {
    /// The database's name.
    pub database: String,
    /// PostgreSQL's version.
    pub server_version: String,
    /// The instant that all tables show, in microseconds since 1970 UTC, by the server's clock.
    pub taken_at_us: i64,
    /// Tables of which rows were read.
    pub tables: u64,
    /// What could not be read.
    pub problems: Vec<LiveProblem>,
}

/// A table that could not be read, or not wholly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveProblem {
    /// Where in the text its rows end.
    pub byte: u64,
    /// What happened, with the table.
    pub what: String,
}

/// What stops a live reading.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// The URL cannot be understood.
    #[error("cannot understand the database's URL {shown}: {what}")]
    Url {
        /// The URL without its password.
        shown: String,
        /// Why.
        what: String,
    },
    /// The server cannot be reached, or refuses.
    #[error("cannot connect to {shown}")]
    Connect {
        /// The URL without its password.
        shown: String,
        /// Why.
        #[source]
        source: postgres::Error,
    },
    /// The server fails before any table is read.
    #[error("cannot read the catalogue of {shown}")]
    Catalogue {
        /// The URL without its password.
        shown: String,
        /// Why.
        #[source]
        source: postgres::Error,
    },
    /// No table has such a name.
    #[error("no table of {shown} is called {wanted} (there are {known})")]
    NoTable {
        /// The URL without its password.
        shown: String,
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
    /// The text cannot be written.
    #[error("cannot keep what was read from the database")]
    Write(#[source] io::Error),
    /// The caller wanted an end.
    #[error("stopped")]
    Stopped,
}

/// Reads a database into `out`, as the text of a plain dump. `go_on` hears how many bytes were written, and says
/// whether to go on.
///
/// # Errors
/// What stops the reading as a whole; tables that cannot be read are in the facts.
pub fn read_live(
    target: &LiveTarget,
    options: &LiveOptions,
    out: &mut dyn Write,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<LiveFacts, LiveError> {
    let shown = || target.shown().to_owned();
    let connect = |source| LiveError::Connect {
        shown: shown(),
        source,
    };
    let catalogue = |source| LiveError::Catalogue {
        shown: shown(),
        source,
    };
    let mut config = target.config().clone();
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    let connected = match target.tls() {
        Some(tls) => config.connect(MakeRustlsConnect::new(tls.clone())),
        None => config.connect(NoTls),
    };
    let mut client: Client = connected.map_err(connect)?;
    let mut transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .map_err(catalogue)?;
    transaction
        .batch_execute(&settings(options))
        .map_err(catalogue)?;
    let server = catalog::server(&mut transaction).map_err(catalogue)?;
    let domains = catalog::domains(&mut transaction).map_err(catalogue)?;
    let all = catalog::relations(&mut transaction, server.version_number).map_err(catalogue)?;
    let wanted = choose(&all, options, target)?;
    let mut text = Text {
        out,
        bytes: 0,
        go_on,
    };
    text.put(&head(&server, target))?;
    for (name, base) in &domains {
        text.put(&format!("CREATE DOMAIN {name} AS {base};\n\n"))?;
    }
    let mut facts = LiveFacts {
        database: server.database.clone(),
        server_version: server.version.clone(),
        taken_at_us: server.now_us,
        ..LiveFacts::default()
    };
    // Before any rows: who reads knows then which tables show them.
    for relation in &wanted {
        text.put(&relation.create_table())?;
    }
    for parent in &wanted {
        for child in wanted.iter().filter(|child| parent.is_parent_of(child)) {
            text.put(&parent.inherit(child))?;
        }
    }
    for relation in wanted {
        let read = table(&mut transaction, relation, &mut text)?;
        if let Err(what) = read {
            let what = format!("table {}: {what}", relation.shown());
            text.put(&format!(
                "-- Coroner: {}\n\n",
                what.replace(['\n', '\r'], " ")
            ))?;
            facts.problems.push(LiveProblem {
                byte: text.bytes,
                what,
            });
        } else if relation.holds_rows() {
            facts.tables += 1;
        }
    }
    text.put("--\n-- PostgreSQL database dump complete\n--\n\n")?;
    text.out.flush().map_err(LiveError::Write)?;
    Ok(facts)
}

/// How this session prints, and how long it waits.
fn settings(options: &LiveOptions) -> String {
    format!(
        "SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}; \
         SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL search_path = ''; \
         SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'postgres'; \
         SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex'; SET LOCAL row_security = off",
        options
            .statement_timeout_s
            .saturating_mul(1000)
            .min(i32::MAX as u64)
    )
}

fn choose<'r>(
    all: &'r [Relation],
    options: &LiveOptions,
    target: &LiveTarget,
) -> Result<Vec<&'r Relation>, LiveError> {
    if options.tables.is_empty() {
        return Ok(all.iter().collect());
    }
    let says = |pattern: &String, relation: &Relation| {
        model::glob(pattern, &relation.name) || model::glob(pattern, &relation.shown_in_full())
    };
    for pattern in &options.tables {
        if !all.iter().any(|relation| says(pattern, relation)) {
            let known: Vec<String> = all.iter().take(40).map(Relation::shown).collect();
            return Err(LiveError::NoTable {
                shown: target.shown().to_owned(),
                wanted: pattern.clone(),
                known: known.join(", "),
            });
        }
    }
    let mut chosen: Vec<bool> = all
        .iter()
        .map(|relation| options.tables.iter().any(|pattern| says(pattern, relation)))
        .collect();
    // With a table come those whose rows it shows: a partitioned one has none of its own.
    let mut above: Vec<usize> = (0..all.len()).filter(|&at| chosen[at]).collect();
    while let Some(parent) = above.pop() {
        for (at, child) in all.iter().enumerate() {
            if !chosen[at] && all[parent].is_parent_of(child) {
                chosen[at] = true;
                above.push(at);
            }
        }
    }
    let chosen = all.iter().zip(chosen).filter(|(_, chosen)| *chosen);
    Ok(chosen.map(|(relation, _)| relation).collect())
}

/// What a dump begins with. The address says where it comes from, never with which password.
fn head(server: &catalog::Server, target: &LiveTarget) -> String {
    let mut text = format!(
        "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version {}\n\
         -- Dumped by Coroner, live from {}\n\n-- Started on {} +00:00\n\n",
        server.version,
        target.shown().replace(['\n', '\r'], " "),
        model::time::format_civil(server.now_us).replace('T', " "),
    );
    let _ = write!(
        text,
        "SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\n\\connect {}\n\n",
        quoted(&server.database)
    );
    text
}

/// Reads one table; the inner error says what went wrong with it alone.
fn table(
    transaction: &mut Transaction<'_>,
    relation: &Relation,
    text: &mut Text<'_>,
) -> Result<Result<(), String>, LiveError> {
    if let Some(why) = relation.unreadable() {
        return Ok(Err(why.to_owned()));
    }
    if !relation.holds_rows() {
        return Ok(Ok(()));
    }
    // A table that fails must not end the transaction: the others are to show the same instant.
    if let Err(error) = transaction.batch_execute("SAVEPOINT coroner") {
        return Ok(Err(reason(&error)));
    }
    text.put(&relation.copy_head())?;
    let rows = match transaction.copy_out(&relation.copy_out()) {
        Ok(mut reader) => pass(&mut reader, text)?,
        Err(error) => Err((0, reason(&error))),
    };
    text.put("\\.\n\n\n")?;
    let end = match rows {
        Ok(()) => "RELEASE SAVEPOINT coroner",
        Err(_) => "ROLLBACK TO SAVEPOINT coroner",
    };
    let ended = transaction.batch_execute(end);
    Ok(match (rows, ended) {
        (Err((rows, what)), _) => Err(format!("reading stopped after {rows} rows: {what}")),
        (Ok(()), Err(error)) => Err(reason(&error)),
        (Ok(()), Ok(())) => Ok(()),
    })
}

/// Passes rows on; the inner error says after how many rows the server stopped, and why.
fn pass(
    reader: &mut dyn BufRead,
    text: &mut Text<'_>,
) -> Result<Result<(), (u64, String)>, LiveError> {
    let mut rows = 0;
    loop {
        let length = match reader.fill_buf() {
            Ok([]) => return Ok(Ok(())),
            Ok(bytes) => {
                text.bytes(bytes)?;
                rows += memchr::memchr_iter(b'\n', bytes).count() as u64;
                bytes.len()
            }
            Err(error) => {
                let what = match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                    Some(inner) => reason(inner),
                    None => error.to_string(),
                };
                return Ok(Err((rows, what)));
            }
        };
        reader.consume(length);
    }
}

/// What the server said, in its words.
fn reason(error: &postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => said.message().to_owned(),
        None => {
            let mut text = error.to_string();
            let mut cause = std::error::Error::source(error);
            while let Some(inner) = cause {
                text = format!("{text}: {inner}");
                cause = inner.source();
            }
            text
        }
    }
}

/// The text on its way out.
struct Text<'t> {
    out: &'t mut dyn Write,
    bytes: u64,
    go_on: &'t mut dyn FnMut(u64) -> bool,
}

impl Text<'_> {
    fn put(&mut self, text: &str) -> Result<(), LiveError> {
        self.bytes(text.as_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), LiveError> {
        self.out.write_all(bytes).map_err(LiveError::Write)?;
        self.bytes += bytes.len() as u64;
        match (self.go_on)(bytes.len() as u64) {
            true => Ok(()),
            false => Err(LiveError::Stopped),
        }
    }
}
