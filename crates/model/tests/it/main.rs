//! The arrows between the rooms (ARCHITECTURE.md): a crate may depend on these rooms and no others, and
//! each heavy engine lives behind exactly one crate.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Every room and the rooms it may call. Everything may call `model`; `testkit` and `bench` are for
/// development and may be called by tests only.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("chain", &["model"]),
    ("formats", &["model", "chain"]),
    ("evidence", &["model"]),
    ("dumps", &["model"]),
    ("case", &["model"]),
    (
        "ingest",
        &[
            "model", "chain", "evidence", "formats", "dumps", "case", "index",
        ],
    ),
    ("index", &["model", "case"]),
    ("query", &["model", "case"]),
    ("analysis", &["model", "case", "chain"]),
    ("detect", &["model", "query", "analysis", "index", "case"]),
    ("report", &["model"]),
    (
        "coroner",
        &[
            "model", "chain", "ingest", "evidence", "formats", "dumps", "case", "query", "index",
            "analysis", "detect", "report",
        ],
    ),
    ("cli", &["coroner", "model", "report"]),
    ("testkit", &["model"]),
    (
        "bench",
        &[
            "coroner", "ingest", "case", "dumps", "formats", "evidence", "testkit", "model",
        ],
    ),
];

/// Engines and the one crate that may name each (`bench`, a program for developers, may too).
const ENGINES: &[(&str, &str)] = &[
    ("arrow", "case"),
    ("parquet", "case"),
    ("polars", "analysis"),
    ("datafusion", "query"),
    ("tantivy", "index"),
    ("rusqlite", "dumps"),
    ("postgres", "dumps"),
    ("clap", "cli"),
];

fn manifests() -> BTreeMap<String, toml::Table> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(crates).expect("crates/ is readable") {
        let entry = entry.expect("entry");
        let path = entry.path().join("Cargo.toml");
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        let name = entry.file_name().into_string().expect("UTF-8 folder name");
        found.insert(name, text.parse().expect("valid TOML"));
    }
    found
}

fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    manifest
        .get("dependencies")
        .and_then(|table| table.as_table())
        .map(|table| table.keys().cloned().collect())
        .unwrap_or_default()
}

#[test]
fn rooms_depend_on_the_allowed_rooms_only() {
    let manifests = manifests();
    let rooms: BTreeSet<&str> = ARROWS.iter().map(|(room, _)| *room).collect();
    assert_eq!(
        manifests
            .keys()
            .map(String::as_str)
            .collect::<BTreeSet<_>>(),
        rooms,
        "rooms and folders"
    );
    for (room, allowed) in ARROWS {
        let manifest = &manifests[*room];
        assert_eq!(
            manifest["package"]["name"].as_str(),
            Some(*room),
            "the folder has the crate's name"
        );
        for dependency in dependencies(manifest) {
            if rooms.contains(dependency.as_str()) {
                assert!(
                    allowed.contains(&dependency.as_str()),
                    "{room} must not depend on {dependency}: see ARCHITECTURE.md"
                );
            }
        }
    }
}

#[test]
fn each_engine_lives_behind_one_crate() {
    let manifests = manifests();
    for (engine, home) in ENGINES {
        for (room, manifest) in &manifests {
            if room != home && room != "bench" {
                assert!(
                    !dependencies(manifest).contains(*engine),
                    "{engine} belongs to {home}, not to {room}"
                );
            }
        }
    }
}
