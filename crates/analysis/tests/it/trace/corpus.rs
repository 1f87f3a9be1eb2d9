//! Every fate of the corpus databases, against the answers that SQL gave.

use super::memory::Memory;
use analysis::trace::{Trace, TraceOptions, trace};
use dumps::{DumpSource, Naming};
use flate2::read::GzDecoder;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;

/// The corpus, or a loud line if it is not on this machine.
pub(crate) fn corpus(file: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/corpus/zksync/dumps"
    ))
    .join(file);
    if !path.exists() {
        eprintln!("SKIPPED: {} is not here", path.display());
        return None;
    }
    Some(path)
}

pub(crate) fn gunzip(path: PathBuf) -> String {
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    text
}

/// The blocks `### <database>, <name>` of the index.
fn expected_answers(index: &str) -> Vec<(String, String, Value)> {
    let mut answers = Vec::new();
    for section in index.split("\n### ").skip(1) {
        let (title, rest) = section.split_once('\n').unwrap();
        let Some((database, name)) = title.split_once(", ") else {
            continue;
        };
        let json = rest.split("```json\n").nth(1).unwrap();
        let json = json.split("\n```").next().unwrap();
        answers.push((
            database.to_owned(),
            name.to_owned(),
            serde_json::from_str(json).unwrap(),
        ));
    }
    answers
}

/// The lines `* fate: 0x…` of the index, per database.
fn hash_per_fate(index: &str) -> Vec<(String, String, String)> {
    let mut database = String::new();
    let mut hashes = Vec::new();
    for line in index.lines() {
        if let Some(rest) = line.strip_prefix('`') {
            database = rest.split(['`', ' ']).next().unwrap().to_owned();
        }
        if let Some((name, hash)) = line.strip_prefix("* ").and_then(|l| l.split_once(": 0x")) {
            hashes.push((database.clone(), name.to_owned(), format!("0x{hash}")));
        }
    }
    hashes
}

/// Renames what the index calls differently, and drops what the contract puts elsewhere.
fn in_our_words(value: &Value, inside_step: bool) -> Value {
    match value {
        Value::Object(map) => {
            let is_step = inside_step || map.contains_key("attempts");
            let renamed: Map<String, Value> = map
                .iter()
                .map(|(key, value)| {
                    let name = match key.as_str() {
                        "hash" => "key",
                        "tx_hash" if is_step => "l1_tx_hash",
                        other => other,
                    };
                    (name.to_owned(), in_our_words(value, is_step))
                })
                .collect();
            Value::Object(renamed)
        }
        Value::Array(items) => items
            .iter()
            .map(|item| in_our_words(item, inside_step))
            .collect(),
        other => other.clone(),
    }
}

/// Compares every field of `expected`; times as instants, whatever their digits.
fn assert_holds(expected: &Value, actual: &Value, at: &str) {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(_)) => {
            for (key, value) in expected {
                assert_holds(value, &actual[key.as_str()], &format!("{at}.{key}"));
            }
        }
        (Value::Array(expected), Value::Array(items)) => {
            assert_eq!(expected.len(), items.len(), "{at}");
            for (index, (value, item)) in expected.iter().zip(items).enumerate() {
                assert_holds(value, item, &format!("{at}[{index}]"));
            }
        }
        (Value::String(left), Value::String(right)) if left != right => {
            let instant = |text: &str| model::time::parse_civil(text);
            assert!(
                instant(left).is_some() && instant(left) == instant(right),
                "{at}: {left} is not {right}"
            );
        }
        _ => assert_eq!(expected, actual, "{at}"),
    }
}

pub(crate) fn fates(database: &str, ask: &dyn Fn(&str) -> Trace, index: &str) {
    let mut compared = 0;
    for (_, name, expected) in expected_answers(index)
        .into_iter()
        .filter(|(of, ..)| of == database)
    {
        let key = expected["hash"].as_str().unwrap();
        let actual = serde_json::to_value(ask(key)).unwrap();
        assert_holds(&in_our_words(&expected, false), &actual, &name);
        // What the index says nothing of must not be said by us.
        for (path, ours) in expected["path"]
            .as_array()
            .unwrap()
            .iter()
            .zip(actual["path"].as_array().unwrap())
        {
            for stage in ["commit", "prove", "execute"] {
                assert_eq!(
                    path.get(stage).is_some(),
                    ours.get(stage).is_some(),
                    "{name}"
                );
            }
        }
        compared += 1;
    }
    assert!(compared >= 4, "{database}: {compared} answers compared");
    let mut named = 0;
    for (_, name, hash) in hash_per_fate(index)
        .into_iter()
        .filter(|(of, ..)| of == database)
    {
        let trace = ask(&hash);
        let fate = match name.as_str() {
            "commit_in_flight_resends" => "commit_sent",
            "commit_saved_no_history" => "commit_saved",
            "committed_after_resend" | "committed_not_proven" => "commit_confirmed",
            "execute_in_flight" => "execute_sent",
            "prove_in_flight" => "prove_sent",
            "proven_not_executed" => "prove_confirmed",
            "commit_confirmed_unlinked" | "commit_history_lost" => "execute_confirmed",
            name if name.starts_with("executed") => "execute_confirmed",
            other => other,
        };
        assert_eq!(trace.fate, fate, "{database}, {name}");
        let commit = trace.path.last().unwrap().commit.as_ref();
        let state = commit.and_then(|step| step.state.as_deref());
        match name.as_str() {
            "commit_confirmed_unlinked" => assert_eq!(state, Some("confirmed_unlinked")),
            "commit_history_lost" => assert_eq!(state, Some("confirmed_history_missing")),
            "executed_many_logs_one_tx" => assert!(trace.logs.len() > 1),
            "executed_earlier_attempt_mined" => {
                let attempts = commit.unwrap().attempts.as_ref().unwrap();
                let mined = commit.unwrap().confirmed_eth_tx_history_id;
                assert_ne!(attempts.last().unwrap().id, mined);
            }
            _ => {}
        }
        named += 1;
    }
    assert!(named >= 16, "{database}: {named} fates named");
}

#[test]
fn every_fate_from_rows_in_memory() {
    for database in ["z2023", "znew"] {
        let Some(dump) = corpus(&format!("{database}.full.copy.sql.gz")) else {
            return;
        };
        let index = std::fs::read_to_string(corpus("INDEX.md").unwrap()).unwrap();
        let memory = Memory::from_dump(&gunzip(dump));
        let ask = |key: &str| {
            memory.reads.borrow_mut().clear();
            let trace = trace(&memory, key, &TraceOptions::default()).unwrap();
            for (table, reads) in memory.reads.borrow().iter() {
                assert!(*reads <= 2, "{table} was read {reads} times for {key}");
            }
            trace
        };
        fates(database, &ask, &index);
    }
}

pub(crate) fn dump_source(text: Vec<u8>, name: &str) -> DumpSource {
    let naming = Naming {
        source: "0123456789ab".into(),
        given: Some(name.into()),
        ..Naming::default()
    };
    DumpSource::from_bytes(text, naming).unwrap()
}

#[test]
fn every_fate_from_the_dumps_themselves() {
    for database in ["z2023", "znew"] {
        let Some(dump) = corpus(&format!("{database}.full.copy.sql.gz")) else {
            return;
        };
        let index = std::fs::read_to_string(corpus("INDEX.md").unwrap()).unwrap();
        let source = dump_source(gunzip(dump).into_bytes(), database);
        let ask = |key: &str| {
            let trace = trace(&source, key, &TraceOptions::default()).unwrap();
            assert_eq!(trace.snapshot.as_deref(), Some(database));
            assert_eq!(trace.partial, [""; 0]);
            assert_eq!(trace.database_zone.as_ref().unwrap().value, "+00:00");
            trace
        };
        fates(database, &ask, &index);
    }
}

/// Prints what people read, for reading: `CORONER_SHOW=1 cargo test -p analysis -- --nocapture`.
#[test]
fn the_text_form_is_short_and_says_the_fate() {
    let Some(dump) = corpus("z2023.full.copy.sql.gz") else {
        return;
    };
    let index = std::fs::read_to_string(corpus("INDEX.md").unwrap()).unwrap();
    let memory = Memory::from_dump(&gunzip(dump));
    for (_, name, hash) in hash_per_fate(&index)
        .into_iter()
        .filter(|(of, ..)| of == "z2023")
    {
        let trace = trace(&memory, &hash, &TraceOptions::default()).unwrap();
        let text = trace.to_text();
        assert!(text.starts_with(&hash));
        assert!(text.contains(&trace.fate), "{text}");
        assert!(text.lines().count() <= 24, "{text}");
        if std::env::var_os("CORONER_SHOW").is_some() {
            eprintln!("--- {name}\n{text}");
        }
    }
}

const SEED: &str = "0x0bbbcf153f17ec0e1f12d698bbc64f9d242bc1cd1312dd5f34febf0e6cb6601a";
const SEED_COMMIT: &str = "0x0b01e199877faef52b95477119f53bf546a2915bc903132331f41542e58da53d";

/// The five tables pasted into a ticket say how the commit went, and nothing of the rest.
#[test]
fn the_seed_from_pasted_tables() {
    for file in [
        "z2023.psql.aligned.txt",
        "z2023fork.psql.aligned.txt",
        "znew.psql.aligned.txt",
    ] {
        let Some(path) = corpus(file) else { return };
        let source = dump_source(std::fs::read(path).unwrap(), "paste");
        let trace = trace(&source, SEED, &TraceOptions::default()).unwrap();
        if std::env::var_os("CORONER_SHOW").is_some() {
            eprintln!("--- {file}\n{}", trace.to_text());
        }
        assert_eq!(trace.fate, "commit_confirmed", "{file}");
        assert_eq!(trace.logs.len(), 1, "{file}");
        assert!(trace.transaction.is_none(), "{file}");
        let path = &trace.path[0];
        assert_eq!(
            (path.miniblock_number, path.l1_batch_number),
            (Some(15841), Some(7670))
        );
        let commit = path.commit.as_ref().unwrap();
        assert_eq!(commit.state.as_deref(), Some("confirmed"), "{file}");
        assert_eq!(commit.eth_tx_id, Some(41073), "{file}");
        assert_eq!(commit.nonce, Some(41091), "{file}");
        assert_eq!(commit.l1_tx_hash.as_deref(), Some(SEED_COMMIT), "{file}");
        assert_eq!(
            commit.confirmed_at.as_deref(),
            Some("2023-09-18T03:50:19.059576")
        );
        // One pasted row of l1_batches does not say how many batches share the transaction.
        assert_eq!(commit.batches, None);
        let (prove, execute) = (path.prove.as_ref().unwrap(), path.execute.as_ref().unwrap());
        assert_eq!(
            (prove.eth_tx_id, prove.state.as_deref()),
            (Some(41148), None),
            "{file}"
        );
        assert_eq!(
            (execute.eth_tx_id, execute.state.as_deref()),
            (Some(41151), None),
            "{file}"
        );
        assert!(trace.waiting.is_none());
        assert!(
            trace
                .warnings
                .iter()
                .any(|text| text == "table transactions is not in the evidence")
        );
        assert!(trace.refs.len() >= 5, "{:?}", trace.refs);
    }
}

/// Nonces of `eth_txs` by sender, with whether they are through, straight from the text of the dump.
fn nonces(dump: &str) -> BTreeMap<String, BTreeMap<i64, bool>> {
    let (_, rest) = dump.split_once("COPY public.eth_txs (").unwrap();
    let (columns, rest) = rest.split_once(") FROM stdin;\n").unwrap();
    let columns: Vec<&str> = columns.split(", ").collect();
    let at = |name: &str| columns.iter().position(|column| *column == name).unwrap();
    let (nonce, sender, link) = (
        at("nonce"),
        at("from_addr"),
        at("confirmed_eth_tx_history_id"),
    );
    let mut nonces: BTreeMap<String, BTreeMap<i64, bool>> = BTreeMap::new();
    for line in rest.lines().take_while(|line| *line != "\\.") {
        let cells: Vec<&str> = line.split('\t').collect();
        let of_sender = nonces.entry(cells[sender].to_owned()).or_default();
        of_sender.insert(cells[nonce].parse().unwrap(), cells[link] != "\\N");
    }
    nonces
}

/// In this database the sender of commits leaves nonces out all the time: one more gap is no blocker.
#[test]
fn a_gap_of_nonces_that_is_a_habit_does_not_block() {
    let Some(dump) = corpus("znew.full.copy.sql.gz") else {
        return;
    };
    let text = gunzip(dump);
    let nonces = nonces(&text);
    let of_sender = nonces.values().find(|of| of.contains_key(&41291)).unwrap();
    let last = *of_sender.iter().rfind(|(_, through)| **through).unwrap().0;
    assert_eq!(last, 41288);
    let below: Vec<i64> = of_sender.range(..=last).map(|(nonce, _)| *nonce).collect();
    let gaps = below
        .windows(2)
        .filter(|pair| pair[1] > pair[0] + 1)
        .count();
    assert!(gaps > 100, "{gaps}");
    let source = dump_source(text.into_bytes(), "znew");
    let key = "0xb084f05791c04143bffbd7620a1ac740bc971acbc84a7be7d1bac2608a385aae";
    let trace = trace(&source, key, &TraceOptions::default()).unwrap();
    assert_eq!(trace.fate, "commit_sent");
    let waiting = trace.waiting.as_ref().unwrap();
    assert_eq!(waiting.verdict, "late");
    assert!(waiting.blocked_by.is_none(), "{waiting:?}");
    let [hypothesis] = waiting.hypotheses.as_slice() else {
        panic!("{waiting:?}")
    };
    assert_eq!(hypothesis.basis, "inferred");
    let said = format!("{gaps} such gaps lie below nonces of this sender that are through");
    assert!(hypothesis.text.contains(&said), "{}", hypothesis.text);
    assert!(hypothesis.text.contains("no row has nonce 41289"));
}

/// An address is a table that fits a screen: a line for each of its transactions, the newest first.
#[test]
fn an_address_is_a_table() {
    let Some(dump) = corpus("znew.full.copy.sql.gz") else {
        return;
    };
    let source = dump_source(gunzip(dump).into_bytes(), "znew");
    let address = "0xcd38d150cd4433a271c41dfe07f8057dc3609572";
    let trace = trace(&source, address, &TraceOptions::default()).unwrap();
    let text = trace.to_text();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() < 40, "{text}");
    let rows: Vec<&&str> = lines
        .iter()
        .filter(|line| line.starts_with("  2023-"))
        .collect();
    assert!(rows.iter().all(|row| row.chars().count() <= 100), "{text}");
    let times: Vec<&str> = rows.iter().map(|row| &row[2..22]).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{text}");
    // A line for each transaction that sent a message, whose beginning is a key.
    let hashes: BTreeMap<&str, usize> = trace.logs.iter().fold(BTreeMap::new(), |mut all, log| {
        *all.entry(log.tx_hash.as_deref().unwrap()).or_default() += 1;
        all
    });
    assert!(hashes.len() > 10);
    for (hash, messages) in &hashes {
        let row = rows.iter().find(|row| row.contains(&hash[..14]));
        let cells: Vec<&str> = row.unwrap().split_whitespace().collect();
        assert_eq!(cells[3], messages.to_string(), "{text}");
        let one = analysis::trace::trace(&source, &hash[..14], &TraceOptions::default()).unwrap();
        assert_eq!(one.path[0].miniblock_number.unwrap().to_string(), cells[4]);
        assert_eq!(
            one.path[0]
                .l1_batch_number
                .map_or("-".to_owned(), |n| n.to_string()),
            cells[5]
        );
    }
    let said = format!(
        "{} messages to L1 by {} transactions, newest first",
        trace.logs.len(),
        hashes.len()
    );
    assert!(lines[1].contains(&said), "{text}");
    assert!(text.contains("follow one  coroner trace CASE 0x"), "{text}");
}
