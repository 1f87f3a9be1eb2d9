//! How null is written where the form does not say: `\pset null` lets people choose.
//!
//! A symbol is null where that is certain: in a column whose other values are all of a type that text
//! like this cannot be of, and where a column holds nothing else at all. In a column of texts it stays
//! text, unless the same paste shows elsewhere (in such a column, or in psql's own words) that it is
//! the symbol.

use model::ColumnType;

use crate::infer::Inference;
use crate::psql::Paste;

/// Symbols in use; an empty cell is not among them.
const SYMBOLS: [&[u8]; 14] = [
    b"\\N",
    b"(null)",
    b"[null]",
    b"<null>",
    b"{null}",
    b"NULL",
    b"(NULL)",
    b"[NULL]",
    b"<NULL>",
    b"null",
    b"nil",
    b"None",
    "∅".as_bytes(),
    "¤".as_bytes(),
];

/// Whether a text may stand for null.
#[inline]
pub(crate) fn is_symbol(text: &[u8]) -> bool {
    symbol(text).is_some()
}

/// Which symbol a text is.
#[inline]
fn symbol(text: &[u8]) -> Option<usize> {
    // Most values are numbers: that must be seen at once.
    if !(2..=6).contains(&text.len()) || text[0].is_ascii_digit() {
        return None;
    }
    SYMBOLS.iter().position(|symbol| *symbol == text)
}

/// What the values of a column of delimited text could be, symbols left out, and which those were.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Symbols {
    pub(crate) inference: Inference,
    seen: u16,
    /// Whether there are cells with nothing in them.
    pub(crate) empty: bool,
}

impl Symbols {
    /// Takes a value that is not null.
    #[inline]
    pub(crate) fn see(&mut self, text: &[u8]) {
        match symbol(text) {
            Some(nth) => self.seen |= 1 << nth,
            None => self.inference.see(text),
        }
    }
}

/// The symbol that stands in a column whose other values have a type, or fills a column.
pub(crate) fn proven(columns: &[Symbols]) -> Option<&'static [u8]> {
    let fills = |column: &Symbols| {
        !column.inference.is_seen() && !column.empty && column.seen.count_ones() == 1
    };
    let seen = columns
        .iter()
        .filter(|column| column.inference.column_type() != ColumnType::Text || fills(column))
        .fold(0, |seen, column| seen | column.seen);
    SYMBOLS.get(seen.trailing_zeros() as usize).copied()
}

/// Settles in pasted tables which cells are null: what the session says, else what is certain. Where
/// a symbol is known, an empty cell of a text column is an empty text.
pub(crate) fn settle(pastes: &mut [Paste]) {
    let proven: Vec<&[u8]> = SYMBOLS
        .into_iter()
        .filter(|symbol| pastes.iter().any(|paste| proves(paste, symbol)))
        .collect();
    for paste in pastes {
        let own = paste.null.clone();
        let is_null = |text: &[u8]| match &own {
            Some(symbol) => symbol == text,
            None => proven.contains(&text),
        };
        // Only where this very paste uses the symbol, an empty cell is known to be no null.
        let told = match &own {
            Some(symbol) => !symbol.is_empty(),
            None => proven.iter().any(|symbol| proves(paste, symbol)),
        };
        if !told && proven.is_empty() {
            continue;
        }
        for (column, name) in paste.columns.iter().enumerate() {
            let filled = SYMBOLS.iter().find(|symbol| fills(paste, column, symbol));
            if let Some(symbol) = filled.filter(|symbol| own.is_none() && is_null(symbol)) {
                let symbol = String::from_utf8_lossy(symbol);
                paste.notes.push(format!(
                    "column {name} holds nothing but `{symbol}`, which is read as null"
                ));
            }
        }
        let mut texts = vec![false; paste.columns.len()];
        for (column, text) in texts.iter_mut().enumerate() {
            let kind = type_of(paste, column, |cell| is_null(cell));
            *text = kind == ColumnType::Text;
        }
        for row in &mut paste.rows {
            for (cell, text) in row.cells.iter_mut().zip(&texts) {
                match cell {
                    Some(value) if is_null(value) => *cell = None,
                    None if *text && told => *cell = Some(Vec::new()),
                    _ => {}
                }
            }
        }
    }
}

/// The type of a column's values, those left out that are null.
fn type_of(paste: &Paste, column: usize, is_null: impl Fn(&[u8]) -> bool) -> ColumnType {
    let mut inference = Inference::default();
    for row in &paste.rows {
        if let Some(Some(text)) = row.cells.get(column)
            && !is_null(text)
        {
            inference.see(text);
        }
    }
    inference.column_type()
}

/// Whether a column holds nothing but the symbol.
fn fills(paste: &Paste, column: usize, symbol: &[u8]) -> bool {
    let is_symbol =
        |cells: &[Option<Vec<u8>>]| matches!(cells.get(column), Some(Some(text)) if text == symbol);
    !paste.rows.is_empty() && paste.rows.iter().all(|row| is_symbol(&row.cells))
}

/// Whether the paste has the symbol in a column whose other values are of a type, or that holds nothing else.
fn proves(paste: &Paste, symbol: &[u8]) -> bool {
    (0..paste.columns.len()).any(|column| {
        if fills(paste, column, symbol) {
            return true;
        }
        let shown = paste
            .rows
            .iter()
            .any(|row| matches!(row.cells.get(column), Some(Some(text)) if text == symbol));
        shown && type_of(paste, column, |cell| cell == symbol) != ColumnType::Text
    })
}
