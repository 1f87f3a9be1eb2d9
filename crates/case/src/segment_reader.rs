//! Reading one Parquet file: whole, by key, or in line order.

use crate::CaseError;
use crate::columns::{Columns, columns_of_schema, memory_schema};
use crate::error::{AtPath, segment_error};
use crate::segment::{COLUMNS_KEY, PAGE_ROWS, SOURCE};
use crate::wanted::Wanted;
use arrow::array::{AsArray, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{Int32Type, Int64Type};
use model::RowFilter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::file::metadata::PageIndexPolicy;
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Rows of a batch that is handed out.
const BATCH_ROWS: usize = 32 * 1024;

/// An open segment.
#[derive(Debug)]
pub(crate) struct SegmentReader {
    file: File,
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    columns: Columns,
}

/// Chosen rows of a segment: row groups, and rows counted from the start of the file.
pub(crate) struct Chosen {
    groups: Vec<usize>,
    /// `None`: all rows of the groups.
    rows: Option<Vec<u64>>,
}

impl Chosen {
    /// Returns how many rows were chosen one by one.
    pub(crate) fn picked(&self) -> usize {
        self.rows.as_ref().map_or(0, Vec::len)
    }
}

impl SegmentReader {
    /// Opens a segment.
    pub(crate) fn open(path: &Path) -> Result<SegmentReader, CaseError> {
        let file = File::open(path).at("read", path)?;
        SegmentReader::of(file, path)
    }

    /// Takes a segment that is open already.
    pub(crate) fn of(file: File, path: &Path) -> Result<SegmentReader, CaseError> {
        let error = |error: parquet::errors::ParquetError| segment_error(path, error);
        let options = ArrowReaderOptions::new()
            .with_skip_arrow_metadata(true)
            .with_page_index_policy(PageIndexPolicy::Optional);
        let metadata = ArrowReaderMetadata::load(&file, options.clone()).map_err(error)?;
        let stored = metadata
            .metadata()
            .file_metadata()
            .key_value_metadata()
            .and_then(|pairs| pairs.iter().find(|pair| pair.key == COLUMNS_KEY))
            .and_then(|pair| serde_json::from_str::<Columns>(pair.value.as_deref()?).ok());
        let columns = stored.unwrap_or_else(|| columns_of_schema(metadata.schema()));
        let options = options.with_schema(memory_schema(&columns));
        let metadata =
            ArrowReaderMetadata::try_new(metadata.metadata().clone(), options).map_err(error)?;
        Ok(SegmentReader {
            file,
            path: path.to_path_buf(),
            metadata,
            columns,
        })
    }

    /// Returns names and types of the columns.
    pub(crate) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Returns the number of rows.
    pub(crate) fn rows(&self) -> u64 {
        let rows = self.metadata.metadata().file_metadata().num_rows();
        rows.max(0) as u64
    }

    /// Chooses all rows.
    pub(crate) fn all(&self) -> Chosen {
        Chosen {
            groups: (0..self.metadata.metadata().num_row_groups()).collect(),
            rows: None,
        }
    }

    /// Reads chosen rows; columns that the file lacks are left out.
    pub(crate) fn read(
        &self,
        columns: Option<&[&str]>,
        chosen: &Chosen,
    ) -> Result<SegmentRows, CaseError> {
        let mask = columns.map(|columns| {
            let roots = self
                .columns
                .iter()
                .enumerate()
                .filter(|(_, (name, _))| columns.contains(&name.as_str()))
                .map(|(index, _)| index);
            ProjectionMask::roots(self.metadata.parquet_schema(), roots)
        });
        let groups = chosen.groups.iter().map(|group| {
            let rows = chosen.rows.as_ref();
            (*group, rows.map(|rows| self.selection(*group, rows)))
        });
        Ok(SegmentRows {
            file: self.file.try_clone().at("read", &self.path)?,
            path: self.path.clone(),
            metadata: self.metadata.clone(),
            mask,
            groups: groups.collect(),
            current: None,
        })
    }

    /// Passes batches to `f`.
    pub(crate) fn for_each(
        &self,
        columns: Option<&[&str]>,
        f: &mut dyn FnMut(&RecordBatch) -> Result<(), CaseError>,
    ) -> Result<(), CaseError> {
        for batch in self.read(columns, &self.all())? {
            f(&batch?)?;
        }
        Ok(())
    }

    fn group_starts(&self) -> Vec<u64> {
        let mut start = 0;
        let groups = self.metadata.metadata().row_groups().iter();
        groups
            .map(|group| {
                let this = start;
                start += group.num_rows().max(0) as u64;
                this
            })
            .collect()
    }

    /// Turns rows of the file (sorted) into a selection inside one group.
    fn selection(&self, group: usize, rows: &[u64]) -> RowSelection {
        let start = self.group_starts()[group];
        let end = start + self.metadata.metadata().row_group(group).num_rows().max(0) as u64;
        let from = rows.partition_point(|row| *row < start);
        let to = rows.partition_point(|row| *row < end);
        let mut selectors: Vec<RowSelector> = Vec::new();
        let mut at = start;
        let mut next = from;
        while next < to {
            let first = rows[next];
            if first > at {
                selectors.push(RowSelector::skip((first - at) as usize));
            }
            let mut len = 1;
            while next + len < to && rows[next + len] == first + len as u64 {
                len += 1;
            }
            selectors.push(RowSelector::select(len));
            next += len;
            at = first + len as u64;
        }
        if at < end {
            selectors.push(RowSelector::skip((end - at) as usize));
        }
        RowSelection::from(selectors)
    }

    /// Chooses the rows that pass a filter: row groups by statistics, then rows by value. Nothing if
    /// the file lacks the column.
    pub(crate) fn choose(&self, filter: &RowFilter) -> Result<Chosen, CaseError> {
        match filter {
            RowFilter::All => Ok(self.all()),
            RowFilter::I64In(name, _) | RowFilter::BytesIn(name, _) => {
                self.choose_by(name, &Wanted::of(filter))
            }
        }
    }

    /// Chooses the rows whose whole number lies in one of some ranges, ends included.
    pub(crate) fn choose_between(
        &self,
        name: &str,
        ranges: &[(i64, i64)],
    ) -> Result<Chosen, CaseError> {
        self.choose_by(name, &Wanted::Ranges(ranges))
    }

    /// Chooses those of some rows that pass a filter, too.
    pub(crate) fn choose_among(
        &self,
        mut chosen: Chosen,
        filter: &RowFilter,
    ) -> Result<Chosen, CaseError> {
        if let RowFilter::I64In(name, _) | RowFilter::BytesIn(name, _) = filter {
            chosen.rows = Some(self.passing(&chosen, name, &Wanted::of(filter))?);
        }
        Ok(chosen)
    }

    /// Returns those of some rows that hold a wanted value.
    fn passing(
        &self,
        among: &Chosen,
        name: &str,
        wanted: &Wanted<'_>,
    ) -> Result<Vec<u64>, CaseError> {
        let mut passing = Vec::new();
        let mut at = 0;
        for batch in self.read(Some(&[name]), among)? {
            let batch = batch?;
            if let Some(column) = batch.columns().first() {
                wanted.rows_in(column, at, &mut passing);
            }
            at += batch.num_rows() as u64;
        }
        let rows = self.positions(among);
        Ok(passing.iter().map(|row| rows[*row as usize]).collect())
    }

    fn choose_by(&self, name: &str, wanted: &Wanted<'_>) -> Result<Chosen, CaseError> {
        let mut chosen = Chosen {
            groups: Vec::new(),
            rows: Some(Vec::new()),
        };
        let Some(index) = self.columns.iter().position(|(column, _)| column == name) else {
            return Ok(chosen);
        };
        let starts = self.group_starts();
        let mut rows = Vec::new();
        for (group, start) in starts.iter().enumerate() {
            let statistics = self
                .metadata
                .metadata()
                .row_group(group)
                .column(index)
                .statistics();
            if !statistics.is_none_or(|statistics| wanted.may_be_in(statistics)) {
                continue;
            }
            let one = Chosen {
                groups: vec![group],
                rows: self.pages(group, *start, index, wanted),
            };
            let found = self.passing(&one, name, wanted)?;
            if !found.is_empty() {
                chosen.groups.push(group);
                rows.extend(found);
            }
        }
        chosen.rows = Some(rows);
        Ok(chosen)
    }

    /// Returns the rows of those pages of a column that may hold a wanted value; `None` if the file does not say so.
    fn pages(
        &self,
        group: usize,
        start: u64,
        column: usize,
        wanted: &Wanted<'_>,
    ) -> Option<Vec<u64>> {
        let metadata = self.metadata.metadata();
        let index = metadata.column_index()?.get(group)?.get(column)?;
        let pages = metadata.offset_index()?.get(group)?.get(column)?;
        let firsts = pages.page_locations().iter();
        let mut firsts: Vec<u64> = firsts.map(|page| page.first_row_index as u64).collect();
        firsts.push(metadata.row_group(group).num_rows().max(0) as u64);
        let wanted = wanted.pages_of(index)?;
        (wanted.len() + 1 == firsts.len()).then(|| {
            let pages = firsts.windows(2).zip(wanted);
            pages
                .filter(|(_, wanted)| *wanted)
                .flat_map(|(page, _)| start + page[0]..start + page[1])
                .collect()
        })
    }

    /// Returns the positions of chosen rows, counted from the start of the file.
    pub(crate) fn positions(&self, chosen: &Chosen) -> Vec<u64> {
        match &chosen.rows {
            Some(rows) => rows.clone(),
            None => {
                let starts = self.group_starts();
                let groups = chosen.groups.iter();
                let rows = groups.map(|&group| {
                    let rows = self.metadata.metadata().row_group(group).num_rows();
                    starts[group]..starts[group] + rows.max(0) as u64
                });
                rows.flatten().collect()
            }
        }
    }

    /// Passes the rows that `keep(source, line)` wants to `f`, in line order, in bounded memory.
    pub(crate) fn in_line_order(
        &self,
        keep: &dyn Fn(&str, i64) -> bool,
        f: &mut dyn FnMut(RecordBatch) -> Result<(), CaseError>,
    ) -> Result<(), CaseError> {
        self.columns_in_line_order(None, keep, f)
    }

    /// Passes some columns of the rows that `keep(source, line)` wants to `f`, in line order.
    pub(crate) fn columns_in_line_order(
        &self,
        columns: Option<&[&str]>,
        keep: &dyn Fn(&str, i64) -> bool,
        f: &mut dyn FnMut(RecordBatch) -> Result<(), CaseError>,
    ) -> Result<(), CaseError> {
        let order = self.line_order(keep)?;
        let starts = self.group_starts();
        let group_of = |row: u64| starts.partition_point(|start| *start <= row) - 1;
        let mut left: BTreeMap<usize, usize> = BTreeMap::new();
        for (_, row) in &order {
            *left.entry(group_of(*row)).or_default() += 1;
        }
        // Row groups that still have rows to give: lines are nearly in time order, so these are few.
        let mut held: BTreeMap<usize, RecordBatch> = BTreeMap::new();
        for page in order.chunks(PAGE_ROWS) {
            let groups: Vec<usize> = page.iter().map(|(_, row)| group_of(*row)).collect();
            for group in &groups {
                if !held.contains_key(group) {
                    held.insert(*group, self.group(columns, *group)?);
                }
            }
            let names: Vec<usize> = held.keys().copied().collect();
            let batches: Vec<&RecordBatch> = held.values().collect();
            let rows: Vec<(usize, usize)> = page
                .iter()
                .zip(&groups)
                .map(|((_, row), group)| {
                    let batch = names.partition_point(|name| name < group);
                    (batch, (row - starts[*group]) as usize)
                })
                .collect();
            let batch = interleave_record_batch(&batches, &rows)
                .map_err(|error| segment_error(&self.path, error))?;
            f(batch)?;
            for group in groups {
                if let Some(count) = left.get_mut(&group) {
                    *count -= 1;
                    if *count == 0 {
                        held.remove(&group);
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns lines and positions of wanted rows, by line; rows of one line keep their order.
    fn line_order(&self, keep: &dyn Fn(&str, i64) -> bool) -> Result<Vec<(i64, u64)>, CaseError> {
        let mut order = Vec::new();
        let mut row = 0u64;
        self.for_each(Some(&[SOURCE, "line"]), &mut |batch| {
            let sources = Sources::of(batch);
            let lines = batch
                .column_by_name("line")
                .and_then(|column| column.as_primitive_opt::<Int64Type>());
            for index in 0..batch.num_rows() {
                let line = lines.map_or(0, |lines| lines.value(index));
                if keep(sources.get(index), line) {
                    order.push((line, row));
                }
                row += 1;
            }
            Ok(())
        })?;
        order.sort_unstable();
        Ok(order)
    }

    fn group(&self, columns: Option<&[&str]>, group: usize) -> Result<RecordBatch, CaseError> {
        let chosen = Chosen {
            groups: vec![group],
            rows: None,
        };
        let mut batches = Vec::new();
        for batch in self.read(columns, &chosen)? {
            batches.push(batch?);
        }
        let schema = match batches.first() {
            Some(first) => first.schema(),
            None => memory_schema(&self.columns),
        };
        arrow::compute::concat_batches(&schema, &batches)
            .map_err(|error| segment_error(&self.path, error))
    }
}

/// Rows of a segment, row group by row group: a batch never spans two, for a group's text is bounded.
pub(crate) struct SegmentRows {
    file: File,
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    mask: Option<ProjectionMask>,
    groups: VecDeque<(usize, Option<RowSelection>)>,
    current: Option<ParquetRecordBatchReader>,
}

impl SegmentRows {
    fn open_group(
        &self,
        group: usize,
        selection: Option<RowSelection>,
    ) -> Result<ParquetRecordBatchReader, CaseError> {
        let file = self.file.try_clone().at("read", &self.path)?;
        let mut builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
                .with_batch_size(BATCH_ROWS)
                .with_row_groups(vec![group]);
        if let Some(mask) = &self.mask {
            builder = builder.with_projection(mask.clone());
        }
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        builder
            .build()
            .map_err(|error| segment_error(&self.path, error))
    }
}

impl Iterator for SegmentRows {
    type Item = Result<RecordBatch, CaseError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(current) = &mut self.current {
                match current.next() {
                    Some(Ok(batch)) => return Some(Ok(batch)),
                    Some(Err(error)) => {
                        self.current = None;
                        self.groups.clear();
                        return Some(Err(segment_error(&self.path, error)));
                    }
                    None => self.current = None,
                }
            }
            let (group, selection) = self.groups.pop_front()?;
            match self.open_group(group, selection) {
                Ok(reader) => self.current = Some(reader),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// The `source` column of a batch.
pub(crate) struct Sources<'a> {
    keys: &'a [i32],
    names: Vec<&'a str>,
}

impl<'a> Sources<'a> {
    /// Finds it; a batch without one has the empty name everywhere.
    pub(crate) fn of(batch: &'a RecordBatch) -> Sources<'a> {
        let column = batch
            .column_by_name(SOURCE)
            .and_then(|column| column.as_dictionary_opt::<Int32Type>());
        match column {
            Some(column) => Sources {
                keys: column.keys().values(),
                names: column
                    .values()
                    .as_string::<i32>()
                    .iter()
                    .map(Option::unwrap_or_default)
                    .collect(),
            },
            None => Sources {
                keys: &[],
                names: Vec::new(),
            },
        }
    }

    /// Returns the distinct names.
    pub(crate) fn names(&self) -> &[&'a str] {
        &self.names
    }

    /// Returns the position in [`Sources::names`] of a row's source.
    pub(crate) fn code(&self, row: usize) -> usize {
        self.keys.get(row).map_or(0, |key| *key as usize)
    }

    /// Returns a row's source.
    pub(crate) fn get(&self, row: usize) -> &'a str {
        self.names.get(self.code(row)).copied().unwrap_or_default()
    }
}
