//! The parts of one dump: databases of a cluster, or dumps that somebody put behind each other. Each is a snapshot
//! of its own, for Monday's rows are not Tuesday's.

use crate::facts::{DumpError, Naming, PartFacts, TableFacts};
use crate::plain::Reader;
use crate::schema::{FullName, Schema};

/// The part that is being read, and those before it.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// What references and people call each part, the last one last.
    names: Vec<(String, String)>,
    /// The database that the dump is connected to.
    database: Option<String>,
    /// Where the newest dump began; rows of a table before and behind it are two parts.
    dump_byte: u64,
    /// When that dump says it was started.
    pub(crate) started_on: Option<i64>,
    /// The same where the header does not tell the zone.
    pub(crate) started_local: Option<i64>,
    /// What was declared before that dump, until it is known whether it goes on with the same database.
    before: Option<Schema>,
}

impl Parts {
    /// Returns what references and people call the part; `database` is what the dump says of the first one.
    pub(crate) fn current(&mut self, naming: &Naming, database: Option<&str>) -> (String, String) {
        if self.names.is_empty() {
            self.names.push((String::new(), naming.snapshot(database)));
        }
        self.names.last().cloned().unwrap_or_default()
    }

    /// Begins a part of this name, with the number that makes it unique.
    fn begin(&mut self, part: &str, snapshot: &str, number: usize) -> PartFacts {
        let named = |number: usize| match number {
            1 => (part.to_owned(), snapshot.to_owned()),
            _ => (format!("{part}_{number}"), format!("{snapshot}_{number}")),
        };
        let is_free = |(part, snapshot): &(String, String)| {
            let mut known = self.names.iter();
            known.all(|known| known.0 != *part && known.1 != *snapshot)
        };
        let names = (number..).map(named).find(is_free).unwrap_or_default();
        self.names.push(names.clone());
        PartFacts {
            part: names.0,
            database: self.database.clone(),
            started_on: self.started_on,
            started_local: self.started_local,
        }
    }
}

impl Reader<'_, '_> {
    /// Follows `\connect`.
    pub(crate) fn connect(&mut self, name: Option<String>) -> Result<(), DumpError> {
        let Some(name) = name else { return Ok(()) };
        let is_same = match &self.parts.database {
            Some(database) => *database == name,
            // Created by this dump a moment ago.
            None => self.facts.tables.is_empty() && self.facts.database.as_ref() == Some(&name),
        };
        self.parts.database = Some(name.clone());
        if is_same {
            return Ok(());
        }
        self.end_part()?;
        if self.facts.tables.is_empty() {
            self.facts.database = Some(name);
        } else {
            let snapshot = self.want.naming.snapshot_of(&name);
            let part = self.parts.begin(&name, &snapshot, 1);
            self.facts.parts.push(part);
        }
        Ok(())
    }

    /// Another dump begins in the same file, of this database or of another.
    pub(crate) fn begin_dump(&mut self) -> Result<(), DumpError> {
        self.settle_dump(None)?;
        self.end_inserts()?;
        self.flush()?;
        self.parts.dump_byte = self.input.byte();
        self.parts.started_on = None;
        self.parts.started_local = None;
        if !self.index.is_empty() || !self.schema.order.is_empty() {
            self.parts.before = Some(std::mem::take(&mut self.schema));
        }
        Ok(())
    }

    /// Decides whether the dump that began last goes on with the database before it, once a table's rows begin or
    /// all is read. Schema and data may stand in two dumps, and each table in its own; a table that is declared
    /// again, or has rows again, is another take.
    pub(crate) fn settle_dump(&mut self, table: Option<&FullName>) -> Result<(), DumpError> {
        let rows = table.and_then(|table| self.index.get(table));
        let own = |table: &&TableFacts| table.rows > table.inherited.rows;
        let rows = rows.map(|index| &self.facts.tables[*index]).filter(own);
        let rows = rows.and_then(|table| table.blocks.first());
        let mut again = rows.is_some_and(|block| block.byte < self.parts.dump_byte);
        if let Some(before) = self.parts.before.take() {
            again |= self.schema.declares_again(&before);
            let newer = std::mem::replace(&mut self.schema, before);
            if again {
                self.begin_take()?;
                self.schema = newer;
            } else {
                self.schema.go_on(newer);
            }
        } else if again {
            self.begin_take()?;
        }
        Ok(())
    }

    fn begin_take(&mut self) -> Result<(), DumpError> {
        self.end_part()?;
        let database = self.parts.database.as_deref();
        let database = database.or(self.facts.database.as_deref());
        let snapshot = self.want.naming.snapshot(database);
        let part = self.parts.begin("dump", &snapshot, 2);
        self.facts.parts.push(part);
        Ok(())
    }

    fn end_part(&mut self) -> Result<(), DumpError> {
        self.settle_dump(None)?;
        self.end_inserts()?;
        self.flush()?;
        self.finish_database()?;
        self.schema = Schema::default();
        self.index.clear();
        Ok(())
    }
}
