//! Adversarial lines of nearly 1 MiB: the work must be linear. No clock is asked: were a scan
//! quadratic, these tests would take minutes instead of a moment.

use crate::seen::{assert_tiles, parse};

fn check(head: &str, filler: &str, tail: &str) {
    let count = (1 << 20) / filler.len() - 200;
    let text = format!("{head}{}{tail}\n", filler.repeat(count));
    let entries = parse(text.as_bytes());
    assert_tiles(text.as_bytes(), &entries);
}

#[test]
fn hostile_lines_are_read_in_one_pass() {
    let terminal = "[2020-08-14 10:52:08]  INFO p2p: ";
    let quoted = "time=\"2020-08-14 10:52:08\" level=info msg=";
    let geth = "INFO [08-14|10:52:08.123] ";
    let erigon = "[INFO] [08-14|10:52:08.123] [p2p] ";
    let logfmt = "t=2023-08-14T10:52:08+0000 lvl=info msg=";
    let postgres = "2023-09-18 03:50:19.059 UTC [1] LOG:  ";
    let csvlog = "2023-09-18 03:50:19.059 UTC,\"";
    let slog = "Aug 14 10:52:08.123 INFO ";
    let slog_tracing = "Aug 14 10:52:08.123 ERROR x  a: ";
    let stampless = "INFO X";
    let bracketed = "[2025-08-14T10:52:08.123Z]  INFO a::b:12: ";
    let console = "2023-05-11 20:19:04.003 INFO  - ";
    let file = "2023-05-11 20:19:04.003+00:00 | t | INFO  | X | ";
    let chronicles = "INF 2023-05-11 20:19:04.003+00:00 Slot end ";
    let tracing = "2023-09-08T12:43:43.561336Z  INFO zksync_core: ";
    for filler in [
        "key=\"",
        " key=\"",
        "key=",
        " z=(",
        " a=",
        "=",
        " ",
        "\"",
        "\" ",
        "{",
        "}",
        "(",
        ")",
        "a",
        "\\",
        " aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "\u{1b}[",
        "←[3",
        "←",
        "a.",
        ": ",
        "a::",
        "[2020-",
        "peer id=",
        ", a: (",
        ", a: \"",
        "\", a: \"\\",
        "  a",
        ", ",
        ", Terminal POW Block Hash",
        " a: ",
        " java.lang.X: ",
        "|",
    ] {
        check(terminal, filler, "");
        check(quoted, filler, "");
        check(&format!("{quoted}\""), filler, "\"");
        check(tracing, filler, "");
        check(console, filler, "(See log file for full stack trace)");
        check(file, filler, "");
        check(&file[..32], filler, "");
        check(chronicles, filler, "");
        check(&format!("{chronicles}k=\""), filler, "");
        check(geth, filler, "");
        check(slog, filler, "");
        check(slog_tracing, filler, "");
        check(stampless, filler, "");
        check(bracketed, filler, "");
        check(erigon, filler, "");
        check(logfmt, filler, "");
        check(postgres, filler, "");
        check(csvlog, filler, "");
        check("{\"message\":", filler, "}");
        check("{\"severity\":\"INFO\",\"message\":\"", filler, "\"}");
        check(
            "{\"log\":\"",
            filler,
            "\\n\",\"stream\":\"stdout\",\"time\":\"2024-01-02T03:04:05Z\"}",
        );
        check("Aug 14 10:52:08 ", filler, "");
        check("", filler, "");
    }
}

/// Keys and values: JSON of all depths, logfmt, Lodestar's context.
#[test]
fn hostile_keys_and_values_are_read_in_one_pass() {
    let lodestar = "Aug-14 10:52:08.123[chain]   error: ";
    for filler in [
        "{",
        "[",
        "[{\"a\":",
        "{\"a\":",
        "\"a\":1,",
        "\"a\":{\"b\":[]},",
        "\"\\u",
        "\\u0041",
        "\\\\",
        "\u{e9}",
        "\t",
        "1",
        "1e",
        " a=b, ",
        " a=b ",
        " - ",
        " - a=b, ",
        "a=\"b",
        "a=\"\\\" ",
        ", a=",
        " - a: ",
        "\n    at f",
        "\nError: x",
    ] {
        check("", filler, "");
        check("{\"level\":\"info\",\"a\":", filler, "}");
        check("{\"level\":\"info\",\"a\":\"", filler, "\"}");
        check("{", filler, "\"level\":\"info\",\"msg\":\"x\"}");
        check("level=info msg=x a=", filler, "");
        check(lodestar, filler, "");
        check(&format!("{lodestar}x a="), filler, "");
        check("Aug-14 10:52:08.123[]   info: Synced", filler, "");
    }
}

#[test]
fn lines_of_fifty_megabytes() {
    for (head, filler) in [
        ("", "{"),
        ("{\"a\":", "["),
        ("{\"level\":\"info\",\"msg\":\"", "\\u0041"),
        ("level=info ts=2024-01-02T03:04:05Z ", "key=\""),
        ("", " "),
    ] {
        let text = format!("{head}{}\n", filler.repeat(50_000_000 / filler.len()));
        let entries = parse(text.as_bytes());
        assert_tiles(text.as_bytes(), &entries);
        assert_eq!(entries.len(), 1);
    }
}

#[test]
fn many_lines_that_almost_go_on() {
    let start = "[2020-08-14 10:52:08] ERROR sync: x error=\"a\n";
    let open = "time=\"2020-08-14 10:52:08\" level=error msg=x error=\"first\n";
    for (head, filler) in [
        (start, "words\n"),
        (start, "\n"),
        (open, "words \" x\n"),
        (open, "\n"),
        (
            start,
            "{\"log\":\"a\",\"stream\":\"stdout\",\"time\":\"2024-01-02T03:04:05Z\"}\n",
        ),
        (
            "{\"log\":\"[2020-08-14 10:52:08]  INFO p2p: a\",\"stream\":\"stdout\",\"time\":\"2024-01-02T03:04:05Z\"}\n",
            "{\"log\":\"a\",\"stream\":\"stdout\",\"time\":\"2024-01-02T03:04:05Z\"}\n",
        ),
        ("20:19:04.003 ERROR - x\n", "at a.b.C(D)\n"),
        ("20:19:04.003 ERROR - x\n", "words\nwords\na.b.C: x\n"),
        ("20:19:04.003 INFO  - Milestone   *** x\n", "words\n"),
        ("20:19:04.003 INFO  - Milestone   *** x\n", "\n"),
        ("INF 2023-05-11 20:19:04.003+00:00 x k=\"\n", "  words k=\n"),
        ("Traceback (most recent call last)\n", "a.nim(1) nimbus\n"),
        ("panic: x\n", "\n"),
        (
            "Aug 14 10:52:08.123 INFO x  a: (\n",
            "  b, service: x y, service: z\n",
        ),
        ("Aug 14 10:52:08.123 INFO x  a: \"\n", "12: x\n"),
        ("panic: x\n", "goroutine 1 [running]:\n"),
        ("Aug-14 10:52:08.123[chain]   error: x a=b\n", "words\n"),
        ("Aug-14 10:52:08.123[chain]   error: x a=b\n", "Error: x\n"),
        ("Aug-14 10:52:08.123[chain]   error: x a=b\n", "    at f\n"),
    ] {
        let text = format!("{head}{}", filler.repeat((1 << 20) / filler.len()));
        let entries = parse(text.as_bytes());
        assert_tiles(text.as_bytes(), &entries);
    }
}
