//! A search for a hash is answered by the hash table as a scan answers it, and finds rows of tables, too.

use case::{Case, CaseWriter};
use index::{Filter, Found, Hit, Unsearched, search};
use ingest::{IngestOptions, Quiet, ingest};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const TX: &str = "0bbbcf153f17ec0e1f12d698bbc64f9d242bc1cd1312dd5f34febf0e6cb6601a";
const ADDRESS: &str = "d8da6bf26964af9d7eed9e03e53415d37aa96045";

fn case_of(folder: &Path, paths: Vec<PathBuf>) -> Case {
    let path = folder.join("a.case");
    let mut writer = CaseWriter::open_or_create(&path).unwrap();
    ingest(&mut writer, &paths, &IngestOptions::default(), &mut Quiet).unwrap();
    drop(writer);
    Case::open(&path).unwrap()
}

/// Opens a case as if a program without the hash table had written it: it is scanned.
fn scanned(case: &Case) -> Case {
    let path = case.path().join("case.json");
    let text = fs::read(&path).unwrap();
    let mut manifest: serde_json::Value = serde_json::from_slice(&text).unwrap();
    for source in manifest["sources"].as_array_mut().unwrap() {
        source.as_object_mut().unwrap().remove("hashes");
    }
    fs::write(&path, manifest.to_string()).unwrap();
    let scanned = Case::open(case.path()).unwrap();
    fs::write(&path, text).unwrap();
    scanned
}

fn all(case: &Case, text: &str) -> Found {
    search(case, text, Filter::default()).unwrap()
}

fn logs(found: &Found) -> Vec<&Hit> {
    found.hits.iter().filter(|hit| hit.row.is_none()).collect()
}

#[test]
fn every_hash_of_the_sample_is_found_as_by_scanning() {
    let folder = tempfile::tempdir().unwrap();
    let input = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/medalla-2020/input");
    let case = case_of(folder.path(), vec![input]);
    let old = scanned(&case);
    // Every word of the evidence that could be a hash or its beginning.
    let mut words = BTreeSet::new();
    for source in &case.manifest().sources {
        let raw = case.evidence(&source.digest, 0, source.bytes).unwrap();
        let raw = String::from_utf8_lossy(&raw).to_lowercase();
        for word in raw.split(|c: char| !c.is_ascii_alphanumeric()) {
            let digits = word.strip_prefix("0x").unwrap_or(word);
            let hex = digits.bytes().take_while(u8::is_ascii_hexdigit).count();
            if hex >= 6 {
                words.insert(digits[..hex].to_owned());
            }
        }
    }
    assert!(words.len() > 100, "{}", words.len());
    let (mut by_hash, mut found_some) = (0, 0);
    for (index, word) in words.iter().enumerate().step_by(1 + words.len() / 60) {
        let length = (6 + index % 8).min(word.len());
        let text = format!("0x{}", &word[..length]);
        let (fast, slow) = (all(&case, &text), all(&old, &text));
        assert_eq!(slow.answered_by, "scan");
        assert_eq!(fast.hits, slow.hits, "{text}");
        assert_eq!(
            (fast.count, fast.copies),
            (slow.count, slow.copies),
            "{text}"
        );
        by_hash += u32::from(fast.answered_by == "hash");
        found_some += u32::from(fast.answered_by == "hash" && fast.count + fast.copies > 0);
    }
    assert!(by_hash > 20 && found_some > 20, "{by_hash} {found_some}");
}

#[test]
fn hashes_are_found_in_lines_and_rows() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("server.log");
    let lines = [
        format!("time=\"2023-09-18T03:41:07Z\" level=info msg=\"sent 0x{TX}\" prefix=eth nonce=7"),
        format!(
            "time=\"2023-09-18T03:41:08Z\" level=warning msg=\"not mined\" prefix=eth tx=0x{}",
            &TX[..12]
        ),
        format!("what is this 0x{} ???", TX.to_uppercase()),
        format!(
            "time=\"2023-09-18T03:41:09Z\" level=info msg=\"to 0x{ADDRESS}\" prefix=eth nonce=123456789"
        ),
        "time=\"2023-09-18T03:41:10Z\" level=info msg=\"Peer summary\" prefix=p2p peers=0"
            .to_owned(),
    ];
    fs::write(&log, lines.join("\n") + "\n").unwrap();
    let dump = folder.path().join("core.sql");
    let padded = format!("{}{ADDRESS}", "0".repeat(24));
    fs::write(
        &dump,
        format!(
            "-- PostgreSQL database dump\n\nCREATE TABLE public.l2_to_l1_logs (\n    id bigint NOT NULL,\n    tx_hash bytea,\n    key bytea,\n    note text\n);\n\n\
             COPY public.l2_to_l1_logs (id, tx_hash, key, note) FROM stdin;\n\
             5\t\\\\x{TX}\t\\\\x{padded}\tnothing\n6\t\\\\x{}\t\\N\tsee 0x{TX}\n7\t\\\\x{}\t\\N\t123456789\n\\.\n\n\
             ALTER TABLE ONLY public.l2_to_l1_logs\n    ADD CONSTRAINT l2_to_l1_logs_pkey PRIMARY KEY (id);\n\n-- PostgreSQL database dump complete\n",
            "ab".repeat(32),
            "cd".repeat(32),
        ),
    )
    .unwrap();
    let case = case_of(folder.path(), vec![log, dump]);
    let old = scanned(&case);
    let digest = |kind| {
        let sources = &case.manifest().sources;
        sources
            .iter()
            .find(|source| source.kind == kind)
            .unwrap()
            .digest
            .clone()
    };
    let (log, dump) = (
        digest(case::SourceKind::Log),
        digest(case::SourceKind::Dump),
    );
    let line = |number: u32| format!("{log}:{number}");
    let row = |id: u32| format!("{dump}:public.l2_to_l1_logs#{id}");
    let long = format!("0x{TX}");
    for (text, lines, rows) in [
        (long.as_str(), vec![1, 3], vec![5, 6]),
        ("0x0bbbcf", vec![1, 2, 3], vec![5, 6]),
        ("0BBBCF153F17EC", vec![1, 3], vec![5, 6]),
        ("0bbbcf -mined", vec![1, 3], vec![5, 6]),
        ("0bbbcf level:warn", vec![2], vec![]),
        ("0bbbcf nothing", vec![], vec![5]),
        ("0bbbcf note:see*", vec![], vec![6]),
        ("0bbbcf 0xd8da6bf2", vec![], vec![5]),
        ("0xd8da6bf2", vec![4], vec![5]),
        (
            "0bbbcf153f17ec0e1f12d698bbc64f9d242bc1cd1312dd5f34febf0e6cb6601b",
            vec![],
            vec![],
        ),
    ] {
        let found = all(&case, text);
        assert_eq!(found.answered_by, "hash", "{text}");
        let refs: BTreeSet<String> = found.hits.iter().map(Hit::reference).collect();
        let lines = lines.into_iter().map(line);
        assert_eq!(
            refs,
            lines.chain(rows.into_iter().map(row)).collect(),
            "{text}"
        );
        assert_eq!(found.count as usize, refs.len(), "{text}");
        assert_eq!(found.tables_unsearched, None);
        assert_eq!(logs(&found), logs(&all(&old, text)), "{text}");
    }
    let found = all(&case, "0xabababab");
    assert_eq!(found.hits[0].message, "public.l2_to_l1_logs");
    assert_eq!(found.hits[0].kind.as_deref(), Some("row"));
    let fields = found.hits[0].fields.as_deref().unwrap();
    assert!(
        fields.contains(&format!("\"tx_hash\":\"0x{}\"", "ab".repeat(32))),
        "{fields}"
    );

    // What could be a number or a word is scanned for in logs; in tables it is the beginning of a hash.
    assert_eq!((found.answered_by, found.count, found.rows), ("scan", 1, 1));
    let number = all(&case, "123456789");
    assert_eq!((number.answered_by, number.count), ("scan", 1));
    assert_eq!(number.tables_unsearched, None);
    let zeros = all(&case, "0x000000");
    assert_eq!((zeros.answered_by, zeros.count), ("scan", 0));
    assert_eq!(zeros.tables_unsearched, Some(Unsearched::NotFiled));
    let older = all(&old, "0bbbcf");
    assert_eq!((older.answered_by, older.count), ("scan", 3));
    assert_eq!(older.tables_unsearched, Some(Unsearched::OldSources(2)));
    assert_eq!(all(&case, "peers").tables_unsearched, None);

    // A window selects by time, which rejected lines and rows have not.
    let filter = Filter {
        window: Some((1_695_008_468_000_000, 1_695_008_470_000_000)),
        ..Filter::default()
    };
    let found = search(&case, "0bbbcf", filter).unwrap();
    let refs: Vec<String> = found.hits.iter().map(Hit::reference).collect();
    assert_eq!((found.answered_by, refs), ("hash", vec![line(2)]));
}
