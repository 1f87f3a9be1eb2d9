//! From a database dump to a traced answer, beside `pg_restore` and `psql`.

use anyhow::{Context, Result, bail, ensure};
use bench::{Measured, Python};
use serde_json::Value;
use std::{
    fs,
    io::{Write, stdout},
    path::{Path, PathBuf},
    process::{Command, Output},
};

pub(crate) const USAGE: &str = "\
usage: bench dumps [--rows N] [--rounds N] [--folder FOLDER] [--coroner PROGRAM] [--forms custom|all]

Makes a database of N l2_to_l1_logs rows (1,000,000) in a private PostgreSQL in FOLDER
(/tmp/coroner-bench-dumps), dumps it with pg_dump, and prints what a traced answer takes with coroner
straight from the dump, and with pg_restore and psql: in turn, in so many rounds (3), of which the middle
counts. With --forms all also from a folder (-Fd), and from archives packed with lz4 and zstd where pg_dump
is of version 16 or newer.
";

const SETUP: &str = include_str!("../sql/rollup.sql");
/// What psql asks where coroner traces: the same way through the tables.
const TRACE: &str = "
SELECT l.miniblock_number, b.number, c.id, ch.tx_hash, ch.confirmed_at, p.id, ph.tx_hash, e.id, eh.tx_hash
FROM l2_to_l1_logs l JOIN miniblocks m ON m.number = l.miniblock_number
JOIN l1_batches b ON b.number = m.l1_batch_number
LEFT JOIN eth_txs c ON c.id = b.eth_commit_tx_id LEFT JOIN eth_txs_history ch ON ch.eth_tx_id = c.id
LEFT JOIN eth_txs p ON p.id = b.eth_prove_tx_id LEFT JOIN eth_txs_history ph ON ph.eth_tx_id = p.id
LEFT JOIN eth_txs e ON e.id = b.eth_execute_tx_id LEFT JOIN eth_txs_history eh ON eh.eth_tx_id = e.id
WHERE l.tx_hash = ";

struct Options {
    rows: u64,
    rounds: usize,
    folder: PathBuf,
    coroner: PathBuf,
    all_forms: bool,
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Options> {
        let mut options = Options {
            rows: 1_000_000,
            rounds: 3,
            folder: PathBuf::from("/tmp/coroner-bench-dumps"),
            coroner: std::env::current_exe()?.with_file_name("coroner"),
            all_forms: false,
        };
        while let Some(word) = words.next() {
            let value = words.next().context(USAGE)?;
            match word.as_str() {
                "--rows" => options.rows = value.parse()?,
                "--rounds" => options.rounds = value.parse::<usize>()?.max(1),
                "--folder" => options.folder = PathBuf::from(value),
                "--coroner" => options.coroner = PathBuf::from(value),
                "--forms" if value == "all" => options.all_forms = true,
                "--forms" if value == "custom" => options.all_forms = false,
                _ => bail!("{USAGE}"),
            }
        }
        Ok(options)
    }
}

/// A private server, reachable by its socket only; stopped when dropped.
struct Server {
    bin: PathBuf,
    folder: PathBuf,
    root: bool,
}

impl Server {
    fn start(folder: &Path) -> Result<Server> {
        let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
            .context("no PostgreSQL under /usr/lib/postgresql")?
            .flatten()
            .map(|entry| entry.path().join("bin"))
            .filter(|bin| bin.join("initdb").exists())
            .collect();
        versions.sort();
        let bin = versions
            .pop()
            .context("no PostgreSQL server is installed")?;
        let id = Command::new("id").arg("-u").output()?;
        let server = Server {
            bin,
            folder: folder.to_path_buf(),
            root: id.stdout == b"0\n",
        };
        let data = folder.join("data");
        // What an interrupted run left would not start.
        done(Command::new("rm").arg("-rf").arg(&data).output()?)?;
        done(Command::new("chmod").arg("777").arg(folder).output()?)?;
        done(
            server
                .command("initdb")
                .args(["-A", "trust", "-U", "postgres", "-D"])
                .arg(&data)
                .output()?,
        )?;
        let socket = format!("-k {} -c listen_addresses=''", folder.display());
        let mut start = server.command("pg_ctl");
        start.arg("-D").arg(&data).args(["-w", "-o", &socket, "-l"]);
        done(start.arg(folder.join("server.log")).arg("start").output()?)?;
        Ok(server)
    }

    fn command(&self, program: &str) -> Command {
        let program = self.bin.join(program);
        let mut command = match self.root {
            true => {
                let mut command = Command::new("runuser");
                command.args(["-u", "postgres", "--"]).arg(program);
                command
            }
            false => Command::new(program),
        };
        command
            .env("PGHOST", &self.folder)
            .env("PGUSER", "postgres");
        command.current_dir(&self.folder);
        command
    }

    fn sql(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = self.command("psql");
        let output = psql
            .args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql])
            .output()?;
        Ok(String::from_utf8(done(output)?.stdout)?.trim().to_owned())
    }
}

impl Server {
    /// Has everything written, so that nothing of it goes on while others are measured.
    fn rest(&self) -> Result<()> {
        self.sql("postgres", "CHECKPOINT")?;
        done(Command::new("sync").output()?)?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.folder.join("data");
        let mut stop = self.command("pg_ctl");
        let _ = stop
            .arg("-D")
            .arg(&data)
            .args(["-m", "immediate", "stop"])
            .output();
    }
}

fn done(output: Output) -> Result<Output> {
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output)
}

/// Runs the comparison.
pub(crate) fn run(words: impl Iterator<Item = String>) -> Result<()> {
    let options = Options::parse(words)?;
    let folder = &options.folder;
    fs::create_dir_all(folder)?;
    let python = Python::prepare(folder)?;
    let server = Server::start(folder)?;
    server.sql("postgres", "CREATE DATABASE rollup")?;
    let setup = folder.join("rollup.sql");
    fs::write(&setup, SETUP)?;
    let mut psql = server.command("psql");
    psql.args(["-Xq", "-v", "ON_ERROR_STOP=1", "-d", "rollup", "-v"]);
    done(
        psql.arg(format!("logs={}", options.rows))
            .arg("-f")
            .arg(&setup)
            .output()?,
    )?;
    let wanted = format!("sha256(int8send({}))", options.rows * 9 / 10);
    let hash = server.sql("rollup", &format!("SELECT encode({wanted}, 'hex')"))?;
    let dump = |name: &str, form: &[&str]| -> Result<PathBuf> {
        let path = folder.join(name);
        // pg_dump does not write into a folder that is there.
        done(Command::new("rm").arg("-rf").arg(&path).output()?)?;
        let mut pg_dump = server.command("pg_dump");
        done(
            pg_dump
                .args(form)
                .arg("-f")
                .arg(&path)
                .arg("rollup")
                .output()?,
        )?;
        Ok(path)
    };
    let custom = dump("rollup.dump", &["-Fc"])?;
    let plain = dump("rollup.sql.dump", &["-Fp"])?;
    let mut out = stdout().lock();
    let megabytes = |path: &Path| -> Result<f64> { Ok(fs::metadata(path)?.len() as f64 / 1e6) };
    let (custom_mb, plain_mb) = (megabytes(&custom)?, megabytes(&plain)?);
    writeln!(
        out,
        "{} logs: custom dump {custom_mb:.1} MB, plain dump {plain_mb:.1} MB",
        options.rows
    )?;

    // Else the server would do it itself while others are measured.
    server.sql("rollup", "VACUUM ANALYZE")?;
    server.rest()?;
    let (mut ours, mut theirs_s) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let measured = traced(&python, &options, &custom, &hash)?;
        print(&mut out, "coroner trace, custom dump", &measured, plain_mb)?;
        ours.push(measured.wall_s);
        let measured = traced(&python, &options, &plain, &hash)?;
        print(&mut out, "coroner trace, plain dump", &measured, plain_mb)?;
        theirs_s.push(restored(&server, &custom, &hash, &mut out)?);
    }
    let more: [(&str, &[&str]); 3] = [
        ("folder", &["-Fd"]),
        ("custom dump in lz4", &["-Fc", "--compress=lz4"]),
        ("custom dump in zstd", &["-Fc", "--compress=zstd"]),
    ];
    for (what, form) in more.into_iter().filter(|_| options.all_forms) {
        match dump("rollup.more", form) {
            Ok(path) => {
                let measured = traced(&python, &options, &path, &hash)?;
                print(
                    &mut out,
                    &format!("coroner trace, {what}"),
                    &measured,
                    plain_mb,
                )?;
            }
            Err(error) => writeln!(out, "no {what}: {}", error.to_string().trim())?,
        }
    }

    writeln!(
        out,
        "coroner is {:.1} times as fast from the custom dump",
        middle(theirs_s) / middle(ours)
    )?;
    Ok(())
}

/// Loads the dump into a database and asks that; returns the seconds both take.
fn restored(server: &Server, custom: &Path, hash: &str, out: &mut dyn Write) -> Result<f64> {
    server.sql("postgres", "CREATE DATABASE restored")?;
    let started = std::time::Instant::now();
    let mut restore = server.command("pg_restore");
    done(restore.args(["-d", "restored"]).arg(custom).output()?)?;
    let restored_s = started.elapsed().as_secs_f64();
    let answer = server.sql("restored", &format!("{TRACE} '\\x{hash}'"))?;
    let both_s = started.elapsed().as_secs_f64();
    writeln!(
        out,
        "pg_restore {restored_s:.2} s, with psql {both_s:.2} s: {answer}"
    )?;
    server.sql("postgres", "DROP DATABASE restored")?;
    server.rest()?;
    Ok(both_s)
}

/// The one in the middle; of an even number the lower.
fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) / 2]
}

/// Traces a hash straight from a dump, nothing prepared.
fn traced(python: &Python, options: &Options, dump: &Path, hash: &str) -> Result<Measured> {
    let cache = options.folder.join("cache");
    let _ = fs::remove_dir_all(&cache);
    let mut command = vec![
        "env".to_owned(),
        format!("XDG_CACHE_HOME={}", cache.display()),
    ];
    match options.coroner.exists() {
        true => command.extend([options.coroner.display().to_string(), "trace".to_owned()]),
        // The program is not built: the library's part of it.
        false => command.push(
            std::env::current_exe()?
                .with_file_name("trace_child")
                .display()
                .to_string(),
        ),
    }
    command.extend([dump.display().to_string(), format!("0x{hash}")]);
    if options.coroner.exists() {
        command.extend(["--format".to_owned(), "json".to_owned()]);
    }
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let measured = python.measure(&command)?;
    let answer: Value = serde_json::from_str(&measured.stdout)
        .with_context(|| format!("no answer: {}", measured.stderr))?;
    // An answer that is wrong would be fast.
    ensure!(
        answer["fate"] == "execute_confirmed",
        "traced to {}",
        answer["fate"]
    );
    Ok(measured)
}

fn print(out: &mut dyn Write, what: &str, measured: &Measured, plain_mb: f64) -> Result<()> {
    writeln!(
        out,
        "{what}: {:.2} s, {:.2} cpu s, {:.0} MB/s of plain text, peak {:.0} MiB",
        measured.wall_s,
        measured.cpu_s,
        plain_mb / measured.wall_s,
        measured.rss_bytes as f64 / 1_048_576.0
    )?;
    Ok(())
}
