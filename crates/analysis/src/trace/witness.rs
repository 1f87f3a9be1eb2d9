//! Answers of APIs beside the tables: each is cited at the step it speaks of, and where the two disagree that is
//! reported, as between log and table. Neither is taken for the truth.

use super::TraceError;
use super::answers::{self, Answer, Claim, Mined, Wanted};
use super::links::STAGES;
use super::rows::DbTime;
use super::shape::{AsOf, L1Mined, Path, Said, Step, Trace, Zone};
use super::text::duration;
use super::zone::to_utc;
use model::TableSource;
use model::time::{MICROS_PER_SECOND, format_utc, parse_civil};
use std::collections::BTreeSet;

/// Explorers cut times to milliseconds, and some to seconds.
const SAME_TIME_US: i64 = MICROS_PER_SECOND;
/// Zones are whole quarters of an hour apart.
const QUARTER_US: i64 = 900 * MICROS_PER_SECOND;
/// More answers of one step are left out.
const SHOWN: usize = 20;

/// Cites the answers of APIs that speak of a trace's batches, blocks, transactions and L1 transactions.
///
/// # Errors
/// If a table of answers cannot be read.
pub fn corroborate(trace: &mut Trace, source: &dyn TableSource) -> Result<(), TraceError> {
    if !answers::any(&source.tables()) || trace.snapshot.is_none() {
        return Ok(());
    }
    let wanted = wanted(trace);
    let said = answers::read(source, &wanted)?;
    let mined = answers::mined(source, &wanted.l1_hashes)?;
    let mut bench = Bench {
        zone: trace.database_zone.clone(),
        as_of: trace.as_of.clone(),
        warnings: Vec::new(),
        refs: Vec::new(),
    };
    for path in &mut trace.path {
        let about = |answer: &&Answer| speaks_of(answer, path, &trace.key);
        let about: Vec<&Answer> = said.iter().filter(about).collect();
        for answer in about {
            bench.place(path, answer);
            for (stage, claim) in answer.claims.iter().enumerate() {
                let step = match stage {
                    0 => &mut path.commit,
                    1 => &mut path.prove,
                    _ => &mut path.execute,
                };
                if let Some(step) = step.as_mut().filter(|step| step.answers.len() < SHOWN) {
                    bench.step(STAGES[stage], step, answer, claim);
                }
            }
        }
        let steps = [
            ("precommit", &mut path.precommit),
            ("commit", &mut path.commit),
            ("prove", &mut path.prove),
            ("execute", &mut path.execute),
        ];
        for (name, step) in steps {
            if let Some(step) = step {
                bench.on_l1(name, step, &mined);
            }
        }
    }
    if let Some(step) = trace.l1_tx.as_mut() {
        let before = bench.warnings.len();
        bench.on_l1("l1_tx", step, &mined);
        // The path says the same of the same transaction.
        if !trace.path.is_empty() {
            bench.warnings.truncate(before);
        }
    }
    for warning in bench.warnings {
        if !trace.warnings.contains(&warning) {
            trace.warnings.push(warning);
        }
    }
    for reference in bench.refs {
        if !trace.refs.contains(&reference) {
            trace.refs.push(reference);
        }
    }
    Ok(())
}

fn wanted(trace: &Trace) -> Wanted {
    let mut wanted = Wanted::default();
    if trace.kind == "l2_tx" {
        wanted.tx_hashes.insert(trace.key.clone());
    }
    let mut l1 = BTreeSet::new();
    let steps = trace
        .path
        .iter()
        .flat_map(|path| [&path.precommit, &path.commit, &path.prove, &path.execute]);
    for step in steps.chain([&trace.l1_tx]).flatten() {
        let attempts = step.attempts.iter().flatten();
        l1.extend(attempts.filter_map(|attempt| attempt.l1_tx_hash.clone()));
        l1.extend(step.l1_tx_hash.clone());
    }
    for path in &trace.path {
        wanted.batches.extend(path.l1_batch_number);
        wanted.miniblocks.extend(path.miniblock_number);
    }
    wanted.l1_hashes = l1;
    wanted
}

/// Whether an answer is about the batch of a path, its block, or the transaction that was asked for.
fn speaks_of(answer: &Answer, path: &Path, key: &str) -> bool {
    let of_block = answer.miniblock.is_some() && answer.miniblock == path.miniblock_number;
    let of_tx = answer.tx_hash.as_deref() == Some(key)
        && (answer.miniblock.is_none() || path.miniblock_number.is_none() || of_block);
    let of_batch = answer.batch.is_some() && answer.batch == path.l1_batch_number;
    // A batch's details have no block; a block's or a transaction's tell of its batch as well.
    of_block || of_tx || (of_batch && answer.tx_hash.is_none())
}

struct Bench {
    zone: Option<Zone>,
    as_of: Option<AsOf>,
    warnings: Vec<String>,
    refs: Vec<String>,
}

impl Bench {
    fn said(&mut self, answer: &Answer) -> Said {
        self.refs.push(answer.reference.clone());
        Said {
            api: answer.api.clone(),
            l1_batch_number: None,
            status: None,
            l1_tx_hash: None,
            at: None,
            agrees: None,
            reference: answer.reference.clone(),
        }
    }

    /// Where an answer puts the block or the transaction.
    fn place(&mut self, path: &mut Path, answer: &Answer) {
        let named = answer.miniblock.is_some() || answer.tx_hash.is_some();
        let lead = format!(
            "API and table disagree: {} ({})",
            answer.api, answer.reference
        );
        let mut agrees = None;
        if let Some(batch) = answer.batch.filter(|_| named) {
            // An answer about an open block names the batch that it guesses.
            agrees = path.l1_batch_number.map(|known| known == batch);
            if agrees == Some(false) {
                self.warnings.push(format!(
                    "{lead} has it in batch {batch}, the table in batch {}: reverted and made again, a guess for a block whose batch was open, or another chain's answer",
                    path.l1_batch_number.unwrap_or_default()
                ));
            }
        }
        let hashes = answer.block_hash.as_ref().zip(path.miniblock_hash.as_ref());
        if let Some((said, known)) = hashes.filter(|_| answer.miniblock.is_some()) {
            let same = said == known;
            agrees = Some(agrees.unwrap_or(true) && same);
            if !same {
                self.warnings.push(format!(
                    "{lead} says that block {} has the hash {said}, the table has {known}: reverted and made again, or another chain's answer",
                    answer.miniblock.unwrap_or_default()
                ));
            }
        }
        let said = Said {
            l1_batch_number: answer.batch,
            status: answer.status.clone(),
            agrees,
            ..self.said(answer)
        };
        if path.answers.len() < SHOWN {
            path.answers.push(said);
        }
    }

    /// Whether a time is after the moment that is looked at; `None` if it cannot be told.
    fn is_later(&self, at: Option<DbTime>) -> Option<bool> {
        let (at, as_of) = (at?, self.as_of.as_ref()?);
        (at.utc && as_of.utc).then_some(at.us > as_of.us)
    }

    fn step(&mut self, name: &str, step: &mut Step, answer: &Answer, claim: &Claim) {
        if !claim.is_asked && claim.at.is_none() {
            return;
        }
        let lead = format!(
            "API and table disagree: {name}: {} ({})",
            answer.api, answer.reference
        );
        let state = step.state.clone().unwrap_or_default();
        let confirmed = state.starts_with("confirmed");
        let is_said = claim.hash.is_some() || claim.at.is_some();
        let when = claim.at.map(|at| format!(" at {}", at.print()));
        let when = when.unwrap_or_default();
        let hash = claim.hash.clone();
        let shown = hash
            .as_deref()
            .unwrap_or("an unnamed transaction")
            .to_owned();
        let mut agrees = None;
        if is_said && !confirmed && self.is_later(claim.at) == Some(true) {
            // Nothing to compare yet.
        } else if is_said && confirmed {
            agrees = Some(true);
            if let (Some(said), Some(known)) = (&hash, &step.l1_tx_hash)
                && said != known
            {
                agrees = Some(false);
                self.warnings.push(format!(
                    "{lead} says that {said} was confirmed{when}, the table says {known}"
                ));
            } else if state == "confirmed_history_missing"
                && let Some(said) = &hash
            {
                self.warnings.push(format!(
                    "{name}: the table lost the hash that was mined; {} ({}) names it: {said}",
                    answer.api, answer.reference
                ));
            }
            if let Some(words) = self.apart(step, claim) {
                agrees = Some(false);
                self.warnings.push(format!("{lead} {words}"));
            }
        } else if is_said && step.state.is_none() {
            self.warnings.push(format!(
                "{name}: the tables do not say how far it got; {} ({}) says that {shown} was confirmed{when}",
                answer.api, answer.reference
            ));
        } else if is_said {
            agrees = Some(false);
            self.warnings.push(format!(
                "{lead} says that {shown} was confirmed{when}, the table says {state}: the answer is newer than the dump, rows were lost or taken back, or it is another chain's"
            ));
        } else if confirmed && step.confirmed.is_some() && claim.is_asked {
            agrees = Some(false);
            self.warnings.push(format!(
                "{lead} names no transaction, the table says {state}{}: the answer is older than that, or another chain's",
                step.confirmed_at
                    .as_deref()
                    .map_or_else(String::new, |at| format!(" ({at})"))
            ));
        } else if !confirmed && step.state.is_some() {
            agrees = Some(true);
        }
        let said = Said {
            l1_tx_hash: hash,
            at: claim.at.map(DbTime::print),
            agrees,
            ..self.said(answer)
        };
        step.answers.push(said);
    }

    /// The server's own time of noticing, which the API repeats: another one shows a zone or another database.
    fn apart(&self, step: &Step, claim: &Claim) -> Option<String> {
        let (said, known) = (claim.at?, step.confirmed?);
        let utc = to_utc(known, self.zone.as_ref()).filter(|_| said.utc);
        let known = utc?;
        let apart_us = said.us - known.us;
        if apart_us.abs() <= SAME_TIME_US {
            return None;
        }
        let off = apart_us.rem_euclid(QUARTER_US);
        let is_zone = off.min(QUARTER_US - off) <= SAME_TIME_US;
        Some(format!(
            "says it was noticed {} {} than confirmed_at: {}",
            duration((apart_us.abs() as f64) / MICROS_PER_SECOND as f64),
            if apart_us > 0 { "later" } else { "earlier" },
            match is_zone {
                true => "a zone was taken wrong, here or there",
                false => "confirmed again after a reorg, or another node's answer",
            }
        ))
    }

    /// What Etherscan says of a step's attempts.
    fn on_l1(&mut self, name: &str, step: &mut Step, mined: &[Mined]) {
        let attempts = step.attempts.iter().flatten();
        let own: BTreeSet<&str> = attempts
            .filter_map(|attempt| attempt.l1_tx_hash.as_deref())
            .chain(step.l1_tx_hash.as_deref())
            .collect();
        let of_step: Vec<&Mined> = mined
            .iter()
            .filter(|mined| own.contains(mined.hash.as_str()))
            .collect();
        let state = step.state.clone().unwrap_or_default();
        for mined in of_step {
            let at = DbTime {
                us: mined.us,
                utc: true,
            };
            self.refs.push(mined.reference.clone());
            let later = self.is_later(Some(at)) == Some(true);
            let mut words = Vec::new();
            if !later {
                self.compare(step, &state, mined, &mut words);
                let confirms =
                    step.l1_tx_hash.is_none() || step.l1_tx_hash.as_ref() == Some(&mined.hash);
                if confirms {
                    let bounds = step.l1_mined.get_or_insert(L1Mined {
                        at: None,
                        not_before: None,
                        not_after: None,
                        basis: String::new(),
                    });
                    bounds.at = Some(format_utc(mined.us));
                    bounds.basis = format!("{} ({})", mined.api, mined.reference);
                }
            }
            let block = mined.block.map(|block| format!(" in block {block}"));
            let lead = format!(
                "{name}: {} ({}) has {} mined{} at {}",
                mined.api,
                mined.reference,
                mined.hash,
                block.unwrap_or_default(),
                format_utc(mined.us)
            );
            step.answers.push(Said {
                api: mined.api.clone(),
                l1_batch_number: None,
                status: Some(if mined.has_failed { "failed" } else { "mined" }.to_owned()),
                l1_tx_hash: Some(mined.hash.clone()),
                at: Some(format_utc(mined.us)),
                agrees: (!later).then_some(words.is_empty()),
                reference: mined.reference.clone(),
            });
            for words in words {
                self.warnings
                    .push(format!("L1 and table disagree: {lead}, {words}"));
            }
        }
    }

    fn compare(&self, step: &Step, state: &str, mined: &Mined, words: &mut Vec<String>) {
        let confirmed = state.starts_with("confirmed");
        if mined.has_failed && confirmed {
            words.push(format!("as failed; the table says {state}"));
        } else if !mined.has_failed && state == "failed" {
            words.push("as successful; the table says failed".to_owned());
        } else if !confirmed && state != "failed" && !state.is_empty() {
            words.push(format!(
                "the table says {state}: the server had not noticed the receipt when the dump was made"
            ));
        }
        if let Some(known) = step
            .l1_tx_hash
            .as_ref()
            .filter(|known| **known != mined.hash)
        {
            words.push(format!(
                "the table says that {known} was: only one of them can have been"
            ));
            return;
        }
        let bound = |text: &Option<String>| {
            let (us, zone) = parse_civil(text.as_deref()?)?;
            let time = DbTime {
                us: us - i64::from(zone.unwrap_or(0)) * MICROS_PER_SECOND,
                utc: zone.is_some(),
            };
            to_utc(time, self.zone.as_ref())
        };
        let Some(bounds) = &step.l1_mined else { return };
        // L1's times are those of its slots, ahead of or behind a server's clock by seconds.
        const SLOT_US: i64 = 12 * MICROS_PER_SECOND;
        if let Some(before) = bound(&bounds.not_before).filter(|b| mined.us < b.us - SLOT_US) {
            words.push(format!(
                "before it was signed ({}): the zone or the clock of the database is wrong",
                before.print()
            ));
        }
        if let Some(after) = bound(&bounds.not_after).filter(|b| mined.us > b.us + SLOT_US) {
            words.push(format!(
                "after it was noticed ({}): the zone or the clock of the database is wrong",
                after.print()
            ));
        }
    }
}
