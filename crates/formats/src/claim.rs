//! Whose line it is, where several formats could have written it.

use crate::catalogue::{Table, is_panic};
use crate::engine::Head;

/// Names that a program alone has: whole ones, and beginnings.
#[derive(Debug, Default)]
pub(crate) struct Names {
    whole: Table<()>,
    /// Sorted, so that those with one first byte stand together.
    beginnings: Vec<Vec<u8>>,
}

impl Names {
    pub(crate) fn new(names: &[String]) -> Names {
        let mut all = Names::default();
        for name in names {
            match name.strip_suffix('*') {
                Some(beginning) => all.beginnings.push(beginning.as_bytes().to_vec()),
                None => {
                    all.whole.insert(name.as_bytes().to_vec(), ());
                }
            }
        }
        all.beginnings.sort();
        all
    }

    #[inline]
    pub(crate) fn have(&self, name: &[u8]) -> bool {
        let Some(first) = name.first() else {
            return false;
        };
        let from = self
            .beginnings
            .partition_point(|start| start.first() < Some(first));
        self.beginnings[from..]
            .iter()
            .take_while(|start| start.first() == Some(first))
            .any(|start| name.starts_with(start))
            || self.whole.contains_key(name)
    }
}

/// By what right a format claims a line, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Right {
    /// The line's shape.
    Shape,
    /// A message of its catalogue.
    Message,
    /// A thread that it alone has.
    Thread,
    /// A logger that it alone has.
    Logger,
}

/// Whose line it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Claim {
    Nobody,
    /// The line's head, and the index of the format.
    One(Head, u16),
    /// Two formats with equal right.
    Several,
}

/// One that claims a line.
#[derive(Clone, Copy)]
struct Claimant {
    right: Right,
    breadth: u32,
    format: u16,
    head: Head,
    /// Whether another claims it with equal right.
    several: bool,
}

impl Claimant {
    /// Takes the place of `best`, shares it, or leaves it. Two shapes of one format: the first is as good.
    #[inline]
    fn contend(self, best: &mut Option<Claimant>) {
        match best {
            Some(other) => match (other.right, self.breadth).cmp(&(self.right, other.breadth)) {
                std::cmp::Ordering::Less => *best = Some(self),
                std::cmp::Ordering::Equal => other.several |= other.format != self.format,
                std::cmp::Ordering::Greater => {}
            },
            None => *best = Some(self),
        }
    }
}

/// The best of those who claim a line so far: by their right, then the most specific.
#[derive(Default)]
pub(crate) struct Best {
    best: Option<Claimant>,
    /// Of those who claim it by its shape alone.
    plain: Option<Claimant>,
}

impl Best {
    #[inline]
    pub(crate) fn offer(&mut self, right: Right, breadth: u32, format: u16, head: Head) {
        let claimant = Claimant {
            right,
            // Among those who show something of their own, being narrow is no better right.
            breadth: if right == Right::Shape { breadth } else { 0 },
            format,
            head,
            several: false,
        };
        if right == Right::Shape {
            claimant.contend(&mut self.plain);
        }
        claimant.contend(&mut self.best);
    }

    /// Where two have the same right by something of their own, the line shows both: then it is of a format
    /// that claims by shape alone, if there is one. Such a line is nobody's and goes with its process.
    #[inline]
    pub(crate) fn claim(self) -> Claim {
        let shared = self
            .best
            .is_some_and(|best| best.several && best.right > Right::Shape);
        let best = if shared {
            self.plain.or(self.best)
        } else {
            self.best
        };
        match best {
            None => Claim::Nobody,
            // Panics are claimed by their whole text, later.
            Some(best) if !best.several || is_panic(&best.head) => {
                Claim::One(best.head, best.format)
            }
            Some(_) => Claim::Several,
        }
    }
}
