//! A trace from answers of APIs alone, where no database is in the evidence: as far as they go.
//!
//! A node names an L1 transaction only once it is confirmed: of a step without one it is not known whether it was
//! sent. It names a batch for an open block as well, the one that it guesses. What an answer says that cannot all be
//! so ([`super::doubt`]) tells nothing of the step.

use super::TraceError;
use super::answers::{self, Answer, Wanted};
use super::doubt::doubts;
use super::key::{Key, hex};
use super::links::STAGES;
use super::shape::{AsOf, BatchRow, LookedAt, Path, Step, Trace, TransactionRow, Waiting};
use super::waiting::verdict;
use super::{Norm, TraceOptions};
use model::time::format_utc;
use model::{TableInfo, TableSource};
use std::collections::{BTreeMap, BTreeSet};

/// Transactions of a block or batch that are cited for it.
const TRANSACTIONS: usize = 3;

/// What `confirmed_at` is in an answer.
const NOTICED: &str = "committedAt, provenAt, executedAt of the API: the server's clock when it noticed the receipt, not the L1 block's time";

/// Follows `key` through answers of APIs; `None` if the evidence has none that could tell.
///
/// # Errors
/// If a table of answers cannot be read.
pub(super) fn trace(
    source: &dyn TableSource,
    key: &Key,
    options: &TraceOptions,
) -> Result<Option<Trace>, TraceError> {
    let infos = source.tables();
    if !answers::any_of_l2(&infos) {
        return Ok(None);
    }
    let (shown, first) = match key {
        Key::Hash(hash) => {
            let hash = hex(hash);
            let set = BTreeSet::from([hash.clone()]);
            let wanted = Wanted {
                tx_hashes: set.clone(),
                block_hashes: set.clone(),
                l1_hashes: set,
                ..Wanted::default()
            };
            (hash, wanted)
        }
        Key::Batch(number) => (format!("batch:{number}"), of_batch(*number)),
        Key::Miniblock(number) => {
            let wanted = Wanted {
                miniblocks: BTreeSet::from([*number]),
                with_transactions: true,
                ..Wanted::default()
            };
            (format!("miniblock:{number}"), wanted)
        }
        // Answers know nothing of the server's own numbers, and are not searched by parts of hashes.
        Key::EthTx(_) | Key::Address(_) | Key::Prefix(_) => return Ok(None),
    };
    let mut found = answers::read(source, &first)?;
    let kind = kind_of(key, &shown, &found);
    let starts = starts(key, kind, &shown, &found);
    // What else is known of the batches and blocks that the first answers name.
    let mut more = Wanted {
        with_transactions: kind != "l2_tx",
        ..Wanted::default()
    };
    for (miniblock, batch) in &starts {
        more.miniblocks.extend(miniblock);
        more.batches.extend(batch);
    }
    for answer in answers::read(source, &more)? {
        if !found
            .iter()
            .any(|known| known.reference == answer.reference)
        {
            found.push(answer);
        }
    }
    if let Some(at_us) = options.as_of_us {
        found.iter_mut().for_each(|answer| take_back(answer, at_us));
    }
    // A status that came later is not there any more: it cannot contradict.
    let doubts = found
        .iter()
        .map(|answer| (answer.reference.clone(), doubts(answer)))
        .collect();
    let mut warnings = vec![
        "no table of the server's database is in the evidence: answers of APIs alone are followed; they name an L1 transaction only once it is confirmed, and do not say when they were given".to_owned(),
    ];
    let asked = Asked {
        kind,
        shown: &shown,
        found: &found,
        doubts,
    };
    let path: Vec<Path> = starts
        .iter()
        .map(|(miniblock, batch)| way(*miniblock, *batch, &asked, &mut warnings))
        .collect();
    let fate = match path.last() {
        Some(last) => last.fate.clone(),
        None => "unknown_hash".to_owned(),
    };
    let mut refs: Vec<String> = Vec::new();
    for reference in path.iter().flat_map(|path| &path.refs) {
        if !refs.contains(reference) {
            refs.push(reference.clone());
        }
    }
    let snapshots: BTreeSet<&String> = found.iter().map(|answer| &answer.snapshot).collect();
    if fate == "execute_confirmed" && kind == "l2_tx" {
        warnings.push("claimable on L1; whether it was claimed is not in this evidence".to_owned());
    }
    Ok(Some(Trace {
        snapshot: match snapshots.iter().collect::<Vec<_>>().as_slice() {
            [only] => Some((**only).clone()),
            _ => None,
        },
        as_of: options.as_of_us.map(|us| AsOf {
            value: format_utc(us),
            basis: "given".to_owned(),
            rests_on: "it was asked for".to_owned(),
            made: None,
            us,
            utc: true,
        }),
        database_zone: None,
        logs: Vec::new(),
        transaction: transaction(&shown, &found),
        l1_tx: None,
        waiting: path.last().and_then(|path| waiting(path, &asked.doubts)),
        looked_at: (fate == "unknown_hash").then(|| looked_at(&infos)),
        kind: if path.is_empty() { "unknown" } else { kind }.to_owned(),
        key: shown,
        fate,
        path,
        warnings,
        refs,
        partial: source.damage(),
    }))
}

/// Leaves what an answer says of the time until `at_us`: its status, and steps without a time, may be later.
fn take_back(answer: &mut Answer, at_us: i64) {
    answer.status = None;
    for claim in &mut answer.claims {
        if claim.at.is_none_or(|at| at.us > at_us) {
            (claim.hash, claim.at) = (None, None);
        }
    }
}

fn of_batch(number: i64) -> Wanted {
    Wanted {
        batches: BTreeSet::from([number]),
        with_transactions: true,
        ..Wanted::default()
    }
}

fn kind_of(key: &Key, shown: &str, found: &[Answer]) -> &'static str {
    let any = |holds: &dyn Fn(&Answer) -> bool| found.iter().any(holds);
    match key {
        Key::Batch(_) => "batch",
        Key::Miniblock(_) => "miniblock",
        _ if any(&|a| a.tx_hash.as_deref() == Some(shown)) => "l2_tx",
        _ if any(&|a| a.block_hash.as_deref() == Some(shown) && a.miniblock.is_some()) => {
            "miniblock"
        }
        _ if any(&|a| a.block_hash.as_deref() == Some(shown)) => "batch",
        _ => "l1_tx",
    }
}

/// Where the ways begin: a block and its batch, as far as answers name them.
fn starts(
    key: &Key,
    kind: &str,
    shown: &str,
    found: &[Answer],
) -> BTreeSet<(Option<i64>, Option<i64>)> {
    let mut starts = BTreeSet::new();
    for answer in found {
        let start = match kind {
            "batch" => (None, answer.batch),
            "l1_tx" => (None, answer.batch),
            "l2_tx" if answer.tx_hash.as_deref() != Some(shown) => continue,
            _ => (answer.miniblock, answer.batch),
        };
        if let Key::Batch(number) = key
            && answer.batch != Some(*number)
        {
            continue;
        }
        // The hash of a step is in the answers of every transaction of the batch.
        starts.insert(start);
    }
    let known: Vec<_> = starts.iter().copied().filter(|s| s.1.is_some()).collect();
    // One that lacks its batch says less than one that has it.
    starts.retain(|start| start.1.is_some() || !known.iter().any(|(m, _)| *m == start.0));
    let more = starts.len() > 1;
    starts.retain(|start| !more || *start != (None, None));
    starts
}

/// By reference: the steps of which an answer contradicts itself, and how.
type Doubts = BTreeMap<String, Vec<(usize, String)>>;

/// What was asked, and the answers to it.
struct Asked<'a> {
    kind: &'a str,
    shown: &'a str,
    found: &'a [Answer],
    doubts: Doubts,
}

/// The way of one block, or batch.
fn way(
    miniblock: Option<i64>,
    batch: Option<i64>,
    asked: &Asked<'_>,
    warnings: &mut Vec<String>,
) -> Path {
    let Asked {
        kind, shown, found, ..
    } = *asked;
    let is_asked = |answer: &Answer| answer.tx_hash.as_deref() == Some(shown);
    let own = |answer: &&Answer| {
        (miniblock.is_some() && answer.miniblock == miniblock)
            || (batch.is_some() && answer.batch == batch)
    };
    let own = || found.iter().filter(own);
    let names = |answer: &&Answer| {
        let mut claims = answer.claims.iter();
        claims.any(|claim| claim.hash.as_deref() == Some(shown))
    };
    let mut about: Vec<&Answer> = match kind {
        // The answer that names it names neither block nor batch.
        "l1_tx" if miniblock.is_none() && batch.is_none() => found.iter().filter(names).collect(),
        "l2_tx" => found.iter().filter(|answer| is_asked(answer)).collect(),
        // All transactions of a batch say the same of it.
        _ => own()
            .filter(|a| a.tx_hash.is_some())
            .take(TRANSACTIONS)
            .collect(),
    };
    about.extend(own().filter(|answer| answer.tx_hash.is_none()));
    about.sort_by_key(|answer| (&answer.api, &answer.reference));
    let own_block = || {
        about
            .iter()
            .filter(|a| miniblock.is_some() && a.miniblock == miniblock)
    };
    let sealed = own_block().find_map(|answer| answer.is_sealed);
    let of_batch = about
        .iter()
        .find(|a| a.miniblock.is_none() && a.tx_hash.is_none());
    let mut path = Path {
        miniblock_number: miniblock,
        miniblock_hash: own_block()
            .filter(|answer| answer.tx_hash.is_none())
            .find_map(|answer| answer.block_hash.clone()),
        miniblock_timestamp: own_block()
            .filter(|answer| answer.tx_hash.is_none())
            .find_map(|answer| answer.timestamp),
        l1_batch_number: batch.filter(|_| sealed != Some(false)),
        refs: about
            .iter()
            .map(|answer| answer.reference.clone())
            .collect(),
        ..Path::default()
    };
    if sealed == Some(false) {
        warnings.push(format!(
            "the batch of block {} is not sealed: batch {}, which an answer names for it, is a guess",
            miniblock.unwrap_or_default(),
            batch.unwrap_or_default()
        ));
        path.fate = "no_batch_yet".to_owned();
        return path;
    }
    let Some(number) = batch else {
        let says = |answer: &&Answer| {
            answer.taken().is_some() || answer.claims.iter().any(|claim| claim.is_made())
        };
        // An answer that knows its steps need not name its batch.
        if about.iter().any(says) {
            fill(&mut path, &about, asked, warnings);
            warnings.push("the answers do not name the batch".to_owned());
        } else if miniblock.is_some() {
            path.fate = "batch_missing".to_owned();
        } else {
            path.fate = in_no_block(&about, warnings).to_owned();
        }
        return path;
    };
    // Details are given of sealed batches only.
    let taken = about.iter().any(|answer| answer.taken().is_some());
    path.batch = Some(BatchRow {
        number,
        is_sealed: (of_batch.is_some() || sealed == Some(true) || taken).then_some(true),
        timestamp: of_batch.and_then(|answer| answer.timestamp),
        eth_commit_tx_id: None,
        eth_prove_tx_id: None,
        eth_execute_tx_id: None,
    });
    fill(&mut path, &about, asked, warnings);
    let nothing = path.fate == "commit_unknown";
    let is_sealed = path.batch.as_ref().and_then(|batch| batch.is_sealed);
    if nothing && is_sealed.is_none() {
        path.fate = "seal_unknown".to_owned();
        warnings.push(format!(
            "whether batch {number} is sealed is not in the answers: of an open block they name the batch that it is expected in"
        ));
    }
    path
}

/// The fate of a transaction of which answers name no block, no batch and no step.
fn in_no_block(about: &[&Answer], warnings: &mut Vec<String>) -> &'static str {
    let pending = |answer: &&&Answer| answer.status.as_deref() == Some("pending");
    if about.iter().any(|answer| answer.knows_block) || about.iter().any(|answer| pending(&answer))
    {
        return "not_in_a_block";
    }
    warnings.push(
        match about.iter().find_map(|answer| answer.status.as_deref()) {
            Some("included" | "precommitted" | "sealed") => {
                "it is in a block, which the answers do not name".to_owned()
            }
            Some(status) => {
                format!("whether it is in a block the answers do not say: its status is {status}")
            }
            None => "whether it is in a block the answers do not say".to_owned(),
        },
    );
    "commit_unknown"
}

/// The steps, as answers tell them.
fn fill(path: &mut Path, about: &[&Answer], asked: &Asked<'_>, warnings: &mut Vec<String>) {
    let steps =
        std::array::from_fn::<Step, 3, _>(|stage| step(stage, about, &asked.doubts, warnings));
    let last = steps.iter().rposition(|step| step.state.is_some());
    let doubted = (0..steps.len()).rfind(|&stage| is_doubted(&asked.doubts, &path.refs, stage));
    path.fate = match (last, doubted) {
        (last, Some(doubted)) if last.is_none_or(|last| last < doubted) => {
            format!("{}_unknown", STAGES[doubted])
        }
        (Some(last), _) => format!("{}_confirmed", STAGES[last]),
        (None, _) => "commit_unknown".to_owned(),
    };
    let [commit, prove, execute] = steps;
    path.commit = Some(commit);
    path.prove = Some(prove);
    path.execute = Some(execute);
}

fn is_doubted(doubts: &Doubts, references: &[String], stage: usize) -> bool {
    let of = references
        .iter()
        .filter_map(|reference| doubts.get(reference));
    of.flatten().any(|(of, _)| *of == stage)
}

fn step(stage: usize, about: &[&Answer], doubts: &Doubts, warnings: &mut Vec<String>) -> Step {
    let name = STAGES[stage];
    let mut step = Step::default();
    let mut named: Option<&Answer> = None;
    for answer in about {
        let of_answer = doubts.get(&answer.reference);
        let mut of_stage = of_answer
            .into_iter()
            .flatten()
            .filter(|(of, _)| *of == stage);
        if let Some((_, words)) = of_stage.next() {
            warnings.push(format!(
                "an answer contradicts itself: {} ({}): {words}: whether it is confirmed is undetermined by it",
                answer.api, answer.reference
            ));
            step.refs.push(answer.reference.clone());
            continue;
        }
        let claim = &answer.claims[stage];
        let by_status = answer.taken().is_some_and(|taken| taken >= stage);
        if !claim.is_made() && !by_status {
            continue;
        }
        step.state = Some("confirmed".to_owned());
        step.refs.push(answer.reference.clone());
        if let (Some(hash), Some(known)) = (&claim.hash, &step.l1_tx_hash)
            && hash != known
        {
            let first = named.map_or("", |first| first.reference.as_str());
            warnings.push(format!(
                "answers disagree: {name}: {} ({}) names {hash}, {first} names {known}",
                answer.api, answer.reference
            ));
        }
        if step.l1_tx_hash.is_none() && claim.hash.is_some() {
            step.l1_tx_hash = claim.hash.clone();
            named = Some(answer);
        }
        if step.confirmed_at.is_none()
            && let Some(at) = claim.at
        {
            step.confirmed_at = Some(at.print());
            step.noticed_basis = Some(NOTICED.to_owned());
            step.confirmed = Some(at);
        }
    }
    step
}

fn transaction(shown: &str, found: &[Answer]) -> Option<TransactionRow> {
    let about = || {
        found
            .iter()
            .filter(|answer| answer.tx_hash.as_deref() == Some(shown))
    };
    about().next()?;
    Some(TransactionRow {
        hash: None,
        miniblock_number: about().find_map(|answer| answer.miniblock),
        l1_batch_number: about().find_map(|answer| answer.batch),
        error: about().find_map(|answer| answer.error.clone()),
        in_mempool: None,
        received_at: None,
        refs: about().map(|answer| answer.reference.clone()).collect(),
        received: None,
    })
}

/// The first step that is not confirmed, as far as its time goes: there is no norm.
fn waiting(path: &Path, doubts: &Doubts) -> Option<Waiting> {
    let steps = [&path.commit, &path.prove, &path.execute];
    path.batch.as_ref().filter(|batch| batch.number != 0)?;
    let stage = steps
        .iter()
        .position(|step| step.as_ref().is_some_and(|step| step.state.is_none()))?;
    // Of what contradicts itself it is not known whether it waits.
    if is_doubted(doubts, &path.refs, stage) {
        return None;
    }
    let before = stage
        .checked_sub(1)
        .and_then(|before| steps[before].as_ref());
    let norm = Norm::default();
    Some(Waiting {
        stage: STAGES[stage].to_owned(),
        since: before.and_then(|step| step.confirmed_at.clone()),
        age_s: None,
        verdict: verdict(None, &norm).to_owned(),
        norm,
        blocked_by: None,
        hypotheses: Vec::new(),
        execution_delay: None,
    })
}

fn looked_at(infos: &[TableInfo]) -> LookedAt {
    let sources: BTreeSet<&str> = infos.iter().map(|info| info.source.as_str()).collect();
    let tables: BTreeSet<&String> = infos.iter().map(|info| &info.name).collect();
    LookedAt {
        sources: sources.len(),
        tables: tables.into_iter().cloned().collect(),
        missing_kinds: super::rows::TABLES.map(str::to_owned).to_vec(),
        empty: Vec::new(),
    }
}
