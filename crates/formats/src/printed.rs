//! Lines that programs print past their logger (`println!`), without stamp and level: known by their whole
//! text, which a message of the catalogue marked `printed` gives. Asked when no shape is recognised.

use crate::catalogue::{Compiled, MessageHasher};
use crate::engine::{Head, Shape};
use crate::scan::{first_word, trim_end};
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

/// Printed messages by their first word: the format, and which of its messages.
#[derive(Debug, Default)]
pub(crate) struct Printed(HashMap<Vec<u8>, Vec<(u16, u16)>, BuildHasherDefault<MessageHasher>>);

impl Printed {
    pub(crate) fn new(compiled: &[Compiled]) -> Printed {
        let mut table = Printed::default();
        for (format, one) in compiled.iter().enumerate() {
            for (index, message) in one.definition.messages.iter().enumerate() {
                if let Some(word) = message.printed_word() {
                    let row = table.0.entry(word.to_vec()).or_default();
                    row.push((format as u16, index as u16));
                }
            }
        }
        table
    }

    /// The formats that print this line, each once.
    #[inline]
    pub(crate) fn claim<'p>(
        &'p self,
        compiled: &'p [Compiled],
        line: &'p [u8],
    ) -> impl Iterator<Item = (u16, Head)> + 'p {
        let rows = match self.0.is_empty() || line.is_empty() {
            true => None,
            false => self.0.get(first_word(line)),
        };
        let mut last = None;
        rows.into_iter()
            .flatten()
            .filter_map(move |(format, index)| {
                let message =
                    &compiled[usize::from(*format)].definition.messages[usize::from(*index)];
                if last == Some(*format) || !message.is(trim_end(line)) {
                    return None;
                }
                last = Some(*format);
                Some((*format, Head::bare(Shape::Printed, None)))
            })
    }
}
