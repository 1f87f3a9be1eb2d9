//! One database, dumped in every form: the same answers, whether asked directly or through a case.

use crate::run::{Desk, corpus_dump};
use serde_json::Value;

const FORMS: [&str; 6] = [
    "inserts.sql.gz",
    "column-inserts.sql.gz",
    "fc.dump",
    "fc-z0.dump.gz",
    "fd.dir",
    "ft.tar.gz",
];

/// What a trace says of the way, without where each row lies.
fn way(trace: &Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.retain(|name, _| !name.ends_with("ref") && !name.ends_with("refs"));
                members.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut way = serde_json::json!({ "fate": trace["fate"], "path": trace["path"] });
    strip(&mut way);
    way
}

#[test]
fn every_form_gives_the_same_trace() {
    let desk = Desk::new();
    for (database, hash) in [
        (
            "z2023",
            "0x0bbbcf153f17ec0e1f12d698bbc64f9d242bc1cd1312dd5f34febf0e6cb6601a",
        ),
        (
            "znew",
            "0xb084f05791c04143bffbd7620a1ac740bc971acbc84a7be7d1bac2608a385aae",
        ),
    ] {
        let mut first = None;
        for form in FORMS {
            let name = format!("{database}.trace.{form}");
            let Some(path) = corpus_dump(&name) else {
                return;
            };
            let trace = desk.json(&["trace", &path, hash, "--format", "json"], 0);
            let expected = first.get_or_insert_with(|| way(&trace));
            assert_eq!(way(&trace), *expected, "{name}");
            let case = format!("{name}.case");
            let said = desk.run(&["ingest", &case, &path]);
            assert_eq!(said.code, 0, "{name}: {said:?}");
            let trace = desk.json(&["trace", &case, hash, "--format", "json"], 0);
            assert_eq!(way(&trace), *expected, "{name} in a case");
            // A row's reference leads to its text, also where no bytes of the file are the row.
            let reference = reference(&trace, "l2_to_l1_logs").unwrap();
            for evidence in [&case, &path] {
                let said = desk.run(&["show", evidence, &reference]);
                assert_eq!(said.code, 0, "{name} {reference}: {said:?}");
                assert!(said.stdout.contains(&hash[2..]), "{name}: {said:?}");
            }
        }
        let first = first.unwrap();
        if database == "z2023" {
            assert_eq!(first["fate"], "execute_confirmed");
            assert_eq!(first["path"][0]["l1_batch_number"], 7670);
        }
    }
}

/// The first reference to a row of a table, anywhere in an answer.
fn reference(value: &Value, table: &str) -> Option<String> {
    match value {
        Value::String(text) => text.contains(&format!(".{table}#")).then(|| text.clone()),
        Value::Array(items) => items.iter().find_map(|item| reference(item, table)),
        Value::Object(members) => members.values().find_map(|item| reference(item, table)),
        _ => None,
    }
}

#[test]
fn tables_of_an_archive_are_counted() {
    let Some(path) = corpus_dump("z2023.trace.fc.dump") else {
        return;
    };
    let desk = Desk::new();
    let tables = desk.json(&["tables", &path, "--format", "json"], 0);
    let text = tables.to_string();
    for name in [
        "l2_to_l1_logs",
        "miniblocks",
        "l1_batches",
        "eth_txs",
        "eth_txs_history",
    ] {
        assert!(text.contains(name), "{text}");
    }
    let folder = corpus_dump("z2023.trace.fd.dir").unwrap();
    let of_folder = desk.json(&["tables", &folder, "--format", "json"], 0);
    let rows = |value: &Value| -> Vec<(String, u64)> {
        let mut rows: Vec<(String, u64)> = value["tables"]
            .as_array()
            .unwrap()
            .iter()
            .map(|table| (table["name"].to_string(), table["rows"].as_u64().unwrap()))
            .collect();
        rows.sort();
        rows
    };
    assert_eq!(rows(&tables), rows(&of_folder));
    assert!(rows(&tables).iter().all(|(_, rows)| *rows > 0));
}

#[test]
fn damage_is_told_where_it_matters() {
    let Some(path) = corpus_dump("z2023.trace.fc.dump") else {
        return;
    };
    let desk = Desk::new();
    let whole = std::fs::read(path).unwrap();
    let nobody = format!("0x{}", "ab".repeat(32));
    desk.write("cut.dump", &whole[..whole.len() / 2]);
    let said = desk.run(&["trace", "cut.dump", &nobody]);
    assert_eq!(said.code, 3, "{said:?}");
    let said = desk.run(&["ingest", "cut.case", "cut.dump"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(
        said.stderr.contains("missing") || said.stdout.contains("missing"),
        "{said:?}"
    );
    let mut newer = whole.clone();
    newer[6] = 99;
    desk.write("newer.dump", &newer);
    let said = desk.run(&["tables", "newer.dump"]);
    assert!(
        said.code == 3 && said.stderr.contains("pg_restore -f dump.sql"),
        "{said:?}"
    );
}

/// The sample's database as if its logs lay in two partitions.
fn partitioned() -> Vec<u8> {
    let sample = crate::run::repository("samples/zksync-2023/input/zksync_local.sql.gz");
    let mut text = String::new();
    let packed = std::fs::read(sample).unwrap();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&packed[..]), &mut text)
        .unwrap();
    let create = text.find("CREATE TABLE public.l2_to_l1_logs (").unwrap();
    let end = create + text[create..].find(");\n").unwrap() + 3;
    let columns = text[create..end].split_once('(').unwrap().1.to_owned();
    let mut declared = text[create..end]
        .trim_end()
        .trim_end_matches(';')
        .to_owned();
    declared.push_str("\nPARTITION BY RANGE (miniblock_number);\n");
    for part in ["logs_new", "logs_old"] {
        declared.push_str(&format!("CREATE TABLE public.{part} ({columns}"));
        declared.push_str(&format!(
            "ALTER TABLE ONLY public.l2_to_l1_logs ATTACH PARTITION public.{part} FOR VALUES FROM ('0') TO ('9');\n"
        ));
    }
    text.replace_range(create..end, &declared);
    let copy = text.find("COPY public.l2_to_l1_logs (").unwrap();
    let rows = copy + text[copy..].find('\n').unwrap() + 1;
    let head = text[copy..rows].to_owned();
    let first = rows + text[rows..].find('\n').unwrap() + 1;
    let second = head.replace("l2_to_l1_logs", "logs_old");
    text.insert_str(first, &format!("\\.\n\n{second}"));
    text.replace_range(copy..rows, &head.replace("l2_to_l1_logs", "logs_new"));
    text.into_bytes()
}

#[test]
fn a_partitioned_table_is_its_partitions_rows() {
    let desk = Desk::new();
    let hash = crate::run::HASH;
    let sample = crate::run::repository("samples/zksync-2023/input/zksync_local.sql.gz");
    let expected = desk.json(
        &["trace", sample.to_str().unwrap(), hash, "--format", "json"],
        0,
    );
    desk.write("p.sql", partitioned());
    desk.write("p.sql.gz", crate::run::gzip(&partitioned()));
    assert_eq!(desk.run(&["ingest", "p.case", "p.sql"]).code, 0);
    let count = |evidence: &str, table: &str| {
        let sql = format!("SELECT count(*) AS n FROM {table}");
        let said = desk.run(&["sql", evidence, &sql, "--format", "jsonl"]);
        assert_eq!(said.code, 0, "{said:?}");
        said.lines()[0]["n"].as_i64().unwrap()
    };
    for evidence in ["p.sql", "p.sql.gz", "p.case"] {
        let trace = desk.json(&["trace", evidence, hash, "--format", "json"], 0);
        assert_eq!(way(&trace), way(&expected), "{evidence}");
        let all = count(evidence, "l2_to_l1_logs");
        assert_eq!(
            all,
            count(evidence, "logs_old") + count(evidence, "logs_new")
        );
        assert!(all > 1);
        let reference = reference(&trace, "l2_to_l1_logs").unwrap();
        let said = desk.run(&["show", evidence, &reference]);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.stdout.contains(&hash[2..]), "{said:?}");
    }
    let note = "l2_to_l1_logs: rows are in its 2 partitions: logs_new, logs_old (";
    for (verb, evidence) in [
        ("tables", "p.sql"),
        ("tables", "p.case"),
        ("info", "p.case"),
    ] {
        let said = desk.run(&[verb, evidence, "--format", "table"]);
        assert!(said.stdout.contains(note), "{said:?}");
    }
    let info = desk.json(&["info", "p.case", "--format", "json"], 0);
    crate::schemas::valid("info", &info);
    // Rows that two tables show are there once: by number, and for who looks for what is in them.
    let whole = count("p.case", "l2_to_l1_logs");
    let shown = info["snapshots"][0]["tables"].as_array().unwrap().iter();
    let shown: i64 = shown.map(|table| table["rows"].as_i64().unwrap()).sum();
    assert_eq!(info["totals"]["rows"], shown - whole);
    let hits = desk.json(&["search", "p.case", hash, "--format", "json"], 0);
    let hits = hits["records"].as_array().unwrap().iter();
    let of_logs = hits.filter(|hit| hit["message"] != "public.transactions");
    let tables: Vec<_> = of_logs
        .map(|hit| hit["message"].as_str().unwrap())
        .collect();
    assert!(
        !tables.is_empty() && !tables.contains(&"public.l2_to_l1_logs"),
        "{tables:?}"
    );
    let tables = desk.json(&["tables", "p.sql", "--format", "json"], 0);
    crate::schemas::valid("tables", &tables);
}

/// `pg_dump > FILE` in PowerShell: UTF-16, with carriage returns. The answers are those of the dump, the bytes those of the file.
#[test]
fn a_dump_in_utf16_is_read_as_it_lies() {
    let desk = Desk::new();
    let (Some(copy), Some(pasted)) = (
        corpus_dump("z2023fork.eth_txs.copy.sql.gz"),
        corpus_dump("z2023fork.psql.aligned.txt"),
    ) else {
        return;
    };
    let wide = |text: &str| -> Vec<u8> {
        let text = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    };
    let unpacked = |path: &str| {
        let raw = std::fs::read(path).unwrap();
        let mut text = String::new();
        match raw.starts_with(&[0x1f, 0x8b]) {
            true => std::io::Read::read_to_string(
                &mut flate2::read::MultiGzDecoder::new(&raw[..]),
                &mut text,
            )
            .map(drop)
            .unwrap(),
            false => text = String::from_utf8(raw).unwrap(),
        }
        text
    };
    for (name, path) in [("copy", copy), ("pasted", pasted)] {
        let text = unpacked(&path);
        let original = wide(&text);
        let (narrow, file) = (format!("{name}.sql"), format!("{name}.utf16.sql"));
        desk.write(&narrow, &text).write(&file, &original);
        let select = "SELECT * FROM eth_txs ORDER BY id";
        let rows = |evidence: &str| {
            let said = desk.json(&["sql", evidence, select, "--format", "json"], 0);
            let mut rows = said["rows"].as_array().unwrap().clone();
            for row in &mut rows {
                // A reference names the source by its bytes.
                row.as_array_mut().unwrap().pop();
            }
            rows
        };
        let expected = rows(&narrow);
        assert!(!expected.is_empty());
        assert!(rows(&file) == expected, "{name}");
        let case = format!("{name}.case");
        for arguments in [
            vec!["ingest", case.as_str(), &file],
            vec!["ingest", "kept.case", &file, "--keep-dumps", "--as", name],
        ] {
            let said = desk.run(&arguments);
            assert_eq!(said.code, 0, "{said:?}");
        }
        assert!(rows(&case) == expected, "{name} in a case");
        let info = desk.json(&["info", &case, "--format", "json"], 0);
        assert_eq!(info["sources"][0]["encoding"], "utf-16le");
        crate::schemas::valid("info", &info);
        let refs = "SELECT ref FROM eth_txs ORDER BY id DESC LIMIT 1";
        let last = desk.json(&["sql", &case, refs, "--format", "json"], 0);
        let reference = last["rows"][0][0].as_str().unwrap();
        for evidence in [file.as_str(), &case, "kept.case"] {
            let shown = desk.json(&["show", evidence, reference, "--format", "json"], 0);
            let shown = &shown["shown"][0];
            assert_eq!(shown["encoding"], "utf-16le", "{evidence}: {shown}");
            let row = shown["text"].as_str().unwrap().trim_end();
            assert!(!row.is_empty() && text.contains(row), "{evidence}: {shown}");
            let (byte, length) = (
                shown["byte"].as_u64().unwrap() as usize,
                shown["length"].as_u64().unwrap() as usize,
            );
            let there = &original[byte..byte + length];
            let units = there
                .chunks(2)
                .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
            let there = String::from_utf16(&units.collect::<Vec<_>>()).unwrap();
            assert_eq!(there.trim_end(), row, "{evidence}");
        }
        for evidence in [file.as_str(), "kept.case"] {
            let digest = reference.split(':').next().unwrap();
            let line = format!("{digest}:2");
            let shown = desk.json(&["show", evidence, &line, "--format", "json"], 0);
            let shown = &shown["shown"][0];
            assert_eq!(
                shown["text"].as_str().unwrap().trim_end(),
                text.lines().nth(1).unwrap().trim_end(),
                "{evidence}"
            );
        }
        assert_eq!(desk.run(&["verify", &case]).code, 0);
    }
}
