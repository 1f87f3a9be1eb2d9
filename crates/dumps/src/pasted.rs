//! The rows of pasted tables: they are held as a whole, beside what is known of them.

use std::collections::HashMap;

use model::{Batch, RowFilter, TableInfo};

use crate::facts::{DumpFacts, RowSink, SinkError};
use crate::rows::append;

/// Keeps the rows of pasted tables.
#[derive(Default)]
pub(crate) struct Pasted {
    batches: Vec<(TableInfo, Vec<Batch>)>,
}

impl Pasted {
    /// Returns the rows of each table of the facts.
    pub(crate) fn beside(self, facts: &DumpFacts) -> Vec<Batch> {
        // A paste may hold a hundred thousand tables: they are looked up, not searched.
        let name = |info: &TableInfo| {
            (
                info.snapshot.clone(),
                info.schema.clone(),
                info.name.clone(),
            )
        };
        let mut held: HashMap<_, Vec<Batch>> = HashMap::new();
        for (info, batches) in self.batches {
            held.entry(name(&info)).or_default().extend(batches);
        }
        facts
            .tables
            .iter()
            .map(|table| together(held.remove(&name(&table.info)).unwrap_or_default()))
            .collect()
    }
}

/// Puts batches behind each other. The first one's columns are kept; what another lacks is null.
fn together(batches: Vec<Batch>) -> Batch {
    let mut rest = batches
        .into_iter()
        .filter(|batch| !batch.columns.is_empty());
    let mut all = rest.next().unwrap_or_default();
    rest.for_each(|batch| append(&mut all, &batch, &RowFilter::All));
    all
}

impl RowSink for Pasted {
    fn table(&mut self, _info: &TableInfo) -> Result<(), SinkError> {
        Ok(())
    }

    fn rows(&mut self, info: &TableInfo, batch: Batch) -> Result<(), SinkError> {
        match self.batches.last_mut() {
            Some((last, batches)) if last == info => batches.push(batch),
            _ => self.batches.push((info.clone(), vec![batch])),
        }
        Ok(())
    }

    fn damaged(&mut self, _: &str, _: u64, _: u64, _: &str) -> Result<(), SinkError> {
        Ok(())
    }
}
