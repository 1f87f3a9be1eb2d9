//! Answers that are lists, written row by row: a timeline may be longer than memory.

use crate::chat::{self, Chat};
use crate::csv::{cell_text, write_row};
use crate::document::{markdown_head, markdown_row, no_form};
use crate::escape::{width, wrap};
use crate::format::Paint;
use crate::{Format, RenderError, Style, table, write_json};
use model::{Answer, AnswerSink, Cell};
use serde_json::{Map, Value};
use std::io::Write;

/// One record for a terminal: `time LEVEL node body`, wrapped under its body, with its reference at
/// the right end. All parts are escaped here.
pub fn log_line(
    time: &str,
    level: &str,
    node: &str,
    body: &str,
    reference: &str,
    style: &Style,
) -> String {
    let mut head = time.to_owned();
    if !level.is_empty() {
        head.push_str(&format!(" {level:<5}"));
    }
    if !node.is_empty() {
        head.push(' ');
        head.push_str(&crate::terminal(node));
    }
    let lead = 4;
    let text = format!("{head} {}", crate::terminal(body));
    let mut lines = wrap(&text, style.width, lead);
    let last = lines.last().map_or(0, |line| width(line));
    let reference = crate::terminal(reference);
    // The reference goes on the last line where there is room, else below.
    if last + 2 + width(&reference) <= style.width {
        if let Some(line) = lines.last_mut() {
            let pad = style.width - last - width(&reference);
            line.push_str(&" ".repeat(pad));
            line.push_str(&style.paint(Paint::Dim, &reference));
        }
    } else {
        let pad = style.width.saturating_sub(width(&reference));
        lines.push(format!(
            "{}{}",
            " ".repeat(pad),
            style.paint(Paint::Dim, &reference)
        ));
    }
    let paint = match level {
        "WARN" => Some(Paint::Yellow),
        "ERROR" | "CRIT" | "FATAL" => Some(Paint::Red),
        "TRACE" | "DEBUG" => Some(Paint::Dim),
        _ => None,
    };
    if let Some(paint) = paint
        && !level.is_empty()
        && let Some(first) = lines.first_mut()
    {
        *first = first.replacen(level, &style.paint(paint, level), 1);
    }
    lines.join("\n")
}

/// Text that stands back, where colours are allowed; escaped.
pub fn dim(text: &str, style: &Style) -> String {
    style.paint(Paint::Dim, &crate::terminal(text))
}

/// Shows a row as one or more lines without the last line feed; what it shows is escaped.
pub type RowLine = fn(&Map<String, Value>, &Style) -> String;

/// What a list is about and how its rows look.
#[derive(Clone, Copy, Debug)]
pub struct ListSpec {
    /// The verb, for the schema.
    pub verb: &'static str,
    /// The key of the rows in the JSON document.
    pub plural: &'static str,
    /// The columns of the table form, with types as in [`model::AnswerColumn`].
    pub columns: &'static [(&'static str, &'static str)],
    /// How a row is shown on a terminal and in chat, if not as a table row: one or more lines
    /// without the last line feed. Escaping is its duty.
    pub line: Option<RowLine>,
}

/// Rows that go to a sink together.
const SINK_ROWS: usize = 8 * 1024;

/// Writes a list in any of its forms.
pub struct ListWriter<W: Write> {
    spec: ListSpec,
    format: Format,
    style: Style,
    out: W,
    rows: u64,
    table: Answer,
    chat: Chat,
    /// Takes the rows of the Parquet form.
    sink: Option<Box<dyn AnswerSink>>,
}

impl<W: Write> std::fmt::Debug for ListWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListWriter")
            .field("spec", &self.spec)
            .field("format", &self.format)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl<W: Write> ListWriter<W> {
    /// Starts a list whose rows a sink takes: the Parquet form. Nothing is written to `out`.
    pub fn into_sink(spec: ListSpec, sink: Box<dyn AnswerSink>, out: W) -> Self {
        ListWriter {
            table: Answer::new(spec.columns),
            spec,
            format: Format::Parquet,
            style: Style::default(),
            out,
            rows: 0,
            chat: Chat::default(),
            sink: Some(sink),
        }
    }

    /// Starts a list.
    ///
    /// # Errors
    /// If the form needs a sink (see [`ListWriter::into_sink`]), or writing fails.
    pub fn new(spec: ListSpec, format: Format, style: Style, out: W) -> Result<Self, RenderError> {
        if format == Format::Parquet {
            return Err(no_form(spec.verb, format));
        }
        let mut writer = ListWriter {
            table: Answer::new(spec.columns),
            spec,
            format,
            style,
            out,
            rows: 0,
            chat: Chat::default(),
            sink: None,
        };
        match format {
            Format::Json => write!(
                writer.out,
                "{{\"schema\":\"coroner/{}/1\",\"{}\":[",
                spec.verb, spec.plural
            )?,
            Format::Csv => write_row(
                spec.columns.iter().map(|(name, _)| (*name).to_owned()),
                &mut writer.out,
            )?,
            Format::Md => writer
                .out
                .write_all(markdown_head(&writer.table).as_bytes())?,
            _ => {}
        }
        Ok(writer)
    }

    /// Returns how many rows were written.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes a row.
    ///
    /// # Errors
    /// If writing fails.
    pub fn push(&mut self, row: Map<String, Value>) -> Result<(), RenderError> {
        self.rows += 1;
        match self.format {
            Format::Json => {
                if self.rows > 1 {
                    self.out.write_all(b",")?;
                }
                write_json(&Value::Object(row), &mut self.out)?;
            }
            Format::Jsonl => {
                write_json(&Value::Object(row), &mut self.out)?;
                self.out.write_all(b"\n")?;
            }
            Format::Csv => write_row(
                self.cells(&row).iter().map(|cell| cell_text(cell, None)),
                &mut self.out,
            )?,
            Format::Md => {
                let zone = Some(&self.style.zone);
                let line = markdown_row(self.cells(&row).iter().map(|cell| cell_text(cell, zone)));
                self.out.write_all(line.as_bytes())?;
            }
            Format::Table => match self.spec.line {
                Some(line) => {
                    let text = line(&row, &self.style);
                    self.out.write_all(text.as_bytes())?;
                    self.out.write_all(b"\n")?;
                }
                None => {
                    let cells = self.cells(&row);
                    self.table.rows.push(cells);
                }
            },
            Format::Chat => match self.spec.line {
                Some(line) => line(&row, &chat::style())
                    .lines()
                    .for_each(|line| self.chat.push(line)),
                None => {
                    let cells = self.cells(&row);
                    self.table.rows.push(cells);
                }
            },
            Format::Parquet => {
                let cells = self.cells(&row);
                self.table.rows.push(cells);
                if self.table.rows.len() >= SINK_ROWS {
                    self.put()?;
                }
            }
        }
        Ok(())
    }

    /// Gives the sink what waits.
    fn put(&mut self) -> Result<(), RenderError> {
        if let Some(sink) = &mut self.sink {
            sink.put(&self.table)?;
        }
        self.table.rows.clear();
        Ok(())
    }

    /// Ends the list; `tail` follows the rows in the JSON document.
    ///
    /// # Errors
    /// If writing fails.
    pub fn finish(mut self, tail: &Map<String, Value>) -> Result<W, RenderError> {
        match self.format {
            Format::Json => {
                self.out.write_all(b"]")?;
                for (key, value) in tail {
                    self.out.write_all(b",")?;
                    write_json(&Value::from(key.as_str()), &mut self.out)?;
                    self.out.write_all(b":")?;
                    write_json(value, &mut self.out)?;
                }
                self.out.write_all(b"}\n")?;
            }
            Format::Table if self.spec.line.is_none() && self.rows > 0 => {
                let text = table::render(&self.table, &self.style);
                self.out.write_all(text.as_bytes())?;
            }
            Format::Chat => {
                if self.spec.line.is_none() {
                    let text = table::render(&self.table, &chat::style());
                    text.lines().for_each(|line| self.chat.push(line));
                }
                let text = std::mem::take(&mut self.chat).finish();
                self.out.write_all(text.as_bytes())?;
            }
            Format::Parquet => {
                self.put()?;
                if let Some(sink) = &mut self.sink {
                    sink.end()?;
                }
            }
            _ => {}
        }
        self.out.flush()?;
        Ok(self.out)
    }

    fn cells(&self, row: &Map<String, Value>) -> Vec<Cell> {
        self.spec
            .columns
            .iter()
            .map(|(name, type_name)| match row.get(*name) {
                None | Some(Value::Null) => Cell::Null,
                Some(Value::String(text)) if *type_name == "timestamp_utc" => {
                    model::time::parse_utc(text).map_or_else(|| Cell::Text(text.clone()), Cell::Utc)
                }
                Some(Value::String(text)) => Cell::Text(text.clone()),
                Some(value) => Cell::Json(value.clone()),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SPEC: ListSpec = ListSpec {
        verb: "timeline",
        plural: "records",
        columns: &[("ts", "timestamp_utc"), ("message", "text")],
        line: Some(|row, _| crate::terminal(row["message"].as_str().unwrap_or(""))),
    };

    #[track_caller]
    fn check(format: Format, expected: &str) {
        let mut list = ListWriter::new(SPEC, format, Style::default(), Vec::new()).expect("a form");
        for message in ["a", "\u{1b}b"] {
            let row = json!({"ts": "1970-01-01T00:00:00.000000Z", "message": message});
            let Value::Object(row) = row else {
                unreachable!("json! made an object")
            };
            list.push(row).expect("memory");
        }
        let mut tail = Map::new();
        tail.insert("partial".into(), json!([]));
        let out = list.finish(&tail).expect("memory");
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
    }

    #[test]
    fn every_form() {
        let at = "1970-01-01T00:00:00.000000Z";
        check(Format::Table, "a\n\\x1bb\n");
        check(Format::Chat, "```\na\n\\x1bb\n```\n");
        check(
            Format::Json,
            &format!(
                "{{\"schema\":\"coroner/timeline/1\",\"records\":[{{\"ts\":\"{at}\",\"message\":\"a\"}},{{\"ts\":\"{at}\",\"message\":\"\\u001bb\"}}],\"partial\":[]}}\n"
            ),
        );
        check(
            Format::Csv,
            &format!("ts,message\r\n{at},a\r\n{at},\\x1bb\r\n"),
        );
        check(
            Format::Md,
            "| ts | message |\n| --- | --- |\n| 1970-01-01 00:00:00Z | a |\n| 1970-01-01 00:00:00Z | \\\\x1bb |\n",
        );
    }
}
