//! The words everybody shares: spans and references, stamps and levels, records, rejects and
//! observations, typed column batches, answer tables.
//!
//! This crate must never know an engine (Arrow, Polars, DataFusion, tantivy) nor do any I/O: it is
//! what the rooms of the house say to each other, and nothing else.

mod answer;
mod batch;
mod choice;
mod encoding;
mod level;
mod numeric;
mod observation;
mod record;
mod reference;
mod source_name;
mod stamp;
mod table;
mod text;
pub mod time;
mod utf16;

pub use answer::{Answer, AnswerColumn, AnswerSink, Cell, f64_json};
pub use batch::{Batch, Bitmap, Column, ColumnData, ColumnType, StrColumn};
pub use choice::{Choice, leave_public, the_one};
pub use encoding::Encoding;
pub use level::Level;
pub use numeric::NumericExtent;
pub use observation::{
    ObsColumn, ObsKind, ObsValue, ObsValues, Observation, observation_kind, observation_kinds,
};
pub use record::{
    Clue, Field, FieldValue, Position, Record, RecordSink, Reject, SYSTEM_CLIENT, Span,
    WrapperFact, write_fields_json,
};
pub use reference::{RefError, Reference, SourceId};
pub use source_name::SourceName;
pub use stamp::{Stamp, StampDate, StampZone};
pub use table::{Coming, Part, RowFilter, TableError, TableInfo, TableSource};
pub use text::{escape_control, glob, write_json_string};
pub use utf16::{OffsetMap, Utf16Reader};
