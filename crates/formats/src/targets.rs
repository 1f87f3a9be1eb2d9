//! Beginnings of paths that programs have for their own: which of dozens a text begins with, most often none.

use crate::lanes::up_to_eight;
use crate::scan::begins_with;

/// One of [`Beginnings`].
#[derive(Clone, Debug)]
struct Beginning<V> {
    /// The first eight bytes, and which of them there are.
    first: u64,
    mask: u64,
    text: Vec<u8>,
    value: V,
}

/// Texts that others may begin with, in the order they were added.
#[derive(Clone, Debug)]
pub(crate) struct Beginnings<V>(Vec<Beginning<V>>);

impl<V> Default for Beginnings<V> {
    fn default() -> Self {
        Beginnings(Vec::new())
    }
}

impl<V> Beginnings<V> {
    pub(crate) fn add(&mut self, text: &[u8], value: V) {
        let unused = 8 * 8usize.saturating_sub(text.len()) as u32;
        self.0.push(Beginning {
            first: up_to_eight(text),
            mask: u64::MAX.checked_shr(unused).unwrap_or(0),
            text: text.to_vec(),
            value,
        });
    }

    /// Those that `text` begins with, and what they stand for.
    #[inline]
    pub(crate) fn of<'b>(&'b self, text: &'b [u8]) -> impl Iterator<Item = (&'b [u8], &'b V)> {
        let first = up_to_eight(text);
        self.0
            .iter()
            .filter(move |one| first & one.mask == one.first && begins_with(text, &one.text))
            .map(|one| (one.text.as_slice(), &one.value))
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
            .any(|(own, ())| matches!(target.get(own.len()), None | Some(b':' | b'_')))
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
