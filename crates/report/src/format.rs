//! The forms an answer can take.

use crate::Zone;
use std::io;

/// What `--format` chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For eyes on a terminal.
    Table,
    /// One JSON document that starts with its schema.
    Json,
    /// One JSON object per line.
    Jsonl,
    /// Comma separated values, safe to open in a spreadsheet.
    Csv,
    /// Markdown.
    Md,
    /// Apache Parquet.
    Parquet,
    /// At most 1,900 characters, fenced, 80 columns, UTC: for Discord or Slack.
    Chat,
}

impl Format {
    /// Returns the name as `--format` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Table => "table",
            Format::Json => "json",
            Format::Jsonl => "jsonl",
            Format::Csv => "csv",
            Format::Md => "md",
            Format::Parquet => "parquet",
            Format::Chat => "chat",
        }
    }
}

/// How an answer is shown.
#[derive(Clone, Debug)]
pub struct Style {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether colours may be used.
    pub color: bool,
    /// The zone that tables and Markdown show times in. JSON and chat are always UTC.
    pub zone: Zone,
}

impl Default for Style {
    fn default() -> Self {
        Style {
            width: 80,
            color: false,
            zone: Zone::UTC,
        }
    }
}

/// Why an answer could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// The answer has no such form.
    #[error("`{verb}` has no {format} form")]
    NoForm {
        /// The verb.
        verb: &'static str,
        /// The format's name.
        format: &'static str,
        /// The formats it has.
        instead: &'static str,
    },
    /// Writing failed.
    #[error("cannot write the answer")]
    Io(#[from] io::Error),
}

impl RenderError {
    /// Whether the reader of a pipe went away, which is no error (contract §1).
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, RenderError::Io(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// ANSI colours, written only where [`Style::color`] allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    Bold,
    Dim,
    Red,
    Yellow,
}

impl Style {
    /// Returns `text` in a colour, or as it is.
    pub(crate) fn paint(&self, paint: Paint, text: &str) -> String {
        if !self.color || text.is_empty() {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Bold => "1",
            Paint::Dim => "2",
            Paint::Red => "31",
            Paint::Yellow => "33",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}
