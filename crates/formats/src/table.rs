//! A small table of words that definition files know: what a line says is looked up many times, so a look-up is
//! a multiplication and most often one comparison of numbers.

use crate::words::{same_word, tag, tag_within};

/// A place of the table.
#[derive(Clone, Copy, Debug, Default)]
struct Slot<V> {
    /// The [`tag`] of its word.
    tag: u64,
    /// A position in `words` plus one.
    word: u32,
    value: V,
}

/// A hash table with open addressing. Its words come from definition files, so nobody can aim at collisions.
#[derive(Clone, Debug)]
pub(crate) struct Table<V> {
    words: Vec<Box<[u8]>>,
    /// A power of two of them, at most a quarter of them taken.
    slots: Vec<Slot<V>>,
}

impl<V: Copy + Default> Default for Table<V> {
    fn default() -> Self {
        Table {
            words: Vec::new(),
            slots: vec![Slot::default(); 16],
        }
    }
}

impl<V: Copy + Default> Table<V> {
    /// Where a word with this tag is, or where it would be, and what is there.
    #[inline(always)]
    fn slot(&self, word: &[u8], tag: u64) -> (usize, Slot<V>) {
        let last = self.slots.len() - 1;
        let mut at = (tag.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize;
        loop {
            at &= last;
            let slot = self.slots[at];
            // Short words are what their tags say.
            let is_it = slot.tag == tag
                && (word.len() < 8 || same_word(&self.words[slot.word as usize - 1], word));
            if slot.word == 0 || is_it {
                return (at, slot);
            }
            at += 1;
        }
    }

    /// What a word stands for.
    #[inline]
    pub(crate) fn get(&self, word: &[u8]) -> Option<V> {
        let (_, slot) = self.slot(word, tag(word));
        (slot.word > 0).then_some(slot.value)
    }

    /// The same of the word from `from` to `to` of a text.
    #[inline(always)]
    pub(crate) fn get_within(&self, text: &[u8], from: usize, to: usize) -> Option<V> {
        let (_, slot) = self.slot(&text[from..to], tag_within(text, from, to));
        (slot.word > 0).then_some(slot.value)
    }

    /// Says what a word stands for; returns what it stood for already, and leaves it so.
    pub(crate) fn add(&mut self, word: &[u8], value: V) -> Option<V> {
        let known = self.get(word);
        if known.is_none() {
            self.words.push(word.into());
            let place = self.words.len() as u32;
            self.place(place, value);
            if self.words.len() * 4 > self.slots.len() {
                let room = vec![Slot::default(); self.slots.len() * 2];
                for slot in std::mem::replace(&mut self.slots, room) {
                    if slot.word > 0 {
                        self.place(slot.word, slot.value);
                    }
                }
            }
        }
        known
    }

    fn place(&mut self, word: u32, value: V) {
        let text = &self.words[word as usize - 1];
        let tag = tag(text);
        let (at, _) = self.slot(text, tag);
        self.slots[at] = Slot { tag, word, value };
    }

    /// How many words there are.
    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_what_they_stand_for() {
        let mut table = Table::default();
        let words: Vec<String> = (0..500)
            .map(|n| format!("{}{n}", "word of ".repeat(n % 7)))
            .collect();
        for (word, n) in words.iter().zip(0..) {
            assert_eq!(table.add(word.as_bytes(), n), None);
        }
        for (word, n) in words.iter().zip(0..) {
            assert_eq!(table.get(word.as_bytes()), Some(n));
            let line = format!("a {word}=1 and more");
            let within = table.get_within(line.as_bytes(), 2, 2 + word.len());
            assert_eq!(within, Some(n));
            assert_eq!(table.add(word.as_bytes(), 7), Some(n));
        }
        assert_eq!(table.get(b"501"), None);
        assert_eq!(table.get(b""), None);
        assert_eq!(table.add(b"", 3), None);
        assert_eq!(table.get(b""), Some(3));
        assert_eq!(table.len(), 501);
    }
}
