//! Text from evidence is never trusted.

use crate::run::Desk;

const HOSTILE: &str = "\
[2020-08-14 17:30:40]  WARN p2p: \u{1b}]0;owned\u{7}\u{1b}[2J title \u{202e}gnp.exe note=<script>alert(1)</script>
[2020-08-14 17:30:41]  WARN p2p: =HYPERLINK(\"http://evil\",\"x\") | [click](http://evil) `x` note=\u{9b}31m
[2020-08-14 17:30:42]  WARN p2p: ``` out of the fence note=-1+1
";

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("n1/beacon.log", HOSTILE);
    desk
}

#[track_caller]
fn harmless(text: &str) {
    for (at, c) in text.char_indices() {
        let control = c.is_control() && !matches!(c, '\n' | '\r');
        assert!(
            !control && c != '\u{202e}',
            "{:?}",
            &text[at.saturating_sub(20)..]
        );
    }
}

#[test]
fn nothing_drives_a_terminal_whatever_the_form() {
    let desk = desk();
    for format in ["table", "json", "jsonl", "csv", "md", "chat"] {
        for args in [
            &["timeline", "n1"][..],
            &["triage", "n1"],
            &["search", "n1", "p2p"],
            &["info", "n1"],
            &["parse", "n1"],
            &[
                "sql",
                "n1",
                "SELECT message, fields FROM records ORDER BY line",
            ],
            &["report", "n1"],
        ] {
            let mut args = args.to_vec();
            args.extend(["--format", format]);
            let said = desk.run(&args);
            let no_form = said.code == 2 && said.stderr.contains("form");
            // Lines of `parse` are JSON as the parser writes it; terminals get the table.
            if args[0] == "parse" && format == "jsonl" {
                continue;
            }
            assert!(no_form || said.code <= 1, "{args:?}: {said:?}");
            harmless(&said.stdout);
            harmless(&said.stderr);
        }
    }
    let named = Desk::new();
    named.write("\u{1b}[31mred/beacon.log", HOSTILE);
    let said = named.run(&["info", "\u{1b}[31mred", "--format", "table"]);
    harmless(&said.stdout);
    let missing = named.run(&["info", "\u{1b}[31mgone"]);
    harmless(&missing.stderr);
    assert_eq!(missing.code, 2);
}

#[test]
fn spreadsheets_run_nothing() {
    let said = desk().run(&[
        "sql",
        "n1",
        "SELECT message FROM records ORDER BY line",
        "--format",
        "csv",
    ]);
    let formula = said
        .stdout
        .lines()
        .find(|line| line.contains("HYPERLINK"))
        .unwrap();
    assert!(formula.starts_with("\"'=HYPERLINK"), "{formula}");
}

#[test]
fn markdown_has_no_html_and_no_links_of_theirs() {
    let said = desk().run(&["timeline", "n1", "--format", "md"]);
    assert!(!said.stdout.contains("<script"), "{said:?}");
    assert!(said.stdout.contains("\\[click\\](http://evil)"), "{said:?}");
    let draft = desk().run(&["report", "n1"]);
    assert!(!draft.stdout.contains("<script"), "{draft:?}");
}

#[test]
fn chat_stays_in_its_fence_and_short() {
    let desk = Desk::new();
    desk.write("n1/beacon.log", HOSTILE.repeat(200));
    let said = desk.run(&["timeline", "n1", "--format", "chat"]);
    assert_eq!(said.stdout.matches("```").count(), 2, "{said:?}");
    assert!(said.stdout.chars().count() <= 1900);
    assert!(said.stdout.lines().all(|line| line.chars().count() <= 80));
}
