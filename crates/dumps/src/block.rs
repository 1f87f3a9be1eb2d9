//! Rows of one table while they are being read: what is done with them, and the types that they tell.

use model::ColumnType;

use crate::above::Above;
use crate::facts::{Block, BlockForm, DumpError, Trouble, WantTable};
use crate::infer::Inference;
use crate::plain::Reader;
use crate::rows::{Place, RowBuilder, check_fields, field, fields};
use crate::schema::FullName;
use crate::value::unescape;

/// How much is held back where types must be inferred before the first batch.
const HELD_BYTES: usize = 8 << 20;
const HELD_ROWS: usize = 65_536;

/// The newest migration that was applied.
#[derive(Debug, Default)]
pub(crate) struct Migrations {
    newest: Option<(Vec<u8>, String)>,
}

impl Migrations {
    /// Takes a row of `_sqlx_migrations`. Versions are `YYYYMMDDhhmmss`; one of zkSync Era's has a
    /// digit too many (202601016134308), so they are ordered by their first 14 digits.
    fn see(&mut self, version: &[u8], success: Option<&[u8]>) {
        if success == Some(b"f") || crate::value::integer(version).is_none() {
            return;
        }
        let text = String::from_utf8_lossy(version).into_owned();
        let key = version[..version.len().min(14)].to_vec();
        let newer = self
            .newest
            .as_ref()
            .is_none_or(|(newest, _)| (key.len(), &key) > (newest.len(), newest));
        if newer {
            self.newest = Some((key, text));
        }
    }

    pub(crate) fn newest(&self) -> Option<String> {
        self.newest.as_ref().map(|(_, version)| version.clone())
    }
}

/// What is done with the rows of a block.
pub(crate) enum Job {
    /// Nothing: they are counted.
    Skip,
    /// Their values tell the types.
    Infer(Vec<Inference>),
    /// They are wanted, but the types are not known yet: text and places of the first ones.
    Hold(Vec<u8>, Vec<(usize, i64, Place)>),
    /// They are wanted.
    Build(Box<RowBuilder>),
}

/// A block while it is being read.
pub(crate) struct Open {
    index: usize,
    pub(crate) table: FullName,
    pub(crate) columns: Vec<String>,
    want: Option<WantTable>,
    pub(crate) job: Job,
    /// Byte and line where the rows begin.
    pub(crate) first: (u64, u64),
    /// Rows of the table before this block.
    before: u64,
    /// Broken rows of the table before this block.
    damaged_before: u64,
    pub(crate) rows: u64,
    /// Tables that show these rows as well.
    pub(crate) above: Vec<Above>,
    migrations: Option<(usize, Option<usize>)>,
}

impl Open {
    /// Takes a row of COPY's text; says in words what is wrong with a broken one. The caller counts it.
    pub(crate) fn take(
        &mut self,
        row: &[u8],
        place: Place,
        migrations: &mut Migrations,
    ) -> Result<(), String> {
        let ordinal = (self.before + self.rows + 1) as i64;
        match &mut self.job {
            Job::Skip => check_fields(row, self.columns.len()),
            Job::Infer(inferences) => {
                check_fields(row, self.columns.len()).map(|()| infer(row, inferences))
            }
            Job::Hold(held, places) => check_fields(row, self.columns.len()).map(|()| {
                held.extend_from_slice(row);
                places.push((row.len(), ordinal, place));
            }),
            Job::Build(builder) => builder.push(row, ordinal, place),
        }?;
        for above in &mut self.above {
            above.push(row, self.rows + 1, place)?;
        }
        if let Some((version, success)) = self.migrations {
            let fields = self.columns.len();
            let success = success.map(|index| field(row, index, fields));
            migrations.see(field(row, version, fields), success);
        }
        Ok(())
    }

    /// The table's place in the facts.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// Whether nothing has to be known of the rows but their number.
    pub(crate) fn is_skipped(&self) -> bool {
        let above = self.above.iter().any(Above::is_wanted);
        matches!(self.job, Job::Skip) && self.migrations.is_none() && !above
    }
}

impl Reader<'_, '_> {
    /// Makes ready for rows of a table that begin at the front of the window.
    pub(crate) fn open_block(&mut self, table: FullName, columns: Vec<String>) -> Open {
        let index = self.table_index(&table, &columns);
        let above = self.tables_above(&table);
        let want = self.wanted(&table);
        let position = |name: &str| columns.iter().position(|column| column == name);
        let migrations = (table.1 == "_sqlx_migrations")
            .then(|| position("version").map(|version| (version, position("success"))))
            .flatten();
        Open {
            index,
            migrations,
            want,
            job: Job::Skip,
            first: (self.input.byte(), self.input.line_number()),
            before: self.facts.tables[index].rows,
            damaged_before: self.facts.tables[index].damaged_rows,
            rows: 0,
            above,
            columns,
            table,
        }
    }

    /// What is wanted of a table.
    pub(crate) fn wanted(&self, table: &FullName) -> Option<WantTable> {
        let Some(tables) = &self.want.tables else {
            return Some(WantTable::all(None, &table.1));
        };
        let is_here = |want: &&WantTable| {
            want.table == table.1 && want.schema.as_ref().is_none_or(|schema| *schema == table.0)
        };
        tables.iter().find(is_here).cloned()
    }

    /// Decides what is done with the rows.
    pub(crate) fn begin(&mut self, open: &mut Open) -> Result<(), DumpError> {
        self.begin_above(open)?;
        self.adopt_known(open.index);
        let undeclared = self.undeclared(open);
        let inferred = self.facts.tables[open.index].info.types_inferred;
        open.job = match &open.want {
            // All blocks of a table have a say in its types.
            None if undeclared && self.want.known.is_none() => Job::Infer(
                open.columns
                    .iter()
                    .map(|column| {
                        let before = self.inferred.get(&(open.index, column.clone()));
                        before.copied().unwrap_or_default()
                    })
                    .collect(),
            ),
            None => Job::Skip,
            Some(_) if undeclared && !inferred => Job::Hold(Vec::new(), Vec::new()),
            Some(want) => {
                let want = want.clone();
                let builder = self.builder(open.index, &open.table, &open.columns, &want)?;
                Job::Build(Box::new(builder))
            }
        };
        Ok(())
    }

    /// Hands rows on where enough have come together.
    pub(crate) fn relieve(&mut self, open: &mut Open) -> Result<(), DumpError> {
        self.hand_over_above(open, false)?;
        match &open.job {
            Job::Build(builder) if builder.is_full() => self.hand_over(open),
            Job::Hold(held, places) if held.len() >= HELD_BYTES || places.len() >= HELD_ROWS => {
                self.release(open)
            }
            _ => Ok(()),
        }
    }

    /// Takes over key and types that an earlier reading found.
    pub(crate) fn adopt_known(&mut self, index: usize) {
        let facts = &mut self.facts.tables[index];
        let info = &mut facts.info;
        let Some(known) = &self.want.known else {
            return;
        };
        let Some(known) = known.tables.iter().find(|known| {
            known.info.part == info.part
                && known.info.schema == info.schema
                && known.info.name == info.name
        }) else {
            return;
        };
        info.primary_key.clone_from(&known.info.primary_key);
        // All of them, so that batches from blocks with other columns have the same ones.
        for (column, sql_type) in known.info.columns.iter().zip(&known.sql_types) {
            match info.columns.iter_mut().find(|(name, _)| *name == column.0) {
                Some((_, column_type)) => *column_type = column.1,
                None => {
                    info.columns.push(column.clone());
                    facts.sql_types.push(sql_type.clone());
                }
            }
        }
        info.types_inferred = known.info.types_inferred;
    }

    /// Whether the SQL does not say the types of all columns of this block.
    fn undeclared(&self, open: &Open) -> bool {
        let facts = &self.facts.tables[open.index];
        facts
            .info
            .columns
            .iter()
            .zip(&facts.sql_types)
            .any(|((name, _), sql)| sql.is_empty() && open.columns.contains(name))
    }

    /// Builds rows that have these columns for a table that wants them.
    pub(crate) fn builder(
        &mut self,
        index: usize,
        table: &FullName,
        columns: &[String],
        want: &WantTable,
    ) -> Result<RowBuilder, DumpError> {
        if !self.announced[index] {
            self.announced[index] = true;
            if self.facts.tables[index].info.primary_key.is_empty()
                && let Some(declared) = self.schema.declared(table)
            {
                let key = declared.primary_key.clone();
                self.facts.tables[index].info.primary_key = key;
            }
            self.sink
                .table(&self.facts.tables[index].info)
                .map_err(DumpError::Sink)?;
        }
        let info = &self.facts.tables[index].info;
        let wanted = wanted_columns(&info.columns, want.columns.as_deref());
        let fields = fields(info, columns);
        let builder = RowBuilder::of_want(&fields, &wanted, want);
        Ok(builder.encoded(self.facts.tables[index].encoding))
    }

    /// Rejects a row.
    pub(crate) fn broken(
        &mut self,
        open: &Open,
        at: (u64, u64),
        length: u64,
        what: &str,
    ) -> Result<(), DumpError> {
        self.facts.tables[open.index].damaged_rows += 1;
        self.reject(
            Trouble::Damaged,
            Some(open.table.1.clone()),
            at,
            length,
            1,
            what,
        )
    }

    /// Infers the types from the rows held back, and builds them.
    fn release(&mut self, open: &mut Open) -> Result<(), DumpError> {
        let Job::Hold(held, places) = &mut open.job else {
            return Ok(());
        };
        let (held, places) = (std::mem::take(held), std::mem::take(places));
        let mut inferences = vec![Inference::default(); open.columns.len()];
        let mut from = 0;
        for (text, _, _) in &places {
            infer(&held[from..from + text], &mut inferences);
            from += text;
        }
        self.adopt(open, &inferences);
        let Some(want) = open.want.clone() else {
            return Ok(());
        };
        let builder = self.builder(open.index, &open.table, &open.columns, &want)?;
        let mut builder = Box::new(builder);
        let mut from = 0;
        for (text, ordinal, place) in &places {
            let row = &held[from..from + text];
            from += text;
            if let Err(what) = builder.push(row, *ordinal, *place) {
                self.facts.row_bytes -= place.length;
                self.broken(open, (place.byte, place.line), place.length, &what)?;
            }
        }
        open.job = Job::Build(builder);
        self.hand_over(open)
    }

    /// Takes inferred types over into the facts.
    fn adopt(&mut self, open: &Open, inferences: &[Inference]) {
        let facts = &mut self.facts.tables[open.index];
        for (column, inference) in open.columns.iter().zip(inferences) {
            let position = facts
                .info
                .columns
                .iter()
                .position(|(name, _)| name == column);
            if let Some(at) = position
                && facts.sql_types[at].is_empty()
            {
                facts.info.columns[at].1 = inference.column_type();
            }
        }
        facts.info.types_inferred = true;
    }

    fn hand_over(&mut self, open: &mut Open) -> Result<(), DumpError> {
        let Job::Build(builder) = &mut open.job else {
            return Ok(());
        };
        if builder.rows() == 0 {
            return Ok(());
        }
        let batch = builder.take();
        self.flush()?;
        self.sink
            .rows(&self.facts.tables[open.index].info, batch)
            .map_err(DumpError::Sink)
    }

    /// Tells the newest times of the columns where they are wanted.
    fn tell_newest(&mut self, open: &Open) {
        let own = match &open.job {
            Job::Build(builder) => Some((open.index, &**builder)),
            _ => None,
        };
        for (index, builder) in own
            .into_iter()
            .chain(open.above.iter().filter_map(Above::reads))
        {
            let info = &self.facts.tables[index].info;
            for (column, us) in builder.newest() {
                self.sink.newest(info, column, us);
            }
        }
    }

    /// Says which cells are not of the encoding.
    fn tell_misread(&mut self, open: &mut Open) -> Result<(), DumpError> {
        let above = open.above.iter_mut().filter_map(Above::misread).last();
        let misread = match &mut open.job {
            Job::Build(builder) => builder.take_misread(),
            _ => above.unwrap_or_default(),
        };
        let Some(at) = misread.first else {
            return Ok(());
        };
        let facts = &mut self.facts.tables[open.index];
        let what = misread.told(facts.encoding);
        facts.notes.push(what.clone());
        self.reject(
            Trouble::Damaged,
            Some(open.table.1.clone()),
            at,
            0,
            0,
            &what,
        )
    }

    /// Ends a block whose rows lie between `first` (byte and line) and `end`.
    pub(crate) fn close(
        &mut self,
        open: &mut Open,
        (byte, line): (u64, u64),
        end: u64,
        form: BlockForm,
    ) -> Result<(), DumpError> {
        self.release(open)?;
        self.hand_over(open)?;
        self.hand_over_above(open, true)?;
        self.tell_newest(open);
        self.tell_misread(open)?;
        if let Job::Infer(inferences) = &open.job {
            let inferences = inferences.clone();
            self.adopt(open, &inferences);
            for (column, inference) in open.columns.iter().zip(inferences) {
                self.inferred
                    .insert((open.index, column.clone()), inference);
            }
        }
        let block = Block {
            byte,
            length: end - byte,
            line,
            rows: open.rows,
            columns: open.columns.clone(),
            form,
        };
        let facts = &mut self.facts.tables[open.index];
        facts.rows += open.rows;
        let damaged = facts.damaged_rows - open.damaged_before;
        self.count_above(open, damaged, &block);
        self.facts.tables[open.index].blocks.push(block);
        Ok(())
    }
}

/// Lets the values of a row tell their columns' types.
fn infer(row: &[u8], inferences: &mut [Inference]) {
    let mut plain = Vec::new();
    let mut from = 0;
    let ends = memchr::memchr_iter(b'\t', row).chain([row.len()]);
    for (end, inference) in ends.zip(inferences) {
        let text = &row[from..end];
        from = end + 1;
        if text == b"\\N" {
        } else if memchr::memchr(b'\\', text).is_none() {
            inference.see(text);
        } else {
            plain.clear();
            unescape(text, &mut plain);
            inference.see(&plain);
        }
    }
}

/// Names and types of the wanted columns: those that exist, and the places if asked for.
pub(crate) fn wanted_columns(
    columns: &[(String, ColumnType)],
    wanted: Option<&[String]>,
) -> Vec<(String, ColumnType)> {
    let Some(wanted) = wanted else {
        return columns.to_vec();
    };
    wanted
        .iter()
        .filter_map(
            |name| match columns.iter().find(|(column, _)| column == name) {
                Some(column) => Some(column.clone()),
                None if matches!(name.as_str(), "#line" | "#byte" | "#length") => {
                    Some((name.clone(), ColumnType::I64))
                }
                None if name == "#text" => Some((name.clone(), ColumnType::Text)),
                None => None,
            },
        )
        .collect()
}
