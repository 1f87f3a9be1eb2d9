//! The words that JSON dialects ask for, with a number each: a line's keys are looked up once, what
//! dialects compare are numbers.

use crate::table::Table;

/// The number of a key that no dialect asks for.
pub(crate) const NO_KEY: u16 = 0;

/// The words and their numbers.
#[derive(Debug, Default)]
pub(crate) struct Keys(Table<u16>);

impl Keys {
    /// The number of a word, [`NO_KEY`] if nobody asks for it.
    #[inline]
    pub(crate) fn id(&self, word: &[u8]) -> u16 {
        self.0.get(word).unwrap_or(NO_KEY)
    }

    /// The same of the word from `from` to `to` of a text.
    #[inline]
    pub(crate) fn id_within(&self, text: &[u8], from: usize, to: usize) -> u16 {
        self.0.get_within(text, from, to).unwrap_or(NO_KEY)
    }

    /// The number of a word, a new one if it is new.
    pub(crate) fn add(&mut self, word: &[u8]) -> u16 {
        // A few thousand keys are more than any set of definitions has; what is beyond is not found.
        match u16::try_from(self.count()) {
            Ok(next) => self.0.add(word, next).unwrap_or(next),
            Err(_) => self.id(word),
        }
    }

    /// How many numbers there are, [`NO_KEY`] included.
    pub(crate) fn count(&self) -> usize {
        self.0.len() + 1
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
