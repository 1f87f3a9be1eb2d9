//! Megabytes per second of the parser alone, format by format, on one core.
//!
//! `cargo run --release -p formats --example speed [-- --only NAME,… --mib N --runs N --peers --write FOLDER]`.
//! Logs are made from a seed in memory; the figure is the best of some runs in processor time of this thread, so
//! that a busy machine changes it little. `--peers` runs `agrind`, `hl` and `lnav`, where they are installed,
//! over the same logs as children and prints their processor time's ratio: theirs starts, reads the file and
//! counts, ours has it in memory and keeps nothing.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a tool for people who make parsing faster"
)]

mod layout;
mod mix;
mod peers;

use formats::Catalogue;
use layout::{Clock, Layout, Wrapper};
use mix::{Line, Mix};
use model::{Position, Record, RecordSink, Reject, Span};
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeSet;
use std::convert::Infallible;
use testkit::Rng;

/// What a log is made of.
struct Row {
    name: &'static str,
    /// What a format of this class should reach, in MB/s.
    goal: u32,
    mix: &'static str,
    layout: Layout,
    wrapper: Wrapper,
}

/// Text without a wrapper, JSON, and text in docker's JSON.
const TEXT: u32 = 600;
const JSON: u32 = 300;
const DOCKER: u32 = 300;
/// No goal is set.
const FREE: u32 = 0;

macro_rules! rows {
    ($($name:literal $goal:ident $mix:literal $layout:ident $wrapper:ident;)*) => {
        &[$(Row {
            name: $name,
            goal: $goal,
            mix: include_str!(concat!("mixes/", $mix, ".txt")),
            layout: layout::$layout,
            wrapper: layout::$wrapper,
        }),*]
    };
}

const ROWS: &[Row] = rows! {
    "prysm-terminal"        TEXT   "prysm"      logrus_terminal    bare;
    "prysm-quoted"          TEXT   "prysm"      logrus_quoted      bare;
    "lighthouse-slog"       TEXT   "lighthouse" slog               bare;
    "lighthouse-tracing"    TEXT   "lighthouse" slog_tracing       bare;
    "lighthouse-coloured"   FREE   "lighthouse" slog_coloured      bare;
    "teku-console"          TEXT   "teku"       log4j_console      bare;
    "teku-file"             TEXT   "teku"       log4j_file         bare;
    "nimbus"                TEXT   "nimbus"     chronicles         bare;
    "lodestar"              TEXT   "lodestar"   lodestar           bare;
    "grandine"              TEXT   "grandine"   grandine           bare;
    "zksync"                TEXT   "zksync"     tracing            bare;
    "zksync-coloured"       FREE   "zksync"     tracing_coloured   bare;
    "geth"                  TEXT   "geth"       geth               bare;
    "erigon"                TEXT   "erigon"     erigon             bare;
    "nethermind"            TEXT   "nethermind" nethermind         bare;
    "nethermind-console"    TEXT   "nethermind" nethermind_console bare;
    "besu"                  TEXT   "besu"       log4j_file         bare;
    "reth"                  TEXT   "reth"       tracing            bare;
    "postgres"              TEXT   "postgres"   postgres           bare;
    "logfmt"                FREE   "service"    logfmt             bare;
    "prysm-json"            JSON   "prysm"      logrus_json        bare;
    "lighthouse-json"       JSON   "lighthouse" slog_json          bare;
    "teku-json"             JSON   "teku"       log4j_json         bare;
    "nimbus-json"           JSON   "nimbus"     chronicles_json    bare;
    "lodestar-json"         JSON   "lodestar"   lodestar_json      bare;
    "zksync-json"           JSON   "zksync"     tracing_json       bare;
    "geth-json"             JSON   "geth"       geth_json          bare;
    "service-json"          JSON   "service"    service_json       bare;
    "docker/prysm"          DOCKER "prysm"      logrus_quoted      docker_json;
    "docker/lighthouse"     DOCKER "lighthouse" slog               docker_json;
    "docker/coloured"       DOCKER "lighthouse" slog_coloured      docker_json;
    "docker/teku"           DOCKER "teku"       log4j_console      docker_json;
    "docker/zksync"         DOCKER "zksync"     tracing            docker_json;
    "docker-t/lighthouse"   FREE   "lighthouse" slog               docker_timestamps;
    "cri/lighthouse"        FREE   "lighthouse" slog               cri;
    "cri/zksync-json"       FREE   "zksync"     tracing_json       cri;
    "kubectl/lighthouse"    FREE   "lighthouse" slog               kubectl;
    "compose/lighthouse"    FREE   "lighthouse" slog               compose;
    "journald/lighthouse"   FREE   "lighthouse" slog               journald;
    "fluentd/lighthouse"    FREE   "lighthouse" slog               fluentd;
    "elastic/lighthouse"    FREE   "lighthouse" slog               elastic;
};

impl Row {
    fn generate(&self, bytes: usize) -> (Vec<u8>, u64) {
        let mix = Mix::new(self.mix);
        let mut rng = Rng::new(20_230_512);
        let mut clock = Clock::new();
        let mut line = Line::default();
        let mut inner = String::new();
        let mut out = String::with_capacity(bytes + 4096);
        let mut lines = 0;
        while out.len() < bytes {
            clock.advance(rng.range(1_000, 66_000));
            mix.next(&mut rng, &mut line);
            inner.clear();
            (self.layout)(&line, &clock, &mut inner);
            (self.wrapper)(&inner, &clock, &mut out);
            out.push('\n');
            lines += 1;
        }
        (out.into_bytes(), lines)
    }
}

#[derive(Default)]
struct Count {
    records: u64,
    named: u64,
    rejects: u64,
    fields: u64,
}

/// The names of those who claimed the records.
#[derive(Default)]
struct Names(BTreeSet<String>);

impl RecordSink for Names {
    type Error = Infallible;

    fn record(&mut self, record: &Record<'_>) -> Result<(), Infallible> {
        if !self.0.contains(record.format) {
            self.0.insert(record.format.to_owned());
        }
        Ok(())
    }

    fn rejected(&mut self, _: Span, _: Reject) -> Result<(), Infallible> {
        Ok(())
    }
}

impl RecordSink for Count {
    type Error = Infallible;

    fn record(&mut self, record: &Record<'_>) -> Result<(), Infallible> {
        self.records += 1;
        self.named += u64::from(record.kind.is_some());
        self.fields += record.fields.len() as u64;
        Ok(())
    }

    fn rejected(&mut self, _: Span, _: Reject) -> Result<(), Infallible> {
        self.rejects += 1;
        Ok(())
    }
}

/// Seconds that this thread has had a processor.
fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

struct Options {
    only: Vec<String>,
    mib: usize,
    runs: u32,
    peers: bool,
    write: Option<std::path::PathBuf>,
}

fn options() -> Options {
    let mut options = Options {
        only: Vec::new(),
        mib: 4,
        runs: 7,
        peers: false,
        write: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value after the option");
        match word.as_str() {
            "--only" => options.only = value().split(',').map(String::from).collect(),
            "--mib" => options.mib = value().parse().expect("a number"),
            "--runs" => options.runs = value().parse().expect("a number"),
            "--peers" => options.peers = true,
            "--write" => options.write = Some(value().into()),
            other => panic!("unknown option {other}: see the head of this example"),
        }
    }
    options
}

fn main() {
    let options = options();
    println!(
        "{:<22} {:>6} {:>6}  {:>7} {:>6} {:>6} {:>7}  read as",
        "format", "MB/s", "goal", "ns/line", "B/line", "named", "rejects"
    );
    let mut missed = 0;
    for row in ROWS {
        // A name, or a part of several.
        let wanted = |only: &String| match ROWS.iter().any(|row| row.name == only) {
            true => row.name == only,
            false => row.name.contains(only.as_str()),
        };
        if !options.only.is_empty() && !options.only.iter().any(wanted) {
            continue;
        }
        let (log, lines) = row.generate(options.mib << 20);
        if let Some(folder) = &options.write {
            let path = folder.join(row.name.replace('/', "-") + ".log");
            std::fs::write(path, &log).unwrap();
        }
        let mut parser = Catalogue::builtin().parser();
        let mut names = Names::default();
        let Ok(()) = parser.parse_block(&log, Position::START, &mut names);
        let mut best = f64::INFINITY;
        let mut count = Count::default();
        for _ in 0..options.runs {
            count = Count::default();
            let start = cpu_s();
            let Ok(()) = parser.parse_block(&log, Position::START, &mut count);
            best = best.min(cpu_s() - start);
        }
        let speed = log.len() as f64 / 1e6 / best;
        let goal = match row.goal {
            FREE => String::new(),
            goal => goal.to_string(),
        };
        let short = row.goal != FREE && speed < f64::from(row.goal);
        missed += u32::from(short);
        println!(
            "{:<22} {speed:>6.0} {goal:>6}{} {:>7.0} {:>6} {:>5.0}% {:>7}  {}",
            row.name,
            if short { "!" } else { " " },
            best * 1e9 / lines as f64,
            log.len() as u64 / lines,
            100.0 * count.named as f64 / count.records.max(1) as f64,
            count.rejects + lines.abs_diff(count.records + count.rejects),
            names.0.into_iter().collect::<Vec<_>>().join(", "),
        );
        if options.peers {
            peers::run(row.name, &log, speed);
        }
    }
    println!("{missed} goals missed");
}
