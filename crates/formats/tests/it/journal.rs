//! Lines of a machine's own programs in its journal: in every form of it, beside a client's lines, and cut anywhere.

use crate::documents;
use crate::seen::{Entry, assert_tiles, parse, parse_in_parts, records};
use formats::Catalogue;
use model::Reject;
use proptest::prelude::*;

const SAID: &str = "System clock was stepped by 14400.100000 seconds";

/// A line of chronyd's in each form a journal has, with what the record says of its level.
fn forms(said: &str) -> Vec<(&'static str, String, &'static str)> {
    let json = |priority: &str| {
        format!(
            "{{\"_HOSTNAME\":\"node-1\",\"MESSAGE\":\"{said}\",{priority}\"SYSLOG_IDENTIFIER\":\"chronyd\",\"_PID\":\"512\",\"__REALTIME_TIMESTAMP\":\"1597426262123456\"}}"
        )
    };
    let host = "node-1 chronyd[512]:";
    vec![
        (
            "journald-short",
            format!("Aug 14 17:31:02 {host} {said}"),
            "None ",
        ),
        (
            "journald-short",
            format!("Aug 14 17:31:02.123456 {host} {said}"),
            "None ",
        ),
        (
            "journald-short",
            format!("2020-08-14T17:31:02+0200 {host} {said}"),
            "None ",
        ),
        (
            "journald-short",
            format!("2020-08-14T17:31:02.123456+02:00 {host} {said}"),
            "None ",
        ),
        (
            "journald-short",
            format!("Fri 2020-08-14 17:31:02 UTC {host} {said}"),
            "None ",
        ),
        (
            "journald-short",
            format!("1597426262.123456 {host} {said}"),
            "None ",
        ),
        ("journald-json", json("\"PRIORITY\":\"4\","), "Some(Warn) 4"),
        ("journald-json", json(""), "None "),
        (
            "syslog-3164",
            format!("Aug  4 17:31:02 {host} {said}"),
            "None ",
        ),
        (
            "syslog-3164",
            format!("<28>Aug 14 17:31:02 {host} {said}"),
            "Some(Warn) 28",
        ),
        (
            "syslog-3164",
            format!("<28>2020-08-14T17:31:02.123+02:00 {host} {said}"),
            "Some(Warn) 28",
        ),
        (
            "syslog-5424",
            format!("<30>1 2020-08-14T17:31:02.5Z node-1 chronyd 512 - - {said}"),
            "Some(Info) 30",
        ),
        (
            "syslog-5424",
            format!("99 <30>1 2020-08-14T17:31:02.5Z node-1 chronyd 512 ID [a@1 k=\"v\"] {said}"),
            "Some(Info) 30",
        ),
    ]
}

fn record(level: &str, said: &str) -> String {
    let kind = if said == SAID {
        "Some(\"clock.stepped\")"
    } else {
        "None"
    };
    format!("None journal system Some(\"chronyd\") {level} {said:?} {{}} {kind} None []")
}

#[test]
fn every_form_of_a_journal_dates_and_names_its_lines() {
    for (kind, line, level) in forms(SAID) {
        let entries = parse(line.as_bytes());
        let [Entry::Record { text, wrapper, .. }] = &entries[..] else {
            panic!("{line}: {entries:?}");
        };
        assert_eq!(text, &record(level, SAID), "{line}");
        assert!(
            wrapper.starts_with(&format!("{kind}[")),
            "{wrapper}: {line}"
        );
        assert!(
            !wrapper.starts_with(&format!("{kind}[]")),
            "no stamp: {wrapper}"
        );
        assert!(wrapper.contains("host=node-1"), "{wrapper}");
        assert!(wrapper.contains("pid=512"), "{wrapper}");
    }
    let export = format!(
        "__REALTIME_TIMESTAMP=1597426262123456\n_HOSTNAME=node-1\nPRIORITY=3\nSYSLOG_IDENTIFIER=chronyd\nMESSAGE={SAID}\n\n"
    );
    let verbose = format!(
        "Fri 2020-08-14 17:31:02.123456 UTC [s=1;i=2]\n    PRIORITY=3\n    _HOSTNAME=node-1\n    SYSLOG_IDENTIFIER=chronyd\n    MESSAGE={SAID}\n"
    );
    for text in [export, verbose] {
        let entries = documents::parse(text.as_bytes());
        assert_tiles(text.as_bytes(), &entries);
        let Entry::Record { text, .. } = &entries[0] else {
            panic!("{entries:?}");
        };
        assert_eq!(text, &record("Some(Error) 3", SAID));
    }
}

#[test]
fn what_is_around_a_journal_changes_nothing() {
    let around: [fn(&str) -> String; 6] = [
        |line| format!("[pod/log-0/cat] {line}"),
        |line| format!("2020-08-14T10:52:08.12+02:00 stderr F {line}"),
        |line| format!("> {line}"),
        |line| format!("web_1  | {line}"),
        |line| format!("1702888:{line}"),
        |line| {
            let text = serde_json::to_string(line).unwrap();
            format!("{{\"log\":{text},\"stream\":\"stdout\",\"time\":\"2020-08-14T10:52:08Z\"}}")
        },
    ];
    for (_, line, level) in forms(SAID) {
        for wrap in around {
            let wrapped = wrap(&line);
            assert_eq!(
                records(wrapped.as_bytes()),
                [record(level, SAID)],
                "{wrapped}"
            );
        }
    }
}

/// Shows each entry as `format component`, `!`, `+` for a continuation or `.` for framing, with its lines.
fn shape(text: &str) -> Vec<String> {
    let entries = parse(text.as_bytes());
    assert_tiles(text.as_bytes(), &entries);
    for largest in [1, 40, 90, 200, 700] {
        let parts = parse_in_parts(text.as_bytes(), largest);
        assert_eq!(parts, entries, "cut after {largest}: {text}");
    }
    let shown = entries.iter().map(|entry| match entry {
        Entry::Record { span, text, .. } => {
            // `stamp format client component level …`
            let words: Vec<&str> = text.split(" Some(").collect();
            let format = text.split(' ').nth(1).unwrap_or("");
            let said = words
                .iter()
                .skip(1)
                .filter(|word| !word.starts_with("\"20"));
            let who = said.map(|word| word.split('"').nth(1).unwrap_or("")).next();
            let who = who.filter(|who| !who.contains(' ')).unwrap_or("");
            format!("{format} {who} {}", span.lines)
        }
        Entry::Rejected(_, why) => format!("!{why:?}"),
        Entry::Continued(..) => "+".to_owned(),
        Entry::Framing(..) => ".".to_owned(),
    });
    shown.collect()
}

fn by(who: &str, said: &str) -> String {
    format!("Aug 14 17:31:02 node-1 {who}: {said}\n")
}

const CLIENT: &str =
    "time=\"2020-08-14 17:31:02\" level=info msg=\"Peer summary\" activePeers=45 prefix=p2p";

#[test]
fn lines_go_on_with_a_clients_record_only_if_the_client_wrote_them() {
    let (client, sshd) = (by("prysm.sh[7]", CLIENT), by("sshd[9]", "words"));
    let panic = [
        "panic: boom",
        "goroutine 1 [running]:",
        "github.com/prysmaticlabs/prysm/beacon-chain/node.(*BeaconNode).Start(0xc0001)",
        "exit status 2",
    ]
    .map(|line| by("prysm.sh[7]", line))
    .concat();
    let unread = "!Unrecognised";
    let check = |text: &str, expected: &[&str]| assert_eq!(shape(text), expected, "{text}");
    check(
        &format!("{client}{panic}{sshd}"),
        &["prysm p2p 1", "prysm  4", "journal sshd 1"],
    );
    // A machine's line among them ends the client's record, as it always did.
    let (head, tail) = panic.split_at(panic.rfind("Aug").unwrap());
    check(
        &format!("{head}{sshd}{tail}{client}"),
        &["prysm  3", "journal sshd 1", unread, "prysm p2p 1"],
    );
    // What a client wrote and nobody can read, and what containers wrote.
    let torn = by("prysm.sh[7]", "lf a line, no more");
    check(
        &format!("{sshd}{torn}{client}"),
        &["journal sshd 1", unread, "prysm p2p 1"],
    );
    for who in [
        "beacon-chain[7]",
        "lighthousebn[7]",
        "geth",
        "node[7]",
        "docker[7]",
        "run-it[7]",
        "my-eth2.sh",
    ] {
        check(&by(who, "words"), &[unread]);
    }
    // The journal's own marks are none of the machine's.
    let mark = "-- Reboot --\n-- Boot 0dc874d3fbd44bdbb6fbcfaa27481492 --\n";
    check(
        &format!("{sshd}{mark}{sshd}"),
        &["journal sshd 1", ".", ".", "journal sshd 1"],
    );
    check(
        &format!("{sshd}{}{sshd}", by("sshd[9]", "")),
        &["journal sshd 1", ".", "journal sshd 1"],
    );
}

#[test]
fn containers_and_lines_without_a_writer_or_a_time_are_left() {
    let json = |facts: &str| {
        format!("{{\"MESSAGE\":\"words\",\"__REALTIME_TIMESTAMP\":\"1597426262123456\"{facts}}}")
    };
    for line in [
        json(",\"CONTAINER_NAME\":\"web\",\"SYSLOG_IDENTIFIER\":\"0a1b2c3d\",\"PRIORITY\":\"3\""),
        json(""),
        json(",\"SYSLOG_IDENTIFIER\":\"bash\",\"_SYSTEMD_UNIT\":\"prysm.service\""),
        json(",\"SYSLOG_IDENTIFIER\":\"worker\",\"_SYSTEMD_UNIT\":\"prysm.service\""),
        "[12345.123456] node-1 sshd[9]: words".to_owned(),
        "<30>1 - node-1 sshd 9 - - words".to_owned(),
        "2020-08-14T17:31:02.123Z node-1 sshd[9]: words".to_owned(),
        "2020-08-14T17:31:02Z INFO thing: words".to_owned(),
    ] {
        let entries = parse(line.as_bytes());
        assert!(
            matches!(entries[..], [Entry::Rejected(_, Reject::Unrecognised)]),
            "{line}: {entries:?}"
        );
    }
    // systemd speaks of a client's unit; that is not the client.
    let unit = json(",\"SYSLOG_IDENTIFIER\":\"systemd\",\"UNIT\":\"prysm.service\"");
    assert_eq!(shape(&unit), ["journal systemd 1"]);
}

#[test]
fn programs_of_the_machine_are_no_clients_whatever_they_look_like() {
    let said = "time=\"2020-08-14T17:31:02.123456789Z\" level=warning msg=\"cleaning up\" id=abc";
    let expected = "Some(\"2020-08-14T17:31:02.123456789Z\") logfmt system Some(\"dockerd\") Some(Warn) warning \"cleaning up\" {\"id\":\"abc\"} None None []";
    assert_eq!(records(by("dockerd[7]", said).as_bytes()), [expected]);
    let export = format!(
        "__REALTIME_TIMESTAMP=1597426262123456\n_HOSTNAME=node-1\nSYSLOG_IDENTIFIER=dockerd\nMESSAGE={said}\n\n"
    );
    let entries = documents::parse(export.as_bytes());
    assert!(
        matches!(&entries[0], Entry::Record { text, .. } if text == expected),
        "{entries:?}"
    );
    // Under a client's name it is the client's, and by itself as well.
    for text in [by("prysm.sh[7]", said), said.to_owned()] {
        assert!(
            records(text.as_bytes())[0].contains(" prysm prysm "),
            "{text}"
        );
    }
}

#[test]
fn a_message_of_several_lines_is_one_record() {
    let column = " ".repeat("Aug 14 17:31:02 node-1 sshd[9]: ".len());
    let sshd = by("sshd[9]", "words");
    let text =
        format!("{sshd}{column}more\n{column}  and more\n{sshd}{column}\n  not its own\n{sshd}");
    assert_eq!(
        shape(&text),
        [
            "journal sshd 3",
            "journal sshd 2",
            "!Unrecognised",
            "journal sshd 1"
        ]
    );
    assert!(records(text.as_bytes())[0].contains(r#" "words\nmore\n  and more" "#));
}

/// A syslog file without a client is cut between the lines of different programs.
#[test]
fn a_journal_can_be_cut() {
    let text = [by("sshd[9]", "a"), by("cron[8]", "b"), by("cron[8]", "c")].concat();
    let cut = Catalogue::builtin().parser().cut_point(text.as_bytes());
    assert_eq!(cut, Some(by("sshd[9]", "a").len()));
    // The last line may go on with what the same program wrote before.
    let text = by("cron[8]", "b").repeat(3);
    assert_eq!(
        Catalogue::builtin().parser().cut_point(text.as_bytes()),
        None
    );
}

fn some_line() -> impl Strategy<Value = String> {
    let who = prop::sample::select(vec![
        "prysm.sh[7]",
        "sshd[9]",
        "sshd[10]",
        "kernel",
        "dockerd[3]",
        "geth[4]",
    ]);
    let said = prop::sample::select(vec![
        CLIENT,
        "panic: boom",
        "goroutine 1 [running]:",
        "main.main()",
        "github.com/prysmaticlabs/prysm/x.f(0x1)",
        "  indented key=value",
        "words",
        "",
        "2020-08-14T17:31:02.123456789Z words",
        "{\"level\":\"info\",\"msg\":\"x\",\"ts\":1597426262.1}",
        "[12345.678901] Out of memory: Killed process 4711 (geth)",
    ]);
    let form = prop::sample::select(vec![0usize, 0, 1, 2, 3, 4, 5, 6, 7]);
    (who, said, form).prop_map(|(who, said, form)| {
        let short = format!("Aug 14 17:31:02 node-1 {who}: {said}");
        match form {
            0 => format!("{short}\n"),
            1 => format!("<30>{short}\n"),
            2 => format!("                                {said}\n"),
            3 => format!("{said}\n"),
            4 => format!("> {short}\n"),
            5 => format!("2020-08-14T10:52:08.1Z stderr F {short}\n"),
            6 => format!("web-1  | {short}\n"),
            _ => {
                let name = who.split('[').next().unwrap();
                let said = serde_json::to_string(said).unwrap();
                format!("{{\"__REALTIME_TIMESTAMP\":\"1597426262123456\",\"_HOSTNAME\":\"node-1\",\"SYSLOG_IDENTIFIER\":\"{name}\",\"MESSAGE\":{said}}}\n")
            }
        }
    })
}

proptest! {
    #[test]
    fn cutting_changes_nothing(lines in prop::collection::vec(some_line(), 1..24)) {
        let text = lines.concat();
        let entries = parse(text.as_bytes());
        assert_tiles(text.as_bytes(), &entries);
        for largest in [1, 50, 120, 400] {
            prop_assert_eq!(&parse_in_parts(text.as_bytes(), largest), &entries);
        }
    }

    #[test]
    fn cutting_an_export_changes_nothing(
        entries in prop::collection::vec((0usize..4, 0usize..5), 1..24)
    ) {
        let who = ["prysm.sh", "sshd", "kernel", "dockerd"];
        let said = [CLIENT, "panic: boom", "goroutine 1 [running]:", "main.main()", "words"];
        let entry = |(a, b): &(usize, usize)| format!(
            "__REALTIME_TIMESTAMP=1597426262123456\n_HOSTNAME=node-1\nSYSLOG_IDENTIFIER={}\nMESSAGE={}\n\n",
            who[*a], said[*b]
        );
        let text: String = entries.iter().map(entry).collect();
        let whole = documents::parse(text.as_bytes());
        assert_tiles(text.as_bytes(), &whole);
        for largest in [1, 150, 400] {
            prop_assert_eq!(&documents::parse_in_parts(text.as_bytes(), largest), &whole);
        }
    }
}
