//! The command against truth: what the simulator of a sample knows, what SQL answered over the corpus, the
//! bytes of the evidence itself.

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

const SEED: &str = "0x0bbbcf153f17ec0e1f12d698bbc64f9d242bc1cd1312dd5f34febf0e6cb6601a";
const SEED_COMMIT: &str = "0x0b01e199877faef52b95477119f53bf546a2915bc903132331f41542e58da53d";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

struct Asked {
    code: Option<i32>,
    stdout: Vec<u8>,
}

fn ask(cache: &Path, arguments: &[&str]) -> Asked {
    let output = Command::new(env!("CARGO_BIN_EXE_coroner"))
        .args(arguments)
        .env("XDG_CACHE_HOME", cache)
        .output()
        .unwrap();
    Asked {
        code: output.status.code(),
        stdout: output.stdout,
    }
}

fn json(asked: &Asked) -> Value {
    serde_json::from_slice(&asked.stdout).unwrap_or_else(|error| {
        panic!("{error} in {}", String::from_utf8_lossy(&asked.stdout));
    })
}

fn medalla_case(folder: &Path) -> String {
    let case = folder.join("medalla.case").display().to_string();
    let input = root()
        .join("samples/medalla-2020/input")
        .display()
        .to_string();
    assert_eq!(ask(folder, &["ingest", &case, &input]).code, Some(0));
    case
}

/// Returns the corpus, or says that it is not there.
fn corpus() -> Option<PathBuf> {
    let corpus = root().join("../shared/corpus");
    if corpus.exists() {
        return Some(corpus);
    }
    eprintln!("SKIPPED: no corpus at {}", corpus.display());
    None
}

#[test]
fn zones_and_skews_of_the_medalla_sample_are_the_simulators() {
    let folder = tempfile::tempdir().unwrap();
    let case = medalla_case(folder.path());
    let truth = fs::read(root().join("samples/medalla-2020/expected/truth.json")).unwrap();
    let truth: Value = serde_json::from_slice(&truth).unwrap();
    let clock = json(&ask(folder.path(), &["clock", &case, "--format", "json"]));
    let mut skewed = BTreeSet::new();
    for node in truth["nodes"].as_array().unwrap() {
        let name = node["node"].as_str().unwrap();
        let seconds = node["zone_seconds"].as_i64().unwrap() as i32;
        let answers: Vec<&Value> = clock["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|answer| answer["node"] == name)
            .collect();
        assert!(!answers.is_empty(), "{name}");
        for answer in answers {
            let zone = answer["zone"]["value"].as_str();
            assert_eq!(
                zone,
                Some(model::time::format_offset(seconds).as_str()),
                "{name}"
            );
        }
        let files = node["files"].as_array().unwrap().iter();
        let mut processes = files.flat_map(|file| file["processes"].as_array().unwrap());
        if processes.any(|process| process["slot_clock_skew"].is_object()) {
            skewed.insert(name.to_owned());
        }
    }
    let episodes = clock["episodes"].as_array().unwrap();
    assert_eq!(episodes.len(), 1);
    let episode = &episodes[0];
    assert_eq!(episode["kind"], "slot_clock_skew");
    let offset = episode["offset_s"].as_f64().unwrap();
    assert!(
        (offset - truth["offset_s"].as_f64().unwrap()).abs() < 1.0,
        "{offset}"
    );
    let nodes: BTreeSet<String> = episode["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(nodes, skewed);
    let within = |text: &Value, fault: &Value| {
        let (at, fault) = (text.as_str().unwrap(), fault.as_str().unwrap());
        (model::time::parse_utc(at).unwrap() - model::time::parse_utc(fault).unwrap()).abs()
            < 120_000_000
    };
    assert!(
        within(&episode["from"], &truth["fault"]["from"]),
        "{}",
        episode["from"]
    );
    assert!(
        within(&episode["to"], &truth["fault"]["to"]),
        "{}",
        episode["to"]
    );
}

#[test]
fn a_hash_of_the_corpus_is_traced_as_sql_answered() {
    let Some(corpus) = corpus() else { return };
    let folder = tempfile::tempdir().unwrap();
    for dump in ["z2023.full.copy.sql.gz", "z2023.psql.aligned.txt"] {
        let path = corpus.join("zksync/dumps").join(dump).display().to_string();
        let asked = ask(folder.path(), &["trace", &path, SEED, "--format", "json"]);
        let trace = json(&asked);
        let path = &trace["path"][0];
        assert_eq!(path["miniblock_number"], 15841, "{dump}");
        assert_eq!(path["l1_batch_number"], 7670, "{dump}");
        assert_eq!(path["commit"]["eth_tx_id"], 41073, "{dump}");
        assert_eq!(path["commit"]["l1_tx_hash"], SEED_COMMIT, "{dump}");
        assert_eq!(
            path["commit"]["confirmed_at"], "2023-09-18T03:50:19.059576",
            "{dump}"
        );
        if dump.contains("full") {
            assert_eq!(asked.code, Some(0), "{dump}");
            assert_eq!(trace["fate"], "execute_confirmed", "{dump}");
            assert_eq!(
                (&path["prove"]["eth_tx_id"], &path["execute"]["eth_tx_id"]),
                (&41148.into(), &41151.into())
            );
        }
    }
    let full = corpus
        .join("zksync/dumps/z2023.full.copy.sql.gz")
        .display()
        .to_string();
    let nobody = format!("0x{}", "ab".repeat(32));
    assert_eq!(
        ask(
            folder.path(),
            &["trace", &full, &nobody, "--format", "json"]
        )
        .code,
        Some(1)
    );
}

#[test]
fn timeline_merges_sources_in_time_order_and_show_returns_the_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let case = medalla_case(folder.path());
    let asked = ask(
        folder.path(),
        &[
            "timeline",
            &case,
            "--from",
            "2020-08-14T17:25:00Z",
            "--to",
            "2020-08-14T17:35:00Z",
            "--format",
            "jsonl",
        ],
    );
    let rows: Vec<Value> = String::from_utf8(asked.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(rows.len() > 500, "{}", rows.len());
    let times: Vec<&str> = rows
        .iter()
        .map(|row| row["ts_order"].as_str().unwrap())
        .collect();
    assert!(times.is_sorted());
    let nodes: BTreeSet<&str> = rows
        .iter()
        .map(|row| row["node"].as_str().unwrap())
        .collect();
    assert_eq!(nodes.len(), 10);
    let info = json(&ask(folder.path(), &["info", &case, "--format", "json"]));
    let sources = info["sources"].as_array().unwrap();
    for row in rows.iter().step_by(37) {
        let reference = row["ref"].as_str().unwrap();
        let (digest, lines) = reference.split_once(':').unwrap();
        let source = sources
            .iter()
            .find(|source| source["digest"] == digest)
            .unwrap();
        let path = source["path"].as_str().unwrap();
        let mut text = Vec::new();
        let file = fs::File::open(path).unwrap();
        if path.ends_with(".gz") {
            flate2::read::MultiGzDecoder::new(file)
                .read_to_end(&mut text)
                .unwrap();
        } else {
            std::io::BufReader::new(file)
                .read_to_end(&mut text)
                .unwrap();
        }
        let first: usize = lines.split('-').next().unwrap().parse().unwrap();
        let last: usize = lines.split('-').next_back().unwrap().parse().unwrap();
        let expected: Vec<u8> = text
            .split_inclusive(|byte| *byte == b'\n')
            .skip(first - 1)
            .take(last - first + 1)
            .flatten()
            .copied()
            .collect();
        let shown = json(&ask(
            folder.path(),
            &["show", &case, reference, "--format", "jsonl"],
        ));
        let raw = shown["raw"].as_str().unwrap();
        assert_eq!(
            raw.trim_end_matches('\n'),
            String::from_utf8_lossy(&expected).trim_end_matches('\n')
        );
    }
}
