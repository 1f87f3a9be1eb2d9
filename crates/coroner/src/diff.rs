//! `diff`: two snapshots of one database, row by row.

use crate::{Error, Evidence, Partial};
use analysis::diff::{Diff, DiffOptions};
use case::Snapshot;
use model::time::format_utc;
use serde::Serialize;

/// What differs between two snapshots.
#[derive(Clone, Debug, Serialize)]
pub struct Diffed {
    /// The first.
    pub from: DiffSnapshot,
    /// The second.
    pub to: DiffSnapshot,
    /// The differences.
    #[serde(flatten)]
    pub diff: Diff,
    /// What could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<Partial>,
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiffSnapshot {
    /// Name.
    pub name: String,
    /// Digest of the source.
    pub source: String,
    /// Which form of dump.
    pub kind: String,
    /// The database's name, if the dump says it.
    pub database: Option<String>,
    /// Newest applied migration.
    pub schema_version: Option<String>,
    /// The instant it shows.
    pub as_of: Option<String>,
}

impl Evidence {
    /// Compares two snapshots, named as `info` names them, or by their sources.
    ///
    /// ```no_run
    /// use coroner::{DiffOptions, Evidence, OpenOptions};
    /// let evidence = Evidence::open("rollup.case", &OpenOptions::default())?;
    /// let diffed = evidence.diff("monday", "tuesday", &DiffOptions::default())?;
    /// for event in &diffed.diff.events {
    ///     println!("{}", event.text);
    /// }
    /// # Ok::<(), coroner::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such snapshot, or tables cannot be read.
    pub fn diff(&self, from: &str, to: &str, options: &DiffOptions) -> Result<Diffed, Error> {
        let (first, second) = (self.snapshot_named(from)?, self.snapshot_named(to)?);
        if first.name == second.name {
            return Err(
                Error::request(format!("`{from}` and `{to}` are one snapshot"))
                    .with_hint("name two: `coroner info CASE` lists them"),
            );
        }
        self.compare(first, self, second, options)
    }

    /// Compares the snapshot that this evidence holds with the one that other evidence holds: two dumps, each by itself.
    ///
    /// # Errors
    /// If one of them holds none or several, or tables cannot be read.
    pub fn diff_with(&self, other: &Evidence, options: &DiffOptions) -> Result<Diffed, Error> {
        self.compare(
            self.only_snapshot()?,
            other,
            other.only_snapshot()?,
            options,
        )
    }

    fn only_snapshot(&self) -> Result<&Snapshot, Error> {
        let source = self.manifest().sources.first();
        let path = source.map_or("the evidence", |source| source.path.as_str());
        match self.manifest().snapshots.as_slice() {
            [only] => Ok(only),
            [] => Err(Error::new(
                crate::ErrorKind::Unreadable,
                format!("{path} holds no database"),
            )),
            several => {
                let names: Vec<&str> = several.iter().map(|one| one.name.as_str()).collect();
                Err(Error::request(format!(
                    "{path} holds several snapshots: {}",
                    names.join(", ")
                ))
                .with_hint("put both dumps into a case, and name two of its snapshots"))
            }
        }
    }

    fn compare(
        &self,
        first: &Snapshot,
        other: &Evidence,
        second: &Snapshot,
        options: &DiffOptions,
    ) -> Result<Diffed, Error> {
        let before = self.case().table_source(Some(&first.name));
        let after = other.case().table_source(Some(&second.name));
        let mut diff = analysis::diff::diff(&before, &after, options)
            .map_err(|error| Error::wrap(crate::ErrorKind::Unreadable, error))?;
        remark(first, second, &mut diff);
        let of = |evidence: &Evidence, snapshot: &Snapshot| {
            let source = evidence.manifest().source(&snapshot.source);
            let mut partial = evidence.partial();
            partial.retain(|part| {
                part.source == snapshot.name
                    || source.is_some_and(|source| source.path == part.source)
            });
            partial
        };
        let mut partial = of(self, first);
        for part in of(other, second) {
            if !partial.contains(&part) {
                partial.push(part);
            }
        }
        Ok(Diffed {
            from: side(first),
            to: side(second),
            diff,
            partial,
        })
    }

    /// Finds a snapshot by its name, or by its source where that holds one.
    fn snapshot_named(&self, named: &str) -> Result<&Snapshot, Error> {
        let snapshots = &self.manifest().snapshots;
        if let Some(found) = snapshots.iter().find(|snapshot| snapshot.name == named) {
            return Ok(found);
        }
        if let Ok(source) = self.source(named) {
            let mut of_source = snapshots
                .iter()
                .filter(|snapshot| snapshot.source == source.digest);
            if let (Some(only), None) = (of_source.next(), of_source.next()) {
                return Ok(only);
            }
        }
        let known: Vec<String> = snapshots.iter().map(|one| one.name.clone()).collect();
        Err(crate::snapshots::unknown(named, &known))
    }
}

/// Adds what makes the comparison weaker than it looks.
fn remark(first: &Snapshot, second: &Snapshot, diff: &mut Diff) {
    if let (Some(earlier), Some(later)) = (first.as_of_us, second.as_of_us)
        && earlier > later
    {
        diff.notes.push(format!(
            "{} is the newer one: what it has and {} lacks is counted as gone",
            first.name, second.name
        ));
    }
    let sums = diff.tables.iter().fold((0, 0), |(new, gone), table| {
        (new + table.new, gone + table.gone)
    });
    if sums.0 == 0 && sums.1 > 0 && (first.as_of_us.is_none() || second.as_of_us.is_none()) {
        diff.notes.push(format!(
            "{} has nothing that {} lacks: it may be the older one, and then nothing is gone",
            second.name, first.name
        ));
    }
    for (what, one, other) in [
        ("databases", &first.database, &second.database),
        (
            "schema versions",
            &first.schema_version,
            &second.schema_version,
        ),
    ] {
        if let (Some(one), Some(other)) = (one, other)
            && one != other
        {
            diff.notes.push(format!("{what} differ: {one} and {other}"));
        }
    }
    if diff.tables.is_empty() {
        diff.notes
            .push("the two have no table in common: nothing was compared".to_owned());
    }
}

fn side(snapshot: &Snapshot) -> DiffSnapshot {
    DiffSnapshot {
        name: snapshot.name.clone(),
        source: snapshot.source.clone(),
        kind: snapshot.kind.clone(),
        database: snapshot.database.clone(),
        schema_version: snapshot.schema_version.clone(),
        as_of: snapshot.as_of_us.map(format_utc),
    }
}
