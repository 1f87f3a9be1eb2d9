//! Why a miniblock or batch is not in its table: the server's own notes of what it pruned, and from
//! where it was recovered.

use super::TraceError;
use super::rows::Tables;
use model::RowFilter;

/// What the database says of rows it no longer has.
pub(super) enum Gone {
    /// Deleted on purpose; up to which miniblock.
    Pruned(i64, String),
    /// Never here: the node began from a snapshot at this miniblock.
    BeforeSnapshot(i64, String),
}

impl Gone {
    pub(super) fn words(&self) -> String {
        match self {
            Gone::Pruned(until, _) => {
                format!("pruned (pruning_log: all miniblocks up to {until} were deleted)")
            }
            Gone::BeforeSnapshot(at, _) => {
                format!("never here (snapshot_recovery: this node was recovered at miniblock {at})")
            }
        }
    }

    pub(super) fn reference(&self) -> &str {
        let (Gone::Pruned(_, reference) | Gone::BeforeSnapshot(_, reference)) = self;
        reference
    }
}

/// Looks up why miniblock `number` is not here.
pub(super) fn why_gone(tables: &mut Tables<'_>, number: i64) -> Result<Option<Gone>, TraceError> {
    if tables.has_column("pruning_log", "pruned_miniblock") {
        let rows = tables.read(
            "pruning_log",
            &["pruned_miniblock", "type"],
            &RowFilter::All,
        )?;
        if let Some(rows) = rows {
            // A soft pruning only hides rows; a hard one deletes them.
            let hard = (0..rows.len())
                .filter(|&row| rows.text(row, "type").is_none_or(|kind| kind == "Hard"))
                .filter_map(|row| Some((rows.int(row, "pruned_miniblock")?, row)))
                .max();
            if let Some((until, row)) = hard.filter(|(until, _)| *until >= number) {
                return Ok(Some(Gone::Pruned(until, rows.reference(row))));
            }
        }
    }
    for column in ["miniblock_number", "l2_block_number"] {
        if !tables.has_column("snapshot_recovery", column) {
            continue;
        }
        let rows = tables.read("snapshot_recovery", &[column], &RowFilter::All)?;
        if let Some(rows) = rows {
            let at = (0..rows.len()).find_map(|row| Some((rows.int(row, column)?, row)));
            if let Some((at, row)) = at.filter(|(at, _)| number <= *at) {
                return Ok(Some(Gone::BeforeSnapshot(at, rows.reference(row))));
            }
        }
    }
    Ok(None)
}
