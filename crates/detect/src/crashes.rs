//! Programs that did not end as programs should: panics, and what their machines saw. A node that systemd starts again
//! within seconds is never silent, and may have crashed all night.

use crate::activity::{Activities, Place};
use crate::endings::{Ending, Endings, How, UNDATED};
use crate::finding::{Affected, Finding, NotRun, Witnesses};
use crate::overview::Overview;
use crate::programs::Programs;
use model::time::MICROS_PER_SECOND;
use serde_json::Map;
use std::collections::{BTreeMap, BTreeSet};

/// The kernel, systemd and the program itself tell of one crash within this time.
const ONE_CRASH_US: i64 = 60 * MICROS_PER_SECOND;
/// Threads of a program panic one behind the other.
const ONE_PANIC_US: i64 = MICROS_PER_SECOND;
/// So many within an hour are a loop.
const LOOP: usize = 3;
const HOUR_US: i64 = 3600 * MICROS_PER_SECOND;
/// A program that wrote for so long after it crashed is up again.
const UP_AGAIN_US: i64 = 600 * MICROS_PER_SECOND;
/// References of a finding.
const MOST_REFS: usize = 8;

/// What tells of one crash.
struct Crash<'e> {
    endings: Vec<&'e Ending>,
}

impl Crash<'_> {
    fn first(&self) -> &Place {
        &self.endings[0].place
    }

    /// What tells most of why.
    fn telling(&self) -> &Ending {
        let mut telling = self.endings[0];
        for ending in &self.endings {
            if ending.how < telling.how {
                telling = ending;
            }
        }
        telling
    }

    /// Whether another line, later than all of these, is of the same crash.
    fn goes_on(&self, ending: &Ending) -> bool {
        let since = |before: &&Ending| ending.place.us.saturating_sub(before.place.us);
        let same = self
            .endings
            .iter()
            .rfind(|known| known.how == ending.how && known.teller == ending.teller);
        let last = self.endings.last().map(since);
        last.is_some_and(|since| since <= ONE_CRASH_US)
            && same.is_none_or(|same| since(same) <= ONE_PANIC_US)
    }
}

pub(crate) fn detect(
    overview: &Overview,
    activities: &Activities,
    programs: &Programs,
    endings: &Endings,
    told_already: &BTreeSet<String>,
) -> (Vec<Finding>, Option<NotRun>) {
    if programs.all.is_empty() {
        let not_run = NotRun {
            detector: "crash".to_owned(),
            missing: "logs of clients".to_owned(),
        };
        return (Vec::new(), Some(not_run));
    }
    let mut of: BTreeMap<&[usize], Vec<&Ending>> = BTreeMap::new();
    let mut crashes = endings
        .all()
        .filter(|ending| ending.how != How::Stop && !ending.programs.is_empty())
        .collect::<Vec<_>>();
    // Those of one program first: words that fit several mean one of them that crashed at that time.
    crashes.sort_by_key(|ending| ending.programs.len());
    for ending in crashes {
        let is_near = |known: &&Ending| {
            known.place.us.abs_diff(ending.place.us) <= ONE_CRASH_US.unsigned_abs()
        };
        let mut single = ending.programs.chunks(1);
        let whose = single.find(|one| of.get(one).is_some_and(|known| known.iter().any(is_near)));
        of.entry(whose.unwrap_or(&ending.programs))
            .or_default()
            .push(ending);
    }
    let mut findings = Vec::new();
    for (of_programs, mut endings) in of {
        endings.sort_by(|a, b| a.place.cmp(&b.place));
        let mut crashes: Vec<Crash<'_>> = Vec::new();
        for ending in endings {
            match crashes.last_mut() {
                Some(crash) if crash.goes_on(ending) => crash.endings.push(ending),
                _ => crashes.push(Crash {
                    endings: vec![ending],
                }),
            }
        }
        // One that is the cause of a silence is told there.
        let is_told = match crashes.as_slice() {
            [only] => only
                .endings
                .iter()
                .any(|ending| told_already.contains(&ending.place.reference())),
            _ => false,
        };
        if !is_told {
            findings.push(finding(
                overview,
                activities,
                programs,
                of_programs,
                &crashes,
            ));
        }
    }
    (findings, None)
}

fn finding(
    overview: &Overview,
    activities: &Activities,
    programs: &Programs,
    of: &[usize],
    crashes: &[Crash<'_>],
) -> Finding {
    let node = &programs.all[of[0]].node;
    let labels: Vec<&str> = of
        .iter()
        .map(|at| programs.all[*at].label.as_str())
        .collect();
    let who = format!("{} of {}", labels.join(" or "), overview.shown(node));
    let count = |how: How| {
        crashes
            .iter()
            .filter(|crash| crash.telling().how == how)
            .count()
    };
    let (out_of_memory, panics) = (count(How::OutOfMemory), count(How::Panic));
    let failures = count(How::Failure);
    let title = match crashes {
        [crash] => format!("{who} {}", what_happened(crash.telling())),
        _ => {
            let parts = [
                (out_of_memory, "out of memory"),
                (panics, if panics == 1 { "panic" } else { "panics" }),
                (failures, if failures == 1 { "failure" } else { "failures" }),
            ];
            let parts = parts.into_iter().filter(|(n, _)| *n > 0);
            let parts: Vec<String> = parts.map(|(n, what)| format!("{n} {what}")).collect();
            format!(
                "{who} crashed {} times: {}",
                crashes.len(),
                parts.join(", ")
            )
        }
    };
    let times = crashes.iter().map(|crash| crash.first().us);
    let times: Vec<i64> = times.filter(|us| *us != UNDATED).collect();
    let is_loop = times
        .windows(LOOP)
        .any(|some| some[LOOP - 1] - some[0] <= HOUR_US);
    let (from, to) = (times.first().copied(), times.last().copied());
    let up_again = of.iter().any(|at| {
        let last = activities.programs[*at].last.as_ref();
        let written_since = last.zip(to).map(|(last, to)| last.us - to);
        written_since.is_some_and(|us| us >= UP_AGAIN_US)
    });
    let mut magnitude = Map::new();
    for (name, n) in [
        ("crashes", crashes.len()),
        ("out_of_memory", out_of_memory),
        ("panics", panics),
        ("failures", failures),
    ] {
        magnitude.insert(name.to_owned(), n.into());
    }
    let mut caveats = overview.time_caveats(std::slice::from_ref(node));
    let all = || crashes.iter().flat_map(|crash| &crash.endings);
    if all().all(|ending| ending.how == How::Panic) {
        caveats.push(
            "nothing of its machine says that it ended: a panic of one thread need not end a program"
                .to_owned(),
        );
    }
    if of.len() > 1 {
        caveats.push("its machine's words do not tell which of them".to_owned());
    }
    let sources: BTreeSet<&str> = all().map(|ending| ending.place.source.as_str()).collect();
    let telling = crashes
        .iter()
        .map(|crash| crash.telling().place.reference());
    let mut refs: Vec<String> = telling.collect();
    if refs.len() > MOST_REFS {
        // The first ones and the last.
        refs.drain(MOST_REFS - 1..refs.len() - 1);
    }
    Finding {
        kind: "crash".to_owned(),
        severity: if is_loop { "high" } else { "medium" }.to_owned(),
        title,
        status: if up_again { "ended" } else { "unknown" }.to_owned(),
        affected: Affected {
            n: 1,
            of: overview.nodes.len(),
            unit: "nodes".to_owned(),
        },
        magnitude,
        basis: "observed".to_owned(),
        scope: "node".to_owned(),
        witnesses: Witnesses {
            sources: sources.len(),
            nodes: 1,
            independent: 1,
        },
        caveats,
        refs,
        nodes: vec![node.clone()],
        ..Finding::default()
    }
    .identified(from, to)
}

/// Says of one crash what happened.
fn what_happened(ending: &Ending) -> String {
    let detail = ending.detail.trim();
    match ending.how {
        How::OutOfMemory => "was killed for lack of memory".to_owned(),
        How::Panic if detail.is_empty() => "panicked".to_owned(),
        How::Panic => format!("panicked: {detail}"),
        How::Failure | How::Stop => match detail.rsplit_once("status=") {
            Some((_, status)) => format!("ended with status {status}"),
            None => "ended by a failure".to_owned(),
        },
    }
}
