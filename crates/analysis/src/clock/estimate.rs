//! From samples to intervals, from intervals to episodes.

use super::causes::causes;
use super::servers::{Verdict, judge};
use super::{
    Clock, ClockInput, ClockReport, Episode, Interval, NodeClock, NodeFacts, Sample, Server,
    Undetermined,
};
use model::time::format_utc_short;
use std::collections::{BTreeMap, BTreeSet};

const SECOND_US: i64 = 1_000_000;
const MINUTE_US: i64 = 60 * SECOND_US;
/// Offsets that differ by more are a step; Prysm warns beyond this, less is an ordinary clock.
const STEP_S: f64 = 2.0;
/// Roughtime is asked hourly: samples further apart do not say what was between them.
const PAUSE_US: i64 = 75 * MINUTE_US;
/// Nodes whose episodes lie this close belong to one.
const TOGETHER_US: i64 = 75 * MINUTE_US;
/// References kept per statement.
const REFS_MAX: usize = 64;

/// A stretch of constant offset of one clock of one node.
#[derive(Clone, Debug)]
struct Stretch {
    from_us: i64,
    to_us: i64,
    offset_s: f64,
    uncertainty_s: f64,
    samples: usize,
    methods: BTreeSet<String>,
    first_ref: String,
    last_ref: String,
    /// The longest pause between neighbouring samples.
    rhythm_us: i64,
}

impl Stretch {
    fn is_off(&self) -> bool {
        self.offset_s.abs() > STEP_S + self.uncertainty_s
    }
}

/// One node's share of an episode.
struct Share<'a> {
    node: &'a NodeFacts,
    program: &'a str,
    clock: Clock,
    stretch: Stretch,
    status: &'static str,
}

/// Estimates offsets, episodes and verdicts. Pure: the order of the input does not matter.
pub fn estimate(input: &ClockInput) -> ClockReport {
    let mut nodes: Vec<&NodeFacts> = input.nodes.iter().collect();
    nodes.sort_by(|a, b| a.node.cmp(&b.node));
    let mut by_clock: BTreeMap<(&str, Clock), BTreeMap<&str, Vec<&Sample>>> = BTreeMap::new();
    let mut ambiguous: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
    let mut reported: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for sample in input.samples.iter().filter(|sample| !sample.zone_assumed) {
        reported
            .entry(&sample.node)
            .or_default()
            .push(sample.offset_s);
    }
    // What the node reports of itself settles the question, whatever its zone.
    let confirmed = |sample: &Sample| {
        reported.get(sample.node.as_str()).is_some_and(|offsets| {
            offsets
                .iter()
                .any(|offset| (offset - sample.offset_s).abs() <= 30.0)
        })
    };
    for sample in &input.samples {
        if sample.zone_assumed && looks_like_zone(sample) && !confirmed(sample) {
            ambiguous.entry(&sample.node).or_default().push(sample);
        } else {
            by_clock
                .entry((&sample.node, sample.clock))
                .or_default()
                .entry(&sample.program)
                .or_default()
                .push(sample);
        }
    }
    let verdicts = judge(&input.replies);
    let mut report = ClockReport {
        servers: verdicts.iter().map(Verdict::shown).collect(),
        ..ClockReport::default()
    };
    let mut shares: Vec<Share<'_>> = Vec::new();
    for facts in nodes {
        let mut shown = NodeClock {
            node: facts.node.clone(),
            client: facts.client.clone(),
            zone: facts.zone.clone(),
            ..NodeClock::default()
        };
        for clock in [Clock::Stamp, Clock::Slot] {
            let programs = by_clock
                .remove(&(facts.node.as_str(), clock))
                .unwrap_or_default();
            let mut intervals: Vec<Interval> = Vec::new();
            for (program, samples) in programs {
                let known = facts.programs.get(program);
                let last_us = known.and_then(|program| program.last_us);
                let role = known.and_then(|program| program.role.clone());
                let stretches = stretches(samples);
                for (index, stretch) in stretches.iter().enumerate() {
                    intervals.push(stretch.shown(role.clone()));
                    if shown.refs.len() + 2 <= REFS_MAX {
                        shown.refs.push(stretch.first_ref.clone());
                        if stretch.last_ref != stretch.first_ref {
                            shown.refs.push(stretch.last_ref.clone());
                        }
                    }
                    if stretch.is_off() {
                        shares.push(Share {
                            node: facts,
                            program,
                            clock,
                            status: match status(stretch, &stretches[index + 1..], last_us) {
                                // Who watches the machine's clock says that it was wrong in order to
                                // set it right, and then has nothing to say.
                                "ongoing" if program == model::SYSTEM_CLIENT => "unknown",
                                status => status,
                            },
                            stretch: stretch.clone(),
                        });
                    }
                }
            }
            intervals.sort_by(|a, b| (&a.from, &a.role, &a.to).cmp(&(&b.from, &b.role, &b.to)));
            match clock {
                Clock::Stamp => shown.stamp_clock = intervals,
                Clock::Slot => shown.slot_clock = intervals,
            }
        }
        undetermined(
            facts,
            &shown,
            ambiguous.get(facts.node.as_str()),
            &mut report,
        );
        report.nodes.push(shown);
    }
    report.episodes = episodes(shares, &report.servers);
    report
}

/// Whether an offset could be a zone as well: close to a whole quarter hour and not zero.
fn looks_like_zone(sample: &Sample) -> bool {
    let quarter = 900.0;
    let nearest = (sample.offset_s / quarter).round() * quarter;
    nearest != 0.0
        && nearest.abs() <= 14.0 * 3600.0
        && (sample.offset_s - nearest).abs() <= sample.uncertainty_s + 30.0
}

fn undetermined(
    facts: &NodeFacts,
    shown: &NodeClock,
    ambiguous: Option<&Vec<&Sample>>,
    report: &mut ClockReport,
) {
    let mut say = |why: String| {
        report.undetermined.push(Undetermined {
            node: facts.node.clone(),
            why,
        });
    };
    if let Some(samples) = ambiguous {
        let mut offsets: Vec<f64> = samples.iter().map(|sample| sample.offset_s).collect();
        let offset = median(&mut offsets);
        let zone = (-offset / 900.0).round() as i32 * 900;
        say(format!(
            "its slots are {offset:+.0} s from its stamps, whose zone is assumed: a skew of the slot clock and a zone that is {} of the assumed one explain {} lines equally well",
            model::time::format_offset(zone),
            samples.len()
        ));
    } else if shown.stamp_clock.is_empty()
        && shown.slot_clock.is_empty()
        && facts.problems.is_empty()
    {
        say("no second clock in the evidence".to_owned());
    }
    for problem in &facts.problems {
        say(problem.clone());
    }
}

fn stretches(mut samples: Vec<&Sample>) -> Vec<Stretch> {
    samples.sort_by(|a, b| {
        (a.us, &a.reference, &a.method)
            .cmp(&(b.us, &b.reference, &b.method))
            .then(a.offset_s.total_cmp(&b.offset_s))
    });
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut open: Vec<&Sample> = Vec::new();
    for sample in samples {
        let belongs = open.last().is_none_or(|last| {
            // Compared with the most certain sample, so that a slow slide does not pass as constant.
            let anchor = open
                .iter()
                .min_by(|a, b| a.uncertainty_s.total_cmp(&b.uncertainty_s))
                .unwrap_or(last);
            sample.us - last.us <= PAUSE_US
                && (sample.offset_s - anchor.offset_s).abs()
                    <= STEP_S + sample.uncertainty_s + anchor.uncertainty_s
        });
        if !belongs {
            stretches.extend(stretch(&open));
            open.clear();
        }
        open.push(sample);
    }
    stretches.extend(stretch(&open));
    stretches
}

/// The offset is the median of the most certain samples; the rest only confirms it.
fn stretch(samples: &[&Sample]) -> Option<Stretch> {
    let (first, last) = (samples.first()?, samples.last()?);
    let best = samples
        .iter()
        .map(|sample| sample.uncertainty_s)
        .fold(f64::INFINITY, f64::min);
    let mut offsets: Vec<f64> = samples
        .iter()
        .filter(|sample| sample.uncertainty_s <= best + 0.1)
        .map(|sample| sample.offset_s)
        .collect();
    let offset_s = median(&mut offsets);
    let mut distances: Vec<f64> = offsets
        .iter()
        .map(|value| (value - offset_s).abs())
        .collect();
    let spread = median(&mut distances);
    Some(Stretch {
        from_us: first.us,
        to_us: last.us,
        offset_s: micro(offset_s),
        uncertainty_s: micro(best.max(1.5 * spread)),
        samples: samples.len(),
        methods: samples.iter().map(|sample| sample.method.clone()).collect(),
        first_ref: first.reference.clone(),
        last_ref: last.reference.clone(),
        rhythm_us: samples
            .windows(2)
            .map(|pair| pair[1].us - pair[0].us)
            .max()
            .unwrap_or(0),
    })
}

impl Stretch {
    fn shown(&self, role: Option<String>) -> Interval {
        Interval {
            role,
            from: format_utc_short(self.from_us),
            to: format_utc_short(self.to_us),
            offset_s: self.offset_s,
            uncertainty_s: self.uncertainty_s,
            samples: self.samples,
            methods: self.methods.iter().cloned().collect(),
        }
    }
}

/// Sorts, and returns the middle value; of an even number, the mean of the middle two.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        count if count % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

fn micro(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// Whether a node's skew was over, by what it logged afterwards.
fn status(stretch: &Stretch, later: &[Stretch], last_record_us: Option<i64>) -> &'static str {
    if later.iter().any(|other| !other.is_off()) {
        return "ended";
    }
    let silence_us = last_record_us.map_or(0, |last| last - stretch.to_us);
    // A client that warned at least every ten minutes and now goes on without warning is right again.
    let rhythmic = stretch.samples >= 3
        && stretch.rhythm_us <= 10 * MINUTE_US
        && stretch.methods.contains("reported");
    if rhythmic && silence_us > (5 * stretch.rhythm_us).max(5 * MINUTE_US) {
        return "ended";
    }
    let soon_us = (2 * stretch.rhythm_us).clamp(2 * MINUTE_US, PAUSE_US);
    if silence_us <= soon_us {
        "ongoing"
    } else {
        "unknown"
    }
}

fn episodes(mut shares: Vec<Share<'_>>, servers: &[Server]) -> Vec<Episode> {
    shares.sort_by(|a, b| {
        let key = |share: &Share<'_>| (share.clock, share.stretch.from_us);
        (key(a), &a.node.node, a.program).cmp(&(key(b), &b.node.node, b.program))
    });
    let mut groups: Vec<Vec<Share<'_>>> = Vec::new();
    for share in shares {
        let group = groups.iter_mut().find(|group| {
            let end = group
                .iter()
                .map(|other| other.stretch.to_us)
                .max()
                .unwrap_or(i64::MIN);
            let anchor = &group[0];
            anchor.clock == share.clock
                && share.stretch.from_us <= end.saturating_add(TOGETHER_US)
                && (anchor.stretch.offset_s - share.stretch.offset_s).abs()
                    <= STEP_S + anchor.stretch.uncertainty_s + share.stretch.uncertainty_s
        });
        match group {
            Some(group) => group.push(share),
            None => groups.push(vec![share]),
        }
    }
    let mut episodes: Vec<(i64, Episode)> = groups
        .into_iter()
        .map(|group| {
            let from_us = group
                .iter()
                .map(|share| share.stretch.from_us)
                .min()
                .unwrap_or(0);
            (from_us, episode(&group, servers))
        })
        .collect();
    episodes.sort_by(|a, b| {
        (a.0, &a.1.kind, &a.1.nodes)
            .cmp(&(b.0, &b.1.kind, &b.1.nodes))
            .then(a.1.offset_s.total_cmp(&b.1.offset_s))
    });
    episodes.into_iter().map(|(_, episode)| episode).collect()
}

fn episode(group: &[Share<'_>], servers: &[Server]) -> Episode {
    let from_us = group
        .iter()
        .map(|share| share.stretch.from_us)
        .min()
        .unwrap_or(0);
    let to_us = group
        .iter()
        .map(|share| share.stretch.to_us)
        .max()
        .unwrap_or(0);
    // One value per node: a node with many lines does not outvote the others.
    let mut per_node: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    // The state a program ended in is that of its last share.
    let mut states: BTreeMap<(&str, &str), (i64, &str)> = BTreeMap::new();
    let mut refs: Vec<String> = Vec::new();
    let mut clients: BTreeSet<&str> = BTreeSet::new();
    let mut methods: BTreeSet<String> = BTreeSet::new();
    for share in group {
        let name = share.node.node.as_str();
        if !per_node.contains_key(name) && refs.len() < REFS_MAX {
            refs.push(share.stretch.first_ref.clone());
        }
        per_node
            .entry(name)
            .or_default()
            .push(share.stretch.offset_s);
        let state = states
            .entry((name, share.program))
            .or_insert((i64::MIN, ""));
        *state = (*state).max((share.stretch.to_us, share.status));
        clients.extend(share.node.client.as_deref());
        methods.extend(share.stretch.methods.iter().cloned());
    }
    let mut offsets: Vec<f64> = per_node.values_mut().map(|values| median(values)).collect();
    let offset_s = micro(median(&mut offsets));
    let states: BTreeSet<&str> = states.values().map(|(_, state)| *state).collect();
    let status = ["ongoing", "unknown", "ended"]
        .into_iter()
        .find(|state| states.contains(state))
        .unwrap_or("unknown");
    let clock = group[0].clock;
    let nodes: Vec<String> = per_node.keys().map(|name| (*name).to_owned()).collect();
    let causes = causes(
        clock,
        offset_s,
        &clients,
        &methods,
        nodes.len(),
        servers,
        (from_us, to_us),
        &refs,
    );
    Episode {
        kind: match clock {
            Clock::Stamp => "stamp_clock_skew",
            Clock::Slot => "slot_clock_skew",
        }
        .to_owned(),
        from: format_utc_short(from_us),
        to: format_utc_short(to_us),
        status: status.to_owned(),
        offset_s,
        causes,
        refs,
        nodes,
        basis: "observed".to_owned(),
        methods: methods.into_iter().collect(),
    }
}
