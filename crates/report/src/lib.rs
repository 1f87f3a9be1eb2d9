//! Answers for eyes and machines: tables, JSON, JSON lines, CSV, Markdown and chat.
//!
//! What evidence says is never trusted here: control characters are shown escaped, HTML and
//! Markdown are escaped, spreadsheet formulas are neutralised. This crate must never know where
//! answers come from, nor touch files or the terminal: it writes into what it is given.

mod answer;
mod chat;
mod csv;
mod document;
mod escape;
mod format;
mod json;
mod list;
mod mark;
pub mod postmortem;
mod table;
mod zone;

pub use answer::write_answer;
pub use csv::csv_cell;
pub use document::{Block, Document, write_document};
pub use escape::{markdown, terminal};
pub use format::{Format, RenderError, Style};
pub use json::{to_json_line, write_json};
pub use list::{ListSpec, ListWriter, RowLine, dim, log_line};
pub use mark::{Mark, marked, verify_mark};
pub use postmortem::{PostmortemInput, postmortem};
pub use zone::{Zone, ZoneError};
