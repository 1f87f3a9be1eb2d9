//! The outline of a line: the keys that dialects ask for, with the places and kinds of their values.
//!
//! Which dialects a line may be of, and which member has which role in them, follows from its outline alone. The
//! lines of a program have few outlines, so what was found out about one is kept: of the next such line only
//! values are looked at.

use super::dialect::{Dialect, Roles, Stamped, Syntax};
use super::scan::Kind;
use crate::claim::Tier;

/// How many outlines are kept, and at how many places each may be.
const KEPT: usize = 64;
const WAYS: usize = 4;

/// The hash of no outline: one without traits has another.
const NOTHING: u64 = 0;

/// A member whose key somebody asks for.
pub(crate) struct Trait {
    /// Its place among the line's members.
    pub(crate) at: u32,
    pub(crate) kind: Kind,
    /// The key of the object it is in, see [`super::scan::Scan::parent_id`].
    pub(crate) parent: u16,
    pub(crate) id: u16,
}

impl Trait {
    /// All of it in one number.
    #[inline(always)]
    fn packed(&self) -> u64 {
        let low = u64::from(self.parent) << 16 | u64::from(self.id);
        u64::from(self.at) << 40 | (self.kind as u64) << 32 | low
    }

    fn unpacked(number: u64) -> Trait {
        Trait {
            at: (number >> 40) as u32,
            kind: Kind::ALL[usize::from((number >> 32) as u8)],
            parent: (number >> 16) as u16,
            id: number as u16,
        }
    }
}

/// What a line shows of itself before anybody looks at its values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outline {
    syntax: Syntax,
    /// See [`Trait::packed`].
    traits: Vec<u64>,
    /// A number that most other outlines do not share.
    hash: u64,
}

impl Outline {
    #[inline]
    pub(super) fn clear(&mut self) {
        self.traits.clear();
        self.hash = !NOTHING;
    }

    /// Adds a member.
    #[inline(always)]
    pub(super) fn add(&mut self, member: Trait) {
        let packed = member.packed();
        self.hash = (self.hash.rotate_left(7) ^ packed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.traits.push(packed);
    }

    /// Whether it is the same as another: there are so few traits that a call to compare them takes longer.
    #[inline(always)]
    fn is(&self, other: &Outline) -> bool {
        self.hash == other.hash
            && self.syntax == other.syntax
            && self.traits.iter().eq(&other.traits)
    }

    pub(super) fn traits(&self) -> impl Iterator<Item = Trait> {
        self.traits.iter().map(|packed| Trait::unpacked(*packed))
    }
}

/// A dialect that a line with some outline may be of.
#[derive(Clone, Debug)]
pub(crate) struct Fit {
    pub(crate) dialect: u16,
    pub(crate) roles: Roles,
}

/// What was found out about an outline.
#[derive(Debug, Default)]
struct Known {
    outline: Outline,
    /// By [`Tier`].
    fits: [Vec<Fit>; 2],
    stamps: Vec<Stamped>,
}

/// The outlines that were seen.
#[derive(Debug, Default)]
pub(crate) struct Outlines {
    known: Vec<Known>,
    /// The place of the line's own.
    here: usize,
    turn: usize,
}

impl Outlines {
    /// Finds the outline among those that are known, or learns it: `asked` gives the dialects of a tier that are
    /// asked, in order.
    #[inline]
    pub(super) fn find<'d, D>(
        &mut self,
        outline: &mut Outline,
        syntax: Syntax,
        asked: impl Fn(Tier) -> D,
    ) where
        D: Iterator<Item = (u16, &'d Dialect)>,
    {
        outline.syntax = syntax;
        let first = (outline.hash >> 32) as usize % (KEPT - WAYS);
        let mut ways = self
            .known
            .get(first..first + WAYS)
            .unwrap_or_default()
            .iter();
        match ways.position(|known| known.outline.is(outline)) {
            Some(way) => self.here = first + way,
            None => self.learn(outline, first, asked),
        }
    }

    #[cold]
    fn learn<'d, D>(&mut self, outline: &Outline, first: usize, asked: impl Fn(Tier) -> D)
    where
        D: Iterator<Item = (u16, &'d Dialect)>,
    {
        self.known.resize_with(KEPT, Known::default);
        // A free place, else one goes, by turns.
        let mut ways = self.known[first..first + WAYS].iter();
        let free = ways.position(|known| known.outline.hash == NOTHING);
        self.turn = (self.turn + 1) % WAYS;
        self.here = first + free.unwrap_or(self.turn);
        let known = &mut self.known[self.here];
        known.outline.clone_from(outline);
        known.stamps.clear();
        for tier in [Tier::Specific, Tier::Generic] {
            let fits = &mut known.fits[tier as usize];
            fits.clear();
            for (dialect, one) in asked(tier) {
                let roles = one.roles(outline, &mut known.stamps);
                fits.extend(roles.map(|roles| Fit { dialect, roles }));
            }
        }
    }

    /// The dialects that the line may be of, in the order in which they are asked, and where they look for a time.
    #[inline]
    pub(super) fn fits(&self, tier: Tier) -> (&[Fit], &[Stamped]) {
        match self.known.get(self.here) {
            Some(known) => (&known.fits[tier as usize], &known.stamps),
            None => (&[], &[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Outline;

    /// A line whose outline happens to have the hash of another is not taken for it.
    #[test]
    fn outlines_of_one_hash_are_told_apart_by_their_traits() {
        let of = |traits: &[u64]| Outline {
            traits: traits.to_vec(),
            hash: 7,
            ..Outline::default()
        };
        assert!(of(&[1, 2]).is(&of(&[1, 2])));
        for other in [&[1, 3][..], &[1], &[1, 2, 3], &[]] {
            assert!(!of(&[1, 2]).is(&of(other)), "{other:?}");
        }
    }
}
