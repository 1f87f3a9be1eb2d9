//! What the logs of the same case say of the steps of a trace: lines are cited, and where a line and a
//! table disagree, that is reported. Neither is taken for the truth.

use super::shape::{Line, Path, Step, Trace, Zone};
use super::times;
use case::{Case, CaseError, TableId};
use model::time::format_utc;
use model::{Batch, RowFilter};

/// More lines of one step are left out (the first and the last are kept).
const SHOWN: usize = 20;

/// One row of `obs.rollup_milestones`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Milestone {
    /// Microseconds UTC, if the line's time is known.
    pub(super) us: Option<i64>,
    /// As in the observations: `batch_sealed`, `tx_saved`, `tx_confirmed` …
    pub(super) what: String,
    /// `commit`, `prove`, `execute`, `precommit`, or a transaction type such as `CommitBlocks`.
    pub(super) operation: Option<String>,
    /// Lowest batch.
    pub(super) first_batch: Option<i64>,
    /// Highest batch.
    pub(super) last_batch: Option<i64>,
    /// Miniblock.
    pub(super) miniblock: Option<i64>,
    /// Id in `eth_txs`.
    pub(super) eth_tx_id: Option<i64>,
    /// Hash on L1.
    pub(super) l1_tx_hash: Option<String>,
    /// What else the line says.
    pub(super) detail: Option<String>,
    /// Who wrote it.
    pub(super) node: Option<String>,
    /// The zone of its time was assumed.
    pub(super) zone_assumed: bool,
    /// The line.
    pub(super) reference: String,
}

impl Milestone {
    fn line(&self) -> Line {
        Line {
            ts: self.us.map(format_utc),
            what: self.what.clone(),
            node: self.node.clone(),
            reference: self.reference.clone(),
        }
    }

    fn covers(&self, batch: Option<i64>) -> bool {
        matches!((self.first_batch, self.last_batch, batch), (Some(first), Some(last), Some(batch)) if (first..=last).contains(&batch))
    }

    /// The step on L1 that the line names.
    fn stage(&self) -> Option<&'static str> {
        Some(match self.operation.as_deref()? {
            "commit" | "CommitBlocks" => "commit",
            "prove" | "proof" | "PublishProofBlocksOnchain" => "prove",
            "execute" | "ExecuteBlocks" => "execute",
            "precommit" | "Precommit" => "precommit",
            _ => return None,
        })
    }

    /// A receipt was noticed and is not merely pending.
    fn confirms(&self) -> bool {
        let pending = self
            .detail
            .as_deref()
            .is_some_and(|detail| detail.contains(" is Pending."));
        self.what == "tx_confirmed" && !pending
    }

    /// The receipt said that the transaction failed (the same word also stands for failed sending).
    fn says_failed(&self) -> bool {
        self.what == "tx_failed"
            && self
                .detail
                .as_deref()
                .is_some_and(|detail| detail.starts_with("Eth tx failed"))
    }
}

/// Reads what the logs of a case say of a trace's miniblocks, batches and L1 transactions, and cites it.
///
/// # Errors
/// If the case cannot be read.
pub fn cite(trace: &mut Trace, case: &Case) -> Result<(), CaseError> {
    let table = TableId::Obs("rollup_milestones".to_owned());
    if case.rows(&table) == 0 {
        return Ok(());
    }
    let columns = [
        "ts_us",
        "ts_basis",
        "node",
        "source",
        "line",
        "what",
        "operation",
        "first_batch",
        "last_batch",
        "miniblock",
        "eth_tx_id",
        "l1_tx_hash",
        "detail",
    ];
    // What several sources of a process say is said once.
    let duplicates = case.duplicates()?;
    let subjects = Subjects::of(trace);
    let mut said = Vec::new();
    case.read(&table, Some(&columns), &RowFilter::All, &mut |batch| {
        for row in 0..batch.rows() {
            let milestone = milestone(&batch, row);
            if !subjects.concern(&milestone) {
                continue;
            }
            let (source, line) = milestone
                .reference
                .split_once(':')
                .unwrap_or((&milestone.reference, ""));
            if !duplicates.is_copy(source, line.parse().unwrap_or(0)) {
                said.push(milestone);
            }
        }
        Ok(())
    })?;
    attach(trace, said);
    Ok(())
}

fn milestone(batch: &Batch, row: usize) -> Milestone {
    let int = |name: &str| batch.column(name)?.i64(row);
    let text = |name: &str| {
        let text = batch.column(name)?.text(row)?;
        (!text.is_empty()).then(|| text.to_owned())
    };
    let what = text("what").unwrap_or_default();
    let detail = text("detail");
    // `Eth tx failed EthTx { id: 41, …`: the rest of the line is free text.
    let named = || {
        let rest = detail.as_deref()?.split_once("EthTx { id: ")?.1;
        rest.split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse()
            .ok()
    };
    Milestone {
        us: int("ts_us"),
        operation: text("operation"),
        first_batch: int("first_batch"),
        last_batch: int("last_batch").or_else(|| int("first_batch")),
        miniblock: int("miniblock"),
        eth_tx_id: int("eth_tx_id").or_else(named),
        l1_tx_hash: text("l1_tx_hash").map(|hash| hash.to_ascii_lowercase()),
        node: text("node"),
        zone_assumed: matches!(text("ts_basis").as_deref(), Some("assumed" | "none")),
        reference: format!(
            "{}:{}",
            text("source").unwrap_or_default(),
            int("line").unwrap_or_default()
        ),
        what,
        detail,
    }
}

/// What a trace speaks of.
struct Subjects {
    miniblocks: Vec<i64>,
    batches: Vec<i64>,
    eth_txs: Vec<i64>,
    hashes: Vec<String>,
}

fn steps(path: &Path) -> [(&'static str, &Option<Step>); 4] {
    [
        ("precommit", &path.precommit),
        ("commit", &path.commit),
        ("prove", &path.prove),
        ("execute", &path.execute),
    ]
}

fn hashes(step: &Step) -> impl Iterator<Item = &str> {
    let attempts = step.attempts.iter().flatten();
    attempts
        .filter_map(|attempt| attempt.l1_tx_hash.as_deref())
        .chain(step.l1_tx_hash.as_deref())
}

impl Subjects {
    fn of(trace: &Trace) -> Subjects {
        let all_steps = || {
            trace
                .path
                .iter()
                .flat_map(|path| steps(path).map(|(_, step)| step))
                .chain([&trace.l1_tx])
                .flatten()
        };
        Subjects {
            miniblocks: trace
                .path
                .iter()
                .filter_map(|path| path.miniblock_number)
                .collect(),
            batches: trace
                .path
                .iter()
                .filter_map(|path| path.l1_batch_number)
                .collect(),
            eth_txs: all_steps().filter_map(|step| step.eth_tx_id).collect(),
            hashes: all_steps().flat_map(hashes).map(str::to_owned).collect(),
        }
    }

    fn concern(&self, said: &Milestone) -> bool {
        said.miniblock
            .is_some_and(|number| self.miniblocks.contains(&number))
            // A miniblock's line names its batch as well.
            || (said.what != "miniblock_sealed"
                && self.batches.iter().any(|&batch| said.covers(Some(batch))))
            || said.eth_tx_id.is_some_and(|id| self.eth_txs.contains(&id))
            || said
                .l1_tx_hash
                .as_ref()
                .is_some_and(|hash| self.hashes.contains(hash))
    }
}

/// Attaches lines to the steps they speak of, and warns of what they say otherwise.
pub(super) fn attach(trace: &mut Trace, mut said: Vec<Milestone>) {
    // Lines of after the time that was asked for speak of what was not there yet.
    let asked_us = trace.as_of.as_ref().filter(|as_of| as_of.basis == "given");
    let asked_us = asked_us.map(|as_of| as_of.us);
    let all = said.len();
    said.retain(|said| said.us.zip(asked_us).is_none_or(|(us, asked)| us <= asked));
    let later = all - said.len();
    said.sort_by(|a, b| (a.us, &a.reference).cmp(&(b.us, &b.reference)));
    let dumped_us = trace
        .as_of
        .as_ref()
        .filter(|as_of| as_of.utc && as_of.basis != "given")
        .map(|as_of| as_of.us);
    let zone = trace.database_zone.clone();
    let view = View { dumped_us, zone };
    let mut warnings = Vec::new();
    if later > 0 {
        warnings.push(format!(
            "{later} log lines that speak of it are later than the time looked at and left out"
        ));
    }
    let mut refs = Vec::new();
    let mut apart = Vec::new();
    for path in &mut trace.path {
        let (miniblock, batch) = (path.miniblock_number, path.l1_batch_number);
        let mut lines: Vec<&Milestone> = Vec::new();
        for said in &said {
            let of_miniblock = said.what == "miniblock_sealed"
                && said.miniblock.is_some()
                && said.miniblock == miniblock;
            let of_batch = said.covers(batch)
                && said.stage().is_none()
                && said.eth_tx_id.is_none()
                && said.what != "miniblock_sealed";
            if of_miniblock {
                moved(said, batch, &mut warnings);
            }
            if of_miniblock || of_batch {
                lines.push(said);
            }
        }
        apart.extend(times::of_path(path, &lines, view.zone.as_ref()));
        path.lines = shown(&lines, "the batch", &mut refs, &mut warnings);
        let stages = [
            ("precommit", &mut path.precommit),
            ("commit", &mut path.commit),
            ("prove", &mut path.prove),
            ("execute", &mut path.execute),
        ];
        for (name, step) in stages {
            if let Some(step) = step {
                let lines = view.step(name, step, batch, &said, &mut refs, &mut warnings);
                apart.extend(times::of_step(name, step, &lines, view.zone.as_ref()));
            }
        }
    }
    if let Some(step) = trace.l1_tx.as_mut() {
        // The path says the same of the same transaction.
        let mut unsaid = Vec::new();
        let warnings = if trace.path.is_empty() {
            &mut warnings
        } else {
            &mut unsaid
        };
        let lines = view.step("l1_tx", step, None, &said, &mut refs, warnings);
        if trace.path.is_empty() {
            apart.extend(times::of_step("l1_tx", step, &lines, view.zone.as_ref()));
        }
    }
    warnings.extend(times::words(&apart));
    for warning in warnings {
        if !trace.warnings.contains(&warning) {
            trace.warnings.push(warning);
        }
    }
    for reference in refs {
        if !trace.refs.contains(&reference) {
            trace.refs.push(reference);
        }
    }
}

/// Compares the batch that a miniblock's line names with the table's.
fn moved(said: &Milestone, batch: Option<i64>, warnings: &mut Vec<String>) {
    let (Some(number), Some(named)) = (said.miniblock, said.first_batch) else {
        return;
    };
    match batch {
        Some(batch) if batch != named => warnings.push(format!(
            "log and table disagree: {} seals miniblock {number} in batch {named}, the table has it in batch {batch}: reverted and made again, or another chain's log",
            said.reference
        )),
        None => warnings.push(format!(
            "the log ({}) says that miniblock {number} goes into batch {named}",
            said.reference
        )),
        Some(_) => {}
    }
}

/// The first and the last of the lines that speak of something.
fn shown(
    lines: &[&Milestone],
    of: &str,
    refs: &mut Vec<String>,
    warnings: &mut Vec<String>,
) -> Vec<Line> {
    let left_out = lines.len().saturating_sub(SHOWN);
    if left_out > 0 {
        warnings.push(format!(
            "{} log lines speak of {of}: the first and last {} are cited",
            lines.len(),
            SHOWN / 2
        ));
    }
    let kept = lines
        .iter()
        .enumerate()
        .filter(|(at, _)| left_out == 0 || *at < SHOWN / 2 || *at >= lines.len() - SHOWN / 2);
    kept.map(|(_, said)| {
        refs.push(said.reference.clone());
        said.line()
    })
    .collect()
}

/// What lines are compared by.
struct View {
    dumped_us: Option<i64>,
    zone: Option<Zone>,
}

impl View {
    /// Attaches the lines that speak of a step; returns them.
    fn step<'a>(
        &self,
        name: &str,
        step: &mut Step,
        batch: Option<i64>,
        said: &'a [Milestone],
        refs: &mut Vec<String>,
        warnings: &mut Vec<String>,
    ) -> Vec<&'a Milestone> {
        let mut lines: Vec<&Milestone> = Vec::new();
        for said in said {
            let by_id = said.eth_tx_id.is_some() && said.eth_tx_id == step.eth_tx_id;
            let by_hash = said
                .l1_tx_hash
                .as_deref()
                .is_some_and(|hash| hashes(step).any(|known| known == hash));
            let by_batch = said.stage() == Some(name) && said.covers(batch);
            if by_id || by_hash || by_batch {
                lines.push(said);
            }
        }
        let state = step.state.clone().unwrap_or_default();
        for said in &lines {
            if let Some(words) = self.disagreement(name, step, &state, said) {
                warnings.push(words);
            }
        }
        let resent = lines.iter().filter(|said| said.what == "tx_resent").count();
        if let Some(attempts) = step.attempts.as_ref().map(Vec::len)
            && resent > 0
            && resent + 1 > attempts
            && self.is_before_dump(lines.last().and_then(|said| said.us))
        {
            warnings.push(format!(
                "log and table disagree: {name}: the log shows {resent} resends of eth_tx {}, the table keeps {attempts} attempts: rows of attempts were deleted",
                step.eth_tx_id.unwrap_or_default()
            ));
        }
        let of = format!("{name}, eth_tx {}", step.eth_tx_id.unwrap_or_default());
        step.lines = shown(&lines, &of, refs, warnings);
        lines
    }

    fn is_before_dump(&self, us: Option<i64>) -> bool {
        match (us, self.dumped_us) {
            (Some(us), Some(dumped_us)) => us <= dumped_us,
            _ => true,
        }
    }

    /// What a line says otherwise than the table, in words.
    fn disagreement(
        &self,
        name: &str,
        step: &Step,
        state: &str,
        said: &Milestone,
    ) -> Option<String> {
        let id = step.eth_tx_id;
        let lead = format!("log and table disagree: {name}: {}", said.reference);
        if said.what == "tx_saved" && said.eth_tx_id.is_some() && said.eth_tx_id != id {
            let line = said.eth_tx_id.unwrap_or_default();
            return Some(match id {
                Some(id) => format!(
                    "{lead} saved eth_tx {line} for it, the table links eth_tx {id}: it was reverted or cleared and made again"
                ),
                None if self.is_before_dump(said.us) => format!(
                    "{lead} saved eth_tx {line} for it, the table links none: it was reverted or cleared, or the dump is older than the line"
                ),
                None => format!("{lead} saved eth_tx {line} for it, after the dump was taken"),
            });
        }
        if said.eth_tx_id.is_some() && said.eth_tx_id != id {
            return None;
        }
        if said.says_failed() && state.starts_with("confirmed") {
            return Some(format!(
                "{lead} says that eth_tx {} failed, the table says {state}",
                id.unwrap_or_default()
            ));
        }
        if !said.confirms() {
            return None;
        }
        let hash = said.l1_tx_hash.as_deref().unwrap_or("an unknown hash");
        let unconfirmed = matches!(
            state,
            "none" | "saved" | "signed_unsent" | "sent" | "failed" | "eth_tx_missing"
        );
        if unconfirmed {
            return Some(if self.is_before_dump(said.us) {
                format!(
                    "{lead} says that it was confirmed as {hash}, the table says {state}: rows were lost or taken back, or the dump is older than the line"
                )
            } else {
                format!("{lead} says that it was confirmed as {hash}, after the dump was taken")
            });
        }
        if let (Some(line), Some(table)) = (&said.l1_tx_hash, &step.l1_tx_hash)
            && line != table
        {
            return Some(format!(
                "{lead} says that {line} was confirmed, the table says {table}"
            ));
        }
        if state == "confirmed_history_missing"
            && let Some(hash) = &said.l1_tx_hash
        {
            return Some(format!(
                "{name}: the table lost the hash that was mined; the log ({}) names it: {hash}",
                said.reference
            ));
        }
        None
    }
}
