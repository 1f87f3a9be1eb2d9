//! Rows between [`Batch`] and Arrow, without copying values.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, DictionaryArray, Float64Array, Int32Array,
    Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    DataType, Field, Float64Type, Int32Type, Int64Type, Schema, SchemaRef, TimeUnit,
    TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use model::{Batch, Bitmap, Column, ColumnData, ColumnType, StrColumn};
use std::sync::Arc;

/// Names and types of a table's columns, in order.
pub(crate) type Columns = Vec<(String, ColumnType)>;

/// Returns the type that holds a column in memory.
fn memory_type(column_type: ColumnType) -> DataType {
    match column_type {
        ColumnType::Bool => DataType::Boolean,
        ColumnType::I64 => DataType::Int64,
        ColumnType::F64 => DataType::Float64,
        ColumnType::Text | ColumnType::Json | ColumnType::Numeric => DataType::Utf8,
        ColumnType::Dict => {
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
        }
        ColumnType::Bytes => DataType::Binary,
        ColumnType::TimestampUtc => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ColumnType::TimestampCivil => DataType::Timestamp(TimeUnit::Microsecond, None),
    }
}

/// Returns the schema of batches in memory. In files a dictionary is an encoding, not a type.
pub(crate) fn memory_schema(columns: &Columns) -> SchemaRef {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, column_type)| Field::new(name, memory_type(*column_type), true))
        .collect();
    Arc::new(Schema::new(fields))
}

/// Merges the columns of several inputs in a way that does not depend on their order: usually they are
/// the same; else the longest (the first by name among equals) comes first, and columns it lacks follow
/// by name. Text wins over a dictionary of text, text wins over any other disagreement.
pub(crate) fn merge_columns(inputs: &[&Columns]) -> Columns {
    let Some(first) = inputs.first() else {
        return Vec::new();
    };
    if inputs.iter().all(|columns| columns == first) {
        return (*first).clone();
    }
    let names = |columns: &Columns| -> Vec<String> {
        columns.iter().map(|(name, _)| name.clone()).collect()
    };
    let mut longest = names(first);
    let mut all: Vec<&(String, ColumnType)> = Vec::new();
    for columns in inputs {
        let candidate = names(columns);
        let longer = candidate.len() > longest.len();
        if longer || (candidate.len() == longest.len() && candidate < longest) {
            longest = candidate;
        }
        all.extend(columns.iter());
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, _) in &all {
        if !longest.contains(name) {
            longest.push(name.clone());
        }
    }
    longest
        .into_iter()
        .map(|name| {
            let from = all.partition_point(|column| column.0 < name);
            let mut types = all[from..]
                .iter()
                .take_while(|column| column.0 == name)
                .map(|column| column.1);
            let first = types.next().unwrap_or(ColumnType::Text);
            let agreed = types.all(|column_type| column_type == first);
            (name, if agreed { first } else { ColumnType::Text })
        })
        .collect()
}

/// Turns a batch into Arrow; columns in `skip` are left out.
pub(crate) fn to_arrow(batch: Batch, skip: Option<&str>) -> Result<RecordBatch, ArrowError> {
    let mut fields = Vec::with_capacity(batch.columns.len());
    let mut arrays = Vec::with_capacity(batch.columns.len());
    let mut before: Option<ArrayRef> = None;
    for column in batch.columns {
        if skip == Some(column.name.as_str()) {
            continue;
        }
        fields.push(Field::new(
            &column.name,
            memory_type(column.column_type),
            true,
        ));
        let mut column = array(column)?;
        if numbers(&column).is_some() {
            if let Some(before) = &before {
                column = shared(column, before);
            }
            before = Some(column.clone());
        }
        arrays.push(column);
    }
    if arrays.is_empty() {
        return Ok(RecordBatch::new_empty(Arc::new(Schema::empty())));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

fn array(column: Column) -> Result<ArrayRef, ArrowError> {
    let rows = column.len();
    let nulls = match column.valid {
        Some(valid) if valid.len() != rows => {
            return Err(ArrowError::InvalidArgumentError(format!(
                "column {} has {rows} values and {} validity bits",
                column.name,
                valid.len()
            )));
        }
        Some(valid) if valid.unset() > 0 => {
            let bits =
                arrow::buffer::BooleanBuffer::new(Buffer::from_vec(valid.into_bytes()), 0, rows);
            Some(NullBuffer::new(bits))
        }
        _ => None,
    };
    Ok(match (column.data, column.column_type) {
        (ColumnData::Bool(values), _) => Arc::new(BooleanArray::new(values.into(), nulls)),
        (ColumnData::I64(values), ColumnType::TimestampUtc) => {
            let values = TimestampMicrosecondArray::try_new(ScalarBuffer::from(values), nulls)?;
            Arc::new(values.with_timezone("UTC"))
        }
        (ColumnData::I64(values), ColumnType::TimestampCivil) => Arc::new(
            TimestampMicrosecondArray::try_new(ScalarBuffer::from(values), nulls)?,
        ),
        (ColumnData::I64(values), _) => {
            Arc::new(Int64Array::try_new(ScalarBuffer::from(values), nulls)?)
        }
        (ColumnData::F64(values), _) => {
            Arc::new(Float64Array::try_new(ScalarBuffer::from(values), nulls)?)
        }
        (ColumnData::Str(values), ColumnType::Bytes) => {
            let (offsets, data) = strings(values);
            Arc::new(BinaryArray::try_new(offsets, data, nulls)?)
        }
        (ColumnData::Str(values), _) => {
            let (offsets, data) = strings(values);
            Arc::new(StringArray::try_new(offsets, data, nulls)?)
        }
        (ColumnData::Dict { codes, mut values }, _) => {
            if values.is_empty() {
                values.push(b"");
            }
            let (offsets, data) = strings(values);
            Arc::new(DictionaryArray::<Int32Type>::try_new(
                Int32Array::try_new(ScalarBuffer::from(codes), nulls)?,
                Arc::new(StringArray::try_new(offsets, data, None)?),
            )?)
        }
    })
}

/// Returns the numbers or instants of a column.
pub(crate) fn numbers(column: &ArrayRef) -> Option<&ScalarBuffer<i64>> {
    match column.data_type() {
        DataType::Int64 => Some(column.as_primitive::<Int64Type>().values()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Some(column.as_primitive::<TimestampMicrosecondType>().values())
        }
        _ => None,
    }
}

/// Returns a column of numbers that lies where the one before lies, if they hold the same: a time stands in
/// several columns beside each other.
fn shared(column: ArrayRef, before: &ArrayRef) -> ArrayRef {
    let same = numbers(&column) == numbers(before) && column.nulls() == before.nulls();
    let (true, Some(values)) = (same, numbers(before)) else {
        return column;
    };
    let (values, nulls) = (values.clone(), before.nulls().cloned());
    match column.data_type() {
        DataType::Int64 => Arc::new(Int64Array::new(values, nulls)),
        DataType::Timestamp(_, zone) => {
            let column = TimestampMicrosecondArray::new(values, nulls);
            Arc::new(column.with_timezone_opt(zone.clone()))
        }
        _ => column,
    }
}

fn strings(values: StrColumn) -> (OffsetBuffer<i32>, Buffer) {
    let offsets = if values.offsets.is_empty() {
        vec![0]
    } else {
        values.offsets
    };
    (
        OffsetBuffer::new(ScalarBuffer::from(offsets)),
        Buffer::from_vec(values.data),
    )
}

/// Returns the types of a batch's columns by what Arrow says of them.
pub(crate) fn columns_of(batch: &Batch) -> Columns {
    batch
        .columns
        .iter()
        .map(|column| (column.name.clone(), column.column_type))
        .collect()
}

/// Returns the columns of a file that does not say its types.
pub(crate) fn columns_of_schema(schema: &SchemaRef) -> Columns {
    let fields = schema.fields().iter();
    fields
        .map(|field| (field.name().clone(), type_of(field.data_type())))
        .collect()
}

/// Brings a batch to the wanted columns: missing ones become null, types are cast.
pub(crate) fn conform(
    batch: &RecordBatch,
    columns: &Columns,
    schema: &SchemaRef,
) -> Result<RecordBatch, ArrowError> {
    if batch.schema_ref() == schema {
        return Ok(batch.clone());
    }
    let mut arrays = Vec::with_capacity(columns.len());
    for ((name, _), field) in columns.iter().zip(schema.fields()) {
        arrays.push(match batch.column_by_name(name) {
            Some(array) if array.data_type() == field.data_type() => array.clone(),
            Some(array) => arrow::compute::cast(array, field.data_type())?,
            None => new_null_array(field.data_type(), batch.num_rows()),
        });
    }
    RecordBatch::try_new(schema.clone(), arrays)
}

/// Returns how much each row counts against the limits of pages, row groups and segments: one, and one
/// more for every KiB of text. So limits are rows for log lines, and bytes for rows that hold megabytes.
pub(crate) fn row_units(batch: &RecordBatch) -> Vec<u32> {
    // Lines of a log are short, as a rule: then nothing needs to be added up.
    let longest = batch.columns().iter().map(longest_text).sum::<u64>();
    if longest < 1024 {
        return vec![1; batch.num_rows()];
    }
    let mut bytes = vec![0u32; batch.num_rows()];
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        if field.name() == crate::segment::SOURCE {
            continue;
        }
        let length = |ends: &[i32]| (ends[1] - ends[0]) as u32;
        match column.data_type() {
            DataType::Utf8 => {
                let offsets = column.as_string::<i32>().value_offsets();
                add_lengths(&mut bytes, column.nulls(), offsets.windows(2).map(length));
            }
            DataType::Binary => {
                let offsets = column.as_binary::<i32>().value_offsets();
                add_lengths(&mut bytes, column.nulls(), offsets.windows(2).map(length));
            }
            DataType::Dictionary(_, _) => {
                let column = column.as_dictionary::<Int32Type>();
                let values = column.values().as_string::<i32>();
                let lengths: Vec<u32> = values.value_offsets().windows(2).map(length).collect();
                let of = |code: &i32| lengths.get(*code as usize).copied().unwrap_or(0);
                add_lengths(
                    &mut bytes,
                    column.nulls(),
                    column.keys().values().iter().map(of),
                );
            }
            _ => {}
        }
    }
    bytes.iter().map(|bytes| 1 + bytes / 1024).collect()
}

/// Returns the length of a column's longest text.
fn longest_text(column: &ArrayRef) -> u64 {
    let longest = |offsets: &[i32]| {
        let lengths = offsets.windows(2).map(|ends| ends[1] - ends[0]);
        lengths.fold(0, i32::max) as u64
    };
    match column.data_type() {
        DataType::Utf8 => longest(column.as_string::<i32>().value_offsets()),
        DataType::Binary => longest(column.as_binary::<i32>().value_offsets()),
        DataType::Dictionary(_, _) => {
            let words = column.as_dictionary::<Int32Type>().values();
            longest(words.as_string::<i32>().value_offsets())
        }
        _ => 0,
    }
}

fn add_lengths(bytes: &mut [u32], nulls: Option<&NullBuffer>, lengths: impl Iterator<Item = u32>) {
    match nulls {
        None => {
            for (total, length) in bytes.iter_mut().zip(lengths) {
                *total = total.saturating_add(length);
            }
        }
        Some(nulls) => {
            for ((total, length), valid) in bytes.iter_mut().zip(lengths).zip(nulls.iter()) {
                *total = total.saturating_add(if valid { length } else { 0 });
            }
        }
    }
}

/// Returns what the rows of a batch take, without what a slice leaves out.
pub(crate) fn slice_bytes(batch: &RecordBatch) -> u64 {
    let columns = batch.columns().iter();
    columns
        .map(|column| column.to_data().get_slice_memory_size().unwrap_or(0) as u64)
        .sum()
}

/// Returns a column that holds one value in every row.
pub(crate) fn constant(value: &str, rows: usize) -> ArrayRef {
    let codes = Int32Array::from(vec![0; rows]);
    let values = Arc::new(StringArray::from(vec![value]));
    Arc::new(DictionaryArray::<Int32Type>::new(codes, values))
}

/// Turns Arrow into a batch; `columns` says which type a text or number has.
pub(crate) fn from_arrow(batch: RecordBatch, columns: &Columns) -> Result<Batch, ArrowError> {
    let (schema, arrays, _) = batch.into_parts();
    let mut converted = Vec::with_capacity(arrays.len());
    for (field, array) in schema.fields().iter().zip(arrays) {
        let known = columns.iter().find(|(name, _)| name == field.name());
        let column_type = known.map_or_else(|| type_of(field.data_type()), |known| known.1);
        converted.push(column(field.name(), column_type, array)?);
    }
    Ok(Batch { columns: converted })
}

fn type_of(data_type: &DataType) -> ColumnType {
    match data_type {
        DataType::Boolean => ColumnType::Bool,
        DataType::Int64 => ColumnType::I64,
        DataType::Float64 => ColumnType::F64,
        DataType::Dictionary(_, _) => ColumnType::Dict,
        DataType::Binary => ColumnType::Bytes,
        DataType::Timestamp(_, Some(_)) => ColumnType::TimestampUtc,
        DataType::Timestamp(_, None) => ColumnType::TimestampCivil,
        _ => ColumnType::Text,
    }
}

fn column(name: &str, column_type: ColumnType, array: ArrayRef) -> Result<Column, ArrowError> {
    let wanted = memory_type(column_type);
    let array = if *array.data_type() == wanted {
        array
    } else {
        arrow::compute::cast(&array, &wanted)?
    };
    let valid = array
        .nulls()
        .filter(|nulls| nulls.null_count() > 0)
        .map(|nulls| Bitmap::from_bytes(nulls.inner().sliced().to_vec(), nulls.len()));
    let data = match column_type {
        ColumnType::Bool => ColumnData::Bool(array.as_boolean().values().iter().collect()),
        ColumnType::I64 => {
            let values = array.as_primitive::<Int64Type>().values().clone();
            drop(array);
            ColumnData::I64(vec_of(values))
        }
        ColumnType::TimestampUtc | ColumnType::TimestampCivil => {
            let values = array
                .as_primitive::<TimestampMicrosecondType>()
                .values()
                .clone();
            drop(array);
            ColumnData::I64(vec_of(values))
        }
        ColumnType::F64 => ColumnData::F64(array.as_primitive::<Float64Type>().values().to_vec()),
        ColumnType::Text | ColumnType::Json | ColumnType::Numeric => {
            let array = array.as_string::<i32>();
            ColumnData::Str(string_column(array.offsets(), array.values()))
        }
        ColumnType::Bytes => {
            let array = array.as_binary::<i32>();
            ColumnData::Str(string_column(array.offsets(), array.values()))
        }
        ColumnType::Dict => {
            let array = array.as_dictionary::<Int32Type>();
            let values = array.values().as_string::<i32>();
            let mut values = string_column(values.offsets(), values.values());
            if values.is_empty() {
                values.push(b"");
            }
            // A null row may hold any code; ours promise one that exists.
            let last = values.len() as i32 - 1;
            let codes = array.keys().values().iter();
            ColumnData::Dict {
                codes: codes.map(|code| (*code).clamp(0, last)).collect(),
                values,
            }
        }
    };
    Ok(Column {
        name: name.to_owned(),
        column_type,
        data,
        valid,
    })
}

fn vec_of(values: ScalarBuffer<i64>) -> Vec<i64> {
    values
        .into_inner()
        .into_vec()
        .unwrap_or_else(|buffer| buffer.typed_data::<i64>().to_vec())
}

fn string_column(offsets: &OffsetBuffer<i32>, values: &Buffer) -> StrColumn {
    let first = offsets[0];
    let last = offsets[offsets.len() - 1];
    StrColumn {
        offsets: offsets.iter().map(|offset| offset - first).collect(),
        data: values[first as usize..last as usize].to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_types() -> Batch {
        let types = [
            ColumnType::Bool,
            ColumnType::I64,
            ColumnType::F64,
            ColumnType::Text,
            ColumnType::Bytes,
            ColumnType::Json,
            ColumnType::Numeric,
            ColumnType::TimestampUtc,
            ColumnType::TimestampCivil,
        ];
        let mut columns: Vec<Column> = types
            .iter()
            .map(|column_type| Column::new(format!("{column_type:?}"), *column_type))
            .collect();
        for row in 0..20i64 {
            for column in &mut columns {
                if row % 3 == 1 {
                    column.push_null();
                    continue;
                }
                match column.column_type {
                    ColumnType::Bool => column.push_bool(row % 2 == 0),
                    ColumnType::F64 => column.push_f64(row as f64 / 2.0),
                    ColumnType::I64 | ColumnType::TimestampUtc | ColumnType::TimestampCivil => {
                        column.push_i64(row * 1_000)
                    }
                    _ => column.push_bytes(format!("value {row}").as_bytes()),
                }
            }
        }
        let mut dict = Column::new("Dict", ColumnType::Dict);
        if let ColumnData::Dict { codes, values } = &mut dict.data {
            values.push(b"one");
            values.push("zwö".as_bytes());
            codes.extend((0..20).map(|row| row % 2));
        }
        columns.push(dict);
        Batch { columns }
    }

    #[test]
    fn every_type_comes_back() {
        let batch = all_types();
        let columns = columns_of(&batch);
        let arrow = to_arrow(batch.clone(), None).unwrap();
        assert_eq!(arrow.schema(), memory_schema(&columns));
        assert_eq!(from_arrow(arrow.clone(), &columns).unwrap(), batch);
        let part = from_arrow(arrow.slice(5, 9), &columns).unwrap();
        for (a, b) in part.columns.iter().zip(&batch.columns) {
            for row in 0..9 {
                assert_eq!(a.is_null(row), b.is_null(row + 5), "{} {row}", a.name);
                assert_eq!(a.bytes(row), b.bytes(row + 5), "{} {row}", a.name);
                assert_eq!(a.i64(row), b.i64(row + 5), "{} {row}", a.name);
                assert_eq!(a.f64(row), b.f64(row + 5), "{} {row}", a.name);
                assert_eq!(a.bool(row), b.bool(row + 5), "{} {row}", a.name);
            }
        }
    }

    #[test]
    fn merged_columns_do_not_depend_on_order() {
        let columns = |text: &[(&str, ColumnType)]| -> Columns {
            text.iter()
                .map(|(name, t)| ((*name).to_owned(), *t))
                .collect()
        };
        let a = columns(&[("line", ColumnType::I64), ("message", ColumnType::Dict)]);
        let b = columns(&[("line", ColumnType::I64), ("message", ColumnType::Text)]);
        let c = columns(&[("zone", ColumnType::Dict), ("age", ColumnType::I64)]);
        let merged = merge_columns(&[&a, &b, &c]);
        assert_eq!(merged, merge_columns(&[&c, &b, &a]));
        assert_eq!(merged, merge_columns(&[&b, &c, &a, &b]));
        assert_eq!(merged[1], ("message".to_owned(), ColumnType::Text));
        assert_eq!(merged.len(), 4);
        assert_eq!(merge_columns(&[&a, &a]), a);
    }
}
