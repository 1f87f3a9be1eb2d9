//! Programs that read logs as well, where somebody has installed them: `cargo install agrind`, `cargo install hl`,
//! `apt-get install lnav`.

use std::path::Path;
use std::process::{Command, Stdio};

/// Name, and the arguments before the log's path.
type Peer = (&'static str, &'static [&'static str]);

const LNAV: Peer = (
    "lnav",
    &["-n", "-q", "-c", ";SELECT count(*) FROM all_logs"],
);

fn peers(name: &str) -> &'static [Peer] {
    if name.contains("json") && !name.contains('/') {
        &[
            ("ag", &["* | json | count", "--file"]),
            ("hl", &["--paging=never"]),
            LNAV,
        ]
    } else if name == "logfmt" {
        &[
            ("ag", &["* | logfmt | count", "--file"]),
            ("hl", &["--paging=never"]),
            LNAV,
        ]
    } else if name.starts_with("docker/") {
        &[
            (
                "ag",
                &[
                    "* | json | parse \"* * *\" from log as a, b, c | count",
                    "--file",
                ],
            ),
            LNAV,
        ]
    } else {
        &[
            ("ag", &["* | parse \"* * *\" as a, b, c | count", "--file"]),
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
        match cpu_of(program, arguments, &path) {
            None => println!("    {program} is not installed"),
            Some(seconds) => {
                let theirs = (log.len() * copies) as f64 / 1e6 / seconds.max(0.01);
                println!(
                    "    {program}: {theirs:.0} MB per processor second, we are {:.1} times as fast",
                    ours / theirs
                );
            }
        }
    }
    let _ = std::fs::remove_file(path);
}

fn cpu_of(program: &str, arguments: &[&str], path: &Path) -> Option<f64> {
    let before = children_s();
    Command::new(program)
        .args(arguments)
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .ok()?;
    Some(children_s() - before)
}
