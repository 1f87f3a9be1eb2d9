//! Running the command in a folder of its own, with a cache of its own.

use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A folder with evidence.
pub(crate) struct Desk {
    folder: TempDir,
}

/// What came out.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

impl Desk {
    pub(crate) fn new() -> Desk {
        Desk {
            folder: TempDir::new().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Desk {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coroner"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("HOME", self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        said(self.command(args).output().unwrap())
    }

    pub(crate) fn run_with_stdin(&self, args: &[&str], input: &[u8]) -> Said {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        said(child.wait_with_output().unwrap())
    }

    /// Runs and checks stdout, stderr and exit code together.
    #[track_caller]
    pub(crate) fn check(&self, args: &[&str], expected: &str) {
        let said = self.run(args);
        let shown = said.shown();
        assert_eq!(shown, expected, "coroner {}", args.join(" "));
    }

    /// Runs, checks the exit code, and returns the JSON document.
    #[track_caller]
    pub(crate) fn json(&self, args: &[&str], code: i32) -> Value {
        let said = self.run(args);
        assert_eq!(said.code, code, "coroner {}: {said:?}", args.join(" "));
        serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"))
    }

    /// Runs, checks the exit code and that stderr has a text.
    #[track_caller]
    pub(crate) fn fails(&self, args: &[&str], code: i32, message: &str) {
        let said = self.run(args);
        assert!(
            said.code == code && said.stderr.contains(message),
            "coroner {}: {said:?}",
            args.join(" ")
        );
    }
}

fn said(output: std::process::Output) -> Said {
    Said {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code().unwrap_or(-1),
    }
}

impl Said {
    pub(crate) fn shown(&self) -> String {
        format!(
            "{}--- stderr\n{}--- exit {}\n",
            self.stdout, self.stderr, self.code
        )
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// A short Prysm log: seven records, one line that nobody claims.
pub(crate) const BEACON: &str = "\
[2020-08-14 17:30:40]  INFO blockchain: Synced new block slot=73352
[2020-08-14 17:31:02]  WARN roughtime: Roughtime reports your clock is off by more than 2 seconds offset=4h0m0.028854657s
hello from nowhere
[2020-08-14 17:31:40]  INFO p2p: Peer summary activePeers=41
[2020-08-14 18:31:02]  WARN roughtime: Roughtime reports your clock is off by more than 2 seconds offset=4h0m0.03s
[2020-08-14 18:32:00] ERROR blockchain: Could not process block error=future
[2020-08-14 19:31:05]  INFO p2p: Peer summary activePeers=12
[2020-08-14 19:40:00]  INFO p2p: Peer summary activePeers=44
";

/// A dump with the tables of a trace, three rows in all.
pub(crate) const DUMP: &str = "\
--
-- PostgreSQL database dump
--

-- Dumped from database version 15.4
-- Dumped by pg_dump version 15.4

SET client_encoding = 'UTF8';

CREATE TABLE public.l2_to_l1_logs (
    miniblock_number bigint NOT NULL,
    log_index_in_miniblock integer NOT NULL,
    tx_hash bytea NOT NULL
);

CREATE TABLE public.miniblocks (
    number bigint NOT NULL,
    l1_batch_number bigint,
    note text
);

COPY public.l2_to_l1_logs (miniblock_number, log_index_in_miniblock, tx_hash) FROM stdin;
15841\t0\t\\\\x0bbbcf153f17ec0e1f12d698bbc64f9d242bc1cd1312dd5f34febf0e6cb6601a
\\.

COPY public.miniblocks (number, l1_batch_number, note) FROM stdin;
15841\t7670\t=1+1
15842\t\\N\ttwo\\nlines
\\.

ALTER TABLE ONLY public.l2_to_l1_logs
    ADD CONSTRAINT l2_to_l1_logs_pkey PRIMARY KEY (miniblock_number, log_index_in_miniblock);

ALTER TABLE ONLY public.miniblocks
    ADD CONSTRAINT miniblocks_pkey PRIMARY KEY (number);

--
-- PostgreSQL database dump complete
--
";

/// The hash in [`DUMP`].
pub(crate) const HASH: &str = "0x0bbbcf153f17ec0e1f12d698bbc64f9d242bc1cd1312dd5f34febf0e6cb6601a";

/// A dump of the corpus; `None`, loudly, where there is no corpus.
pub(crate) fn corpus_dump(name: &str) -> Option<String> {
    let folder = "../../../shared/corpus/zksync/dumps";
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join(folder)
        .join(name);
    if !path.exists() {
        eprintln!("SKIPPED: no corpus at {}", path.display());
        return None;
    }
    Some(path.display().to_string())
}

/// A folder of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}
