//! `cargo run --release -p bench`: see the crate's documentation.

use anyhow::{Result, bail, ensure};
use bench::{LogWriter, Measured, Python, folder_bytes, parse_only};
use clap::{Parser, ValueEnum};
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{BufWriter, Write, stdout},
    path::{Path, PathBuf},
};
use testkit::prysm::Shape;

/// Runs coroner and its peers over one generated log and prints what each took.
#[derive(Parser)]
struct Options {
    /// Size of the log, in MiB.
    #[arg(long, default_value_t = 1024)]
    mib: u64,
    /// Shape of its lines.
    #[arg(long, value_enum, default_value_t = LineShape::Quoted)]
    shape: LineShape,
    /// Folder for log, case and results; the log is kept for the next run.
    #[arg(long, default_value = "/tmp/coroner-bench")]
    folder: PathBuf,
    /// The coroner to measure; by default the one beside this program.
    #[arg(long)]
    coroner: Option<PathBuf>,
    /// What to run.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [What::Parse, What::Coroner, What::Duckdb, What::Polars])]
    only: Vec<What>,
    /// Threads for coroner (default: its own choice).
    #[arg(long)]
    threads: Option<u32>,
    /// Only writes the log.
    #[arg(long)]
    generate: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LineShape {
    Terminal,
    Quoted,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// `formats` alone, in this process, on one thread.
    Parse,
    Coroner,
    Duckdb,
    Polars,
}

fn main() -> Result<()> {
    let options = Options::parse();
    fs::create_dir_all(&options.folder)?;
    let (name, shape) = match options.shape {
        LineShape::Terminal => ("terminal", Shape::Terminal),
        LineShape::Quoted => ("quoted", Shape::Quoted),
    };
    let log = options
        .folder
        .join(format!("prysm-{name}-{}.log", options.mib));
    generate(&log, options.mib << 20, shape)?;
    if options.generate {
        return Ok(());
    }
    let raw = fs::metadata(&log)?.len();
    let mut out = stdout().lock();
    writeln!(out, "{}: {:.1} MB", log.display(), raw as f64 / 1e6)?;

    // What was just written lies in the page cache for everybody.
    if options.only.contains(&What::Parse) {
        let figures = parse_only(&log)?;
        let speed = |seconds: f64| raw as f64 / 1e6 / seconds;
        writeln!(
            out,
            "parse only, 1 thread: {:.0} MB/s (read and hash {:.0} MB/s, cut {:.0} MB/s); {} records, {} named, {} observations, rejects {:?}",
            speed(figures.parse_s),
            speed(figures.read_s),
            speed(figures.cut_s),
            figures.records,
            figures.named,
            figures.observations,
            figures.rejects
        )?;
    }
    if options.only == [What::Parse] {
        return Ok(());
    }
    let python = Python::prepare(&options.folder)?;
    let mut rows: Vec<(&str, Measured)> = Vec::new();
    for what in &options.only {
        let (name, measured) = match what {
            What::Parse => continue,
            What::Coroner => {
                let case = options.folder.join("case");
                let _ = fs::remove_dir_all(&case);
                let measured = ingest(&python, &options, &case, &log)?;
                sizes(&mut out, &case, raw)?;
                stages(&mut out, &measured)?;
                ("coroner", measured)
            }
            What::Duckdb => (
                "duckdb",
                peer(&python, "duckdb", name, &log, &options.folder)?,
            ),
            What::Polars => (
                "polars",
                peer(&python, "polars", name, &log, &options.folder)?,
            ),
        };
        rows.push((name, measured));
    }
    writeln!(
        out,
        "{:<10} {:>8} {:>8} {:>8} {:>12} {:>9}",
        "", "wall s", "cpu s", "MB/s", "MB per cpu s", "RSS MiB"
    )?;
    let mb = raw as f64 / 1e6;
    for (name, measured) in &rows {
        if *name != "coroner" {
            // Rows, and rows whose time was understood: a peer that matched nothing would be fast.
            writeln!(out, "{name} extracted {}", measured.stdout.trim())?;
        }
    }
    for (name, measured) in &rows {
        writeln!(
            out,
            "{name:<10} {:>8.2} {:>8.2} {:>8.0} {:>12.0} {:>9.0}",
            measured.wall_s,
            measured.cpu_s,
            mb / measured.wall_s,
            mb / measured.cpu_s,
            measured.rss_bytes as f64 / 1_048_576.0
        )?;
    }
    if let Some((_, ours)) = rows.iter().find(|(name, _)| *name == "coroner") {
        for (name, theirs) in rows.iter().filter(|(name, _)| *name != "coroner") {
            writeln!(
                out,
                "coroner / {name}: {:.2} x MB/s, {:.2} x MB per cpu s, {:.2} x RSS",
                theirs.wall_s / ours.wall_s,
                theirs.cpu_s / ours.cpu_s,
                ours.rss_bytes as f64 / theirs.rss_bytes as f64
            )?;
        }
    }
    Ok(())
}

fn generate(log: &Path, bytes: u64, shape: Shape) -> Result<()> {
    if fs::metadata(log).is_ok_and(|meta| meta.len() >= bytes) {
        return Ok(());
    }
    let part = log.with_extension("part");
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&part)?);
    LogWriter::new(20_200_814, shape).write(bytes, &mut out)?;
    out.flush()?;
    fs::rename(part, log)?;
    Ok(())
}

fn ingest(python: &Python, options: &Options, case: &Path, log: &Path) -> Result<Measured> {
    let coroner = match &options.coroner {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("coroner"),
    };
    ensure!(
        coroner.exists(),
        "no {}: build it with `cargo build --release -p cli`",
        coroner.display()
    );
    let mut command: Vec<String> = [&coroner, Path::new("ingest"), case, log]
        .iter()
        .map(|part| part.display().to_string())
        .collect();
    command.extend(
        [
            "--index",
            "never",
            "--format",
            "json",
            "--progress",
            "never",
        ]
        .map(String::from),
    );
    if let Some(threads) = options.threads {
        command.extend(["--threads".to_owned(), threads.to_string()]);
    }
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    checked(python.measure(&command)?, "coroner")
}

fn peer(python: &Python, name: &str, shape: &str, log: &Path, folder: &Path) -> Result<Measured> {
    let out = folder.join(format!("{name}.parquet"));
    let _ = fs::remove_file(&out);
    checked(python.peer(name, shape, log, &out)?, name)
}

fn checked(measured: Measured, name: &str) -> Result<Measured> {
    if measured.code != 0 {
        bail!("{name} ended with {}: {}", measured.code, measured.stderr);
    }
    Ok(measured)
}

fn sizes(out: &mut dyn Write, case: &Path, raw: u64) -> Result<()> {
    for part in ["records", "obs", "rejects", "evidence"] {
        let bytes = folder_bytes(&case.join(part));
        writeln!(
            out,
            "{part}: {:.1} MB, {:.3} of raw",
            bytes as f64 / 1e6,
            bytes as f64 / raw as f64
        )?;
    }
    Ok(())
}

/// Prints the share of each stage, where the report of ingest says it.
fn stages(out: &mut dyn Write, measured: &Measured) -> Result<()> {
    let report: Value = serde_json::from_str(&measured.stdout).unwrap_or_default();
    let Some(stages) = report["stages"].as_object() else {
        return Ok(());
    };
    let seconds = |value: &Value| value.as_f64().unwrap_or(0.0);
    let total: f64 = stages.values().map(seconds).sum();
    for (name, value) in stages {
        let share = 100.0 * seconds(value) / total.max(f64::MIN_POSITIVE);
        writeln!(out, "stage {name}: {:.2} s, {share:.0} %", seconds(value))?;
    }
    Ok(())
}
