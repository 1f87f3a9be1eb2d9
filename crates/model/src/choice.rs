//! Which database tables a question means: what `--snapshot` may say, and which of several tables of one name.

use crate::{TableError, TableInfo};
use std::collections::{BTreeMap, BTreeSet};

/// The schema that a bare name means, as in PostgreSQL.
const DEFAULT: &str = "public";

/// The tables of one snapshot, or of one schema in it: a dump may hold the same tables in several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Snapshot.
    pub snapshot: String,
    /// Schema; `None`: all.
    pub schema: Option<String>,
}

impl Choice {
    /// Understands a snapshot's name, `SNAPSHOT.SCHEMA`, and a schema that one snapshot alone has. `places` are
    /// snapshot and schema of each table; `None` if none is meant.
    ///
    /// ```
    /// let places = [("ms", "core_a"), ("ms", "core_b"), ("other", "core_b")];
    /// let chosen = |named| model::Choice::find(named, places).map(|choice| choice.to_string());
    /// assert_eq!(chosen("ms").as_deref(), Some("ms"));
    /// assert_eq!(chosen("ms.core_b").as_deref(), Some("ms.core_b"));
    /// assert_eq!(chosen("core_a").as_deref(), Some("ms.core_a"));
    /// assert_eq!(chosen("core_b"), None);
    /// ```
    pub fn find<'a>(
        named: &str,
        places: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Option<Choice> {
        let places: BTreeSet<(&str, &str)> = places.into_iter().collect();
        if places.iter().any(|(snapshot, _)| *snapshot == named) {
            return Some(Choice::of_snapshot(named));
        }
        let of_schema = |(snapshot, schema): &(&str, &str)| Choice {
            snapshot: (*snapshot).to_owned(),
            schema: Some((*schema).to_owned()),
        };
        let mut all = places.iter().map(of_schema);
        if let Some(full) = all.find(|choice| choice.to_string() == named) {
            return Some(full);
        }
        let mut fitting = places.iter().filter(|(_, schema)| *schema == named);
        let first = fitting.next()?;
        fitting.next().is_none().then(|| of_schema(first))
    }

    /// All tables of a snapshot.
    pub fn of_snapshot(name: &str) -> Choice {
        Choice {
            snapshot: name.to_owned(),
            schema: None,
        }
    }

    /// Whether a table of that snapshot and schema is meant.
    pub fn holds(&self, snapshot: &str, schema: &str) -> bool {
        self.snapshot == snapshot && self.schema.as_deref().is_none_or(|own| own == schema)
    }

    /// Returns what can be chosen among tables (snapshot, schema, name): the snapshots, and behind each its
    /// schemas where several of them have a table of one name.
    pub fn names<'a>(tables: impl IntoIterator<Item = (&'a str, &'a str, &'a str)>) -> Vec<String> {
        let mut snapshots: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
        for (snapshot, schema, name) in tables {
            let named = snapshots.entry(snapshot).or_default();
            named.entry(name).or_default().insert(schema);
        }
        let mut names = Vec::new();
        for (snapshot, tables) in snapshots {
            names.push(snapshot.to_owned());
            let several = tables.into_values().filter(|schemas| schemas.len() > 1);
            let schemas: BTreeSet<&str> = several.flatten().collect();
            names.extend(schemas.iter().map(|schema| format!("{snapshot}.{schema}")));
        }
        names
    }
}

impl std::fmt::Display for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.snapshot)?;
        match &self.schema {
            Some(schema) => write!(f, ".{schema}"),
            None => Ok(()),
        }
    }
}

/// Returns the table that is meant among those of one name: the only one, or that of `public` where one snapshot
/// has it in several schemas. `place` gives snapshot and schema.
///
/// # Errors
/// [`TableError::Ambiguous`] if that does not decide; it says what `--snapshot` may choose.
pub fn the_one<T>(
    table: &str,
    mut found: Vec<T>,
    place: impl Fn(&T) -> (&str, &str),
) -> Result<Option<T>, TableError> {
    let snapshots: BTreeSet<String> = found.iter().map(|one| place(one).0.to_owned()).collect();
    if snapshots.len() == 1 && found.iter().any(|one| place(one).1 == DEFAULT) {
        found.retain(|one| place(one).1 == DEFAULT);
    }
    if found.len() < 2 {
        return Ok(found.pop());
    }
    // A snapshot is enough to say where each has the table once.
    let by_snapshot = snapshots.len() == found.len();
    let names = found.iter().map(|one| match (place(one), by_snapshot) {
        ((snapshot, _), true) => snapshot.to_owned(),
        ((snapshot, schema), false) => format!("{snapshot}.{schema}"),
    });
    Err(TableError::Ambiguous {
        table: table.to_owned(),
        candidates: names.collect::<Vec<_>>().join(", "),
    })
}

/// Leaves out tables whose name `public` of the same snapshot has too: a bare name does not mean them. Returns
/// a sentence for each schema that tables with such a name (`concerns`) were left out of.
pub fn leave_public(infos: &mut Vec<TableInfo>, concerns: impl Fn(&str) -> bool) -> Vec<String> {
    let in_public: BTreeSet<(String, String)> = infos
        .iter()
        .filter(|info| info.schema == DEFAULT)
        .map(|info| (info.snapshot.clone(), info.name.clone()))
        .collect();
    let mut beside: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    infos.retain(|info| {
        let is_meant = info.schema == DEFAULT
            || !in_public.contains(&(info.snapshot.clone(), info.name.clone()));
        if !is_meant && concerns(&info.name) {
            let place = (info.snapshot.clone(), info.schema.clone());
            beside.entry(place).or_default().push(info.name.clone());
        }
        is_meant
    });
    let sentence = |((snapshot, schema), names): ((String, String), Vec<String>)| {
        format!(
            "schema {schema} of {snapshot} has {} too: this answer is of schema {DEFAULT}, --snapshot '{snapshot}.{schema}' \
             asks the other",
            names.join(", ")
        )
    };
    beside.into_iter().map(sentence).collect()
}
