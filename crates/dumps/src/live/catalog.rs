//! What a live database says of itself, and the SQL that says it again in a dump.

use postgres::{Error, Transaction};
use std::collections::HashMap;
use std::fmt::Write as _;

/// The server and its database.
pub(super) struct Server {
    pub(super) database: String,
    pub(super) version: String,
    pub(super) version_number: i32,
    pub(super) now_us: i64,
}

/// Something that looks like a table.
pub(super) struct Relation {
    pub(super) schema: String,
    pub(super) name: String,
    /// `pg_class.relkind`.
    kind: String,
    /// Whether this role may read it.
    permitted: bool,
    /// Names and types; whether the value is generated.
    columns: Vec<(String, String, bool)>,
    key: Vec<String>,
    /// Its number in the catalogue.
    oid: u32,
    /// Tables that it is a partition of, or inherits from.
    parents: Vec<u32>,
}

/// Quotes a name.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes names, with commas between.
fn list<'n>(names: impl Iterator<Item = &'n String>) -> String {
    names
        .map(|name| quoted(name))
        .collect::<Vec<_>>()
        .join(", ")
}

impl Relation {
    fn full(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }

    /// The name for people.
    pub(super) fn shown(&self) -> String {
        match self.schema.as_str() {
            "public" => self.name.clone(),
            _ => self.shown_in_full(),
        }
    }

    pub(super) fn shown_in_full(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// Whether rows lie here: those of a partitioned table lie in its partitions.
    pub(super) fn holds_rows(&self) -> bool {
        self.kind != "p"
    }

    /// Whether another one's rows are shown where this one is asked.
    pub(super) fn is_parent_of(&self, other: &Relation) -> bool {
        other.parents.contains(&self.oid)
    }

    /// Says that this one shows another one's rows, in the words for inheritance: bounds of partitions mean nothing
    /// to who reads.
    pub(super) fn inherit(&self, child: &Relation) -> String {
        format!("ALTER TABLE {} INHERIT {};\n\n", child.full(), self.full())
    }

    /// Why it cannot be read, if that is known beforehand.
    pub(super) fn unreadable(&self) -> Option<&'static str> {
        match (self.kind.as_str(), self.permitted) {
            ("f", _) => Some("a foreign table, its rows lie in another database: not read"),
            (_, false) => Some("this role may not read it"),
            _ => None,
        }
    }

    pub(super) fn create_table(&self) -> String {
        let mut text = format!("CREATE TABLE {} (", self.full());
        for (index, (name, sql_type, _)) in self.columns.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(text, "{comma}\n    {} {sql_type}", quoted(name));
        }
        text.push_str("\n);\n\n");
        if !self.key.is_empty() {
            // Before the rows, so that one reading knows it.
            let _ = write!(
                text,
                "ALTER TABLE ONLY {}\n    ADD CONSTRAINT {} PRIMARY KEY ({});\n\n",
                self.full(),
                quoted(&format!("{}_pkey", self.name)),
                list(self.key.iter())
            );
        }
        text
    }

    /// What stands before the rows in the dump.
    pub(super) fn copy_head(&self) -> String {
        match self.columns.is_empty() {
            true => format!("COPY {}  FROM stdin;\n", self.full()),
            false => format!("COPY {} ({}) FROM stdin;\n", self.full(), self.names()),
        }
    }

    fn names(&self) -> String {
        list(self.columns.iter().map(|(name, ..)| name))
    }

    /// The statement that makes the server send the rows.
    pub(super) fn copy_out(&self) -> String {
        let generated = self.columns.iter().any(|(.., generated)| *generated);
        if self.columns.is_empty() {
            format!("COPY {} TO STDOUT", self.full())
        } else if generated || self.kind == "m" {
            // COPY of a table neither takes generated columns nor materialized views.
            format!(
                "COPY (SELECT {} FROM ONLY {}) TO STDOUT",
                self.names(),
                self.full()
            )
        } else {
            format!("COPY {} ({}) TO STDOUT", self.full(), self.names())
        }
    }
}

pub(super) fn server(transaction: &mut Transaction<'_>) -> Result<Server, Error> {
    let row = transaction.query_one(
        "SELECT current_database()::text, current_setting('server_version'), current_setting('server_version_num')::int, \
         (extract(epoch FROM now()) * 1000000)::bigint",
        &[],
    )?;
    Ok(Server {
        database: row.try_get(0)?,
        version: row.try_get(1)?,
        version_number: row.try_get(2)?,
        now_us: row.try_get(3)?,
    })
}

/// Domains and their base types.
pub(super) fn domains(transaction: &mut Transaction<'_>) -> Result<Vec<(String, String)>, Error> {
    let rows = transaction.query(
        "SELECT n.nspname::text, t.typname::text, format_type(t.typbasetype, t.typtypmod) \
         FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace \
         WHERE t.typtype = 'd' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' \
         ORDER BY n.nspname, t.typname",
        &[],
    )?;
    rows.iter()
        .map(|row| {
            let (schema, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            Ok((
                format!("{}.{}", quoted(&schema), quoted(&name)),
                row.try_get(2)?,
            ))
        })
        .collect()
}

/// Tables by schema and name.
pub(super) fn relations(
    transaction: &mut Transaction<'_>,
    version_number: i32,
) -> Result<Vec<Relation>, Error> {
    let mut columns: HashMap<u32, Vec<(String, String, bool)>> = HashMap::new();
    let generated = match version_number >= 120_000 {
        true => "a.attgenerated <> ''",
        false => "false",
    };
    let rows = transaction.query(
        &format!(
            "SELECT a.attrelid, a.attname::text, format_type(a.atttypid, a.atttypmod), {generated} \
             FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
             WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'm', 'f') ORDER BY a.attrelid, a.attnum"
        ),
        &[],
    )?;
    for row in rows {
        let column = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        columns.entry(row.try_get(0)?).or_default().push(column);
    }
    let mut keys: HashMap<u32, Vec<String>> = HashMap::new();
    let rows = transaction.query(
        "SELECT i.indrelid, a.attname::text FROM pg_index i \
         CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place) \
         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
         WHERE i.indisprimary ORDER BY i.indrelid, k.place",
        &[],
    )?;
    for row in rows {
        keys.entry(row.try_get(0)?)
            .or_default()
            .push(row.try_get(1)?);
    }
    let mut parents: HashMap<u32, Vec<u32>> = HashMap::new();
    let rows = transaction.query(
        "SELECT i.inhrelid, i.inhparent FROM pg_inherits i ORDER BY i.inhrelid, i.inhseqno",
        &[],
    )?;
    for row in rows {
        parents
            .entry(row.try_get(0)?)
            .or_default()
            .push(row.try_get(1)?);
    }
    let rows = transaction.query(
        "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, \
         has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'm', 'f') AND c.relpersistence <> 't' \
         AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)' \
         ORDER BY n.nspname, c.relname",
        &[],
    )?;
    rows.iter()
        .map(|row| {
            let oid: u32 = row.try_get(0)?;
            Ok(Relation {
                schema: row.try_get(1)?,
                name: row.try_get(2)?,
                kind: row.try_get(3)?,
                permitted: row.try_get(4)?,
                columns: columns.remove(&oid).unwrap_or_default(),
                key: keys.remove(&oid).unwrap_or_default(),
                oid,
                parents: parents.remove(&oid).unwrap_or_default(),
            })
        })
        .collect()
}
