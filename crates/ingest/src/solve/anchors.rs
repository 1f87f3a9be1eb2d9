//! A bounded, mergeable set of clues.

use super::{Anchor, AnchorKind, pieces::scale_us};
use std::collections::BTreeMap;

const BUCKET_US: i64 = 600_000_000;
const CELL_US: i64 = 900_000_000;
/// Buckets of one piece and class; beyond it, buckets become twice as wide.
const BUCKETS_MAX: usize = 256;
/// Populations kept per bucket.
const CELLS_MAX: usize = 2;

/// Collects the clues of a source, of several, or of a whole case: per piece, kind of clue and ten minutes
/// the one with the lowest residual.
///
/// The residual is known before the zone is: whatever zone and network, the freshest object of ten
/// minutes is the one with the smallest `stamp - slot x slot length`. That number is also cut into cells of a
/// quarter hour, and the lowest anchor of the *two* lowest cells is kept: where a node hears honest blocks
/// and blocks of peers that are hours ahead, both populations survive. A piece with more than 256 such
/// windows gets windows twice as wide, and so on: a set is bounded whatever the evidence.
///
/// What remains is a function of the *set* of anchors pushed, not of their order or of how they were
/// divided over sets before they were merged; a property test holds it to that.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnchorSet {
    classes: BTreeMap<(u32, Class), Windows>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Written,
    WrittenElsewhere,
    Wrapper,
    /// By the length of a slot in seconds: the freshest object depends on it.
    Received(i64),
    Wall(i64, bool),
    SkewFirst,
    SkewLast,
    Syncing,
}

/// The slot lengths in use: 12 s, and 5 s on Gnosis.
const SLOT_SECONDS: [i64; 2] = [12, 5];

#[derive(Clone, Debug, Default, PartialEq)]
struct Windows {
    /// How often the width of a window was doubled.
    doublings: u32,
    /// Window, cell -> rank and anchor; the lowest cells only.
    windows: BTreeMap<i64, BTreeMap<i64, (Rank, Anchor)>>,
}

/// What makes an anchor win its cell: residual, then line, then everything else, so that the order of
/// arrival never decides.
type Rank = (i64, u64, i64, String);

impl AnchorSet {
    /// Returns an empty set.
    pub fn new() -> AnchorSet {
        AnchorSet::default()
    }

    /// Adds a clue of a piece.
    pub fn push(&mut self, piece: u32, anchor: &Anchor) {
        let scale = scale_us(&anchor.stamp);
        let line = anchor.line as i64;
        match anchor.kind {
            AnchorKind::Written { .. } => {
                self.put(piece, Class::Written, (scale, 0, line), anchor);
            }
            AnchorKind::WrittenElsewhere { utc_us } => {
                let lateness = (scale - utc_us).rem_euclid(CELL_US);
                self.put(piece, Class::WrittenElsewhere, (scale, 0, lateness), anchor);
            }
            AnchorKind::Wrapper { stamp } => {
                // A wrapper is a little late: the closest is the largest `stamp - wrapper`, modulo zones.
                let late = (scale_us(&stamp) - scale + super::EARLY_US).rem_euclid(CELL_US);
                self.put(piece, Class::Wrapper, (scale, 0, late), anchor);
            }
            AnchorKind::Received { slot } => {
                for seconds in SLOT_SECONDS {
                    let value = scale.saturating_sub(slot.saturating_mul(seconds * 1_000_000));
                    let cell = value.div_euclid(CELL_US);
                    self.put(
                        piece,
                        Class::Received(seconds),
                        (scale, cell, value),
                        anchor,
                    );
                }
            }
            AnchorKind::WallSlot {
                slot,
                phase_us,
                bendable,
            } => {
                for seconds in SLOT_SECONDS {
                    let value = scale
                        .saturating_sub(slot.saturating_mul(seconds * 1_000_000))
                        .saturating_sub(phase_us);
                    let cell = value.div_euclid(CELL_US);
                    self.put(
                        piece,
                        Class::Wall(seconds, bendable),
                        (scale, cell, value),
                        anchor,
                    );
                }
            }
            AnchorKind::Skew { .. } => {
                self.put(piece, Class::SkewFirst, (scale, 0, scale), anchor);
                self.put(piece, Class::SkewLast, (scale, 0, -scale), anchor);
            }
            AnchorKind::Syncing => self.put(piece, Class::Syncing, (scale, 0, scale), anchor),
        }
    }

    /// Adds all clues of another set, its pieces renamed by `piece`.
    pub fn merge(&mut self, other: &AnchorSet, piece: impl Fn(u32) -> u32) {
        for ((index, _), windows) in &other.classes {
            for (_, anchor) in windows.windows.values().flat_map(BTreeMap::values) {
                self.push(piece(*index), anchor);
            }
        }
    }

    /// Returns how many anchors are kept.
    pub fn len(&self) -> usize {
        self.classes
            .values()
            .flat_map(|windows| windows.windows.values())
            .map(BTreeMap::len)
            .sum()
    }

    /// Whether nothing was pushed.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// Returns the kept anchors of each piece, in line order, each once.
    pub fn into_anchors(self) -> BTreeMap<u32, Vec<Anchor>> {
        let mut pieces: BTreeMap<u32, Vec<(Rank, Anchor)>> = BTreeMap::new();
        for ((piece, _), windows) in self.classes {
            let anchors = pieces.entry(piece).or_default();
            for (_, (rank, anchor)) in windows.windows.into_values().flatten() {
                anchors.push(((0, rank.1, rank.2, rank.3), anchor));
            }
        }
        pieces
            .into_iter()
            .map(|(piece, mut anchors)| {
                anchors.sort_by(|a, b| a.0.cmp(&b.0));
                anchors.dedup_by(|a, b| a.0 == b.0);
                (
                    piece,
                    anchors.into_iter().map(|(_, anchor)| anchor).collect(),
                )
            })
            .collect()
    }

    fn put(
        &mut self,
        piece: u32,
        class: Class,
        (scale, cell, value): (i64, i64, i64),
        anchor: &Anchor,
    ) {
        let windows = self.classes.entry((piece, class)).or_default();
        let window = scale.div_euclid(BUCKET_US) >> windows.doublings;
        if let Some(cells) = windows.windows.get(&window) {
            // The common case on the hot path: it loses against what is there.
            let loses = match cells.get(&cell) {
                Some((rank, _)) => (rank.0, rank.1) < (value, anchor.line),
                None => {
                    cells.len() >= CELLS_MAX
                        && cells.last_key_value().is_some_and(|last| *last.0 < cell)
                }
            };
            if loses {
                return;
            }
        }
        let rank = (value, anchor.line, scale, identity(anchor));
        windows.insert(window, cell, rank, *anchor);
        while windows.windows.len() > BUCKETS_MAX {
            windows.widen();
        }
    }
}

impl Windows {
    fn insert(&mut self, window: i64, cell: i64, rank: Rank, anchor: Anchor) {
        let cells = self.windows.entry(window).or_default();
        match cells.get(&cell) {
            Some((best, _)) if *best <= rank => {}
            _ => {
                cells.insert(cell, (rank, anchor));
                if cells.len() > CELLS_MAX {
                    cells.pop_last();
                }
            }
        }
    }

    fn widen(&mut self) {
        self.doublings += 1;
        for (window, cells) in std::mem::take(&mut self.windows) {
            for (cell, (rank, anchor)) in cells {
                self.insert(window >> 1, cell, rank, anchor);
            }
        }
    }
}

/// A total order over anchors that agree in everything a rank weighs.
fn identity(anchor: &Anchor) -> String {
    let kind = match anchor.kind {
        AnchorKind::Written { utc_us } => format!("written {utc_us}"),
        AnchorKind::WrittenElsewhere { utc_us } => format!("field {utc_us}"),
        AnchorKind::Wrapper { stamp } => format!("wrapper {stamp}"),
        AnchorKind::Received { slot } => format!("received {slot}"),
        AnchorKind::WallSlot {
            slot,
            phase_us,
            bendable,
        } => format!("wall {slot} {phase_us} {bendable}"),
        AnchorKind::Skew { offset_us } => format!("skew {offset_us}"),
        AnchorKind::Syncing => "syncing".to_owned(),
    };
    format!("{} {kind}", anchor.stamp)
}
