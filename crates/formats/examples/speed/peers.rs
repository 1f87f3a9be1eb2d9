//! Programs that read logs as well, where somebody has installed them: `cargo install ag` (its program is called
//! `agrind`), `apt-get install lnav`, and pamburus' hl, built from its sources (what `cargo install hl` fetches is
//! another program).

use std::path::Path;
use std::process::{Command, Stdio};

/// Name, and the arguments before the log's path.
type Peer = (&'static str, &'static [&'static str]);

const LNAV: Peer = ("lnav", &["-n", "-c", ";SELECT count(*) FROM all_logs"]);

fn peers(name: &str) -> &'static [Peer] {
    if name.contains("json") && !name.contains('/') {
        &[
            ("agrind", &["* | json | count", "--file"]),
            ("hl", &["--paging=never"]),
            LNAV,
        ]
    } else if name == "logfmt" {
        &[
            ("agrind", &["* | logfmt | count", "--file"]),
            ("hl", &["--paging=never"]),
            LNAV,
        ]
    } else if name.starts_with("docker/") {
        &[
            (
                "agrind",
                &[
                    "* | json | parse \"* * *\" from log as a, b, c | count",
                    "--file",
                ],
            ),
            LNAV,
        ]
    } else {
        &[
            (
                "agrind",
                &["* | parse \"* * *\" as a, b, c | count", "--file"],
            ),
            LNAV,
        ]
    }
}

/// Processor seconds of all children that have ended: the fields 16 and 17 of `/proc/self/stat`, in hundredths.
fn children_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let field = |n: usize| -> f64 {
        let word = after.split_whitespace().nth(n);
        word.and_then(|word| word.parse().ok()).unwrap_or(0.0)
    };
    (field(13) + field(14)) / 100.0
}

/// Prints what each peer takes for the log, and how many times as fast we are.
pub(crate) fn run(name: &str, log: &[u8], ours: f64) {
    // Long enough for a clock of hundredths.
    let copies = (64 << 20) / log.len().max(1) + 1;
    let path = std::env::temp_dir().join(format!("coroner-speed-{}.log", std::process::id()));
    if std::fs::write(&path, log.repeat(copies)).is_err() {
        println!("    no room for the peers' log in {}", path.display());
        return;
    }
    for (program, arguments) in peers(name) {
        match measure(program, arguments, &path) {
            None => println!("    {program} is not installed"),
            // A peer that understands nothing is fast.
            Some((_, Some(0))) => println!("    {program} finds no record in it"),
            Some((seconds, found)) => {
                let theirs = (log.len() * copies) as f64 / 1e6 / seconds.max(0.01);
                let found = found.map_or(String::new(), |count| format!(", {count} records"));
                println!(
                    "    {program}: {theirs:.0} MB per processor second{found}; we are {:.1} times as fast",
                    ours / theirs
                );
            }
        }
    }
    let _ = std::fs::remove_file(path);
}

/// Processor seconds, and how many records it says there are: the number its output ends with, if it was asked
/// to count.
fn measure(program: &str, arguments: &[&str], path: &Path) -> Option<(f64, Option<u64>)> {
    let counts = arguments.iter().any(|word| word.contains("count"));
    let before = children_s();
    let output = Command::new(program)
        .args(arguments)
        .arg(path)
        .stdin(Stdio::null())
        .stdout(if counts {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let seconds = children_s() - before;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.split_whitespace().next_back();
    let found = counts.then(|| last.and_then(|word| word.parse().ok()).unwrap_or(0));
    Some((seconds, found))
}
