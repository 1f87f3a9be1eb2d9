//! Programs beside consensus clients: what belongs to one record of execution clients, of PostgreSQL and of
//! dying programs, whole and cut anywhere.

use crate::seen::{Entry, assert_tiles, parse, parse_in_parts};

/// Compares `format+lines` of each record, `!reason` of each reject; cutting changes nothing.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let entries = parse(text.as_bytes());
    assert_tiles(text.as_bytes(), &entries);
    for largest in [1, 60, 150, 400] {
        assert_eq!(parse_in_parts(text.as_bytes(), largest), entries);
    }
    let seen: Vec<String> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Record { span, text, .. } => {
                let mut words = text.split(' ').skip(1);
                Some(format!("{}+{}", words.next().unwrap(), span.lines))
            }
            Entry::Rejected(_, why) => Some(format!("!{}", why.reason())),
            _ => None,
        })
        .collect();
    assert_eq!(seen, expected);
}

const GETH: &str =
    "INFO [08-14|17:31:02.123] Looking for peers                        peercount=2 tried=9\n";
const ERIGON: &str = "[INFO] [08-14|17:31:02.123] [p2p] GoodPeers                      eth68=32\n";
const NETHERMIND: &str = "14 Aug 17:31:02 | Synced Chain Head to 7 (0x01...02)\n";
const RETH: &str = "2024-08-14T17:31:02.123456Z  INFO Status connected_peers=9 latest_block=7\n";

#[test]
fn clients_in_one_stream() {
    let text = [GETH, ERIGON, NETHERMIND, RETH, GETH].concat();
    let expected = ["geth+1", "erigon+1", "nethermind+1", "reth+1", "geth+1"];
    check(&text, &expected);
}

/// Between lines of pairs that only the generic format knows, others' lines are what they are alone.
#[test]
fn pairs_of_all_kinds_in_one_stream() {
    let generic = "ts=2024-01-02T03:04:05.123Z level=info component=tsdb msg=\"ready\" took=1s\n";
    let others = [
        (
            "time=\"2020-08-14 17:31:02\" level=info msg=\"Synced\" prefix=sync\n",
            "prysm+1",
        ),
        (
            "t=2023-08-14T17:31:02+0000 lvl=info msg=\"Looking for peers\" peercount=2\n",
            "geth+1",
        ),
        (
            "com.docker.compose.service=web,tag=x ts=2024-01-02T03:04:05Z level=info msg=in\n",
            "logfmt+1",
        ),
        (
            "ts=2024-01-02T03:04:05.123Z [34mlevel[0m=info msg=coloured\n",
            "logfmt+1",
        ),
        ("key=words of nobody\n", "!no format recognises this line"),
    ];
    for (other, name) in others {
        let text = [generic, generic, generic, other, other, generic].concat();
        let logfmt = "logfmt+1";
        check(&text, &[logfmt, logfmt, logfmt, name, name, logfmt]);
    }
    let attributes = [generic, generic, generic, others[2].0].concat();
    let entries = parse(attributes.as_bytes());
    let seen = format!("{:?}", entries.last());
    assert!(
        seen.contains("docker-timestamps[]attrs=com.docker"),
        "{seen}"
    );
}

#[test]
fn a_bad_block_is_one_record() {
    let report = "ERROR[08-14|17:31:02.123] \n########## BAD BLOCK #########\nBlock: 7 (0x01)\nError: bad\n\n0: cumulative: 21000\n\tlogs: []\n##############################\n";
    check(
        &format!("{GETH}{report}{GETH}"),
        &["geth+1", "geth+8", "geth+1"],
    );
    // Cut short: what is not closed is not swallowed.
    let cut = "ERROR[08-14|17:31:02.123] \n########## BAD BLOCK #########\nBlock: 7 (0x01)\n";
    let unknown = "!no format recognises this line";
    check(
        &format!("{cut}{GETH}"),
        &["geth+1", unknown, unknown, "geth+1"],
    );
}

#[test]
fn parts_of_a_message_of_postgres() {
    let error = "2023-09-18 03:50:19.059 UTC [7] ERROR:  boom\n";
    let detail = "2023-09-18 03:50:19.059 UTC [7] DETAIL:  because\n\tof this\n\t\n\tand that\n";
    let others = "2023-09-18 03:50:19.059 UTC [8] STATEMENT:  SELECT 1\n";
    let later = "2023-09-18 03:50:19.060 UTC [7] STATEMENT:  SELECT 2\n";
    check(&format!("{error}{detail}"), &["postgres+5"]);
    // Of another process, of another time: records of their own.
    check(&format!("{error}{others}"), &["postgres+1", "postgres+1"]);
    check(&format!("{error}{later}"), &["postgres+1", "postgres+1"]);
    check(&format!("{detail}{error}"), &["postgres+4", "postgres+1"]);
    check(
        &format!("{error}\tmore\nwords\n{error}"),
        &[
            "postgres+2",
            "!no format recognises this line",
            "postgres+1",
        ],
    );
}

#[test]
fn quotes_of_csvlog_hold_line_feeds() {
    let open = "2023-09-18 03:50:19.059 UTC,,,7,,6507c7ab.8a6,3,,2023-09-18 03:45:47 UTC,,0,LOG,00000,\"a\n";
    let line = "2023-09-18 03:50:19.059 UTC,,,7,,6507c7ab.8a6,4,,2023-09-18 03:45:47 UTC,,0,LOG,00000,\"b\",,,,,,,,,\"\"\n";
    check(
        &format!("{open}\nb \"\"c\"\"\n\",,,,,,,,,\"\"\n{line}"),
        &["postgres+4", "postgres+1"],
    );
    let unknown = "!no format recognises this line";
    check(
        &format!("{open}never closed\n{line}"),
        &["postgres+1", unknown, "postgres+1"],
    );
}

#[test]
fn the_program_with_most_frames_owns_the_panic() {
    let go = |frames: &[&str]| {
        format!(
            "panic: boom\n\ngoroutine 9 [running]:\n{}\n",
            frames.join("\n")
        )
    };
    let p2p = "github.com/ethereum/go-ethereum/p2p/discover.loop(0x1)";
    let chain = "github.com/ethereum/go-ethereum/core.(*BlockChain).insert(0x1)";
    let prysm = "github.com/prysmaticlabs/prysm/v5/beacon-chain/p2p.start(0x1)";
    let erigon = "github.com/erigontech/erigon/p2p.start(0x1)";
    check(&go(&[p2p, prysm]), &["prysm+5"]);
    check(&go(&[chain, p2p]), &["geth+5"]);
    check(&go(&[chain, erigon, erigon]), &["erigon+6"]);
    // A library's frames alone name no program.
    check(&go(&[p2p]), &["!no format recognises this line"]);
}

#[test]
fn other_ways_to_die() {
    let v8 = "<--- Last few GCs --->\n\n[1:0x55] 812 ms: Mark-sweep 4009.1 (4100.2) MB\n\n\n<--- JS stacktrace --->\n\nFATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n 1: 0xb7a940 node::Abort() [node]\n";
    check(&format!("{v8}{GETH}"), &["lodestar+9", "geth+1"]);
    let numbered = "thread 'tokio' (17) panicked at crates/engine/tree/src/x.rs:1:2:\nboom\nnote: run with `RUST_BACKTRACE=1`\n";
    check(
        &format!("{RETH}{numbered}{RETH}"),
        &["reth+1", "reth+3", "reth+1"],
    );
    let java = "Exception in thread \"main\" java.lang.Error: x\n\tat org.hyperledger.besu.Besu.main(Besu.java:40)\nCaused by: java.io.IOException\n\t... 3 more\n";
    check(java, &["besu+4"]);
    let dotnet =
        "Unhandled exception. System.Exception: x\n   at Nethermind.Runner.Program.Main()\n";
    check(
        &format!("{dotnet}{NETHERMIND}"),
        &["nethermind+2", "nethermind+1"],
    );
}

#[test]
fn numbers_of_fields_are_kept_as_printed() {
    let entries = parse(GETH.as_bytes());
    let Entry::Record { text, .. } = &entries[0] else {
        panic!("{entries:?}");
    };
    assert!(text.contains(r#"{"peercount":"2","tried":"9"}"#), "{text}");
    assert!(text.contains("peers None what="), "{text}");
}
