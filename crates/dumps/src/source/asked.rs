//! A dump asked as a source of tables.

use std::collections::BTreeMap;

use model::{Batch, Coming, Part, RowFilter, TableError, TableInfo, TableSource};

use super::{DumpSource, lock};
use crate::archive::Soon;
use crate::facts::{DumpKind, Located, Trouble, WantTable};
use crate::streamed::Gather;

impl DumpSource {
    /// Reads what is wanted of a table.
    fn gathered(
        &self,
        index: usize,
        want: WantTable,
        gather: Gather<'_>,
    ) -> Result<Vec<Batch>, TableError> {
        let facts = &self.outline().tables[index];
        let rows = match self.is_read_in_place(facts) {
            true => self.read_blocks(index, &want, gather),
            false => self.read_again(index, want, gather),
        };
        rows.map_err(|source| TableError::Read {
            table: facts.info.name.clone(),
            source,
        })
    }
}

impl TableSource for DumpSource {
    fn tables(&self) -> Vec<TableInfo> {
        let tables = self.outline().tables.iter();
        tables.map(|table| table.info.clone()).collect()
    }

    fn read(&self, table: &str, columns: &[&str], filter: &RowFilter) -> Result<Batch, TableError> {
        let index = self.resolve(table)?;
        let facts = &self.outline().tables[index];
        self.touch(facts);
        let names: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        if let Some(pasted) = &self.pasted {
            let rows = 0..pasted[index].rows();
            return Ok(crate::rows::select(&pasted[index], &names, filter, rows));
        }
        let gather = Gather::new(facts, &names);
        let rows = self.gathered(index, self.want_of(index, names, filter), gather)?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    fn read_parts(&self, table: &str, parts: &[Part<'_>]) -> Result<Vec<Batch>, TableError> {
        let index = self.resolve(table)?;
        let facts = &self.outline().tables[index];
        if parts.len() < 2 || self.pasted.is_some() {
            let read = |part: &Part<'_>| self.read(table, part.columns, part.filter);
            return parts.iter().map(read).collect();
        }
        self.touch(facts);
        // What a part shows, and what it is chosen by.
        let columns_of = |part: &Part<'_>| {
            let by = match part.filter {
                RowFilter::I64In(column, _) | RowFilter::BytesIn(column, _) => Some(column),
                RowFilter::All => None,
            };
            let shown = part.columns.iter().copied();
            let names = shown.chain(by.map(String::as_str)).map(str::to_owned);
            names.collect::<Vec<String>>()
        };
        let parts_of: Vec<(RowFilter, Vec<String>)> = parts
            .iter()
            .map(|part| (part.filter.clone(), columns_of(part)))
            .collect();
        let mut names: Vec<String> = Vec::new();
        for name in parts_of.iter().flat_map(|(_, names)| names) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let want = WantTable {
            parts: parts_of,
            ..self.want_of(index, names, &RowFilter::All)
        };
        self.gathered(index, want, Gather::of_parts(facts, parts))
    }

    fn watch_newest(&self, table: &str, columns: &[&str]) -> bool {
        let Ok(index) = self.resolve(table) else {
            return false;
        };
        // Other forms are read by other readers, which note none.
        let kind = self.outline().kind;
        if !kind.is_archive() && kind != DumpKind::PgDumpPlain {
            return false;
        }
        let columns = columns.iter().map(|&column| column.to_owned());
        lock(&self.watched).insert(index, columns.collect());
        lock(&self.newest).remove(&index);
        true
    }

    fn newest(&self, table: &str) -> Option<BTreeMap<String, i64>> {
        lock(&self.newest).get(&self.resolve(table).ok()?).cloned()
    }

    fn announce(&self, coming: &[Coming<'_>]) {
        let Some(catalog) = &self.catalog else {
            return;
        };
        let watched = lock(&self.watched).clone();
        let found = coming.iter().filter_map(|coming| {
            let index = self.resolve(coming.table).ok()?;
            Some(Soon {
                table: &self.outline().tables[index],
                by: coming.by,
                newest: watched.get(&index).map_or(&[], Vec::as_slice),
            })
        });
        catalog.announce(&self.opener, &found.collect::<Vec<_>>());
    }

    fn row_count(&self, table: &str) -> Option<u64> {
        let index = self.resolve(table).ok()?;
        let facts = &self.outline().tables[index];
        match (&self.catalog, &self.pasted) {
            (Some(catalog), _) => (!catalog.has_data(facts)).then_some(0),
            (None, Some(pasted)) => Some(pasted[index].rows() as u64),
            (None, None) => Some(facts.rows.saturating_sub(facts.damaged_rows)),
        }
    }

    fn damage_of(&self, table: &str) -> Vec<String> {
        let Ok(index) = self.resolve(table) else {
            return Vec::new();
        };
        let facts = &self.outline().tables[index];
        // Rows stand behind all declarations: of a dump that is cut, a table without any may have lain behind the cut.
        let may_be_cut = self.catalog.is_none() && facts.blocks.is_empty() && facts.rows == 0;
        let concerns = |located: &&Located| match (&located.table, located.trouble) {
            (_, Trouble::Other) => false,
            (Some(name), trouble) => {
                let bare = name.rsplit('.').next().unwrap_or(name);
                bare == facts.info.name || (trouble == Trouble::Truncated && may_be_cut)
            }
            (None, Trouble::Truncated) => may_be_cut,
            (None, _) => true,
        };
        let mut all: BTreeMap<(u64, u64), String> = BTreeMap::new();
        let known = lock(&self.damage);
        let known = known.values().chain(&self.outline().rejects);
        for located in known.filter(concerns) {
            all.insert((located.byte, located.line), told(located));
        }
        all.into_values().collect()
    }

    fn damage(&self) -> Vec<String> {
        let touched = lock(&self.touched);
        let mut all: BTreeMap<(u64, u64), Located> = lock(&self.damage).clone();
        for located in &self.outline().rejects {
            let concerns = located.trouble == Trouble::Truncated
                || located.table.as_deref().is_none_or(|name| {
                    let bare = name.rsplit('.').next().unwrap_or(name);
                    let last = |full: &String| full.rsplit('.').next() == Some(bare);
                    touched.contains(name) || touched.contains(bare) || touched.iter().any(last)
                });
            if located.trouble != Trouble::Other && concerns {
                all.insert((located.byte, located.line), located.clone());
            }
        }
        all.values().map(told).collect()
    }
}

/// Damage in words, with its place.
fn told(located: &Located) -> String {
    let table = located
        .table
        .as_ref()
        .map_or(String::new(), |name| format!("table {name}, "));
    format!(
        "{table}line {}, byte {}: {}",
        located.line, located.byte, located.what
    )
}
