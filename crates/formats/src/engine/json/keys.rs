//! The words that JSON dialects ask for, with a number each: a line's keys are looked up once, what
//! dialects compare are numbers.

use crate::scan::same_word;
use crate::words::tag;

/// The number of a key that no dialect asks for.
pub(crate) const NO_KEY: u16 = 0;

/// A place of the table.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// The [`tag`] of its word.
    tag: u64,
    /// A position in `words` plus one.
    id: u16,
}

/// A small hash table with open addressing. Its words come from definition files, so nobody can aim
/// at collisions.
#[derive(Debug)]
pub(crate) struct Keys {
    words: Vec<Box<[u8]>>,
    /// A power of two of them.
    slots: Vec<Slot>,
}

impl Default for Keys {
    fn default() -> Self {
        Keys {
            words: Vec::new(),
            slots: vec![Slot::default(); 256],
        }
    }
}

impl Keys {
    #[inline]
    fn slot(&self, tag: u64) -> usize {
        let mixed = tag.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 40) as usize & (self.slots.len() - 1)
    }

    /// The number of a word, [`NO_KEY`] if nobody asks for it.
    #[inline]
    pub(crate) fn id(&self, word: &[u8]) -> u16 {
        let tag = tag(word);
        let mut slot = self.slot(tag);
        loop {
            let Slot { tag: known, id } = self.slots[slot];
            if id == NO_KEY || (known == tag && same_word(&self.words[usize::from(id) - 1], word)) {
                return id;
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    /// The number of a word, a new one if it is new.
    pub(crate) fn add(&mut self, word: &[u8]) -> u16 {
        let known = self.id(word);
        // A few thousand keys are more than any set of definitions has; what is beyond is not found.
        if known != NO_KEY || self.words.len() >= usize::from(u16::MAX) - 1 {
            return known;
        }
        self.words.push(word.into());
        if self.words.len() * 4 > self.slots.len() {
            self.slots = vec![Slot::default(); self.slots.len() * 2];
            for index in 0..self.words.len() {
                self.place(index as u16 + 1);
            }
        } else {
            self.place(self.words.len() as u16);
        }
        self.words.len() as u16
    }

    fn place(&mut self, id: u16) {
        let tag = tag(&self.words[usize::from(id) - 1]);
        let mut slot = self.slot(tag);
        while self.slots[slot].id != NO_KEY {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        self.slots[slot] = Slot { tag, id };
    }

    /// How many numbers there are, [`NO_KEY`] included.
    pub(crate) fn count(&self) -> usize {
        self.words.len() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_numbers() {
        let mut keys = Keys::default();
        let words: Vec<String> = (0..500).map(|n| format!("key{n}")).collect();
        let ids: Vec<u16> = words.iter().map(|word| keys.add(word.as_bytes())).collect();
        for (word, id) in words.iter().zip(ids) {
            assert_eq!(
                (keys.id(word.as_bytes()), keys.add(word.as_bytes())),
                (id, id)
            );
        }
        assert_eq!(keys.id(b"key500"), NO_KEY);
        assert_eq!(keys.id(b""), NO_KEY);
        assert_eq!(keys.count(), 501);
    }
}
