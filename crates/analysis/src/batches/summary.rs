//! What the batches have in common: waits, where each step stands, pauses, resends, fees.

use super::WAITS;
use super::sends::Sends;
use super::shape::{BatchLine, Fees, Gap, Missing, PauseRule, Resend, Stand, StepWaits};
use crate::trace::links::{Batches, STAGES};
use crate::trace::notice::standstill;
use crate::trace::rows::{DbTime, Tables};
use crate::trace::waiting::{Judge, Subject, percentile, seconds};
use crate::trace::zone::to_utc;
use crate::trace::{AsOf, Path, Step, TraceError, Zone};
use std::collections::BTreeMap;

/// Fewer distances are no habit.
const LEAST: usize = 10;
/// A pause is longer than so many times the median distance …
const MEDIANS: f64 = 10.0;
/// … and than so many times the distance that one in ten exceeds: a chain whose batches come in bursts has long
/// distances all the time …
const NINETIETHS: f64 = 3.0;
/// … and than so many times the median of the distances around it: a chain may have had another pace once …
const NEIGHBOURS: f64 = 3.0;
/// … of which so many on each side are looked at, and fewer than four in all tell nothing …
const AROUND: usize = 5;
/// … and than this.
const PAUSE_S: f64 = 300.0;

pub(super) fn waits(lines: &[BatchLine]) -> Vec<StepWaits> {
    WAITS
        .iter()
        .enumerate()
        .map(|(wait, name)| {
            let mut all: Vec<(f64, i64)> = lines
                .iter()
                .filter_map(|line| Some((line.wait_s(wait)?, line.number)))
                // A notice before the notice of the step before says nothing of a wait.
                .filter(|(wait_s, _)| *wait_s >= 0.0)
                .collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
            let times: Vec<f64> = all.iter().map(|(wait_s, _)| *wait_s).collect();
            StepWaits {
                step: (*name).to_owned(),
                n: times.len(),
                p50_s: percentile(&times, 50),
                p90_s: percentile(&times, 90),
                p99_s: percentile(&times, 99),
                max_s: times.last().copied(),
                max_batch: all.last().map(|(_, number)| *number),
            }
        })
        .collect()
}

/// Where each step stands in the whole database, whatever the window.
pub(super) fn stands(
    tables: &mut Tables<'_>,
    judge: &Judge<'_>,
    line: &dyn Fn(i64) -> BatchLine,
) -> Result<Vec<Stand>, TraceError> {
    let mut stands = Vec::new();
    for (stage, name) in STAGES.iter().enumerate() {
        let is_through = |number: &i64| {
            *number != 0
                && line(*number).steps[stage]
                    .state
                    .is_some_and(|state| state.starts_with("confirmed"))
        };
        let numbers = || judge.batches.by_number.keys();
        let highest = numbers().rev().find(is_through);
        let above: Vec<i64> = numbers()
            .filter(|&number| number != 0 && Some(number) > highest)
            .filter(|&number| judge.batches.is_sealed(number) != Some(false))
            .collect();
        let next = above.first().copied();
        let waiting = match next.map(line) {
            Some(line) if line.outstanding() == Some(stage) => {
                let path = Path {
                    commit: Some(Step {
                        eth_tx_id: line.steps[0].eth_tx_id,
                        ..Step::default()
                    }),
                    ..Path::default()
                };
                let judge = Judge {
                    path: Some(&path),
                    ..*judge
                };
                let subject = Subject::Step {
                    stage,
                    batch: line.number,
                    eth_tx: line.steps[stage].eth_tx_id,
                    state: line.steps[stage].state.unwrap_or_default().to_owned(),
                };
                Some(judge.judge(tables, &subject)?)
            }
            _ => None,
        };
        let noticed = highest.and_then(|number| line(number).steps[stage].noticed_at);
        stands.push(Stand {
            step: (*name).to_owned(),
            highest,
            noticed_at: noticed.map(|time| to_utc(time, judge.zone).unwrap_or(time).print()),
            next,
            behind: above.len(),
            waiting,
        });
    }
    Ok(stands)
}

/// What counts as a pause, by the distances of this very database.
fn pause_rule(kind: &str, distances_us: &[i64]) -> PauseRule {
    let mut sorted: Vec<f64> = distances_us.iter().map(|us| seconds(*us)).collect();
    sorted.sort_by(f64::total_cmp);
    let (p50_s, p90_s) = (percentile(&sorted, 50), percentile(&sorted, 90));
    let known = p50_s.zip(p90_s).filter(|_| sorted.len() >= LEAST);
    PauseRule {
        kind: kind.to_owned(),
        n: sorted.len(),
        p50_s,
        p90_s,
        pause_s: known.map(|(p50, p90)| (p50 * MEDIANS).max(p90 * NINETIETHS).max(PAUSE_S)),
    }
}

/// The median of the distances around the `at`th, which is left out.
fn around(times: &[(DbTime, i64)], at: usize) -> Option<f64> {
    let distance = |at: usize| {
        let us = times.get(at + 1)?.0.us - times[at].0.us;
        (us > 0).then(|| seconds(us))
    };
    let before = (0..at).rev().filter_map(distance).take(AROUND);
    let after = (at + 1..times.len()).filter_map(distance).take(AROUND);
    let mut near: Vec<f64> = before.chain(after).collect();
    near.sort_by(f64::total_cmp);
    percentile(&near, 50).filter(|_| near.len() >= 4)
}

/// Pauses between batches and between notices, in time order, and from which length on they count as such: ten
/// times the median distance, three times the distance that one in ten exceeds, three times the median of the ten
/// distances around, and five minutes, whichever is the longest. Fewer than ten distances show no habit, and then there are no pauses.
pub(super) fn gaps(
    lines: &[BatchLine],
    as_of: Option<&AsOf>,
    is_windowed: bool,
    notes_final_receipts: bool,
) -> (Vec<Gap>, Vec<PauseRule>) {
    let mut gaps = Vec::new();
    let mut rules = Vec::new();
    for (kind, name) in ["begun", "commit", "prove", "execute"].iter().enumerate() {
        let mut times: Vec<(DbTime, i64)> = lines
            .iter()
            .filter_map(|line| {
                let time = match kind {
                    0 => line.begun_at(),
                    stage => line.steps[stage - 1].noticed_at,
                };
                Some((line.in_utc(time?), line.number))
            })
            .collect();
        times.sort_by_key(|(time, number)| (time.us, *number));
        // Batches of one L1 transaction are noticed at once.
        let distances: Vec<i64> = times
            .windows(2)
            .map(|pair| pair[1].0.us - pair[0].0.us)
            .filter(|distance| *distance > 0)
            .collect();
        let rule = pause_rule(name, &distances);
        let known = rule.p50_s.zip(rule.pause_s);
        rules.push(rule);
        let Some((usual_s, pause_s)) = known else {
            continue;
        };
        let around = |at: usize| around(&times, at);
        let is_pause = |us: i64, around_s: Option<f64>| {
            seconds(us) > around_s.map_or(pause_s, |around| pause_s.max(around * NEIGHBOURS))
        };
        let gap = |from: (DbTime, i64), to: DbTime, before: Option<i64>, around_s: Option<f64>| {
            Gap {
            kind: (*name).to_owned(),
            from: from.0.print(),
            to: to.print(),
            status: if before.is_some() { "ended" } else { "ongoing" }.to_owned(),
            gap_s: seconds(to.us - from.0.us),
            usual_s,
            around_s,
            after_batch: from.1,
            before_batch: before,
            remark: (kind > 0 && notes_final_receipts).then(|| {
                format!(
                    "receipts were noticed only once their L1 block was final: an L1 that does not finalize looks like this{}",
                    standstill(from.0, to)
                )
            }),
        }
        };
        for (at, pair) in times.windows(2).enumerate() {
            let around_s = around(at);
            if is_pause(pair[1].0.us - pair[0].0.us, around_s) {
                gaps.push(gap(pair[0], pair[1].0, Some(pair[1].1), around_s));
            }
        }
        let outstanding = lines
            .iter()
            .any(|line| kind == 0 || line.outstanding() == Some(kind - 1));
        if let (Some(&last), Some(as_of)) = (times.last(), as_of)
            && !is_windowed
            && outstanding
            && last.0.utc == as_of.utc
            && is_pause(as_of.us - last.0.us, around(times.len()))
        {
            let now = DbTime {
                us: as_of.us,
                utc: as_of.utc,
            };
            gaps.push(gap(last, now, None, around(times.len())));
        }
    }
    gaps.sort_by(|a, b| a.from.cmp(&b.from));
    (gaps, rules)
}

pub(super) fn missing(lines: &[BatchLine]) -> Vec<Missing> {
    lines
        .windows(2)
        .filter(|pair| pair[1].number > pair[0].number + 1)
        .map(|pair| Missing {
            first: pair[0].number + 1,
            last: pair[1].number - 1,
        })
        .collect()
}

/// The L1 transactions of the listed batches, each once.
fn transactions(lines: &[BatchLine]) -> BTreeMap<(usize, i64), &BatchLine> {
    let mut all = BTreeMap::new();
    for line in lines {
        for (stage, step) in line.steps.iter().enumerate() {
            if let Some(id) = step.eth_tx_id {
                all.entry((stage, id)).or_insert(line);
            }
        }
    }
    all
}

pub(super) fn resends(
    lines: &[BatchLine],
    batches: &Batches,
    sends: &Sends,
    zone: Option<&Zone>,
) -> Vec<Resend> {
    let print = |time: Option<DbTime>| time.map(|t| to_utc(t, zone).unwrap_or(t).print());
    let ranges: Vec<_> = (0..STAGES.len())
        .map(|stage| batches.ranges(stage))
        .collect();
    let mut resends: Vec<Resend> = transactions(lines)
        .into_iter()
        .filter_map(|((stage, id), line)| {
            let attempts = line.steps[stage].attempts.filter(|count| *count > 1)?;
            let range = ranges[stage].get(id)?;
            let tx = sends.history().and_then(|history| history.tx(id));
            let (first_bid, last_bid, mined_attempt, refs) = sends.bids(id);
            Some(Resend {
                eth_tx_id: id,
                step: STAGES[stage].to_owned(),
                first_batch: range.first,
                last_batch: range.last,
                attempts,
                mined_attempt,
                first_signed_at: print(tx.and_then(|tx| tx.first_signed)),
                last_signed_at: print(tx.and_then(|tx| tx.last_signed)),
                noticed_at: print(tx.and_then(|tx| tx.noticed)),
                first_base_fee_per_gas_wei: first_bid,
                last_base_fee_per_gas_wei: last_bid,
                refs,
            })
        })
        .collect();
    resends.sort_by_key(|resend| (-resend.attempts, resend.eth_tx_id));
    resends
}

pub(super) fn fees(lines: &[BatchLine]) -> Vec<Fees> {
    let mut fees: Vec<Fees> = STAGES
        .iter()
        .map(|name| Fees {
            step: (*name).to_owned(),
            transactions: 0,
            gas_used: 0,
            fee_at_most_gwei: 0,
        })
        .collect();
    for ((stage, _), line) in transactions(lines) {
        let step = &line.steps[stage];
        if let Some(gas_used) = step.gas_used {
            let sum = &mut fees[stage];
            sum.transactions += 1;
            sum.gas_used = sum.gas_used.saturating_add(gas_used);
            let gwei = step.fee_at_most_gwei.unwrap_or(0);
            sum.fee_at_most_gwei = sum.fee_at_most_gwei.saturating_add(gwei);
        }
    }
    fees
}

/// What must not be read into the answer.
pub(super) fn caveats(tables: &mut Tables<'_>, lines: &[BatchLine], sends: &Sends) {
    if !tables.is_whole("l1_batches") {
        tables.warn("the rows of l1_batches may be a part of the table: numbers that are missing here need not be missing there");
    }
    for table in ["l1_batches", "eth_txs", "eth_txs_history"] {
        if let Some(why) = tables.why_not_whole(table) {
            tables.warn(format!("{why}: what stands there is undetermined here"));
        }
    }
    if sends.notes_final_receipts() {
        tables.warn("noticed: when the server took note of a receipt, in code before May 2025 only once its L1 block was final; L1's own time is not in a database");
    }
    let early = lines
        .iter()
        .flat_map(|line| (2..=3).filter_map(|wait| line.wait_s(wait)))
        .filter(|wait_s| *wait_s < 0.0)
        .count();
    if early > 0 {
        tables.warn(format!(
            "{early} steps were noticed before the step that L1 demands first: the server noticed both late, their waits are not counted"
        ));
    }
}
