//! Observation kinds and their columns, read from `observations.toml`.

use crate::FieldValue;
use std::sync::LazyLock;

/// One column that a kind has beside the common ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObsColumn {
    /// Name; unit last.
    pub name: String,
    /// Type.
    pub column_type: crate::ColumnType,
    /// Whether it holds a text that many rows share: such a column is kept as codes into its words.
    pub repeats: bool,
    /// Meaning.
    pub about: String,
}

/// A kind of observation: one table of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObsKind {
    /// Name, for example `clock_samples`.
    pub name: String,
    /// One sentence.
    pub about: String,
    /// Own columns in table order.
    pub columns: Vec<ObsColumn>,
}

impl ObsKind {
    /// Returns the position of a column in [`Observation::values`].
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// What a record means. Borrowed from the sink's call.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// Index into [`observation_kinds`].
    pub kind: usize,
    /// The slot it speaks of (common column).
    pub slot: Option<i64>,
    /// One value per column of the kind, in order; a number is printed decimal text in the column's
    /// unit, and has been checked to be one.
    pub values: ObsValues<'a>,
}

/// The values of an observation, one per column of its kind. What several observations of a record tell is held
/// once: they say which of the record's values stands in which column.
///
/// ```
/// use model::{ObsValue, ObsValues};
/// let told = [Some(ObsValue::I64(7)), None];
/// let values = ObsValues::new(&told, &[1, ObsValues::UNSAID, 0]);
/// assert_eq!((values.len(), values.get(0), values.get(2)), (3, None, Some(&ObsValue::I64(7))));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ObsValues<'a> {
    told: &'a [Option<ObsValue<'a>>],
    columns: &'a [u32],
}

impl<'a> ObsValues<'a> {
    /// The place of a column of which nothing is ever said.
    pub const UNSAID: u32 = u32::MAX;

    /// Puts together what a record told and, for each column, the place of its value there.
    pub fn new(told: &'a [Option<ObsValue<'a>>], columns: &'a [u32]) -> ObsValues<'a> {
        ObsValues { told, columns }
    }

    /// Returns how many columns there are.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Returns whether the kind has no columns of its own.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Returns the value of a column, if one is said.
    pub fn get(&self, column: usize) -> Option<&'a ObsValue<'a>> {
        self.at(*self.columns.get(column)?)
    }

    #[inline]
    fn at(&self, place: u32) -> Option<&'a ObsValue<'a>> {
        self.told.get(place as usize)?.as_ref()
    }

    /// Goes through the columns in order.
    #[inline]
    pub fn iter(self) -> impl ExactSizeIterator<Item = Option<&'a ObsValue<'a>>> {
        self.columns.iter().map(move |place| self.at(*place))
    }
}

/// The value of an observation column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ObsValue<'a> {
    /// Integer.
    I64(i64),
    /// Number, in the column's unit.
    F64(f64),
    /// Truth.
    Bool(bool),
    /// Text as printed.
    Text(&'a [u8]),
}

impl<'a> From<FieldValue<'a>> for ObsValue<'a> {
    fn from(value: FieldValue<'a>) -> Self {
        ObsValue::Text(value.bytes())
    }
}

static KINDS: LazyLock<Vec<ObsKind>> = LazyLock::new(|| {
    let text = include_str!("../observations.toml");
    let table: toml::Table = text.parse().expect("observations.toml is valid TOML");
    let mut kinds = Vec::new();
    for (name, value) in table {
        let mut kind = ObsKind {
            name,
            about: String::new(),
            columns: Vec::new(),
        };
        for (key, value) in value.as_table().expect("a kind is a table") {
            if key == "about" {
                kind.about = value.as_str().expect("about is text").to_owned();
                continue;
            }
            let pair = value.as_array().expect("a column is [type, meaning]");
            let text = |index: usize| pair[index].as_str().expect("type and meaning are text");
            kind.columns.push(ObsColumn {
                name: key.clone(),
                column_type: match text(0) {
                    "i64" => crate::ColumnType::I64,
                    "f64" => crate::ColumnType::F64,
                    "bool" => crate::ColumnType::Bool,
                    "text" | "word" => crate::ColumnType::Text,
                    other => panic!("unknown column type {other} in observations.toml"),
                },
                repeats: text(0) == "word",
                about: text(1).to_owned(),
            });
        }
        kinds.push(kind);
    }
    kinds
});

/// Returns all kinds, in the order of `observations.toml`.
pub fn observation_kinds() -> &'static [ObsKind] {
    &KINDS
}

/// Returns the index of a kind by its name.
pub fn observation_kind(name: &str) -> Option<usize> {
    KINDS.iter().position(|kind| kind.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_the_design_is_there_in_file_order() {
        assert_eq!(observation_kinds()[0].name, "clock_samples");
        let kind = &observation_kinds()[observation_kind("clock_samples").unwrap()];
        assert_eq!(kind.columns[0].name, "offset_s");
        assert_eq!(kind.column("method"), Some(1));
        assert_eq!(observation_kinds().len(), 20);
    }
}
