//! A table as the engine reads it: its rows with `ref`, its references to evidence, added.

use crate::convert;
use crate::numeric;
use crate::tables::{Entry, Rows, TableName};
use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::common::{Column, DataFusionError};
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::functions::encoding::expr_fn::encode;
use datafusion::functions::expr_fn::{coalesce, concat};
use datafusion::logical_expr::{Expr, Operator, binary_expr, cast, lit, when};
use datafusion::prelude::SessionContext;
use std::path::Path;
use std::sync::Arc;

/// Returns the rows of a table, with `ref` and without the ordinal.
pub(crate) async fn provider(
    context: &SessionContext,
    name: &TableName,
    entry: &Entry,
) -> Result<Arc<dyn TableProvider>, DataFusionError> {
    let base: Arc<dyn TableProvider> = match &entry.rows {
        Rows::None(schema) | Rows::Unread(schema) => {
            Arc::new(MemTable::try_new(Arc::clone(schema), vec![vec![]])?)
        }
        Rows::Batches(all, batches) => {
            let schema = batches
                .first()
                .map_or_else(|| Arc::clone(all), RecordBatch::schema);
            Arc::new(MemTable::try_new(schema, vec![batches.clone()])?)
        }
        Rows::Files(files, marks) => {
            let options =
                ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension("");
            let urls: Result<Vec<_>, _> = files.iter().map(|file| url(file)).collect();
            let urls = urls?;
            let mut schemas = Vec::with_capacity(urls.len());
            for url in &urls {
                let schema = options.infer_schema(&context.state(), url).await?;
                schemas.push(schema.as_ref().clone());
            }
            let schema = Schema::try_merge(schemas)?;
            let config = ListingTableConfig::new_with_multi_paths(urls)
                .with_listing_options(options)
                .with_schema(Arc::new(convert::with_marks(schema, marks)));
            Arc::new(ListingTable::try_new(config)?)
        }
    };
    let schema = base.schema();
    let mut columns: Vec<Expr> = schema
        .fields()
        .iter()
        .filter(|field| field.name() != "#")
        .map(|field| match numeric::decimal(entry, field) {
            Some(decimal) => cast(column(field.name()), decimal).alias(field.name()),
            None => column(field.name()),
        })
        .collect();
    if schema.field_with_name("ref").is_err()
        && let Some(reference) = reference_of_row(name, entry, &schema)?
    {
        columns.push(reference.alias("ref"));
    }
    Ok(context.read_table(base)?.select(columns)?.into_view())
}

fn url(file: &Path) -> Result<ListingTableUrl, DataFusionError> {
    let absolute = std::path::absolute(file)?;
    let text = absolute.to_str().ok_or_else(|| {
        DataFusionError::Configuration(format!("{} is not UTF-8", absolute.display()))
    })?;
    // As a URL, so that nothing in a path is taken for a pattern.
    let mut url = String::from("file://");
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                url.push(char::from(byte));
            }
            other => url.push_str(&format!("%{other:02X}")),
        }
    }
    ListingTableUrl::parse(url)
}

/// Names a column exactly as it is written.
fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

fn text(expr: Expr) -> Expr {
    cast(expr, DataType::Utf8)
}

/// Joins texts; NULL if one of them is.
fn joined(parts: Vec<Expr>) -> Option<Expr> {
    parts
        .into_iter()
        .reduce(|a, b| binary_expr(a, Operator::StringConcat, b))
}

/// Returns the permanent reference of a row (foundations §1), as far as its columns tell it.
fn reference_of_row(
    name: &TableName,
    entry: &Entry,
    schema: &SchemaRef,
) -> Result<Option<Expr>, DataFusionError> {
    let has = |name: &str| schema.field_with_name(name).is_ok();
    let TableName::Dump { .. } = name else {
        if !has("source") || !has("line") {
            return Ok(None);
        }
        let start = vec![text(column("source")), lit(":"), text(column("line"))];
        let Some(line) = joined(start) else {
            return Ok(None);
        };
        if !has("lines") {
            return Ok(Some(line));
        }
        let last = column("line") + column("lines") - lit(1i64);
        let range = concat(vec![line.clone(), lit("-"), text(last)]);
        let spans = column("lines").gt(lit(1i64));
        return Ok(Some(when(spans, range).otherwise(line)?));
    };
    let Some(table) = &entry.reference else {
        return Ok(None);
    };
    let mut key = Vec::new();
    for name in &entry.primary_key {
        let Ok(field) = schema.field_with_name(name) else {
            key.clear();
            break;
        };
        let value = match field.data_type() {
            DataType::Int64 | DataType::Timestamp(..) => text(cast(column(name), DataType::Int64)),
            DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => text(column(name)),
            DataType::Binary | DataType::BinaryView | DataType::LargeBinary => {
                concat(vec![lit("0x"), encode(column(name), lit("hex"))])
            }
            _ => {
                key.clear();
                break;
            }
        };
        if !key.is_empty() {
            key.push(lit(","));
        }
        key.push(value);
    }
    let ordinal = has("#").then(|| concat(vec![lit("@"), text(column("#"))]));
    let row = match (joined(key), ordinal) {
        (Some(key), Some(ordinal)) => coalesce(vec![key, ordinal]),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => return Ok(None),
    };
    Ok(Some(concat(vec![lit(format!("{table}#")), row])))
}
