//! A map from whole numbers that is made at once: half a million rows are sorted in less time than a tree of them
//! is grown, and mostly they come in order.

/// Values by number.
pub(crate) struct SortedMap<V> {
    pairs: Vec<(i64, V)>,
}

impl<V> Default for SortedMap<V> {
    fn default() -> Self {
        SortedMap { pairs: Vec::new() }
    }
}

impl<V> SortedMap<V> {
    /// Of pairs in any order; what several pairs of one number say is put together in their order.
    pub(crate) fn of<P>(
        given: impl Iterator<Item = (i64, P)> + Clone,
        first: impl Fn(&P) -> V,
        mut add: impl FnMut(&mut V, P),
    ) -> SortedMap<V> {
        let most = given.size_hint().1.unwrap_or(0);
        let mut pairs: Vec<(i64, V)> = Vec::with_capacity(most);
        let mut put = |(number, part): (i64, P)| {
            if pairs.last().is_none_or(|(last, _)| *last != number) {
                pairs.push((number, first(&part)));
            }
            if let Some((_, value)) = pairs.last_mut() {
                add(value, part);
            }
        };
        // Mostly they are in order, and need not be held twice.
        if given.clone().is_sorted_by_key(|(number, _)| number) {
            given.for_each(&mut put);
        } else {
            let mut given: Vec<(i64, P)> = given.collect();
            given.sort_by_key(|(number, _)| *number);
            given.into_iter().for_each(put);
        }
        SortedMap { pairs }
    }

    pub(crate) fn get(&self, number: i64) -> Option<&V> {
        let at = self.pairs.binary_search_by_key(&number, |(key, _)| *key);
        Some(&self.pairs[at.ok()?].1)
    }

    /// The pairs from one number up to another, which is left out.
    pub(crate) fn range(&self, from: i64, to: i64) -> &[(i64, V)] {
        let at = |number| self.pairs.partition_point(|(key, _)| *key < number);
        &self.pairs[at(from)..at(to).max(at(from))]
    }

    /// All, by number.
    pub(crate) fn pairs(&self) -> &[(i64, V)] {
        &self.pairs
    }

    /// The numbers, in order.
    pub(crate) fn keys(&self) -> impl DoubleEndedIterator<Item = i64> {
        self.pairs.iter().map(|(number, _)| *number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn a_tree_says_the_same(
            pairs in prop::collection::vec((-9i64..9, any::<u8>()), 0..40),
            from in -10i64..10,
            to in -10i64..10,
        ) {
            let mut tree: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
            for (number, value) in &pairs {
                tree.entry(*number).or_default().push(*value);
            }
            let map = SortedMap::of(pairs.into_iter(), |_| Vec::new(), Vec::push);
            prop_assert!(map.keys().eq(tree.keys().copied()));
            for number in -10..10 {
                prop_assert_eq!(map.get(number), tree.get(&number));
            }
            let range = map.range(from, to).iter().map(|(number, value)| (number, value));
            prop_assert!(range.eq(tree.iter().filter(|(number, _)| (from..to).contains(number))));
        }
    }
}
