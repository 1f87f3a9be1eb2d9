//! Beginnings of paths that programs have for their own: which of dozens a text begins with, most often none.

use crate::words::Literal;

/// Texts that others may begin with, in the order they were added.
#[derive(Clone, Debug)]
pub(crate) struct Beginnings<V> {
    all: Vec<(Literal, V)>,
    /// A quick no: the [`start_bit`]s of all.
    starts: u64,
}

impl<V> Default for Beginnings<V> {
    fn default() -> Self {
        Beginnings {
            all: Vec::new(),
            starts: 0,
        }
    }
}

/// One bit of a text's first two bytes.
#[inline]
fn start_bit(first: u8, second: u8) -> u64 {
    1 << ((u32::from(first) + 13 * u32::from(second)) % 64)
}

impl<V> Beginnings<V> {
    pub(crate) fn add(&mut self, text: &[u8], value: V) {
        self.starts |= match *text {
            [first, second, ..] => start_bit(first, second),
            _ => u64::MAX,
        };
        self.all.push((Literal::new(text.to_vec()), value));
    }

    /// Those that `text` begins with, by their length, and what they stand for.
    #[inline]
    pub(crate) fn of<'b>(&'b self, text: &'b [u8]) -> impl Iterator<Item = (usize, &'b V)> {
        let may_be = match *text {
            [first, second, ..] => self.starts & start_bit(first, second) != 0,
            _ => true,
        };
        let all = if may_be { &self.all[..] } else { &[] };
        all.iter()
            .filter(|(own, _)| own.begins(text))
            .map(|(own, value)| (own.len(), value))
    }
}

/// The targets (paths with `::`) that are a format's own: each stands for all that is below it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Targets {
    own: Beginnings<()>,
    /// No target at all is one of them. It is written as the empty one.
    pub(crate) none: bool,
}

impl Targets {
    pub(crate) fn new(targets: &[String]) -> Targets {
        let mut all = Targets::default();
        for target in targets {
            match target.as_str() {
                "" => all.none = true,
                target => all.own.add(target.as_bytes(), ()),
            }
        }
        all
    }

    /// Whether a target is one of them.
    #[inline]
    pub(crate) fn have(&self, target: &[u8]) -> bool {
        if target.is_empty() {
            return self.none;
        }
        self.own
            .of(target)
            .any(|(own, ())| matches!(target.get(own), None | Some(b':' | b'_')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_stand_for_what_is_below_them() {
        let own = ["zksync", "vm", "zksync_core::api", ""].map(str::to_owned);
        let targets = Targets::new(&own);
        for (target, is_own) in [
            ("zksync", true),
            ("zksync::a", true),
            ("zksync_core", true),
            ("zksync_core::api::web3", true),
            ("zksyncx", false),
            ("zksyn", false),
            ("vm", true),
            ("vm2", false),
            ("v", false),
            ("", true),
        ] {
            assert_eq!(targets.have(target.as_bytes()), is_own, "{target}");
        }
        assert!(!Targets::new(&own[..2]).have(b""));
    }
}
