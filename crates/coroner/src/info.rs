//! `info`: what a case holds.

use crate::zones::DatabaseZone;
use crate::{Error, Evidence, Partial};
use case::{Manifest, Source, SourceKind};
use model::time::{format_offset, format_utc};
use serde::Serialize;
use std::collections::BTreeMap;

/// What a case holds.
#[derive(Clone, Debug, Serialize)]
pub struct Info {
    /// The case folder as named; null for a throw-away case.
    pub case: Option<String>,
    /// Networks of its processes.
    pub networks: Vec<String>,
    /// Sources by number.
    pub sources: Vec<InfoSource>,
    /// What was named or found and not read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<case::Skipped>,
    /// Snapshots of databases.
    pub snapshots: Vec<InfoSnapshot>,
    /// Sums.
    pub totals: Totals,
    /// What the evidence should have and lacks.
    pub gaps: Vec<Gap>,
    /// The parser of this program; a source with another one was read by another version.
    pub parser: String,
    /// What could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<Partial>,
}

/// A source.
#[derive(Clone, Debug, Serialize)]
pub struct InfoSource {
    /// `S1`.
    pub id: String,
    /// What references carry.
    pub digest: String,
    /// Where it was found.
    pub path: String,
    /// Of the decoded bytes.
    pub sha256: String,
    /// Decoded.
    pub bytes: u64,
    /// `log` or `dump`.
    pub kind: SourceKind,
    /// The format of most records, or the form of the dump; null if there is none.
    pub format: Option<String>,
    /// Records by format.
    pub formats: BTreeMap<String, u64>,
    /// The client that wrote most of it.
    pub client: Option<String>,
    /// The node it belongs to.
    pub node: Option<String>,
    /// Runs of programs in it.
    pub processes: Vec<InfoProcess>,
    /// Kinds of wrappers.
    pub wrappers: Vec<String>,
    /// The compressed file around it.
    pub container: Option<InfoContainer>,
    /// `utf-16le` or `utf-16be`, if it is that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Lines.
    pub lines: u64,
    /// Records.
    pub records: u64,
    /// Lines that continue a record.
    pub continuation_lines: u64,
    /// Blank lines, headers, brackets.
    pub framing_lines: u64,
    /// Rejected lines by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Records without a time.
    pub undated: u64,
    /// Records that another source of the same process has too and that are shown from there; null for dumps.
    pub duplicates: Option<u64>,
    /// Earliest time.
    pub first_ts: Option<String>,
    /// Latest time.
    pub last_ts: Option<String>,
    /// The zone of its stamps; of the longest piece, if they differ.
    pub zone: InfoZone,
    /// All zones, if there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<InfoZone>,
    /// What people said of it, in order; the last word of each kind counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<InfoOverride>,
    /// Version of the parser that read it.
    pub parser: String,
    /// Whether another version of the parser read it than this program would: `ingest` reads it again.
    #[serde(skip)]
    pub stale: bool,
    /// `complete`, `truncated`, `damaged` or `skipped`.
    pub status: case::SourceStatus,
    /// Damage, located.
    pub problems: Vec<case::Problem>,
}

/// What a person said of a source against what was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InfoOverride {
    /// Its node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Zone of stamps that write none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Year of stamps that write none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub year: Option<i32>,
    /// The only format that was allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<String>,
    /// The network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
}

/// The file around a source.
#[derive(Clone, Debug, Serialize)]
pub struct InfoContainer {
    /// `gzip`, `zstd`, `zip`, `tar+gzip` …
    pub kind: String,
    /// Its length.
    pub bytes: u64,
    /// Its sha256.
    pub sha256: String,
    /// How many sources were read from it, if it is an archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<u64>,
    /// The container that this one lies in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inside: Option<Box<InfoContainer>>,
}

impl InfoContainer {
    fn of(container: &case::Container) -> InfoContainer {
        InfoContainer {
            kind: container.kind.clone(),
            bytes: container.bytes,
            sha256: container.sha256.clone(),
            members: (container.members > 0).then_some(container.members),
            inside: container
                .inside
                .as_deref()
                .map(|inside| Box::new(InfoContainer::of(inside))),
        }
    }
}

/// A run of one program.
#[derive(Clone, Debug, Serialize)]
pub struct InfoProcess {
    /// Counted within its source.
    pub number: u32,
    /// The client.
    pub client: String,
    /// `beacon`, `validator`, `server` …
    pub role: Option<String>,
    /// The client's version.
    pub version: Option<String>,
    /// The network it is on.
    pub network: Option<String>,
    /// First line.
    pub first_line: u64,
    /// Last line.
    pub last_line: u64,
    /// The process of the file before that goes on here, in a rotated set: digest and number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continues: Option<String>,
}

/// A zone and how it was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InfoZone {
    /// `-07:00`; null if nobody knows.
    pub value: Option<String>,
    /// `written`, `wrapper`, `slot`, `given`, `assumed`, `none`.
    pub basis: String,
    /// How well it fits.
    pub residual_s: Option<f64>,
    /// The lines it was found by, at most eight.
    pub refs: Vec<String>,
    /// The year of stamps that write none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub year: Option<i32>,
    /// The day of the first of the stamps that write no date, `2025-01-07`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// The network whose slots it was found by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The zone of the wrapper's stamps, where they write none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrapper: Option<String>,
    /// What fits as well.
    pub alternatives: Vec<InfoAlternative>,
    /// First line it holds for, where a source has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_line: Option<u64>,
    /// Last line it holds for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_line: Option<u64>,
}

/// Another reading of the zone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InfoAlternative {
    /// `-04:00`.
    pub value: Option<String>,
    /// Year, where lines write none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub year: Option<i32>,
    /// The day of the first stamp, where lines write no date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// The network it supposes, where several fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Why it is possible.
    pub why: String,
    /// How well it fits.
    pub residual_s: Option<f64>,
}

/// A snapshot of a database.
#[derive(Clone, Debug, Serialize)]
pub struct InfoSnapshot {
    /// Name.
    pub name: String,
    /// Digest of the source.
    pub source: String,
    /// Which form of dump.
    pub kind: String,
    /// The database's name, if the dump says it.
    pub database: Option<String>,
    /// Version of its schema, as far as known: the newest applied migration.
    pub schema_version: Option<String>,
    /// What its schemas are, those that are known.
    pub schemas: Vec<InfoSchema>,
    /// The instant it shows; without `Z` if the zone is not known.
    pub as_of: Option<String>,
    /// The zone of its times without one.
    pub zone: InfoSnapshotZone,
    /// Tables in dump order.
    pub tables: Vec<InfoTable>,
}

/// What a schema of a database is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InfoSchema {
    /// Its name in the database.
    pub name: String,
    /// Newest applied migration; null where the dump has none.
    pub version: Option<String>,
    /// Whose it is, and of which releases.
    pub about: String,
    /// `_sqlx_migrations` or `columns`.
    pub basis: &'static str,
    /// What a reader should know of it.
    pub notes: Vec<String>,
}

/// The zone of a snapshot's times without one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct InfoSnapshotZone {
    /// `+00:00`; null if nobody knows, or it changed.
    pub value: Option<String>,
    /// `rows`, `logs`, `given`, or `none`.
    pub basis: String,
    /// What was compared.
    pub by: Option<String>,
    /// How far the closest row is from it.
    pub residual_s: Option<f64>,
    /// Rows that show it.
    pub witnesses: u64,
    /// Rows that were compared.
    pub rows: u64,
    /// Where the clock kept daylight-saving time: each zone and the first day that has it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<InfoZoneChange>,
}

/// From when on a zone held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InfoZoneChange {
    /// First day, UTC.
    pub from: String,
    /// `+02:00`.
    pub value: String,
}

/// A table of a snapshot.
#[derive(Clone, Debug, Serialize)]
pub struct InfoTable {
    /// `schema.name`, `public.` left out.
    pub name: String,
    /// Rows read.
    pub rows: u64,
    /// Rows that could not be read.
    pub damaged_rows: u64,
    /// What a reader should know of its rows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Sums over a case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Sources.
    pub sources: usize,
    /// Nodes by name.
    pub nodes: usize,
    /// Nodes at least and at most, as some may be one machine and others several.
    pub nodes_range: [usize; 2],
    /// Decoded bytes.
    pub bytes: u64,
    /// Lines.
    pub lines: u64,
    /// Records.
    pub records: u64,
    /// Those among them that are copies of others, in other sources of their process.
    pub duplicates: u64,
    /// Rejected lines.
    pub rejected: u64,
    /// Records without a time.
    pub undated: u64,
    /// Database tables.
    pub tables: usize,
    /// Their rows.
    pub rows: u64,
    /// Earliest time.
    pub first_ts: Option<String>,
    /// Latest time.
    pub last_ts: Option<String>,
}

/// Something that the evidence should have and lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Gap {
    /// The node; null if it is a whole export's.
    pub node: Option<String>,
    /// Its last record before, or where what is missing begins; null if nobody knows.
    pub from: Option<String>,
    /// Its first record after.
    pub to: Option<String>,
    /// `silence`, `no_start`, `restart_without_start`, `cut_export`, `level_floor`, `absent_node`.
    pub kind: &'static str,
    /// Why this is a gap.
    pub why: String,
    /// `observed` or `inferred`.
    pub basis: &'static str,
    /// Where that can be seen.
    pub refs: Vec<String>,
}

impl Evidence {
    /// Says what the evidence is.
    pub fn info(&self) -> Info {
        let manifest = self.manifest();
        let stale = ingest::stale_sources(manifest);
        Info {
            case: self.is_kept().then(|| crate::evidence::shown(self.named())),
            networks: self.networks(),
            sources: manifest
                .sources
                .iter()
                .map(|source| InfoSource {
                    stale: stale.contains(&source.digest),
                    ..info_source(manifest, source)
                })
                .collect(),
            skipped: manifest.skipped.clone(),
            snapshots: manifest
                .snapshots
                .iter()
                .map(|snapshot| info_snapshot(snapshot, self.database_zone(snapshot)))
                .collect(),
            totals: totals(manifest),
            gaps: Vec::new(),
            parser: formats::Catalogue::builtin().parser_version().to_owned(),
            partial: self.partial(),
        }
    }

    /// Returns a source of the case by `S<number>`, digest (or its beginning) or path.
    ///
    /// # Errors
    /// If there is none or more than one.
    pub fn source(&self, named: &str) -> Result<&Source, Error> {
        find_source(self.manifest(), named)
    }
}

pub(crate) fn find_source<'a>(manifest: &'a Manifest, named: &str) -> Result<&'a Source, Error> {
    let id = named.parse::<model::SourceId>().ok();
    let matches: Vec<&Source> = manifest
        .sources
        .iter()
        .filter(|source| match &id {
            Some(model::SourceId::Alias(number)) => source.number == *number,
            Some(model::SourceId::Digest(digest)) => {
                source.digest.starts_with(digest.as_str())
                    || source.sha256.starts_with(digest.as_str())
                    || digest.starts_with(source.digest.as_str())
            }
            None => source.path == named || source.path.ends_with(&format!("/{named}")),
        })
        .collect();
    match matches.as_slice() {
        [only] => Ok(only),
        [] => {
            let known: Vec<String> = manifest
                .sources
                .iter()
                .take(8)
                .map(|source| format!("S{} {}", source.number, source.path))
                .collect();
            Err(
                Error::request(format!("there is no source `{named}` in this evidence")).with_hint(
                    if known.is_empty() {
                        "the case is empty".to_owned()
                    } else {
                        format!("sources are {}", known.join(", "))
                    },
                ),
            )
        }
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|source| format!("S{} ({})", source.number, source.digest))
                .collect();
            Err(
                Error::request(format!("`{named}` could be several sources"))
                    .with_hint(format!("name one: {}", names.join(", "))),
            )
        }
    }
}

fn info_source(manifest: &Manifest, source: &Source) -> InfoSource {
    let format = source
        .formats
        .iter()
        .max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0)))
        .map(|(name, _)| name.clone())
        .or_else(|| {
            let mut snapshots = manifest.snapshots.iter();
            let of_source = snapshots.find(|snapshot| snapshot.source == source.digest)?;
            Some(of_source.kind.clone())
        });
    let (zone, zones) = zones(source);
    InfoSource {
        id: format!("S{}", source.number),
        digest: source.digest.clone(),
        path: source.path.clone(),
        sha256: source.sha256.clone(),
        bytes: source.bytes,
        kind: source.kind,
        format,
        formats: source.formats.clone(),
        client: source.client.clone(),
        node: source.node.clone(),
        processes: manifest
            .processes
            .iter()
            .filter(|process| process.source == source.digest)
            .map(|process| InfoProcess {
                number: process.number,
                client: process.client.clone(),
                role: process.role.clone(),
                version: process.version.clone(),
                network: process.network.clone(),
                first_line: process.first_line,
                last_line: process.last_line,
                continues: process
                    .continues
                    .as_ref()
                    .map(|(source, number)| format!("{source}:{number}")),
            })
            .collect(),
        wrappers: source.wrappers.clone(),
        container: source.container.as_ref().map(InfoContainer::of),
        encoding: source.encoding.clone(),
        lines: source.lines,
        records: source.records,
        continuation_lines: source.continuation_lines,
        framing_lines: source.framing_lines,
        rejected: source.rejected.clone(),
        undated: source.undated,
        duplicates: (source.kind == SourceKind::Log).then_some(source.duplicates),
        first_ts: source.first_ts_us.map(format_utc),
        last_ts: source.last_ts_us.map(format_utc),
        zone,
        zones,
        overrides: manifest
            .overrides
            .iter()
            .filter(|said| said.source == source.digest)
            .map(|said| InfoOverride {
                node: said.node.clone(),
                zone: said.zone.clone(),
                year: said.year,
                log_format: said.log_format.clone(),
                network: said.network.clone(),
            })
            .collect(),
        parser: source.parser.clone(),
        stale: false,
        status: source.status,
        problems: source.problems.clone(),
    }
}

pub(crate) fn date_of(day: i32) -> String {
    let (year, month, day) = model::time::civil_from_days(day);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The zone of the longest piece, and all of them if they differ.
fn zones(source: &Source) -> (InfoZone, Vec<InfoZone>) {
    let unknown = InfoZone {
        value: None,
        basis: "none".into(),
        residual_s: None,
        refs: Vec::new(),
        year: None,
        date: None,
        network: None,
        wrapper: None,
        alternatives: Vec::new(),
        first_line: None,
        last_line: None,
    };
    let all: Vec<InfoZone> = source
        .pieces
        .iter()
        .map(|piece| InfoZone {
            value: piece
                .zone_seconds
                .filter(|_| piece.basis != "none")
                .map(format_offset),
            basis: piece.basis.clone(),
            residual_s: piece.residual_s,
            refs: piece
                .used
                .iter()
                .map(|line| format!("{}:{line}", source.digest))
                .collect(),
            year: piece.year,
            date: piece.day.map(date_of),
            network: piece.network.clone(),
            wrapper: piece
                .wrapper_zone_seconds
                .filter(|_| !piece.by_wrapper)
                .map(format_offset),
            alternatives: piece
                .alternatives
                .iter()
                .map(|other| InfoAlternative {
                    value: other.zone_seconds.map(format_offset),
                    year: other.year,
                    date: other.day.map(date_of),
                    network: other.network.clone(),
                    why: other.why.clone(),
                    residual_s: other.residual_s,
                })
                .collect(),
            first_line: Some(piece.first_line),
            last_line: Some(piece.last_line),
        })
        .collect();
    let longest = all
        .iter()
        .rev()
        .max_by_key(|zone| {
            zone.last_line
                .unwrap_or(0)
                .saturating_sub(zone.first_line.unwrap_or(0))
        })
        .cloned();
    let mut main = longest.unwrap_or(unknown);
    (main.first_line, main.last_line) = (None, None);
    let differ = all
        .iter()
        .any(|zone| (&zone.value, &zone.basis) != (&main.value, &main.basis));
    (main, if differ { all } else { Vec::new() })
}

fn info_snapshot(snapshot: &case::Snapshot, zone: DatabaseZone) -> InfoSnapshot {
    InfoSnapshot {
        name: snapshot.name.clone(),
        source: snapshot.source.clone(),
        kind: snapshot.kind.clone(),
        database: snapshot.database.clone(),
        schema_version: snapshot.schema_version.clone(),
        schemas: crate::snapshots::schemas(snapshot),
        as_of: snapshot.as_of_us.map(format_utc),
        zone: crate::snapshots::zone(zone),
        tables: snapshot
            .tables
            .iter()
            .map(|table| InfoTable {
                name: match table.schema.as_str() {
                    "public" | "" => table.name.clone(),
                    schema => format!("{schema}.{}", table.name),
                },
                rows: table.rows,
                damaged_rows: table.damaged_rows,
                notes: table.notes.clone(),
            })
            .collect(),
    }
}

fn totals(manifest: &Manifest) -> Totals {
    let sources = &manifest.sources;
    let tables = manifest.snapshots.iter().flat_map(|s| &s.tables);
    let (least, most) = manifest.node_range();
    Totals {
        sources: sources.len(),
        nodes: manifest.nodes.len(),
        nodes_range: [least, most],
        bytes: sources.iter().map(|source| source.bytes).sum(),
        lines: sources.iter().map(|source| source.lines).sum(),
        records: sources.iter().map(|source| source.records).sum(),
        duplicates: sources.iter().map(|source| source.duplicates).sum(),
        rejected: sources.iter().flat_map(|s| s.rejected.values()).sum(),
        undated: sources.iter().map(|source| source.undated).sum(),
        tables: tables.clone().count(),
        rows: tables.map(|table| table.own_rows()).sum(),
        first_ts: sources
            .iter()
            .filter_map(|s| s.first_ts_us)
            .min()
            .map(format_utc),
        last_ts: sources
            .iter()
            .filter_map(|s| s.last_ts_us)
            .max()
            .map(format_utc),
    }
}
