//! Between the column batches of `model` and Arrow's, and from Arrow's to answers.

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, Field, Float64Type, Int64Type, Schema, SchemaRef, TimeUnit,
    TimestampMicrosecondType, UInt64Type,
};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::array_value_to_string;
use model::{AnswerColumn, Batch, Bitmap, Cell, Column, ColumnData, ColumnType, StrColumn};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Says what a text column holds.
pub(crate) const EXTENSION: &str = "ARROW:extension:name";
/// JSON; Arrow's canonical extension type.
const JSON: &str = "arrow.json";
/// Decimal numbers of any length.
pub(crate) const NUMERIC: &str = "coroner.numeric";

/// Returns the Arrow field of a column.
pub(crate) fn field(name: &str, column_type: ColumnType) -> Field {
    let data_type = match column_type {
        ColumnType::Bool => DataType::Boolean,
        ColumnType::I64 => DataType::Int64,
        ColumnType::F64 => DataType::Float64,
        ColumnType::Text | ColumnType::Dict | ColumnType::Json | ColumnType::Numeric => {
            DataType::Utf8
        }
        ColumnType::Bytes => DataType::Binary,
        ColumnType::TimestampUtc => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ColumnType::TimestampCivil => DataType::Timestamp(TimeUnit::Microsecond, None),
    };
    let field = Field::new(name, data_type, true);
    match column_type {
        ColumnType::Json => marked(field, JSON),
        ColumnType::Numeric => marked(field, NUMERIC),
        _ => field,
    }
}

fn marked(field: Field, extension: &str) -> Field {
    field.with_metadata(HashMap::from([(
        EXTENSION.to_owned(),
        extension.to_owned(),
    )]))
}

/// Marks columns of a file's schema as what they are beside text.
pub(crate) fn with_marks(schema: Schema, marks: &BTreeMap<String, ColumnType>) -> Schema {
    let mark = |field: &Arc<Field>| -> Field {
        let field = field.as_ref().clone();
        match marks.get(field.name()) {
            Some(ColumnType::Json) => marked(field, JSON),
            Some(ColumnType::Numeric) => marked(field, NUMERIC),
            _ => field,
        }
    };
    Schema::new(schema.fields().iter().map(mark).collect::<Vec<_>>())
}

/// Returns the Arrow schema of columns.
pub(crate) fn schema<'a>(columns: impl Iterator<Item = (&'a str, ColumnType)>) -> SchemaRef {
    let fields: Vec<Field> = columns
        .map(|(name, column_type)| field(name, column_type))
        .collect();
    Arc::new(Schema::new(fields))
}

/// Turns a batch into Arrow's, its columns in the order of `schema`; a column that the batch lacks
/// is NULL.
pub(crate) fn record_batch(batch: Batch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let rows = batch.rows();
    let mut by_name: HashMap<String, Column> = batch
        .columns
        .into_iter()
        .map(|column| (column.name.clone(), column))
        .collect();
    let arrays: Result<Vec<ArrayRef>, ArrowError> = schema
        .fields()
        .iter()
        .map(|field| match by_name.remove(field.name()) {
            Some(column) => array(column).and_then(|array| {
                if array.data_type() == field.data_type() {
                    Ok(array)
                } else {
                    cast(&array, field.data_type())
                }
            }),
            None => Ok(datafusion::arrow::array::new_null_array(
                field.data_type(),
                rows,
            )),
        })
        .collect();
    RecordBatch::try_new(Arc::clone(schema), arrays?)
}

fn nulls(valid: Option<Bitmap>) -> Option<NullBuffer> {
    let valid = valid?;
    let rows = valid.len();
    let bits = BooleanBuffer::new(Buffer::from_vec(valid.into_bytes()), 0, rows);
    Some(NullBuffer::new(bits))
}

fn strings(values: StrColumn, nulls: Option<NullBuffer>) -> Result<StringArray, ArrowError> {
    let offsets = OffsetBuffer::new(ScalarBuffer::from(values.offsets));
    StringArray::try_new(offsets, Buffer::from_vec(values.data), nulls)
}

fn array(column: Column) -> Result<ArrayRef, ArrowError> {
    let nulls = nulls(column.valid);
    Ok(match column.data {
        ColumnData::Bool(values) => Arc::new(BooleanArray::new(BooleanBuffer::from(values), nulls)),
        ColumnData::I64(values) => match column.column_type {
            ColumnType::TimestampUtc => {
                Arc::new(TimestampMicrosecondArray::new(values.into(), nulls).with_timezone("UTC"))
            }
            ColumnType::TimestampCivil => {
                Arc::new(TimestampMicrosecondArray::new(values.into(), nulls))
            }
            _ => Arc::new(Int64Array::new(values.into(), nulls)),
        },
        ColumnData::F64(values) => Arc::new(Float64Array::new(values.into(), nulls)),
        ColumnData::Str(values) => match column.column_type {
            ColumnType::Bytes => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(values.offsets));
                Arc::new(BinaryArray::try_new(
                    offsets,
                    Buffer::from_vec(values.data),
                    nulls,
                )?)
            }
            _ => Arc::new(strings(values, nulls)?),
        },
        ColumnData::Dict { codes, values } => {
            // Codes of null rows may point anywhere; they are masked by `nulls`.
            let values = strings(values, None)?;
            let keys = datafusion::arrow::array::Int32Array::new(codes.into(), nulls);
            let dictionary = datafusion::arrow::array::DictionaryArray::try_new(
                keys,
                Arc::new(values) as ArrayRef,
            )?;
            cast(&dictionary, &DataType::Utf8)?
        }
    })
}

/// Returns the columns of an answer; the types as machines are told them.
pub(crate) fn answer_columns(schema: &Schema) -> Vec<AnswerColumn> {
    schema
        .fields()
        .iter()
        .map(|field| AnswerColumn {
            name: field.name().clone(),
            type_name: type_name(field).to_owned(),
        })
        .collect()
}

/// Returns the word for a column's type.
pub(crate) fn type_name(field: &Field) -> &'static str {
    if is_json(field) {
        return "json";
    }
    if crate::numeric::is_text_number(field) {
        return "numeric";
    }
    match field.data_type() {
        DataType::Dictionary(_, values) => {
            type_name(&Field::new("", values.as_ref().clone(), true))
        }
        DataType::Null => "null",
        DataType::Boolean => "bool",
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64 => "i64",
        DataType::Float16 | DataType::Float32 | DataType::Float64 => "f64",
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => "numeric",
        DataType::Timestamp(_, Some(_)) => "timestamp_utc",
        DataType::Timestamp(_, None) => "timestamp_civil",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Duration(_) | DataType::Interval(_) => "interval",
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => "bytes",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text",
        _ => "json",
    }
}

fn is_json(field: &Field) -> bool {
    field
        .metadata()
        .get(EXTENSION)
        .is_some_and(|name| name == JSON)
}

/// Appends the rows of an Arrow batch.
pub(crate) fn append_rows(
    batch: &RecordBatch,
    rows: &mut Vec<Vec<Cell>>,
) -> Result<(), ArrowError> {
    let first = rows.len();
    rows.extend((0..batch.num_rows()).map(|_| Vec::with_capacity(batch.num_columns())));
    for (array, field) in batch.columns().iter().zip(batch.schema_ref().fields()) {
        let cells = cells(array, is_json(field))?;
        for (row, cell) in rows[first..].iter_mut().zip(cells) {
            row.push(cell);
        }
    }
    Ok(())
}

/// Returns the cells of a column: converted once to the widest type of its family, then read.
fn cells(array: &ArrayRef, json: bool) -> Result<Vec<Cell>, ArrowError> {
    fn each(array: &dyn Array, cell: impl Fn(usize) -> Cell) -> Vec<Cell> {
        (0..array.len())
            .map(|row| match array.is_null(row) {
                true => Cell::Null,
                false => cell(row),
            })
            .collect()
    }
    let to = |data_type: &DataType| cast(array, data_type);
    Ok(match array.data_type() {
        DataType::Null => vec![Cell::Null; array.len()],
        DataType::Dictionary(_, values) => return cells(&to(values)?, json),
        DataType::Boolean => {
            let values = array.as_boolean();
            each(values, |row| Cell::Bool(values.value(row)))
        }
        DataType::UInt64 => {
            let values = array.as_primitive::<UInt64Type>();
            // Beyond i64 the digits are kept as text: a wrong number would be worse.
            each(values, |row| match i64::try_from(values.value(row)) {
                Ok(value) => Cell::I64(value),
                Err(_) => Cell::Text(values.value(row).to_string()),
            })
        }
        integer if integer.is_integer() => {
            let values = to(&DataType::Int64)?;
            let values = values.as_primitive::<Int64Type>();
            each(values, |row| Cell::I64(values.value(row)))
        }
        float if float.is_floating() => {
            let values = to(&DataType::Float64)?;
            let values = values.as_primitive::<Float64Type>();
            each(values, |row| Cell::F64(values.value(row)))
        }
        DataType::Timestamp(_, zone) => {
            let values = to(&DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?;
            let values = values.as_primitive::<TimestampMicrosecondType>();
            match zone {
                Some(_) => each(values, |row| Cell::Utc(values.value(row))),
                None => each(values, |row| Cell::Civil(values.value(row))),
            }
        }
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => {
            let values = to(&DataType::LargeBinary)?;
            let values = values.as_binary::<i64>();
            each(values, |row| Cell::Bytes(values.value(row).to_vec()))
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let values = to(&DataType::LargeUtf8)?;
            let values = values.as_string::<i64>();
            each(values, |row| {
                let text = values.value(row);
                match json.then(|| serde_json::from_str(text)) {
                    Some(Ok(value)) => Cell::Json(value),
                    _ => Cell::Text(text.to_owned()),
                }
            })
        }
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::FixedSizeList(..)
        | DataType::Struct(_)
        | DataType::Map(..) => (0..array.len())
            .map(|row| {
                nested(array, row).map(|value| match value {
                    Value::Null => Cell::Null,
                    value => Cell::Json(value),
                })
            })
            .collect::<Result<_, _>>()?,
        // Whole decimals, such as sums, are numbers as far as they fit; their digits else.
        DataType::Decimal128(_, 0) => {
            let values = array.as_primitive::<Decimal128Type>();
            each(values, |row| match i64::try_from(values.value(row)) {
                Ok(value) => Cell::I64(value),
                Err(_) => Cell::Text(values.value(row).to_string()),
            })
        }
        // Other decimals, dates, times, durations, intervals: as Arrow prints them.
        _ => (0..array.len())
            .map(|row| match array.is_null(row) {
                true => Ok(Cell::Null),
                false => array_value_to_string(array, row).map(Cell::Text),
            })
            .collect::<Result<_, _>>()?,
    })
}

/// Returns one value of a nested column as JSON.
fn nested(array: &ArrayRef, row: usize) -> Result<Value, ArrowError> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    let list = |values: ArrayRef| -> Result<Value, ArrowError> {
        let values: Result<Vec<Value>, ArrowError> =
            (0..values.len()).map(|row| nested(&values, row)).collect();
        values.map(Value::Array)
    };
    match array.data_type() {
        DataType::List(_) => list(array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => list(array.as_fixed_size_list().value(row)),
        DataType::Map(..) => {
            let entries: ArrayRef = Arc::new(array.as_map().value(row));
            list(entries)
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            let members: Result<serde_json::Map<String, Value>, ArrowError> = fields
                .iter()
                .zip(columns)
                .map(|(field, column)| Ok((field.name().clone(), nested(column, row)?)))
                .collect();
            members.map(Value::Object)
        }
        _ => Ok(cells(&array.slice(row, 1), false)?
            .pop()
            .map_or(Value::Null, |cell| cell.to_json())),
    }
}
