//! Lines that programs print past their logger (`println!`), without stamp and level: known by their whole
//! text, which a message of the catalogue marked `printed` gives. Asked when no shape is recognised.

use crate::catalogue::Compiled;
use crate::engine::{Head, Shape};
use crate::scan::{first_word, trim_end};
use crate::table::Table;

/// One bit of a text's first two bytes, which most lines share with no printed word; none of an empty one.
#[inline(always)]
fn beginning(text: &[u8]) -> u64 {
    match text {
        [first, second, ..] => 1 << ((first.wrapping_mul(5) ^ second) % 64),
        // A word of one byte has a blank behind it, or nothing.
        [first] => 1 << ((first.wrapping_mul(5) ^ b' ') % 64),
        [] => 0,
    }
}

/// Printed messages by their first word.
#[derive(Debug, Default)]
pub(crate) struct Printed {
    by_word: Table<u32>,
    /// A quick no, see [`beginning`].
    beginnings: u64,
    /// The format, and which of its messages.
    lists: Vec<Vec<(u16, u16)>>,
}

impl Printed {
    pub(crate) fn new(compiled: &[Compiled]) -> Printed {
        let mut table = Printed::default();
        for (format, one) in compiled.iter().enumerate() {
            for (index, message) in one.definition.messages.iter().enumerate() {
                if let Some(word) = message.printed_word() {
                    table.beginnings |= beginning(word);
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

    /// Whether a line may begin as a printed one does.
    #[inline(always)]
    pub(crate) fn may_be(&self, line: &[u8]) -> bool {
        beginning(line) & self.beginnings != 0
    }

    /// The formats that print this line, each once.
    #[inline(never)]
    pub(crate) fn claim<'p>(
        &'p self,
        compiled: &'p [Compiled],
        line: &'p [u8],
    ) -> impl Iterator<Item = (u16, Head)> + 'p {
        let list = self.by_word.get(first_word(line));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_no_is_none_of_a_line_that_begins_with_a_word() {
        for (word, line) in [
            ("x", "x"),
            ("x", "x y"),
            ("done", "done"),
            ("done", "done in 7s"),
        ] {
            assert_eq!(
                beginning(word.as_bytes()),
                beginning(line.as_bytes()),
                "{line}"
            );
        }
        assert_ne!(beginning(b"done"), beginning(b"deno"));
        assert_eq!(beginning(b""), 0);
    }
}
