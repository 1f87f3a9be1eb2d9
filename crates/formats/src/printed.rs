//! Lines that programs print past their logger (`println!`), without stamp and level: known by their whole
//! text, which a message of the catalogue marked `printed` gives. Asked when no shape is recognised.

use crate::catalogue::Compiled;
use crate::engine::{Head, Shape};
use crate::scan::{first_word, trim_end};
use crate::table::Table;

/// Printed messages by their first word.
#[derive(Debug, Default)]
pub(crate) struct Printed {
    by_word: Table<u32>,
    /// The format, and which of its messages.
    lists: Vec<Vec<(u16, u16)>>,
}

impl Printed {
    pub(crate) fn new(compiled: &[Compiled]) -> Printed {
        let mut table = Printed::default();
        for (format, one) in compiled.iter().enumerate() {
            for (index, message) in one.definition.messages.iter().enumerate() {
                if let Some(word) = message.printed_word() {
                    let row = (format as u16, index as u16);
                    let next = table.lists.len() as u32;
                    match table.by_word.add(word, next) {
                        Some(list) => table.lists[list as usize].push(row),
                        None => table.lists.push(vec![row]),
                    }
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
        let list = match line {
            [] => None,
            _ => self.by_word.get(first_word(line)),
        };
        let mut last = None;
        list.map_or(&[][..], |list| &self.lists[list as usize])
            .iter()
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
