//! Lines into records, whatever the bytes.

use crate::seen::{Entry, assert_tiles, parse, parse_in_parts, records};
use model::Reject;
use proptest::prelude::*;

/// Shows entries shortly: `R` record, `!` reject, `+` continued, `.` framing, with their line counts.
fn shape(bytes: &[u8]) -> String {
    let entries = parse(bytes);
    assert_tiles(bytes, &entries);
    assert_eq!(
        parse_in_parts(bytes, 64),
        entries,
        "parts differ from the whole"
    );
    entries
        .iter()
        .map(|entry| {
            let mark = match entry {
                Entry::Record { .. } => "R".to_owned(),
                Entry::Rejected(_, why) => format!("!{why:?}"),
                Entry::Continued(_, of) => format!("+{of}:"),
                Entry::Framing(..) => ".".to_owned(),
            };
            format!("{mark}{}", entry.span().lines)
        })
        .collect::<Vec<_>>()
        .join(" ")
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(shape(text.as_bytes()), expected, "{text:?}");
}

const LINE: &str = "[2020-08-14 10:52:08]  INFO p2p: Peer summary activePeers=45\n";

#[test]
fn line_ends_and_empty_things() {
    check("", "");
    check("\n", ".1");
    check(LINE, "R1");
    check(LINE.trim_end(), "R1");
    check(&LINE.repeat(3), "R1 R1 R1");
    check(&format!("{LINE}\n{LINE}"), "R1 .1 R1");
    check(&format!("\u{feff}{LINE}"), ".0 R1");
    check(&format!("\u{feff}\u{feff}{LINE}"), ".0 !Unrecognised1");
    let crlf = LINE.replace('\n', "\r\n");
    check(&crlf, "R1");
    assert_eq!(records(crlf.as_bytes()), records(LINE.as_bytes()));
}

#[test]
fn nul_bytes_and_broken_text() {
    check(&format!("\0\0\0{LINE}"), "!Binary0 R1");
    check(&format!("{LINE}\0\0\0\n{LINE}"), "R1 !Binary1 R1");
    check(&format!("{LINE}\0\0\0"), "R1 !Binary1");
    check("waiting \0 here\n", "!Binary1");
    check("waiting here\n", "!Unrecognised1");
    check("{\"a\":1,\n", "!BrokenJson1");
    check("{\"a\":1}\n", "!Unrecognised1");
    check(
        "{\"message\":\"x\",\"severity\":\"INFO\",}\n",
        "!BrokenJson1",
    );
    let bytes = b"[2020-08-14 10:52:08]  INFO p2p: Peer \xff summary k=\xfe\n";
    assert_eq!(shape(bytes), "R1");
    assert!(records(bytes)[0].contains("Peer \u{fffd} summary"));
}

#[test]
fn what_goes_on_with_a_record() {
    let error = "[2020-08-14 10:52:08] ERROR sync: failed error=first";
    check(
        &format!("{error}\nsecond\nruntime.goexit\n\tGOROOT/x.s:1 topic=/eth2/x\n"),
        "R4",
    );
    check(&format!("{error}\n  indented\n"), "R2");
    check(&format!("{error}\nchatter\n"), "R1 !Unrecognised1");
    check(&format!("{error}\n...\n{LINE}"), "R1 !Unrecognised1 R1");
    check(
        &format!("{error}\n2020/06/14 07:28:55 exit status 128\n  x\n"),
        "R1 !Unrecognised1 !Unrecognised1",
    );
    check(&format!("{error}\n\n\tframe\n"), "R3");
    check(&format!("{error}\n\nchatter\n"), "R1 .1 !Unrecognised1");
    check(&format!("{error}\nd slot=5\n"), "R2");
    // An open quote takes all up to the line that closes it, and nothing if none does.
    let open = "time=\"2020-08-14 10:52:08\" level=error msg=x error=\"first";
    check(
        &format!("{open}\nany words\n\nat all\" prefix=sync\nchatter\n"),
        "R4 !Unrecognised1",
    );
    check(
        &format!("{open}\nany words\nat all\n"),
        "R1 !Unrecognised1 !Unrecognised1",
    );
    check(&format!("{open}\n{LINE}"), "R1 R1");
    // JSON is whole on its line.
    let json = "{\"message\":\"x\",\"severity\":\"INFO\"}";
    check(&format!("{json}\n  indented\n"), "R1 !Unrecognised1");
}

#[test]
fn fields_after_a_stack_are_read() {
    let text = "[2020-08-14 10:52:08] ERROR sync: failed blockSlot=7 error=first\n\
                github.com/prysmaticlabs/prysm/x.f\n    x.go:1\nruntime.goexit\n    asm.s:1 topic=/eth2/x\n";
    let records = records(text.as_bytes());
    assert!(
        records[0].contains("\"topic\":\"/eth2/x\""),
        "{}",
        records[0]
    );
    assert!(
        records[0].contains("\"error\":\"first\\ngithub.com"),
        "{}",
        records[0]
    );
}

#[test]
fn a_record_has_its_limits() {
    let many = format!("{LINE}{}{LINE}", "  more\n".repeat(5000));
    let entries = parse(many.as_bytes());
    assert_tiles(many.as_bytes(), &entries);
    assert_eq!(entries[0].span().lines, 4096);
    assert_eq!(entries.len(), 1 + (5000 - 4095) + 1);
    assert!(
        entries[1..entries.len() - 1]
            .iter()
            .all(|entry| matches!(entry, Entry::Rejected(_, Reject::RecordTooLong)))
    );
    let long = format!("{LINE}{}", format!("  {}\n", "x".repeat(1000)).repeat(1100));
    let entries = parse(long.as_bytes());
    assert_tiles(long.as_bytes(), &entries);
    assert!(entries[0].span().length <= 1 << 20);
    assert!(matches!(
        entries[1],
        Entry::Rejected(_, Reject::RecordTooLong)
    ));
}

#[test]
fn panics_belong_to_those_whose_names_they_hold() {
    let stack = "goroutine 1 [running]:\ngithub.com/prysmaticlabs/prysm/x.F(0x0)\n\tx.go:1 +0x2b\n";
    check(
        &format!(
            "panic: boom\n\n{stack}\ngoroutine 7 [select]:\nmain.f(...)\n\tm.go:2\nexit status 2\n{LINE}"
        ),
        "R10 R1",
    );
    check(
        "panic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\tx.go:1\n",
        "!Unrecognised5",
    );
    check(&format!("{LINE}panic: boom\n{stack}"), "R1 R4");
}

/// A continuation that ends where the name of a service should stand.
#[test]
fn a_service_without_a_name() {
    let line = "Jun 01 17:54:12.007 INFO Synced  slot: 7, service: slot_notifier\n";
    check(&format!("{line}x, service: \t\n"), "R1 !Unrecognised1");
}

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(LINE.as_bytes().to_vec()),
        Just(b"time=\"2020-08-14 10:52:08\" level=info msg=\"Synced new block\" block=0x00 slot=7 prefix=blockchain\n".to_vec()),
        Just(b"time=\"2020-08-14 10:52:08\" level=info msg=\"x\" error=\"open\n".to_vec()),
        Just(b"{\"message\":\"Synced new block\",\"severity\":\"INFO\",\"slot\":5}\n".to_vec()),
        Just(b"2023-09-08T12:43:43.561336Z  INFO zksync_core: a b=c\n".to_vec()),
        Just(b"Aug 14 10:52:08 host prysm[1]: [2020-08-14 10:52:08]  INFO p2p: x\n".to_vec()),
        Just(b"Aug 14 10:52:08 host prysm[1]: runtime.goexit\n".to_vec()),
        Just(b"{\"log\":\"[2020-08-14 10:52:08]  INFO p2p: x y=\",\"stream\":\"stderr\",\"time\":\"2020-08-14T10:52:08Z\"}\n".to_vec()),
        Just(b"{\"log\":\"rest\\n\",\"stream\":\"stderr\",\"time\":\"2020-08-14T10:52:08Z\"}\n".to_vec()),
        Just(b"panic: prysm/x\n".to_vec()),
        Just(b"INFO [08-14|17:31:02.123] Looking for peers    peercount=2 tried=9\n".to_vec()),
        Just(b"ERROR[08-14|17:31:02.123] \n########## BAD BLOCK #########\n".to_vec()),
        Just(b"##############################\n".to_vec()),
        Just(b"2023-09-18 03:50:19.059 UTC [7] ERROR:  boom\n".to_vec()),
        Just(b"2023-09-18 03:50:19.059 UTC [7] STATEMENT:  SELECT\n\t1\n".to_vec()),
        Just(b"2023-09-18 03:50:19.059 UTC,,,7,,6.8,3,,2023-09-18 03:45:47 UTC,,0,LOG,00000,\"a\n".to_vec()),
        Just(b"2023-04-19 23:58:32.6975|WARN|102|x\n".to_vec()),
        Just(b"<--- Last few GCs --->\n".to_vec()),
        Just(b"FATAL ERROR: JavaScript heap out of memory\n 1: 0xb7 [node]\n".to_vec()),
        Just(b"revert transaction has completed\n".to_vec()),
        Just("Aug-14 10:52:08.123[]   info: Synced - slot: 7 - head: (slot -1) 0x12…ab - peers: 3\n".as_bytes().to_vec()),
        Just(b"Aug-14 10:52:08.123[chain]   error: Block error slot=7, code=A - why\nError: why\n    at f (a.ts:1:2)\n".to_vec()),
        Just(b"Error: why\n".to_vec()),
        Just(b"Eph 7/3 4.123[]   info: x\n".to_vec()),
        Just(b"{\"level\":\"info\",\"ts\":1704164645.1,\"msg\":\"x\",\"a\":{\"b\":[1]}}\n".to_vec()),
        Just(b"level=info ts=2024-01-02T03:04:05Z msg=\"two words\" n=3\n".to_vec()),
        Just(b"goroutine 1 [running]:\n".to_vec()),
        Just(b"thread 'main' panicked at core/lib/x.rs:1:2:\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\tframe\n".to_vec()),
        Just(b"closed\" a=b\n".to_vec()),
        Just(b"words\n".to_vec()),
        Just(b"\0\0".to_vec()),
        Just("←[31m\u{1b}[0m".as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
        "[ -~]{0,40}".prop_map(String::into_bytes),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any bytes tile, in one piece or cut at any allowed point, and nothing panics.
    #[test]
    fn any_bytes_tile(bytes in pieces(), largest in 1usize..300) {
        let entries = parse(&bytes);
        assert_tiles(&bytes, &entries);
        prop_assert_eq!(parse_in_parts(&bytes, largest), entries);
    }

    /// A reused parser gives what a fresh one gives.
    #[test]
    fn memory_changes_nothing(first in pieces(), second in pieces()) {
        let mut parser = formats::Catalogue::builtin().parser();
        let mut seen = crate::seen::Seen::default();
        let Ok(()) = parser.parse_block(&first, model::Position::START, &mut seen);
        let _ = parser.cut_point(&first);
        let mut seen = crate::seen::Seen::default();
        let Ok(()) = parser.parse_block(&second, model::Position::START, &mut seen);
        prop_assert_eq!(seen.0, parse(&second));
    }
}

/// Found by fuzzing: after a line with a number before it, an indented record was taken for its continuation, but
/// not where a block was cut between them.
#[test]
fn weak_wrappings_hide_no_record() {
    let text = b"   0: panic: x GOROOT\n        GOROOTtime=\"2022-03-11 11:41:54\" level=error msg=\"y\"\n";
    let entries = parse(text);
    assert_tiles(text, &entries);
    for largest in [1, 30, 64] {
        assert_eq!(parse_in_parts(text, largest), entries, "{largest}");
    }
}
