//! How fast evidence is unpacked: `cargo run --release -p evidence --example unpack -- PATH…`
//!
//! Reads every source under the paths as ingest does (decoded ahead, hashed, cut into blocks) and looks at
//! each byte a few times where a parser would. Prints MB/s of decoded text and how many cores were busy.
#![allow(clippy::print_stdout, reason = "an example prints")]

use evidence::{Blocks, Found, Limits, Piece, Stream, Streams, walk};
use std::path::PathBuf;
use std::time::Instant;

/// How often the stand-in for a parser goes over a block: about 600 MB/s in all.
const ROUNDS: usize = 6;

fn main() {
    let mut paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let looked_at = paths.iter().any(|path| path.as_os_str() == "--only-read");
    paths.retain(|path| path.as_os_str() != "--only-read");
    let (began, cpu) = (Instant::now(), cpu_seconds("self"));
    let (mut sources, mut bytes, mut sum) = (0u64, 0u64, 0u64);
    for found in walk(&paths) {
        let Found::File { path, .. } = found else {
            continue;
        };
        let Ok(mut streams) = Streams::open(&path, Limits::default()) else {
            continue;
        };
        while let Some(stream) = streams.next() {
            let Stream::Source(reader) = stream else {
                continue;
            };
            sources += 1;
            let mut blocks = Blocks::new(*reader, 2 << 20, 1 << 20);
            let mut cut = |lines: &[u8]| (!lines.is_empty()).then_some(lines.len());
            while let Ok(Some(piece)) = blocks.next(&mut cut, &mut |_| {}) {
                if let Piece::Block { bytes: block, .. } = piece {
                    bytes += block.len() as u64;
                    for round in 0..if looked_at { 0 } else { ROUNDS } {
                        sum += block.iter().filter(|byte| **byte == round as u8).count() as u64;
                    }
                    blocks.recycle(block);
                }
            }
            blocks.into_inner().finish();
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let (total, reading) = (cpu_seconds("self") - cpu, cpu_seconds("thread-self"));
    println!(
        "{sources} sources, {:.0} MB in {seconds:.2} s: {:.0} MB/s, {:.2} cores busy; \
         CPU {total:.2} s, of it {:.2} s decoding ahead ({sum})",
        bytes as f64 / 1e6,
        bytes as f64 / 1e6 / seconds,
        total / seconds,
        total - reading,
    );
}

/// CPU time of the process or this thread so far, from Linux's ticks of 10 ms; 0 elsewhere.
fn cpu_seconds(of: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{of}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split(' ')
        .collect();
    let ticks = |at: usize| -> f64 {
        fields
            .get(at)
            .and_then(|text| text.parse().ok())
            .unwrap_or(0.0)
    };
    (ticks(12) + ticks(13)) / 100.0
}
