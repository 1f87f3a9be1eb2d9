//! Typed columns without an engine: how formats and dumps hand rows to the case.

/// The type of a column. Everything that is neither number, truth nor instant is kept as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Truth.
    Bool,
    /// Whole number.
    I64,
    /// Number.
    F64,
    /// UTF-8 text.
    Text,
    /// Text with few distinct values: stored as codes into a dictionary.
    Dict,
    /// Bytes.
    Bytes,
    /// JSON text.
    Json,
    /// Decimal number of any size, as text.
    Numeric,
    /// Microseconds since 1970 UTC. `i64::MAX` and `i64::MIN` are infinity and -infinity.
    TimestampUtc,
    /// Civil microseconds: a wall clock whose zone the table does not say.
    TimestampCivil,
}

/// Which rows hold a value: a plain bit per row, lowest bit first (Arrow's layout).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bitmap {
    bytes: Vec<u8>,
    len: usize,
    unset: usize,
}

impl Bitmap {
    /// Takes bits in Arrow's layout.
    ///
    /// # Panics
    /// If `bytes` is too short for `len` bits.
    pub fn from_bytes(mut bytes: Vec<u8>, len: usize) -> Bitmap {
        assert!(bytes.len() * 8 >= len, "a byte for every eight bits");
        bytes.truncate(len.div_ceil(8));
        if let (Some(last), true) = (bytes.last_mut(), len & 7 != 0) {
            *last &= (1 << (len & 7)) - 1;
        }
        let set: usize = bytes.iter().map(|byte| byte.count_ones() as usize).sum();
        Bitmap {
            bytes,
            len,
            unset: len - set,
        }
    }

    /// Appends a bit.
    #[inline]
    pub fn push(&mut self, set: bool) {
        let bit = self.len & 7;
        if bit == 0 {
            self.bytes.push(0);
        }
        if set {
            let last = self.bytes.len() - 1;
            self.bytes[last] |= 1 << bit;
        } else {
            self.unset += 1;
        }
        self.len += 1;
    }

    /// Appends bits that are not set.
    #[inline]
    pub fn extend_unset(&mut self, bits: usize) {
        self.len += bits;
        self.unset += bits;
        self.bytes.resize(self.len.div_ceil(8), 0);
    }

    /// Returns a bit.
    pub fn get(&self, row: usize) -> bool {
        self.bytes[row >> 3] & (1 << (row & 7)) != 0
    }

    /// Returns the number of bits.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no bit.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns how many bits are not set.
    pub fn unset(&self) -> usize {
        self.unset
    }

    /// Returns the bytes in Arrow's layout.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Strings (or byte strings) laid end to end: Arrow's layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrColumn {
    /// `rows + 1` offsets into `data`.
    pub offsets: Vec<i32>,
    /// All values.
    pub data: Vec<u8>,
}

impl Default for StrColumn {
    fn default() -> Self {
        StrColumn {
            offsets: vec![0],
            data: Vec::new(),
        }
    }
}

impl StrColumn {
    /// Appends a value as it is (the caller vouches for UTF-8 in text columns).
    #[inline]
    pub fn push(&mut self, value: &[u8]) {
        self.data.extend_from_slice(value);
        self.close();
    }

    /// Ends the value whose bytes were appended to `data` directly.
    #[inline]
    pub fn close(&mut self) {
        self.offsets.push(self.data.len() as i32);
    }

    /// Appends text from evidence, as a rule ASCII: invalid UTF-8 is replaced by U+FFFD.
    #[inline]
    pub fn push_text(&mut self, value: &[u8]) {
        if value.is_ascii() || std::str::from_utf8(value).is_ok() {
            self.push(value);
        } else {
            self.push_lossy(value);
        }
    }

    /// Appends text, invalid UTF-8 replaced by U+FFFD.
    pub fn push_lossy(&mut self, value: &[u8]) {
        for chunk in value.utf8_chunks() {
            self.data.extend_from_slice(chunk.valid().as_bytes());
            if !chunk.invalid().is_empty() {
                self.data.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
        self.close();
    }

    /// Appends the values of another column.
    pub fn extend(&mut self, other: &StrColumn) {
        let before = self.data.len() as i32;
        put_behind(&mut self.data, &other.data);
        make_room(&mut self.offsets, other.len());
        let ends = other.offsets.iter().skip(1).map(|end| before + end);
        self.offsets.extend(ends);
    }

    /// Returns the number of values.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns a value.
    pub fn get(&self, row: usize) -> &[u8] {
        &self.data[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }
}

fn put_behind<T: Copy>(to: &mut Vec<T>, from: &[T]) {
    make_room(to, from.len());
    to.extend_from_slice(from);
}

/// Makes room for more values. It grows fourfold: room that is not used costs nothing, what was copied from one place to
/// the next was touched in both.
fn make_room<T>(to: &mut Vec<T>, more: usize) {
    if to.capacity() - to.len() < more {
        to.reserve_exact(more.max(3 * to.len()));
    }
}

/// The values of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnData {
    /// Truths.
    Bool(Vec<bool>),
    /// Whole numbers and instants.
    I64(Vec<i64>),
    /// Numbers.
    F64(Vec<f64>),
    /// Text, JSON, numerics or bytes.
    Str(StrColumn),
    /// Codes into `values`.
    Dict {
        /// One code per row.
        codes: Vec<i32>,
        /// The distinct values.
        values: StrColumn,
    },
}

/// A named, typed column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Name as in the database, or as documented.
    pub name: String,
    /// Type.
    pub column_type: ColumnType,
    /// Values; a null row holds a zero or empty one.
    pub data: ColumnData,
    /// Which rows are not null; `None` if all are.
    pub valid: Option<Bitmap>,
}

impl Column {
    /// Returns an empty column.
    pub fn new(name: impl Into<String>, column_type: ColumnType) -> Column {
        let data = match column_type {
            ColumnType::Bool => ColumnData::Bool(Vec::new()),
            ColumnType::I64 | ColumnType::TimestampUtc | ColumnType::TimestampCivil => {
                ColumnData::I64(Vec::new())
            }
            ColumnType::F64 => ColumnData::F64(Vec::new()),
            ColumnType::Text | ColumnType::Bytes | ColumnType::Json | ColumnType::Numeric => {
                ColumnData::Str(StrColumn::default())
            }
            ColumnType::Dict => ColumnData::Dict {
                codes: Vec::new(),
                values: StrColumn::default(),
            },
        };
        Column {
            name: name.into(),
            column_type,
            data,
            valid: None,
        }
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        match &self.data {
            ColumnData::Bool(values) => values.len(),
            ColumnData::I64(values) => values.len(),
            ColumnData::F64(values) => values.len(),
            ColumnData::Str(values) => values.len(),
            ColumnData::Dict { codes, .. } => codes.len(),
        }
    }

    /// Whether the column has no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a row is null.
    pub fn is_null(&self, row: usize) -> bool {
        self.valid.as_ref().is_some_and(|valid| !valid.get(row))
    }

    /// Appends a null.
    #[inline]
    pub fn push_null(&mut self) {
        self.fill_nulls(self.len() + 1);
    }

    /// Appends nulls until there are `rows` rows: where most rows have no value, only the others need be
    /// touched.
    #[inline]
    pub fn fill_nulls(&mut self, rows: usize) {
        let before = self.len();
        if before >= rows {
            return;
        }
        let valid = self
            .valid
            .get_or_insert_with(|| Bitmap::from_bytes(vec![0xff; before.div_ceil(8)], before));
        valid.extend_unset(rows - before);
        match &mut self.data {
            ColumnData::Bool(values) => values.resize(rows, false),
            ColumnData::I64(values) => values.resize(rows, 0),
            ColumnData::F64(values) => values.resize(rows, 0.0),
            ColumnData::Str(values) => values.offsets.resize(rows + 1, values.data.len() as i32),
            ColumnData::Dict { codes, values } => {
                if values.is_empty() {
                    values.push(b"");
                }
                codes.resize(rows, 0);
            }
        }
    }

    /// Appends the cells of another column of the same type.
    ///
    /// # Panics
    /// If the types differ.
    pub fn append(&mut self, other: &Column) {
        let before = self.len();
        match (&mut self.data, &other.data) {
            (ColumnData::Bool(to), ColumnData::Bool(from)) => put_behind(to, from),
            (ColumnData::I64(to), ColumnData::I64(from)) => put_behind(to, from),
            (ColumnData::F64(to), ColumnData::F64(from)) => put_behind(to, from),
            (ColumnData::Str(to), ColumnData::Str(from)) => to.extend(from),
            (ColumnData::Dict { .. }, ColumnData::Dict { codes, values }) => {
                let nulls = other.valid.as_ref();
                for (row, code) in codes.iter().enumerate() {
                    match nulls.is_some_and(|valid| !valid.get(row)) {
                        true => self.push_null(),
                        false => self.push_bytes(values.get(*code as usize)),
                    }
                }
                return;
            }
            _ => panic!(
                "a column of {:?} behind one of {:?}",
                other.column_type, self.column_type
            ),
        }
        if self.valid.is_some() || other.valid.is_some() {
            let all = || Bitmap::from_bytes(vec![0xff; before.div_ceil(8)], before);
            let valid = self.valid.get_or_insert_with(all);
            (0..other.len()).for_each(|row| valid.push(!other.is_null(row)));
        }
    }

    #[inline]
    fn mark_valid(&mut self) {
        if let Some(valid) = &mut self.valid {
            valid.push(true);
        }
    }

    /// Appends a whole number or instant.
    ///
    /// # Panics
    /// If the column holds another type; so for the other `push_…`.
    #[inline]
    pub fn push_i64(&mut self, value: i64) {
        let ColumnData::I64(values) = &mut self.data else {
            panic!("{} holds no i64", self.name)
        };
        values.push(value);
        self.mark_valid();
    }

    /// Appends a number.
    #[inline]
    pub fn push_f64(&mut self, value: f64) {
        let ColumnData::F64(values) = &mut self.data else {
            panic!("{} holds no f64", self.name)
        };
        values.push(value);
        self.mark_valid();
    }

    /// Appends a truth.
    #[inline]
    pub fn push_bool(&mut self, value: bool) {
        let ColumnData::Bool(values) = &mut self.data else {
            panic!("{} holds no bool", self.name)
        };
        values.push(value);
        self.mark_valid();
    }

    /// Appends bytes, or text known to be UTF-8.
    #[inline]
    pub fn push_bytes(&mut self, value: &[u8]) {
        let ColumnData::Str(values) = &mut self.data else {
            panic!("{} holds no text", self.name)
        };
        values.push(value);
        self.mark_valid();
    }

    /// Appends text from evidence: invalid UTF-8 becomes U+FFFD.
    #[inline]
    pub fn push_text(&mut self, value: &[u8]) {
        let ColumnData::Str(values) = &mut self.data else {
            panic!("{} holds no text", self.name)
        };
        values.push_text(value);
        self.mark_valid();
    }

    /// Appends what `write` appends to the column's bytes, which it vouches is UTF-8 in text columns.
    #[inline]
    pub fn push_written(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let ColumnData::Str(values) = &mut self.data else {
            panic!("{} holds no text", self.name)
        };
        write(&mut values.data);
        values.close();
        self.mark_valid();
    }

    /// Appends an optional whole number.
    #[inline]
    pub fn push_opt_i64(&mut self, value: Option<i64>) {
        match value {
            Some(value) => self.push_i64(value),
            None => self.push_null(),
        }
    }

    /// Returns a whole number or instant; `None` for null or another type.
    pub fn i64(&self, row: usize) -> Option<i64> {
        match &self.data {
            ColumnData::I64(values) if !self.is_null(row) => Some(values[row]),
            _ => None,
        }
    }

    /// Returns the bytes of a text-like value; `None` for null or another type.
    pub fn bytes(&self, row: usize) -> Option<&[u8]> {
        if self.is_null(row) {
            return None;
        }
        match &self.data {
            ColumnData::Str(values) => Some(values.get(row)),
            ColumnData::Dict { codes, values } => Some(values.get(codes[row] as usize)),
            _ => None,
        }
    }

    /// Returns a text value; `None` for null, another type or invalid UTF-8.
    pub fn text(&self, row: usize) -> Option<&str> {
        std::str::from_utf8(self.bytes(row)?).ok()
    }

    /// Returns a number; whole numbers are converted.
    pub fn f64(&self, row: usize) -> Option<f64> {
        if self.is_null(row) {
            return None;
        }
        match &self.data {
            ColumnData::F64(values) => Some(values[row]),
            ColumnData::I64(values) => Some(values[row] as f64),
            _ => None,
        }
    }

    /// Returns a truth.
    pub fn bool(&self, row: usize) -> Option<bool> {
        match &self.data {
            ColumnData::Bool(values) if !self.is_null(row) => Some(values[row]),
            _ => None,
        }
    }
}

/// Columns of equal length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// The columns.
    pub columns: Vec<Column>,
}

impl Batch {
    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, Column::len)
    }

    /// Returns a column by name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_may_come_late() {
        let mut column = Column::new("n", ColumnType::I64);
        column.push_i64(7);
        column.push_null();
        column.push_i64(9);
        assert_eq!(
            (0..3).map(|row| column.i64(row)).collect::<Vec<_>>(),
            [Some(7), None, Some(9)]
        );
        let mut column = Column::new("t", ColumnType::Text);
        column.push_null();
        column.push_text(b"a\xffb");
        assert_eq!(column.text(0), None);
        assert_eq!(column.text(1), Some("a\u{fffd}b"));
    }
}
