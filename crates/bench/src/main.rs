//! `cargo run --release -p bench`: see the crate's documentation.

mod dumps;

use anyhow::{Context, Result, bail};
use bench::{LogWriter, Measured, Python, folder_bytes, parse_only};
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{BufWriter, Write, stdout},
    path::{Path, PathBuf},
};
use testkit::prysm::Shape;

const USAGE: &str = "\
usage: bench [--mib N] [--shape quoted|terminal] [--folder FOLDER] [--coroner PROGRAM]
             [--only parse,coroner,duckdb,polars] [--threads N] [--generate]
       bench dumps [--rows N] [--folder FOLDER] [--coroner PROGRAM]

Generates a Prysm log of N MiB (1024) in FOLDER (/tmp/coroner-bench), where it is kept for the next
run, and prints what coroner and its peers take to read it. --generate only writes the log.
";

struct Options {
    mib: u64,
    terminal: bool,
    folder: PathBuf,
    /// By default the one beside this program.
    coroner: Option<PathBuf>,
    only: Vec<String>,
    threads: Option<u32>,
    generate: bool,
}

impl Options {
    /// Reads the command line. Only `cli` may know clap, and this is no tool for users.
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Options> {
        let mut options = Options {
            mib: 1024,
            terminal: false,
            folder: PathBuf::from("/tmp/coroner-bench"),
            coroner: None,
            only: ["parse", "coroner", "duckdb", "polars"]
                .map(String::from)
                .to_vec(),
            threads: None,
            generate: false,
        };
        while let Some(word) = words.next() {
            if word == "--generate" {
                options.generate = true;
                continue;
            }
            let value = words.next().context(USAGE)?;
            match word.as_str() {
                "--mib" => options.mib = value.parse()?,
                "--shape" if value == "terminal" => options.terminal = true,
                "--shape" if value == "quoted" => options.terminal = false,
                "--folder" => options.folder = PathBuf::from(value),
                "--coroner" => options.coroner = Some(PathBuf::from(value)),
                "--only" => options.only = value.split(',').map(String::from).collect(),
                "--threads" => options.threads = Some(value.parse()?),
                _ => bail!("{USAGE}"),
            }
        }
        Ok(options)
    }
}

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1).peekable();
    if words.next_if_eq("dumps").is_some() {
        return dumps::run(words);
    }
    let options = Options::parse(words)?;
    fs::create_dir_all(&options.folder)?;
    let (name, shape) = match options.terminal {
        true => ("terminal", Shape::Terminal),
        false => ("quoted", Shape::Quoted),
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
    if options.only.iter().any(|what| what == "parse") {
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
    if options.only == ["parse"] {
        return Ok(());
    }
    let python = Python::prepare(&options.folder)?;
    let mut rows: Vec<(&str, Measured)> = Vec::new();
    for what in &options.only {
        let measured = match what.as_str() {
            "parse" => continue,
            "coroner" => {
                let case = options.folder.join("case");
                let _ = fs::remove_dir_all(&case);
                let measured = ingest(&python, &options, &case, &log)?;
                sizes(&mut out, &case, raw)?;
                stages(&mut out, &measured)?;
                measured
            }
            "duckdb" | "polars" => peer(&python, what, name, &log, &options.folder)?,
            _ => bail!("{USAGE}"),
        };
        rows.push((what, measured));
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

/// Runs the program, or where it is not built the library's part of it.
fn ingest(python: &Python, options: &Options, case: &Path, log: &Path) -> Result<Measured> {
    let beside =
        |name: &str| -> Result<PathBuf> { Ok(std::env::current_exe()?.with_file_name(name)) };
    let coroner = match &options.coroner {
        Some(path) => path.clone(),
        None => beside("coroner")?,
    };
    let mut command: Vec<String> = Vec::new();
    if coroner.exists() {
        command.extend([coroner.display().to_string(), "ingest".to_owned()]);
    } else {
        command.push(beside("ingest_child")?.display().to_string());
    }
    command.extend([case, log].map(|path| path.display().to_string()));
    if coroner.exists() {
        let fixed = [
            "--index",
            "never",
            "--format",
            "json",
            "--progress",
            "never",
        ];
        command.extend(fixed.map(String::from));
        if let Some(threads) = options.threads {
            command.extend(["--threads".to_owned(), threads.to_string()]);
        }
    } else if let Some(threads) = options.threads {
        command.push(threads.to_string());
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
    let seconds = |value: &Value| value.as_f64().unwrap_or(0.0) / 1e9;
    let total: f64 = stages.values().map(seconds).sum();
    for (name, value) in stages {
        let share = 100.0 * seconds(value) / total.max(f64::MIN_POSITIVE);
        let name = name.trim_end_matches("_ns");
        writeln!(
            out,
            "stage {name}: {:.2} cpu s, {share:.0} %",
            seconds(value)
        )?;
    }
    Ok(())
}
