//! All batches of the evidence with their links to L1 transactions.

use super::TraceError;
use super::rows::{DbTime, Rows, Tables};
use super::shape::BatchRange;
use super::zone::creations;
use crate::sorted::SortedMap;
use model::RowFilter;
use std::collections::BTreeSet;

/// The three steps, in the order L1 demands.
pub(crate) const STAGES: [&str; 3] = ["commit", "prove", "execute"];
pub(super) const LINKS: [&str; 3] = ["eth_commit_tx_id", "eth_prove_tx_id", "eth_execute_tx_id"];

/// All batches, as far as links and times go.
#[derive(Default)]
pub(crate) struct Batches {
    rows: Option<Rows>,
    pub(crate) by_number: SortedMap<usize>,
    /// Links that cannot be known for the moment looked at, by batch and stage.
    unknown: BTreeSet<(i64, usize)>,
}

impl Batches {
    pub(crate) fn read(tables: &mut Tables<'_>) -> Result<Self, TraceError> {
        let rows = tables.read(
            "l1_batches",
            &[
                "number",
                "timestamp",
                "is_finished",
                "is_sealed",
                LINKS[0],
                LINKS[1],
                LINKS[2],
                "created_at",
                "updated_at",
                "sealed_at",
                "l1_tx_count",
                "l2_tx_count",
                "final_precommit_eth_tx_id",
            ],
            &RowFilter::All,
        )?;
        Ok(rows.map_or_else(Batches::default, |rows| Batches::of(rows, tables)))
    }

    fn of(rows: Rows, tables: &Tables<'_>) -> Batches {
        let number = rows.ints("number");
        let numbers = (0..rows.len()).filter_map(|row| Some((number(row)?, row)));
        let by_number = SortedMap::of(numbers, |_| 0, |known, row| *known = row);
        let mut unknown = BTreeSet::new();
        for (stage, link) in LINKS.into_iter().enumerate() {
            let is_unknown = |number: &i64| tables.is_unknown("l1_batches", *number, link);
            let numbers = by_number.keys().filter(is_unknown);
            unknown.extend(numbers.map(|number| (number, stage)));
        }
        Batches {
            rows: Some(rows),
            by_number,
            unknown,
        }
    }

    pub(crate) fn row(&self, number: i64) -> Option<(&Rows, usize)> {
        Some((self.rows.as_ref()?, *self.by_number.get(number)?))
    }

    /// `None`: no such batch or no such column, or not known for the moment looked at; `Some(None)`: not
    /// linked yet.
    pub(crate) fn link(&self, number: i64, stage: usize) -> Option<Option<i64>> {
        let (rows, row) = self.row(number)?;
        let known = rows.has(LINKS[stage]) && !self.unknown.contains(&(number, stage));
        known.then(|| rows.int(row, LINKS[stage]))
    }

    pub(crate) fn is_sealed(&self, number: i64) -> Option<bool> {
        let (rows, row) = self.row(number)?;
        rows.bool(row, "is_sealed")
            .or_else(|| rows.bool(row, "is_finished"))
    }

    /// Whether the rows say of a batch if it is sealed.
    pub(crate) fn tells_sealed(&self) -> bool {
        let has = |rows: &Rows| rows.has("is_sealed") || rows.has("is_finished");
        self.rows.as_ref().is_some_and(has)
    }

    pub(crate) fn timestamp(&self, number: i64) -> Option<i64> {
        let (rows, row) = self.row(number)?;
        rows.int(row, "timestamp")
    }

    /// When the batch was sealed: its own column since November 2024, before that the row's creation
    /// (rows of open batches came with `is_sealed`, so a creation time says nothing there).
    pub(crate) fn sealed_at(&self, number: i64) -> Option<DbTime> {
        let (rows, row) = self.row(number)?;
        let created = || {
            (!rows.has("is_sealed"))
                .then(|| rows.time(row, "created_at"))
                .flatten()
        };
        rows.time(row, "sealed_at").or_else(created)
    }

    pub(crate) fn reference(&self, number: i64) -> Option<String> {
        let (rows, row) = self.row(number)?;
        Some(rows.reference(row))
    }

    /// L1 transactions of a stage with their batches, in the order of the rows.
    fn links(&self, stage: usize) -> impl Iterator<Item = (i64, i64)> + Clone {
        let rows = self.rows.as_ref().into_iter();
        rows.flat_map(move |rows| {
            let (id, number) = (rows.ints(LINKS[stage]), rows.ints("number"));
            (0..rows.len()).filter_map(move |row| Some((id(row)?, number(row)?)))
        })
    }

    /// The batches of one L1 transaction.
    pub(crate) fn range(&self, stage: usize, id: i64) -> Option<BatchRange> {
        let links = self.links(stage).filter(|(of, _)| *of == id);
        let mut range: Option<BatchRange> = None;
        for (_, number) in links {
            range.get_or_insert(BatchRange::of(number)).add(number);
        }
        range
    }

    /// The batches of each L1 transaction of a stage, where many are asked for.
    pub(crate) fn ranges(&self, stage: usize) -> SortedMap<BatchRange> {
        let empty = |number: &i64| BatchRange::of(*number);
        SortedMap::of(self.links(stage), empty, BatchRange::add)
    }

    pub(super) fn of_tx(&self, id: i64) -> BTreeSet<i64> {
        let Some(rows) = &self.rows else {
            return BTreeSet::new();
        };
        let links = LINKS.map(|link| rows.ints(link));
        let is_of = |row: &usize| links.iter().any(|link| link(*row) == Some(id));
        let pairs = self.by_number.pairs().iter();
        pairs
            .filter(|(_, row)| is_of(row))
            .map(|(number, _)| *number)
            .collect()
    }

    /// When rows were created, and the time of their block.
    pub(crate) fn creations(&self) -> Vec<(i64, i64)> {
        self.rows.as_ref().map_or_else(Vec::new, creations)
    }

    /// The last precommit of a batch, where the chain has them.
    pub(super) fn final_precommit(&self, number: i64) -> Option<i64> {
        let (rows, row) = self.row(number)?;
        rows.int(row, "final_precommit_eth_tx_id")
    }

    pub(super) fn highest_sealed(&self) -> Option<i64> {
        let mut numbers = self.by_number.keys().rev();
        numbers.find(|&number| self.is_sealed(number) != Some(false))
    }
}
