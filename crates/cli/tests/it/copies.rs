//! Two pulls of one pod that overlap: each line once, both counts said.

use crate::run::Desk;
use serde_json::Value;

fn lines(from: u32, to: u32) -> String {
    (from..to)
        .map(|n| {
            format!(
                "time=\"2020-08-14 17:{:02}:{:02}\" level=warning msg=\"Could not dial peer\" prefix=p2p attempt={n}\n",
                n / 120,
                n / 2 % 60
            )
        })
        .collect()
}

#[test]
fn overlapping_pulls_are_counted_once_and_the_copies_are_said() {
    let desk = Desk::new();
    desk.write("pulls/monday.log", lines(0, 300))
        .write("pulls/tuesday.log", lines(200, 500));
    let info = desk.json(&["ingest", "x.case", "pulls"], 0);
    let totals = &info["totals"];
    assert_eq!(
        (&totals["records"], &totals["duplicates"], &totals["nodes"]),
        (&600.into(), &100.into(), &1.into())
    );
    let timeline = |more: &[&str]| {
        let mut args = vec!["timeline", "x.case", "--format", "json"];
        args.extend(more);
        let document = desk.json(&args, 0);
        let records = document["records"].as_array().unwrap().clone();
        assert_eq!(document["count"], records.len());
        assert_eq!(document["copies"], 100);
        records
    };
    let shown = timeline(&[]);
    assert_eq!((shown.len(), timeline(&["--no-dedup"]).len()), (500, 600));
    let with_copy: Vec<&Value> = shown
        .iter()
        .filter(|row| row["duplicates"].as_array().unwrap().len() == 1)
        .collect();
    assert_eq!(with_copy.len(), 100);
    // The reference of a copy leads to the same text.
    let copy = with_copy[7]["duplicates"][0].as_str().unwrap();
    let reference = with_copy[7]["ref"].as_str().unwrap();
    let raw = |reference: &str| desk.run(&["show", "x.case", reference]).lines()[0]["raw"].clone();
    assert_eq!(raw(copy), raw(reference));

    let count = desk.json(&["search", "x.case", "dial", "--count"], 0);
    assert_eq!(
        (&count["count"], &count["copies"]),
        (&500.into(), &100.into())
    );
    let all = desk.json(&["search", "x.case", "dial", "--count", "--no-dedup"], 0);
    assert_eq!(all["count"], 600);
    let triage = desk.json(&["triage", "x.case"], 0);
    assert_eq!(
        (
            &triage["evidence"]["records"],
            &triage["evidence"]["duplicates"]
        ),
        (&600.into(), &100.into())
    );
    let sql = "SELECT COUNT(*) AS n FROM records r WHERE NOT EXISTS (SELECT 1 FROM duplicates d \
               WHERE d.source = r.source AND d.line <= r.line AND r.line <= d.last_line)";
    assert_eq!(desk.run(&["sql", "x.case", sql]).lines()[0]["n"], 500);
    assert_eq!(desk.run(&["verify", "x.case"]).code, 0);
}
