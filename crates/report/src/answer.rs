//! Answers that are one table: what SQL returns.

use crate::chat;
use crate::csv::{cell_text, write_row};
use crate::document::{markdown_table, no_form};
use crate::{Format, RenderError, Style, table, write_json};
use model::Answer;
use serde_json::{Map, Value, json};
use std::io::Write;

/// Writes an answer table. As JSON it is `{"schema", "columns": […], "rows": [[…]]}` followed by the
/// entries of `tail` (window, what was looked at …).
///
/// # Errors
/// If it has no such form, or writing fails.
pub fn write_answer(
    verb: &'static str,
    answer: &Answer,
    format: Format,
    style: &Style,
    tail: &Map<String, Value>,
    out: &mut dyn Write,
) -> Result<(), RenderError> {
    match format {
        Format::Json => {
            let mut whole = Map::new();
            whole.insert("schema".into(), format!("coroner/{verb}/1").into());
            whole.insert("columns".into(), columns_json(answer));
            let rows: Vec<Value> = answer
                .rows
                .iter()
                .map(|row| row.iter().map(model::Cell::to_json).collect())
                .collect();
            whole.insert("rows".into(), rows.into());
            whole.extend(tail.clone());
            write_json(&Value::Object(whole), out)?;
            out.write_all(b"\n")?;
        }
        Format::Jsonl => {
            let names = answer.distinct_names();
            for row in &answer.rows {
                let object: Map<String, Value> = names
                    .iter()
                    .cloned()
                    .zip(row.iter().map(model::Cell::to_json))
                    .collect();
                write_json(&Value::Object(object), out)?;
                out.write_all(b"\n")?;
            }
        }
        Format::Csv => {
            write_row(answer.columns.iter().map(|column| column.name.clone()), out)?;
            for row in &answer.rows {
                write_row(row.iter().map(|cell| cell_text(cell, None)), out)?;
            }
        }
        Format::Table => out.write_all(table::render(answer, style).as_bytes())?,
        Format::Md => out.write_all(markdown_table(answer, style).as_bytes())?,
        Format::Chat => {
            let text = table::render(answer, &chat::style());
            out.write_all(chat::fence(text.lines()).as_bytes())?;
        }
        Format::Parquet => return Err(no_form(verb, Format::Parquet)),
    }
    Ok(())
}

fn columns_json(answer: &Answer) -> Value {
    answer
        .columns
        .iter()
        .map(|column| json!({"name": column.name, "type": column.type_name}))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Cell;

    #[track_caller]
    fn check(format: Format, expected: &str) {
        let mut answer = Answer::new(&[("n", "i64"), ("n", "text"), ("at", "timestamp_utc")]);
        answer.rows.push(vec![
            Cell::I64(7),
            Cell::Text("=a<b>|\u{1b}".into()),
            Cell::Utc(0),
        ]);
        let mut out = Vec::new();
        write_answer(
            "sql",
            &answer,
            format,
            &Style::default(),
            &Map::new(),
            &mut out,
        )
        .expect("this form exists");
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
    }

    #[test]
    fn every_form() {
        check(
            Format::Json,
            concat!(
                r#"{"schema":"coroner/sql/1","columns":[{"name":"n","type":"i64"},{"name":"n","type":"text"},{"name":"at","type":"timestamp_utc"}],"#,
                r#""rows":[[7,"=a<b>|\u001b","1970-01-01T00:00:00.000000Z"]]}"#,
                "\n"
            ),
        );
        check(
            Format::Jsonl,
            "{\"n\":7,\"n#2\":\"=a<b>|\\u001b\",\"at\":\"1970-01-01T00:00:00.000000Z\"}\n",
        );
        check(
            Format::Csv,
            "n,n,at\r\n7,'=a<b>|\\x1b,1970-01-01T00:00:00.000000Z\r\n",
        );
        check(
            Format::Md,
            "| n | n | at |\n| ---: | --- | --- |\n| 7 | \\=a&lt;b&gt;\\|\\\\x1b | 1970-01-01 00:00:00Z |\n",
        );
        check(
            Format::Table,
            "n  n            at\n7  =a<b>|\\x1b  1970-01-01 00:00:00Z\n"
                .replace("n            at", "n           at")
                .as_str(),
        );
    }
}
