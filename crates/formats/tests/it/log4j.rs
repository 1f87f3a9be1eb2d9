//! Teku, Besu and Nimbus: who owns a line of the form that two programs share, and which lines go on.

use crate::seen::{Entry, Seen, assert_tiles, parse};
use formats::Catalogue;
use model::{Position, Record, RecordSink, Reject, Span};
use std::convert::Infallible;

/// Format and client of each record.
#[derive(Default)]
struct Owners(Vec<(String, String)>);

impl RecordSink for Owners {
    type Error = Infallible;

    fn record(&mut self, record: &Record<'_>) -> Result<(), Infallible> {
        self.0
            .push((record.format.to_owned(), record.client.to_owned()));
        Ok(())
    }

    fn rejected(&mut self, _: Span, why: Reject) -> Result<(), Infallible> {
        self.0.push((why.reason().to_owned(), String::new()));
        Ok(())
    }
}

fn owner(catalogue: &Catalogue, thread: &str, logger: &str, message: &str) -> (String, String) {
    let line = format!("2023-05-11 20:19:04.003+00:00 | {thread} | WARN  | {logger} | {message}\n");
    let mut owners = Owners::default();
    let Ok(()) = catalogue
        .parser()
        .parse_block(line.as_bytes(), Position::START, &mut owners);
    assert_eq!(owners.0.len(), 1);
    owners.0.remove(0)
}

#[test]
fn loggers_tell_more_than_threads_and_threads_more_than_messages() {
    for (thread, logger, message, expected) in [
        ("main", "teku-event-log", "any", "teku"),
        ("main", "EthScheduler", "any", "log4j"),
        ("beaconchain-async-7", "SomeClass", "any", "teku"),
        ("EthScheduler-Workers-2", "SomeClass", "any", "besu"),
        ("vert.x-worker-thread-0", "ForkChoice", "any", "teku"),
        ("TimeTick-1", "JsonRpcHttpService", "any", "besu"),
        (
            "main",
            "SomeClass",
            "Starting Besu version: besu/v1",
            "besu",
        ),
        ("main", "SomeClass", "Initializing storage", "teku"),
        (
            "EthScheduler-Workers-2",
            "SomeClass",
            "Initializing storage",
            "besu",
        ),
        ("nioEventLoopGroup-3-1", "SomeClass", "any", "log4j"),
    ] {
        let (format, client) = owner(Catalogue::builtin(), thread, logger, message);
        assert_eq!(format, expected, "{thread} {logger} {message}");
        assert_eq!(client, if format == "log4j" { "" } else { &format });
    }
}

/// A program that claims the same thread makes such lines nobody's, not ambiguous.
#[test]
fn what_two_programs_have_tells_neither() {
    let twin = r#"
title   = "Another program of the same house"
source  = "nowhere"
client  = "twin"
engines = ["log4j_text"]
threads = ["beaconchain-async-*", "twin-*"]

[[sample]]
line   = "2023-05-11 20:19:04.003+00:00 | twin-1 | WARN  | X | y"
record = { client = "twin" }

[[sample]]
line   = "x"
reject = true
"#;
    let catalogue = Catalogue::with_overlay(&[("twin".into(), twin.into())]).unwrap();
    assert_eq!(formats::check_samples(&catalogue), []);
    let whose = |thread, logger| owner(&catalogue, thread, logger, "any").0;
    assert_eq!(whose("beaconchain-async-7", "SomeClass"), "log4j");
    assert_eq!(whose("beaconchain-async-7", "ForkChoice"), "teku");
    assert_eq!(whose("twin-2", "SomeClass"), "twin");
    let only = Catalogue::only("besu", &[]).unwrap();
    assert_eq!(
        owner(&only, "main", "SomeClass", "any").0,
        Reject::Unrecognised.reason()
    );
}

/// Lines of each entry: records as numbers, rejects as `!`, framing as `.`.
#[track_caller]
fn check(text: &str, expected: &str) {
    let entries = parse(text.as_bytes());
    assert_tiles(text.as_bytes(), &entries);
    let shape: Vec<String> = entries
        .iter()
        .map(|entry| match entry {
            Entry::Record { span, .. } => span.lines.to_string(),
            Entry::Framing(..) => ".".into(),
            _ => "!".into(),
        })
        .collect();
    assert_eq!(shape.join(" "), expected, "{text}");
}

const TEKU: &str = "20:19:04.003 ERROR - Something failed\n";
const NIMBUS: &str = "INF 2023-05-11 20:19:04.003+00:00 Slot end topics=\"beacnde\" slot=1\n";

#[test]
fn stack_traces_belong_to_their_record() {
    let stack =
        "java.lang.A: b\nat a.b.C.d(C.java:1)\n\tSuppressed: x.Y: z\nCaused by: x.Y\n... 3 more\n";
    check(&format!("{TEKU}{stack}{TEKU}"), "6 1");
    // The exception's own text may be several lines; it stands before the frames.
    let wordy = "a.b.C: refused {\n  \"id\": 1\n}\nand more words\n\tat a.b.C.d(C.java:1)\n";
    check(&format!("{TEKU}{wordy}"), "6");
    // What the virtual machine says is nobody's; a blank line ends a trace if nothing of it follows.
    check(&format!("{TEKU}Picked up JAVA_TOOL_OPTIONS: -X\n"), "1 !");
    check(&format!("{TEKU}at the end\n\n{TEKU}"), "1 ! . 1");
    check(&format!("{TEKU}\n{TEKU}"), "1 . 1");
}

#[test]
fn banners_are_one_record() {
    let banner = "20:19:04.003 INFO  - Milestone   *** Epoch: 1, Activating network upgrade: X\n#\n\nart\n\n";
    check(&format!("{banner}{TEKU}"), "4 . 1");
    let long = format!("{banner}{}{TEKU}", "art\n".repeat(70));
    let entries = parse(long.as_bytes());
    assert!(matches!(&entries[0], Entry::Record { span, .. } if span.lines == 65));
    assert!(matches!(entries.last(), Some(Entry::Record { span, .. }) if span.lines == 1));
}

#[test]
fn a_status_bar_is_no_continuation() {
    let bar = " peers: 3 ❯ finalized: b3806428:1 ❯ sync: synced\n";
    check(&format!("{NIMBUS}{bar}{NIMBUS}"), "1 ! 1");
    check(&format!("{NIMBUS}    head=ab:1 sync=\"a b\"\n"), "2");
}

/// Stamps as far as they are written.
#[test]
fn stamps_without_a_date_say_so() {
    let mut seen = Seen::default();
    let text = format!("{TEKU}2023-05-11 {TEKU}{}", TEKU.replace('.', ","));
    let Ok(()) =
        Catalogue::builtin()
            .parser()
            .parse_block(text.as_bytes(), Position::START, &mut seen);
    let stamps: Vec<&str> = seen
        .0
        .iter()
        .map(|entry| match entry {
            Entry::Record { text, .. } => text.split(' ').next().unwrap(),
            _ => "none",
        })
        .collect();
    assert_eq!(
        stamps,
        [
            "Some(\"T20:19:04.003\")",
            "Some(\"2023-05-11T20:19:04.003\")",
            "Some(\"T20:19:04.003\")"
        ]
    );
}
