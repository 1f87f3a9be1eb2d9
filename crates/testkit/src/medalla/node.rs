//! The ten nodes: how each writes, when each was wrong, and the files each leaves.

use super::{
    Block,
    process::{Clock, Process, Written},
    utc,
};
use crate::{
    Rng, Sample,
    prysm::{Shape, go_json_string},
};
use model::time::{MICROS_PER_SECOND as SECOND, format_civil, format_utc};
use serde_json::{Value, json};

/// What stands around a node's lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrap {
    None,
    JournaldShort,
    DockerJson,
}

/// A node's place in the incident.
pub(super) struct Node {
    name: &'static str,
    shape: Shape,
    wrap: Wrap,
    /// Seconds east of UTC of its stamps.
    zone: (i32, &'static str),
    packed: bool,
    from: &'static str,
    to: &'static str,
    /// When beacon node and validator first measured the wrong offset; empty if never.
    skewed: [&'static str; 2],
    /// Second of the minute at which they measure again while it is wrong.
    tick: [i64; 2],
    /// When the beacon node was stopped and started anew; empty if it was not.
    restart: [&'static str; 2],
    /// Its validators; 0 for none.
    keys: i64,
    about: &'static str,
}

pub(super) const NODES: &[Node] = &[
    Node {
        name: "prysm-1",
        shape: Shape::Terminal,
        wrap: Wrap::None,
        zone: (0, "UTC"),
        packed: false,
        from: "2020-08-14T17:00:00Z",
        to: "2020-08-14T19:20:00Z",
        skewed: ["2020-08-14T17:29:52Z", "2020-08-14T17:33:21Z"],
        tick: [52, 21],
        restart: ["2020-08-14T17:58:07Z", "2020-08-14T17:58:31Z"],
        keys: 6,
        about: "logs UTC and does not say so; restarted while its clock was wrong",
    },
    Node {
        name: "prysm-2",
        shape: Shape::Terminal,
        wrap: Wrap::None,
        zone: (-4 * 3600, "EDT"),
        packed: false,
        from: "2020-08-14T17:00:00Z",
        to: "2020-08-14T19:20:00Z",
        skewed: ["2020-08-14T17:29:49Z", "2020-08-14T17:31:44Z"],
        tick: [49, 44],
        restart: ["2020-08-14T18:06:12Z", "2020-08-14T18:06:40Z"],
        keys: 6,
        about: "logs US Eastern daylight time and does not say so; restarted while its clock was wrong",
    },
    Node {
        name: "prysm-3",
        shape: Shape::Quoted,
        wrap: Wrap::None,
        zone: (0, "UTC"),
        packed: true,
        from: "2020-08-14T16:40:00Z",
        to: "2020-08-14T19:44:00Z",
        skewed: ["2020-08-14T17:34:05Z", "2020-08-14T17:31:12Z"],
        tick: [5, 12],
        restart: ["", ""],
        keys: 8,
        about: "a plain systemd host in UTC",
    },
    Node {
        name: "prysm-4",
        shape: Shape::Quoted,
        wrap: Wrap::JournaldShort,
        zone: (2 * 3600, "CEST"),
        packed: false,
        from: "2020-08-14T17:10:00Z",
        to: "2020-08-14T18:56:00Z",
        skewed: ["2020-08-14T17:32:30Z", ""],
        tick: [30, 0],
        restart: ["", ""],
        keys: 0,
        about: "journalctl's short form, Central European summer time inside and outside",
    },
    Node {
        name: "prysm-5",
        shape: Shape::Quoted,
        wrap: Wrap::DockerJson,
        zone: (0, "UTC"),
        packed: false,
        from: "2020-08-14T17:15:00Z",
        to: "2020-08-14T18:53:00Z",
        skewed: ["2020-08-14T17:31:37Z", "2020-08-14T17:34:59Z"],
        tick: [37, 59],
        restart: ["", ""],
        keys: 4,
        about: "docker's json-file, whose stamps are UTC and say so",
    },
    Node {
        name: "prysm-6",
        shape: Shape::Json,
        wrap: Wrap::None,
        zone: (0, "UTC"),
        packed: true,
        from: "2020-08-14T17:00:00Z",
        to: "2020-08-14T19:10:00Z",
        skewed: ["2020-08-14T17:35:16Z", ""],
        tick: [16, 0],
        restart: ["", ""],
        keys: 0,
        about: "--log-format=json, whose times say their zone",
    },
    Node {
        name: "prysm-7",
        shape: Shape::Quoted,
        wrap: Wrap::None,
        zone: (-7 * 3600, "PDT"),
        packed: true,
        from: "2020-08-14T16:50:00Z",
        to: "2020-08-14T19:30:00Z",
        skewed: ["2020-08-14T17:33:53Z", "2020-08-14T17:30:20Z"],
        tick: [53, 20],
        restart: ["", ""],
        keys: 8,
        about: "US Pacific daylight time, not said",
    },
    Node {
        name: "prysm-8",
        shape: Shape::Quoted,
        wrap: Wrap::None,
        zone: (0, "UTC"),
        packed: true,
        from: "2020-08-14T17:00:00Z",
        to: "2020-08-14T19:20:00Z",
        skewed: ["", "2020-08-14T17:32:09Z"],
        tick: [0, 9],
        restart: ["", ""],
        keys: 6,
        about: "no time server reaches its beacon node, whose clock stays right; its validator elsewhere is wrong",
    },
    Node {
        name: "prysm-9",
        shape: Shape::Quoted,
        wrap: Wrap::None,
        zone: (0, "UTC"),
        packed: true,
        from: "2020-08-14T17:00:00Z",
        to: "2020-08-14T19:30:00Z",
        skewed: ["2020-08-14T17:32:58Z", ""],
        tick: [58, 0],
        restart: ["2020-08-14T18:02:00Z", "2020-08-14T18:51:20Z"],
        keys: 0,
        about: "dies without a word at 18:02 and is started again at 18:51",
    },
    Node {
        name: "prysm-10",
        shape: Shape::Quoted,
        wrap: Wrap::None,
        zone: (19_800, "IST"),
        packed: true,
        from: "2020-08-14T17:00:00Z",
        to: "2020-08-14T19:20:00Z",
        skewed: ["2020-08-14T17:34:33Z", "2020-08-14T17:33:02Z"],
        tick: [33, 2],
        restart: ["", ""],
        keys: 6,
        about: "Indian time, not said",
    },
];

fn time(text: &str) -> Option<i64> {
    (!text.is_empty()).then(|| utc(text))
}

impl Node {
    /// Runs its processes, adds their files and returns the truth about it.
    pub(super) fn run(&self, rng: &mut Rng, blocks: &[Block], sample: &mut Sample) -> Value {
        let mut truth = Vec::new();
        let span = (utc(self.from), utc(self.to));
        for (role, index) in [("beacon", 0), ("validator", 1)] {
            if index == 1 && self.keys == 0 {
                continue;
            }
            let restart = (index == 0)
                .then(|| time(self.restart[0]).zip(time(self.restart[1])))
                .flatten();
            let runs = match restart {
                Some((stop, start)) => vec![(span.0, stop), (start, span.1)],
                None => vec![span],
            };
            let mut all = Vec::new();
            let mut processes = Vec::new();
            for (run, (from, to)) in runs.into_iter().enumerate() {
                let clock = Clock::new(
                    rng,
                    time(self.skewed[index]),
                    self.tick[index],
                    from,
                    self.name,
                );
                let beacon_skew = Clock::new(
                    &mut rng.clone(),
                    time(self.skewed[0]),
                    self.tick[0],
                    span.0,
                    "",
                );
                let mut process = Process {
                    rng: Rng::new(rng.bits()),
                    clock,
                    from,
                    to,
                    started: run == 1,
                    killed: self.name == "prysm-9" && run == 0,
                    zone: self.zone,
                    lines: Vec::new(),
                };
                match role {
                    "beacon" => process.beacon(blocks),
                    _ => process.validator(self.keys, &beacon_skew),
                }
                processes.push(process.truth(role));
                all.extend(process.lines);
            }
            let mut counts = std::collections::BTreeMap::<String, u64>::new();
            for written in &all {
                let name = written
                    .line
                    .message
                    .split(" of size")
                    .next()
                    .unwrap_or_default();
                *counts.entry(name.to_owned()).or_default() += 1;
            }
            let gz = if self.packed { ".gz" } else { "" };
            let extension = if self.wrap == Wrap::DockerJson {
                "-json.log"
            } else {
                ".log"
            };
            let path = format!("input/{}/{role}{extension}{gz}", self.name);
            truth.push(json!({
                "file": path,
                "role": role,
                "lines": all.len(),
                "messages": counts,
                "processes": processes,
            }));
            sample.add(path, self.print(role, &all, rng));
        }
        json!({
            "node": self.name,
            "about": self.about,
            "zone_seconds": self.zone.0,
            "files": truth,
        })
    }

    fn print(&self, role: &str, lines: &[Written], rng: &mut Rng) -> String {
        let mut out = String::new();
        let pid = rng.range(700, 9_000);
        for Written { at, line } in lines {
            let stamp = at + i64::from(self.zone.0) * SECOND;
            let text = line.print(self.shape, stamp);
            match self.wrap {
                Wrap::None => out.push_str(&text),
                Wrap::JournaldShort => {
                    let time = format_civil(stamp);
                    out.push_str(&format!(
                        "Aug {} {} {} {role}-chain[{pid}]: {text}",
                        &time[8..10],
                        &time[11..19],
                        self.name
                    ));
                }
                Wrap::DockerJson => {
                    // The daemon reads the pipe a little later; end zeros of its stamp go.
                    let read = at + rng.range(80, 900);
                    let stamp = format!("{}{:03}", format_civil(read), rng.below(1000));
                    out.push_str(&format!(
                        "{{\"log\":{},\"stream\":\"stderr\",\"time\":\"{}Z\"}}",
                        go_json_string(&format!("{text}\n")),
                        stamp.trim_end_matches('0')
                    ));
                }
            }
            out.push('\n');
        }
        out
    }
}

/// An episode as the truth names it.
pub(super) fn episode(from: i64, to: i64, reports: &[i64]) -> Value {
    let mean = reports.iter().map(|ns| *ns as f64 / 1e9).sum::<f64>() / reports.len().max(1) as f64;
    json!({
        "from": format_utc(from),
        "to": format_utc(to),
        "offset_s_mean": (mean * 1e6).round() / 1e6,
        "reports": reports.len(),
    })
}
