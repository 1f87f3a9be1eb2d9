//! Answers that are one object: the same facts as JSON for machines and as blocks for eyes.

use crate::escape::{markdown, wrap};
use crate::format::Paint;
use crate::{Format, RenderError, Style, chat, csv, table, terminal, write_json};
use model::{Answer, AnswerColumn, Cell};
use serde_json::{Map, Value};
use std::io::Write;

/// A piece of an answer as people read it. Text in it may come from evidence: it is escaped here.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A heading.
    Title(String),
    /// A sentence or paragraph.
    Text(String),
    /// An indented item under the text before it.
    Item(String),
    /// A side remark.
    Note(String),
    /// Something to be alarmed about.
    Alarm(String),
    /// Names and values.
    Fields(Vec<(String, String)>),
    /// A table.
    Table(Answer),
    /// Lines that were laid out already: those that are too wide go on below where their text begins.
    Lines(String),
    /// Text kept as it is, line by line (still escaped): a digest, a script.
    Verbatim(String),
    /// An empty line.
    Blank,
}

/// An answer that is one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The verb, for `"schema":"coroner/<verb>/1"`.
    pub verb: &'static str,
    /// The document without its schema.
    pub body: Map<String, Value>,
    /// What people see.
    pub view: Vec<Block>,
    /// The key of `body` that holds the rows, for verbs whose answer is a list.
    pub rows: Option<&'static str>,
}

impl Document {
    /// Returns the JSON document, `schema` first.
    pub fn to_json(&self) -> Value {
        let mut whole = Map::new();
        whole.insert("schema".into(), format!("coroner/{}/1", self.verb).into());
        whole.extend(
            self.body
                .iter()
                .map(|(key, value)| (key.clone(), value.clone())),
        );
        Value::Object(whole)
    }

    fn row_values(&self) -> Option<&Vec<Value>> {
        self.body.get(self.rows?)?.as_array()
    }

    /// The rows as a table: one column per key, in order of first appearance. `None` if the answer is no
    /// list.
    pub fn row_table(&self) -> Option<Answer> {
        let rows = self.row_values()?;
        let mut columns: Vec<String> = Vec::new();
        for key in rows.iter().filter_map(Value::as_object).flat_map(Map::keys) {
            if !columns.contains(key) {
                columns.push(key.clone());
            }
        }
        let mut answer = Answer {
            columns: columns
                .iter()
                .map(|name| AnswerColumn {
                    name: name.clone(),
                    type_name: type_of(rows.iter().filter_map(|row| row.get(name))).to_owned(),
                })
                .collect(),
            rows: Vec::new(),
        };
        for row in rows {
            let cell = |name: &String| match row.get(name) {
                None | Some(Value::Null) => Cell::Null,
                Some(value) => Cell::Json(value.clone()),
            };
            answer.rows.push(columns.iter().map(cell).collect());
        }
        Some(answer)
    }
}

/// Returns the type that all values of a column have.
fn type_of<'v>(values: impl Iterator<Item = &'v Value>) -> &'static str {
    let mut common = None;
    for value in values {
        let this = match value {
            Value::Null => continue,
            Value::Bool(_) => "bool",
            Value::Number(number) if number.is_i64() => "i64",
            Value::Number(_) => "f64",
            Value::String(_) => "text",
            _ => "json",
        };
        common = match (common, this) {
            (None, _) => Some(this),
            (Some("i64" | "f64"), "i64" | "f64") if common != Some(this) => Some("f64"),
            (Some(before), _) if before == this => common,
            _ => Some("json"),
        };
    }
    common.unwrap_or("json")
}

/// Writes a document in any of its forms.
///
/// # Errors
/// If it has no such form, or writing fails.
pub fn write_document(
    document: &Document,
    format: Format,
    style: &Style,
    out: &mut dyn Write,
) -> Result<(), RenderError> {
    match format {
        Format::Json => {
            write_json(&document.to_json(), out)?;
            out.write_all(b"\n")?;
        }
        Format::Jsonl => match document.row_values() {
            Some(rows) => {
                for row in rows {
                    write_json(row, out)?;
                    out.write_all(b"\n")?;
                }
            }
            None => {
                write_json(&Value::Object(document.body.clone()), out)?;
                out.write_all(b"\n")?;
            }
        },
        Format::Csv => {
            let Some(answer) = document.row_table() else {
                return Err(no_form(document.verb, Format::Csv));
            };
            crate::write_answer(document.verb, &answer, Format::Csv, style, &Map::new(), out)?;
        }
        Format::Table => out.write_all(to_text(&document.view, style).as_bytes())?,
        Format::Md => out.write_all(to_markdown(&document.view, style).as_bytes())?,
        Format::Chat => {
            let text = to_text(&document.view, &chat::style());
            out.write_all(chat::fence(text.lines()).as_bytes())?;
        }
        Format::Parquet => return Err(no_form(document.verb, Format::Parquet)),
    }
    Ok(())
}

pub(crate) fn no_form(verb: &'static str, format: Format) -> RenderError {
    let instead = match format {
        Format::Parquet => {
            "use json or jsonl; lists (timeline, search, parse, sql, query …) have a Parquet form"
        }
        _ => "use table, json, jsonl, md or chat",
    };
    RenderError::NoForm {
        verb,
        format: format.name(),
        instead,
    }
}

/// Renders blocks as plain text; every line ends with a line feed.
pub(crate) fn to_text(view: &[Block], style: &Style) -> String {
    let mut out = String::new();
    for block in view {
        match block {
            Block::Title(text) => paragraph(&mut out, text, "", Some(Paint::Bold), style),
            Block::Text(text) => paragraph(&mut out, text, "", None, style),
            Block::Item(text) => paragraph(&mut out, text, "  ", None, style),
            Block::Note(text) => paragraph(&mut out, text, "  ", Some(Paint::Dim), style),
            Block::Alarm(text) => paragraph(&mut out, text, "", Some(Paint::Red), style),
            Block::Blank => out.push('\n'),
            Block::Table(answer) => out.push_str(&table::render(answer, style)),
            Block::Fields(pairs) => {
                let pairs: Vec<(String, String)> = pairs
                    .iter()
                    .map(|(name, value)| (terminal(name), terminal(value)))
                    .collect();
                let pairs: Vec<(&str, &str)> = pairs
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str()))
                    .collect();
                out.push_str(&table::fields(&pairs, style));
            }
            Block::Lines(text) => {
                for line in text.lines().map(terminal) {
                    for piece in wrap(&line, style.width, text_column(&line)) {
                        out.push_str(&piece);
                        out.push('\n');
                    }
                }
            }
            Block::Verbatim(text) => {
                for line in text.lines() {
                    out.push_str(&terminal(line));
                    out.push('\n');
                }
            }
        }
    }
    out
}

/// The column at which a line's text begins: after a label and the blanks that set it off, else two columns
/// in from where the line begins.
fn text_column(line: &str) -> usize {
    /// A wider gap is one between columns of a table.
    const LABEL: usize = 16;
    let begin = line.len() - line.trim_start().len();
    let label = line[begin..].split("  ").next().unwrap_or_default();
    let rest = &line[begin + label.len()..];
    let gap = rest.len() - rest.trim_start().len();
    let at = begin + label.chars().count() + gap;
    match gap >= 2 && at <= LABEL && label.is_ascii() {
        true => at,
        // What stands in a column of its own stays there.
        false if begin >= 8 => begin,
        false => begin + 2,
    }
}

fn paragraph(out: &mut String, text: &str, lead: &str, paint: Option<Paint>, style: &Style) {
    let room = style.width.saturating_sub(lead.len()).max(20);
    for line in wrap(&terminal(text), room, 0) {
        let line = format!("{lead}{line}");
        match paint {
            Some(paint) => out.push_str(&style.paint(paint, &line)),
            None => out.push_str(&line),
        }
        out.push('\n');
    }
}

/// Renders blocks as Markdown.
pub(crate) fn to_markdown(view: &[Block], style: &Style) -> String {
    let mut out = String::new();
    for block in view {
        match block {
            Block::Title(text) => {
                out.push_str("## ");
                out.push_str(&markdown(text));
                out.push_str("\n\n");
            }
            Block::Text(text) => {
                out.push_str(&markdown(text));
                out.push_str("\n\n");
            }
            Block::Alarm(text) => {
                out.push_str("**");
                out.push_str(&markdown(text));
                out.push_str("**\n\n");
            }
            Block::Item(text) | Block::Note(text) => {
                out.push_str("* ");
                out.push_str(&markdown(text));
                out.push('\n');
            }
            Block::Blank => {
                if !out.ends_with("\n\n") {
                    out.push('\n');
                }
            }
            Block::Fields(pairs) => {
                for (name, value) in pairs {
                    out.push_str("* ");
                    out.push_str(&markdown(name));
                    out.push_str(": ");
                    out.push_str(&markdown(value));
                    out.push('\n');
                }
                out.push('\n');
            }
            Block::Table(answer) => {
                out.push_str(&markdown_table(answer, style));
                out.push('\n');
            }
            Block::Lines(text) | Block::Verbatim(text) => {
                for line in text.lines() {
                    // Indented code: no fence that the text could close.
                    out.push_str("    ");
                    out.push_str(&terminal(line));
                    out.push('\n');
                }
                out.push('\n');
            }
        }
    }
    out
}

pub(crate) fn markdown_row(cells: impl Iterator<Item = String>) -> String {
    let mut out = String::from("|");
    for cell in cells {
        out.push(' ');
        out.push_str(&markdown(&cell));
        out.push_str(" |");
    }
    out.push('\n');
    out
}

pub(crate) fn markdown_head(answer: &Answer) -> String {
    let mut out = markdown_row(answer.columns.iter().map(|column| column.name.clone()));
    out.push('|');
    for column in &answer.columns {
        out.push_str(match column.type_name.as_str() {
            "i64" | "f64" => " ---: |",
            _ => " --- |",
        });
    }
    out.push('\n');
    out
}

pub(crate) fn markdown_table(answer: &Answer, style: &Style) -> String {
    let mut out = markdown_head(answer);
    for row in &answer.rows {
        out.push_str(&markdown_row(
            row.iter()
                .map(|cell| csv::cell_text(cell, Some(&style.zone))),
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &str, width: usize) -> String {
        let style = Style {
            width,
            ..chat::style()
        };
        to_text(&[Block::Lines(lines.to_owned())], &style)
    }

    #[test]
    fn wide_lines_go_on_below_their_text() {
        assert_eq!(
            text("  commit      confirmed and more", 24),
            "  commit      confirmed\n              and more\n"
        );
        assert_eq!(
            text("  ! a word too many", 12),
            "  ! a word\n    too many\n"
        );
        assert_eq!(text("short", 12), "short\n");
        // A hash is not torn from its column.
        let hash = "f".repeat(20);
        assert_eq!(
            text(&format!("  x    {hash}"), 30),
            format!("  x    {hash}\n")
        );
    }
}
