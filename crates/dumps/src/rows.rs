//! From the text of COPY rows to typed columns: only wanted fields are decoded, and the filter is
//! asked before anything else is.

use model::{Batch, Column, ColumnData, ColumnType, RowFilter, TableInfo};

use crate::cell::{Cell, CellReader};
use crate::encoding::{Misread, TextEncoding};
use crate::facts::WantTable;
use crate::value::{Decoder, integer};

/// Most rows of a batch.
pub(crate) const BATCH_ROWS: usize = 65_536;
/// Most bytes of row text behind a batch (one row may be longer).
const BATCH_BYTES: usize = 8 << 20;

/// Where a row lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) byte: u64,
    pub(crate) length: u64,
}

/// A column of rows that come: its name, and how it is read.
pub(crate) type Field<'a> = (&'a str, Decoder);

/// How rows that have these columns are read, by the types that the table's are known to have.
pub(crate) fn fields<'o>(info: &TableInfo, columns: &'o [String]) -> Vec<Field<'o>> {
    let field = |column: &'o String| {
        let known = info.columns.iter().find(|(name, _)| name == column);
        let column_type = known.map_or(ColumnType::Text, |(_, column_type)| *column_type);
        (column.as_str(), Decoder::of_column_type(column_type))
    };
    columns.iter().map(field).collect()
}

#[derive(Clone, Copy, Debug)]
enum Output {
    Field {
        index: usize,
        decoder: Decoder,
    },
    /// Wanted, known from another block of the table, but not in these rows.
    Missing,
    Line,
    Byte,
    Length,
    /// The row itself.
    Text,
}

enum Filter {
    All,
    Nothing,
    Ints(usize, Decoder, Vec<i64>),
    /// Values, and how COPY writes them if they are bytea.
    Bytes(usize, Decoder, Vec<Vec<u8>>, Vec<Vec<u8>>),
}

impl Filter {
    fn of(filter: &RowFilter, fields: &[Field<'_>]) -> Filter {
        let position = |name: &str| fields.iter().position(|(field, _)| *field == name);
        match filter {
            RowFilter::All => Filter::All,
            RowFilter::I64In(name, values) => match position(name) {
                Some(field) => {
                    let mut values = values.clone();
                    values.sort_unstable();
                    Filter::Ints(field, fields[field].1, values)
                }
                None => Filter::Nothing,
            },
            RowFilter::BytesIn(name, values) => match position(name) {
                Some(field) => {
                    let written = values.iter().map(|value| written(value)).collect();
                    Filter::Bytes(field, fields[field].1, values.clone(), written)
                }
                None => Filter::Nothing,
            },
        }
    }
}

/// A column of which the newest time is noted, of all rows that come.
struct Watched {
    name: String,
    index: usize,
    decoder: Decoder,
    newest_us: Option<i64>,
}

/// Most parts: each is a bit.
pub(crate) const MOST_PARTS: usize = 64;

/// Builds batches from rows.
pub(crate) struct RowBuilder {
    fields: usize,
    names: Vec<String>,
    types: Vec<ColumnType>,
    outputs: Vec<Output>,
    /// Which rows each part takes; there is one at least.
    parts: Vec<Filter>,
    /// Beside the outputs, a bit for each part that takes it.
    taken_by: Vec<u64>,
    watched: Vec<Watched>,
    batch: Batch,
    batch_rows: usize,
    bytes: usize,
    cells: Vec<Cell>,
    tabs: Vec<usize>,
    cell: CellReader,
    encoding: TextEncoding,
    misread: Misread,
}

impl RowBuilder {
    /// Texts are in this encoding.
    #[must_use]
    pub(crate) fn encoded(mut self, encoding: TextEncoding) -> RowBuilder {
        self.encoding = encoding;
        self
    }

    /// Returns which cells were not of the encoding, and forgets them.
    pub(crate) fn take_misread(&mut self) -> Misread {
        std::mem::take(&mut self.misread)
    }

    /// `fields`: the columns of the rows, in order. `wanted`: names and types of the columns to
    /// build; `#line`, `#byte`, `#length` and `#text` may be among them.
    pub(crate) fn new(
        fields: &[Field<'_>],
        wanted: &[(String, ColumnType)],
        filter: &RowFilter,
    ) -> RowBuilder {
        let position = |name: &str| fields.iter().position(|(field, _)| *field == name);
        let outputs = wanted
            .iter()
            .map(
                |(name, column_type)| match (position(name), name.as_str()) {
                    (Some(index), _) => Output::Field {
                        index,
                        decoder: Decoder::of_column_type(*column_type),
                    },
                    (None, "#line") => Output::Line,
                    (None, "#byte") => Output::Byte,
                    (None, "#length") => Output::Length,
                    (None, "#text") => Output::Text,
                    (None, _) => Output::Missing,
                },
            )
            .collect();
        let mut builder = RowBuilder {
            fields: fields.len(),
            names: wanted.iter().map(|(name, _)| name.clone()).collect(),
            types: wanted.iter().map(|(_, column_type)| *column_type).collect(),
            taken_by: vec![1; wanted.len()],
            outputs,
            parts: vec![Filter::of(filter, fields)],
            watched: Vec::new(),
            batch: Batch::default(),
            batch_rows: BATCH_ROWS,
            bytes: 0,
            cells: Vec::new(),
            tabs: Vec::new(),
            cell: CellReader::default(),
            encoding: TextEncoding::default(),
            misread: Misread::default(),
        };
        builder.take();
        builder
    }

    /// As [`RowBuilder::new`], for all that is wanted of a table.
    pub(crate) fn of_want(
        fields: &[Field<'_>],
        wanted: &[(String, ColumnType)],
        want: &WantTable,
    ) -> RowBuilder {
        let mut builder = RowBuilder::new(fields, wanted, &want.filter);
        builder.batch_rows = want.batch_rows;
        if (1..=MOST_PARTS).contains(&want.parts.len()) {
            let filters = want.parts.iter().map(|(filter, _)| filter);
            builder.parts = filters.map(|filter| Filter::of(filter, fields)).collect();
            let bits = |name: &String| {
                let takes = want.parts.iter().map(|(_, columns)| columns.contains(name));
                let bit = |(part, takes): (usize, bool)| u64::from(takes) << part;
                takes.enumerate().map(bit).sum()
            };
            builder.taken_by = builder.names.iter().map(bits).collect();
        }
        for (index, (name, decoder)) in fields.iter().enumerate() {
            let of_time = matches!(decoder, Decoder::TimestampUtc | Decoder::TimestampCivil);
            if of_time && want.newest.iter().any(|wanted| wanted == name) {
                builder.watched.push(Watched {
                    name: (*name).to_owned(),
                    index,
                    decoder: *decoder,
                    newest_us: None,
                });
            }
        }
        builder
    }

    /// Returns the newest finite times of the columns that are watched.
    pub(crate) fn newest(&self) -> impl Iterator<Item = (&str, Option<i64>)> {
        let watched = self.watched.iter();
        watched.map(|column| (column.name.as_str(), column.newest_us))
    }

    /// Returns the batch built so far and starts another.
    pub(crate) fn take(&mut self) -> Batch {
        self.bytes = 0;
        let mut columns: Vec<Column> = self
            .names
            .iter()
            .zip(&self.types)
            .map(|(name, column_type)| Column::new(name.clone(), *column_type))
            .collect();
        columns.push(Column::new("#", ColumnType::I64));
        std::mem::replace(&mut self.batch, Batch { columns })
    }

    /// Whether the batch has reached its size.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES || self.rows() >= self.batch_rows
    }

    pub(crate) fn rows(&self) -> usize {
        // The ordinals: there may be no other column.
        self.batch.columns.last().map_or(0, Column::len)
    }

    /// Takes a row, without its line feed. Says in words what is wrong with a broken one.
    pub(crate) fn push(&mut self, row: &[u8], ordinal: i64, place: Place) -> Result<(), String> {
        check_fields(row, self.fields)?;
        for column in &mut self.watched {
            let text = field(row, column.index, self.fields);
            let time = self.cell.read(column.decoder, text, 0);
            let time = time.ok_or_else(|| not_read(&column.name, text, column.decoder))?;
            if let Cell::I64(us) = time
                && model::time::is_finite(us)
            {
                column.newest_us = column.newest_us.max(Some(us));
            }
        }
        let mut taken = 0;
        for part in 0..self.parts.len() {
            taken |= u64::from(self.passes(part, row)?) << part;
        }
        if taken == 0 {
            return Ok(());
        }
        self.cells.clear();
        self.cell.scratch.clear();
        self.tabs.clear();
        self.tabs.extend(memchr::memchr_iter(b'\t', row));
        let outputs = self.outputs.iter().zip(&self.names);
        for ((output, name), taken_by) in outputs.zip(&self.taken_by) {
            let cell = match *output {
                _ if taken & taken_by == 0 => Cell::Null,
                Output::Field { index, decoder } => {
                    let from = match index {
                        0 => 0,
                        index => self.tabs[index - 1] + 1,
                    };
                    let to = self.tabs.get(index).copied().unwrap_or(row.len());
                    let text = &row[from..to];
                    self.cell
                        .read(decoder, text, from)
                        .ok_or_else(|| not_read(name, text, decoder))?
                }
                Output::Missing => Cell::Null,
                Output::Line => Cell::I64(place.line as i64),
                Output::Byte => Cell::I64(place.byte as i64),
                Output::Length => Cell::I64(place.length as i64),
                Output::Text => Cell::Row(0, row.len()),
            };
            self.cells.push(cell);
        }
        for (cell, column) in self.cells.iter().zip(&mut self.batch.columns) {
            match *cell {
                Cell::Null => column.push_null(),
                Cell::Bool(value) => column.push_bool(value),
                Cell::I64(value) => column.push_i64(value),
                Cell::F64(value) => column.push_f64(value),
                Cell::Row(from, to) | Cell::Scratch(from, to) => {
                    let text = match *cell {
                        Cell::Row(..) => &row[from..to],
                        _ => &self.cell.scratch[from..to],
                    };
                    if column.column_type == ColumnType::Bytes {
                        column.push_bytes(text);
                    } else if !push_text(column, text, self.encoding)
                        && !column.name.starts_with('#')
                    {
                        self.misread.see(&column.name, (place.byte, place.line));
                    }
                }
            }
        }
        if let Some(ordinals) = self.batch.columns.last_mut() {
            ordinals.push_i64(ordinal);
        }
        self.bytes += row.len();
        Ok(())
    }

    fn passes(&mut self, part: usize, row: &[u8]) -> Result<bool, String> {
        match &self.parts[part] {
            Filter::All => Ok(true),
            Filter::Nothing => Ok(false),
            Filter::Ints(index, decoder, values) => {
                let text = field(row, *index, self.fields);
                if text == b"\\N" {
                    return Ok(false);
                }
                match integer(text) {
                    Some(value) => Ok(values.binary_search(&value).is_ok()),
                    // A key that can't be read may be the wanted one: that must be known.
                    None if *decoder == Decoder::Int => {
                        Err(format!("{} is no {}", shown(text), decoder.noun()))
                    }
                    None => Ok(false),
                }
            }
            Filter::Bytes(index, decoder, values, written) => {
                let text = field(row, *index, self.fields);
                if text == b"\\N" {
                    return Ok(false);
                }
                if *decoder == Decoder::Bytes && text.starts_with(b"\\\\x") {
                    // Of the usual form: nothing has to be decoded, unless digits are upper case.
                    if written.iter().any(|wanted| wanted == text) {
                        return Ok(true);
                    }
                    if text.len() % 2 == 1 && are_lower_hex(&text[3..]) {
                        return Ok(false);
                    }
                } else if memchr::memchr(b'\\', text).is_none() {
                    return Ok(is_among(values, text, *decoder, self.encoding));
                }
                self.cell.scratch.clear();
                let cell = self
                    .cell
                    .read(*decoder, text, 0)
                    .ok_or_else(|| format!("{} is no {}", shown(text), decoder.noun()))?;
                let value = match cell {
                    Cell::Row(from, to) => &text[from..to],
                    Cell::Scratch(from, to) => &self.cell.scratch[from..to],
                    _ => return Ok(false),
                };
                Ok(is_among(values, value, *decoder, self.encoding))
            }
        }
    }
}

/// Whether a cell is one of the wanted values, which are bytes or UTF-8.
#[inline]
fn is_among(values: &[Vec<u8>], cell: &[u8], decoder: Decoder, encoding: TextEncoding) -> bool {
    if decoder == Decoder::Bytes || cell.is_ascii() {
        return values.iter().any(|value| value == cell);
    }
    let text = encoding.decode_lossy(cell);
    values.iter().any(|value| value == text.as_bytes())
}

/// Whether all are hex digits in lower case. Asks all, as many at a time as the machine can, rather than up to the first
/// that is none.
fn are_lower_hex(digits: &[u8]) -> bool {
    let is_digit = |b: u8| b.wrapping_sub(b'0') < 10;
    let is_letter = |b: u8| b.wrapping_sub(b'a') < 6;
    digits
        .iter()
        .fold(true, |all, &b| all & (is_digit(b) | is_letter(b)))
}

/// How COPY writes a bytea value.
fn written(value: &[u8]) -> Vec<u8> {
    let mut text = b"\\\\x".to_vec();
    for byte in value {
        for nibble in [byte >> 4, byte & 15] {
            text.push(b"0123456789abcdef"[usize::from(nibble)]);
        }
    }
    text
}

/// Whether a row has as many fields as its block has columns.
#[inline]
pub(crate) fn check_fields(row: &[u8], fields: usize) -> Result<(), String> {
    let found = memchr::memchr_iter(b'\t', row).count() + 1;
    if found == fields || (fields == 0 && row.is_empty()) {
        Ok(())
    } else {
        Err(format!(
            "the row has {found} fields, the table {fields} columns"
        ))
    }
}

/// Returns the text of one of so many fields, looked for from the nearer end; empty if there is none.
#[inline]
pub(crate) fn field(row: &[u8], index: usize, fields: usize) -> &[u8] {
    let behind = fields.saturating_sub(index + 1);
    if index <= behind {
        let mut tabs = memchr::memchr_iter(b'\t', row);
        let from = match index {
            0 => 0,
            _ => match tabs.nth(index - 1) {
                Some(tab) => tab + 1,
                None => return b"",
            },
        };
        return &row[from..tabs.next().unwrap_or(row.len())];
    }
    let mut tabs = memchr::memrchr_iter(b'\t', row);
    let to = match behind {
        0 => row.len(),
        _ => match tabs.nth(behind - 1) {
            Some(tab) => tab,
            None => return b"",
        },
    };
    &row[tabs.next().map_or(0, |tab| tab + 1)..to]
}

/// What is wrong with a cell.
fn not_read(name: &str, text: &[u8], decoder: Decoder) -> String {
    format!("column {name}: {} is no {}", shown(text), decoder.noun())
}

/// Appends text; `false` if it is not of the encoding.
#[inline]
fn push_text(column: &mut Column, value: &[u8], encoding: TextEncoding) -> bool {
    if value.is_ascii() {
        column.push_text(value);
        return true;
    }
    match encoding.decode(value) {
        Some(text) => {
            column.push_text(text.as_bytes());
            true
        }
        None => {
            column.push_text(encoding.decode_lossy(value).as_bytes());
            false
        }
    }
}

/// Shows the begin of a value in a message.
pub(crate) fn shown(text: &[u8]) -> String {
    let short = &text[..text.len().min(40)];
    let dots = if text.len() > short.len() { "…" } else { "" };
    format!("`{}{dots}`", model::escape_control(short))
}

/// Copies one cell.
fn copy_cell(from: &Column, row: usize, to: &mut Column) {
    if from.is_null(row) {
        to.push_null();
        return;
    }
    match &from.data {
        ColumnData::Bool(values) => to.push_bool(values[row]),
        ColumnData::I64(values) => to.push_i64(values[row]),
        ColumnData::F64(values) => to.push_f64(values[row]),
        ColumnData::Str(values) => to.push_bytes(values.get(row)),
        ColumnData::Dict { codes, values } => to.push_bytes(values.get(codes[row] as usize)),
    }
}

/// Puts rows that pass behind those of another batch, whose columns they get; what they lack is null.
pub(crate) fn append(to: &mut Batch, from: &Batch, filter: &RowFilter) {
    let rows: Option<Vec<usize>> = match filter {
        RowFilter::All => None,
        _ => Some((0..from.rows()).filter(passing(from, filter)).collect()),
    };
    for to in &mut to.columns {
        match (from.column(&to.name), &rows) {
            (Some(from), None) => to.append(from),
            (Some(from), Some(rows)) => rows.iter().for_each(|&row| copy_cell(from, row, to)),
            (None, _) => to.fill_nulls(to.len() + rows.as_ref().map_or(from.rows(), Vec::len)),
        }
    }
}

/// Which rows pass.
fn passing(batch: &Batch, filter: &RowFilter) -> impl Fn(&usize) -> bool {
    let by = match filter {
        RowFilter::I64In(name, _) | RowFilter::BytesIn(name, _) => batch.column(name),
        RowFilter::All => None,
    };
    move |&row| match filter {
        RowFilter::All => true,
        RowFilter::I64In(_, values) => by
            .and_then(|column| column.i64(row))
            .is_some_and(|value| values.binary_search(&value).is_ok()),
        RowFilter::BytesIn(_, values) => by
            .and_then(|column| column.bytes(row))
            .is_some_and(|value| values.iter().any(|wanted| wanted == value)),
    }
}

/// Takes the named columns and the ordinals of the rows that pass.
pub(crate) fn select(
    batch: &Batch,
    names: &[String],
    filter: &RowFilter,
    range: std::ops::Range<usize>,
) -> Batch {
    let wanted: Vec<&Column> = names
        .iter()
        .map(String::as_str)
        .chain(["#"])
        .filter_map(|name| batch.column(name))
        .collect();
    let mut columns: Vec<Column> = wanted
        .iter()
        .map(|column| Column::new(column.name.clone(), column.column_type))
        .collect();
    if *filter == RowFilter::All && range == (0..batch.rows()) {
        for (from, to) in wanted.iter().zip(&mut columns) {
            to.append(from);
        }
        return Batch { columns };
    }
    for row in range.filter(passing(batch, filter)) {
        for (from, to) in wanted.iter().zip(&mut columns) {
            copy_cell(from, row, to);
        }
    }
    Batch { columns }
}

#[cfg(test)]
mod tests {
    use super::are_lower_hex;

    #[test]
    fn only_lower_hex_digits_need_no_reading() {
        for byte in 0..=u8::MAX {
            let is_digit = "0123456789abcdef".bytes().any(|digit| digit == byte);
            assert_eq!(are_lower_hex(&[b'7', byte, b'a']), is_digit, "{byte}");
        }
        assert!(are_lower_hex(b""));
    }
}
