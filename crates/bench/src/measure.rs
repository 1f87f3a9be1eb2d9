//! Children, measured by the kernel: wall time, processor time, peak memory.
//!
//! The measuring is done by a few lines of Python (`wait4` gives one child's own figures), which is
//! here anyway for the peers and needs no unsafe code on our side.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const MEASURE: &str = include_str!("../peers/measure.py");
const DUCKDB: &str = include_str!("../peers/duckdb_extract.py");
const POLARS: &str = include_str!("../peers/polars_extract.py");

/// What one child took.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Seconds from start to end.
    pub wall_s: f64,
    /// Seconds of user and system time.
    pub cpu_s: f64,
    /// Peak resident memory.
    pub rss_bytes: u64,
    /// Exit code.
    pub code: i64,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

/// A Python with the peers installed.
#[derive(Clone, Debug)]
pub struct Python {
    path: PathBuf,
    scripts: PathBuf,
}

impl Python {
    /// Finds or makes the environment `~/.cache/coroner-test/py`, and lays the scripts into `folder`.
    ///
    /// # Errors
    /// If Python or the package index is missing.
    pub fn prepare(folder: &Path) -> Result<Python> {
        let home = std::env::var_os("HOME").context("HOME is not set")?;
        let environment = Path::new(&home).join(".cache/coroner-test/py");
        let path = environment.join("bin/python");
        if !path.exists() {
            let made = Command::new("python3")
                .args(["-m", "venv"])
                .arg(&environment)
                .status();
            ensure!(
                made.context("python3 is not installed")?.success(),
                "python3 -m venv failed"
            );
        }
        let probe = Command::new(&path)
            .args(["-c", "import duckdb, polars"])
            .output()?;
        if !probe.status.success() {
            let install = ["-m", "pip", "install", "--quiet", "duckdb", "polars"];
            ensure!(
                Command::new(&path).args(install).status()?.success(),
                "pip install failed"
            );
        }
        let scripts = folder.join("peers");
        fs::create_dir_all(&scripts)?;
        for (name, text) in [
            ("measure.py", MEASURE),
            ("duckdb.py", DUCKDB),
            ("polars.py", POLARS),
        ] {
            // A script called duckdb.py would be imported in place of the module.
            fs::write(scripts.join(name.replace(".py", "_peer.py")), text)?;
        }
        Ok(Python { path, scripts })
    }

    /// Runs a command and measures it.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn measure(&self, command: &[&str]) -> Result<Measured> {
        let output = Command::new(&self.path)
            .arg(self.scripts.join("measure_peer.py"))
            .args(command)
            .output()?;
        ensure!(
            output.status.success(),
            "cannot measure {}: {}",
            command.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        let told: Value = serde_json::from_slice(&output.stdout)?;
        let number = |key: &str| told[key].as_f64().unwrap_or(0.0);
        let text = |key: &str| told[key].as_str().unwrap_or("").to_owned();
        Ok(Measured {
            wall_s: number("wall_s"),
            cpu_s: number("cpu_s"),
            rss_bytes: number("rss_bytes") as u64,
            code: told["code"].as_i64().unwrap_or(-1),
            stdout: text("stdout"),
            stderr: text("stderr"),
        })
    }

    /// Runs a peer's extraction from `log` to `out` and measures it.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn peer(&self, name: &str, shape: &str, log: &Path, out: &Path) -> Result<Measured> {
        let script = self.scripts.join(format!("{name}_peer.py"));
        self.measure(&[
            &self.path.to_string_lossy(),
            &script.to_string_lossy(),
            shape,
            &log.to_string_lossy(),
            &out.to_string_lossy(),
        ])
    }
}

/// Returns the bytes of all files under a folder; 0 if there is none.
pub fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return fs::metadata(folder).map_or(0, |meta| meta.len());
    };
    entries
        .flatten()
        .map(|entry| folder_bytes(&entry.path()))
        .sum()
}
