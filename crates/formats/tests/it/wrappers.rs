//! A wrapped line's record is the bare line's record, but for span and wrapper.

use crate::seen::{Entry, assert_tiles, parse, parse_in_parts, records};
use formats::Catalogue;
use model::Reject;

/// Kind of the layer, what it gives with its stamp and facts, and how a line looks in it.
type Wrapping = (&'static str, &'static str, fn(&str) -> String);

fn json(line: &str) -> String {
    serde_json::to_string(line).unwrap()
}

fn docker(line: &str) -> String {
    let text = json(&format!("{line}\n"))
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026");
    format!("{{\"log\":{text},\"stream\":\"stdout\",\"time\":\"2020-08-14T10:52:08.123456789Z\"}}")
}

fn journal(line: &str) -> String {
    format!("Aug 14 10:52:08 node-1 prysm.sh[2167]: {line}")
}

/// Every way in which a single line is wrapped.
const WRAPPINGS: &[Wrapping] = &[
    (
        "docker-json-file",
        "[2020-08-14T10:52:08.123456789Z]stream=stdout",
        docker,
    ),
    (
        "docker-json-file",
        "[2020-08-14T10:52:08Z]stream=stderr,attrs={\"tag\":\"a\\\"b\"}",
        |line| {
            format!(
                "{{\"log\":{},\"stream\":\"stderr\",\"attrs\":{{\"tag\":\"a\\\"b\"}},\"time\":\"2020-08-14T10:52:08Z\"}}",
                json(&format!("{line}\r\n"))
            )
        },
    ),
    (
        "docker-timestamps",
        "[2020-08-14T10:52:08.123456789Z]",
        |line| format!("2020-08-14T10:52:08.123456789Z {line}"),
    ),
    (
        "docker-timestamps",
        "[]attrs=com.docker.compose.service=beacon,tag=a%20b",
        |line| format!("com.docker.compose.service=beacon,tag=a%20b {line}"),
    ),
    (
        "cri",
        "[2020-08-14T10:52:08.12+02:00]stream=stderr",
        |line| format!("2020-08-14T10:52:08.12+02:00 stderr F {line}"),
    ),
    ("cri", "[2020-08-14T10:52:08Z]stream=stdout", |line| {
        format!("2020-08-14T10:52:08Z stdout F:x {line}")
    }),
    ("kubectl-prefix", "[]pod=beacon-0,container=prysm", |line| {
        format!("[pod/beacon-0/prysm] {line}")
    }),
    (
        "kubectl-timestamps",
        "[2020-08-14T10:52:08.123456789-04:00]",
        |line| format!("2020-08-14T10:52:08.123456789-04:00 {line}"),
    ),
    ("stern", "[]pod=beacon-0,container=prysm", |line| {
        format!("beacon-0 prysm {line}")
    }),
    (
        "stern",
        "[]namespace=goerli,pod=beacon-0,container=prysm",
        |line| format!("goerli beacon-0 prysm {line}"),
    ),
    (
        "stern",
        "[2020-08-14T10:52:08.123456789+02:00]pod=beacon-0,container=prysm",
        |line| format!("beacon-0 prysm 2020-08-14T10:52:08.123456789+02:00 {line}"),
    ),
    (
        "stern",
        "[]pod=beacon-0,namespace=goerli,container=prysm,host=k-1",
        |line| {
            format!(
                "{{\"message\":{},\"nodeName\":\"k-1\",\"namespace\":\"goerli\",\"podName\":\"beacon-0\",\"containerName\":\"prysm\"}}",
                json(&format!("{line}\n"))
            )
        },
    ),
    ("stern", "[]pod=beacon-0,container=prysm", |line| {
        let message = if line.starts_with('{') {
            line.to_owned()
        } else {
            json(line)
        };
        format!("{{\"pod\": \"beacon-0\", \"container\": \"prysm\", \"message\": {message}}}")
    }),
    ("kubetail", "[]pod=beacon-0,container=prysm", |line| {
        format!("[beacon-0 prysm] {line}")
    }),
    (
        "kubetail",
        "[2020-08-14T10:52:08.123456789Z]container=prysm,pod=beacon-0",
        |line| format!("2020-08-14T10:52:08.123456789Z ● [k-1    -    beacon-0   prysm] {line}"),
    ),
    ("docker-compose", "[]service=prysm_1", |line| {
        format!("prysm_1  | {line}")
    }),
    ("docker-compose", "[]service=prysm-1", |line| {
        format!("\u{1b}[36mprysm-1         | \u{1b}[0m{line}")
    }),
    ("kurtosis", "[]service=cl-1-prysm-geth", |line| {
        format!("[cl-1-prysm-geth] {line}")
    }),
    ("kurtosis", "[]service=4f7208aa", |line| {
        format!("[4f7208aa] {line}")
    }),
    (
        "journald-short",
        "[--08-14T10:52:08]host=node-1,identifier=prysm.sh,pid=2167",
        journal,
    ),
    (
        "journald-short",
        "[--08-14T10:52:08.123456]host=casa,identifier=beacon",
        |line| format!("ago 14 10:52:08.123456 casa beacon: {line}"),
    ),
    (
        "journald-short",
        "[2020-08-14T10:52:08+00:00]host=node-1,identifier=prysm.sh,pid=7",
        |line| format!("2020-08-14T10:52:08+0000 node-1 prysm.sh[7]: {line}"),
    ),
    (
        "journald-short",
        "[2020-08-14T10:52:08.123456+00:00]host=node-1,identifier=prysm",
        |line| format!("2020-08-14T10:52:08.123456+00:00 node-1 prysm: {line}"),
    ),
    (
        "journald-short",
        "[2020-08-14T10:52:08Z]host=node-1,unit=prysm.service,pid=7",
        |line| format!("Fri 2020-08-14 10:52:08 UTC node-1 prysm.service[7]: {line}"),
    ),
    (
        "journald-short",
        "[2020-08-14T10:52:08]host=node-1,identifier=prysm,pid=7",
        |line| format!("Fri 2020-08-14 10:52:08 CEST node-1 prysm[7]: {line}"),
    ),
    (
        "journald-short",
        "[2020-08-14T10:52:08.123456Z]host=node-1,identifier=prysm,pid=7",
        |line| format!("1597402328.123456 node-1 prysm[7]: {line}"),
    ),
    (
        "journald-short",
        "[]host=node-1,identifier=prysm,pid=7",
        |line| format!("[12345.123456] node-1 prysm[7]: {line}"),
    ),
    (
        "journald-short",
        "[]host=node-1,identifier=prysm,pid=7",
        |line| format!("[ 2345.123456 <    0.000123 >] node-1 prysm[7]: {line}"),
    ),
    (
        "journald-json",
        "[2020-08-14T10:52:08.123456Z]host=node-1,unit=prysm.service,identifier=prysm,pid=7",
        |line| {
            format!(
                "{{\"_PID\":\"7\",\"MESSAGE\":{},\"__REALTIME_TIMESTAMP\":\"1597402328123456\",\"_HOSTNAME\":\"node-1\",\"SYSLOG_IDENTIFIER\":\"prysm\",\"_SYSTEMD_UNIT\":\"prysm.service\",\"__CURSOR\":\"s=1;i=2\"}}",
                json(line)
            )
        },
    ),
    (
        "journald-json",
        "[2020-08-14T10:52:08.123456Z]host=node-1",
        |line| {
            let bytes: Vec<String> = line.bytes().map(|byte| byte.to_string()).collect();
            format!(
                "\u{1e}{{ \"__CURSOR\" : \"s=1\", \"_HOSTNAME\" : \"node-1\", \"MESSAGE\" : [ {} ], \"__REALTIME_TIMESTAMP\" : \"1597402328123456\" }}",
                bytes.join(", ")
            )
        },
    ),
    (
        "syslog-3164",
        "[--08-04T10:52:08]host=node-1,identifier=prysm,pid=7",
        |line| format!("<34>Aug  4 10:52:08 node-1 prysm[7]: {line}"),
    ),
    (
        "syslog-3164",
        "[--08-04T10:52:08]host=node-1,identifier=prysm",
        |line| format!("Aug  4 10:52:08 node-1 prysm: {line}"),
    ),
    (
        "syslog-5424",
        "[2020-08-14T10:52:08.5Z]host=node-1,identifier=prysm,pid=7",
        |line| format!("<34>1 2020-08-14T10:52:08.5Z node-1 prysm 7 - - {line}"),
    ),
    ("syslog-5424", "[]identifier=prysm", |line| {
        format!("123 <34>1 - - prysm - ID [a@1 k=\"v\\]\\\" ]\"][b@2] \u{feff}{line}")
    }),
    (
        "fluentd",
        "[2020-08-14T10:52:08+02:00]pod=beacon-0,namespace=goerli,container=prysm,stream=stdout,tag=kube.x",
        |line| {
            format!(
                "2020-08-14T10:52:08+02:00\tkube.x\t{{\"stream\":\"stdout\",\"log\":{},\"kubernetes\":{{\"container_name\":\"prysm\",\"namespace_name\":\"goerli\",\"pod_name\":\"beacon-0\"}}}}",
                json(&format!("{line}\n"))
            )
        },
    ),
    ("fluentd", "[2020-08-14T10:52:08.5Z]tag=tail.0", |line| {
        format!("tail.0: [1597402328.5, {{\"log\":{}}}]", json(line))
    }),
    (
        "fluentd",
        "[2020-08-14T10:52:08.500000000Z]tag=tail.0",
        |line| format!("[0] tail.0: [[1597402328.500000000, {{}}], {{\"log\"=>\"{line}\"}}]"),
    ),
    ("fluentd", "[2020-08-14T10:52:08.5Z]stream=stdout", |line| {
        format!(
            "{{\"date\":1597402328.5,\"time\":\"2020-08-14T10:52:08.5Z\",\"stream\":\"stdout\",\"logtag\":\"F\",\"message\":{}}}",
            json(line)
        )
    }),
    (
        "elastic",
        "[2020-08-14T10:52:08.123Z]pod=beacon-0,host=k-1,index=filebeat-7",
        |line| {
            format!(
                "{{\"_index\":\"filebeat-7\",\"_id\":\"x\",\"_source\":{{\"@timestamp\":\"2020-08-14T10:52:08.123Z\",\"message\":{},\"kubernetes\":{{\"pod\":{{\"name\":\"beacon-0\"}},\"node\":{{\"name\":\"k-1\"}}}}}},\"sort\":[1]}}",
                json(line)
            )
        },
    ),
    (
        "elastic",
        "[2020-08-14T10:52:08.123Z]host=h,file=/var/log/containers/beacon-0_goerli_prysm-0123456789012345678901234567890123456789012345678901234567890123.log,pod=beacon-0,namespace=goerli,container=prysm",
        |line| {
            format!(
                "{{\"@timestamp\":\"2020-08-14T10:52:08.123Z\",\"message\":{},\"log\":{{\"offset\":7,\"file\":{{\"path\":\"/var/log/containers/beacon-0_goerli_prysm-0123456789012345678901234567890123456789012345678901234567890123.log\"}}}},\"host\":{{\"name\":\"h\"}}}}",
                json(line)
            )
        },
    ),
    (
        "vector",
        "[2020-08-14T10:52:08.123456789Z]pod=beacon-0,host=k-1,file=/var/log/pods/x/0.log",
        |line| {
            format!(
                "{{\"file\":\"/var/log/pods/x/0.log\",\"kubernetes\":{{\"pod_name\":\"beacon-0\",\"pod_node_name\":\"k-1\"}},\"message\":{},\"source_type\":\"kubernetes_logs\",\"timestamp\":\"2020-08-14T10:52:08.123456789Z\"}}",
                json(line)
            )
        },
    ),
    (
        "loki",
        "[2020-08-14T10:52:08.12Z]pod=beacon-0,container=prysm",
        |line| {
            format!(
                "{{\"labels\":{{\"container\":\"prysm\",\"pod\":\"beacon-0\"}},\"line\":{},\"timestamp\":\"2020-08-14T10:52:08.12Z\"}}",
                json(line)
            )
        },
    ),
    (
        "loki",
        "[2020-08-14T10:52:08+10:00]pod=beacon-0,container=prysm",
        |line| {
            format!("2020-08-14T10:52:08+10:00 {{pod=\"beacon-0\", container=\"prysm\"}}   {line}")
        },
    ),
    ("loki", "[2020-08-14T10:52:08+10:00]", |line| {
        format!("2020-08-14T10:52:08+10:00    {line}")
    }),
    ("loki", "[2020-08-14T10:52:08.123Z]", |line| {
        format!("1597402328123\t2020-08-14T10:52:08.123Z\t{line}")
    }),
    ("chat-paste", "[]", |line| format!("> {line}")),
    ("chat-paste", "[]", |line| format!("1702888:{line}")),
    ("chat-paste", "[]", |line| format!("  12  {line}")),
    ("chat-paste", "[]file=logs/beacon.log", |line| {
        format!("logs/beacon.log:123:{line}")
    }),
    ("chat-paste", "[]", |line| format!("`{line}`")),
];

fn wrap(text: &str, with: fn(&str) -> String) -> String {
    text.lines().map(|line| with(line) + "\n").collect()
}

/// Whether a tool that trims or breaks lines would have kept this one as it is.
fn survives(kind: &str, says: &str, line: &str, bare: &[String]) -> bool {
    // A stamp before a line that has none is as good as the program's own.
    let stampless = bare.iter().any(|record| record.starts_with("None"));
    if stampless && (kind == "loki" || says.contains(".123456789")) {
        return false;
    }
    let blank_first = line.lines().any(|line| line.starts_with([' ', '\t']));
    let many = line.lines().count() > 1;
    match kind {
        // logcli trims lines; an indented line number's end cannot be told from its line's beginning.
        "loki" | "chat-paste" => !blank_first && !many,
        _ => true,
    }
}

#[test]
fn every_sample_reads_the_same_in_every_wrapping() {
    for (format, line) in Catalogue::builtin().sample_lines() {
        let bare = records(line.as_bytes());
        for (kind, says, with) in WRAPPINGS {
            if !survives(kind, says, line, &bare) {
                continue;
            }
            let wrapped = wrap(line, *with);
            let entries = parse(wrapped.as_bytes());
            assert_tiles(wrapped.as_bytes(), &entries);
            let Some(Entry::Record { wrapper, .. }) = entries.first() else {
                panic!("{format} in {kind}: no record: {wrapped}");
            };
            let expected = format!("{kind}{says}");
            assert!(
                wrapper.starts_with(&expected),
                "{wrapper} is not {expected}: {wrapped}"
            );
            assert_eq!(
                records(wrapped.as_bytes()),
                bare,
                "{format} in {kind}: {wrapped}"
            );
        }
    }
}

/// Nested two deep: all pairs, each with some of the samples in turn.
#[test]
fn wrappings_nest_in_any_order() {
    let samples: Vec<(&str, &str)> = Catalogue::builtin()
        .sample_lines()
        .into_iter()
        .filter(|(_, line)| line.lines().count() == 1 && !line.starts_with(' '))
        .filter(|(_, line)| !records(line.as_bytes())[0].starts_with("None"))
        .collect();
    let mut turn = 0;
    let mut wrong = Vec::new();
    for (outer, outer_says, around) in WRAPPINGS {
        for (inner, inner_says, with) in WRAPPINGS {
            // Two of one kind look like one: `> > x`, `pod container pod container x`.
            if outer == inner && matches!(*outer, "chat-paste" | "stern") {
                continue;
            }
            turn += 1;
            let (format, line) = samples[turn * 7 % samples.len()];
            let once = with(line);
            if around("x").contains("=>") && once.contains('"') {
                continue;
            }
            let wrapped = around(&once) + "\n";
            let entries = parse(wrapped.as_bytes());
            assert_tiles(wrapped.as_bytes(), &entries);
            let expected = format!("{outer}{outer_says} > {inner}{inner_says}");
            let fine = matches!(entries.first(), Some(Entry::Record { wrapper, .. }) if wrapper.starts_with(outer))
                && records(wrapped.as_bytes()) == records(line.as_bytes());
            if !fine {
                wrong.push(format!("{format} in {expected}: {wrapped}{entries:?}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} pairs:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn docker_chunks_are_joined() {
    let bare = format!(
        "[2020-08-14 10:52:08]  INFO p2p: x error={} peer=abc",
        "é".repeat(16_000)
    );
    let part = |text: &str, end: &str| {
        format!(
            "{{\"log\":\"{text}{end}\",\"stream\":\"stderr\",\"time\":\"2020-08-14T10:52:08Z\"}}\n"
        )
    };
    let (a, rest) = bare.split_at(16_383);
    let (b, c) = rest.split_at(10_000);
    let next = part("[2020-08-14 10:52:09]  INFO p2p: y", "\\n");
    let text = format!("{}{}{}{next}", part(a, ""), part(b, ""), part(c, "\\n"));
    let entries = parse(text.as_bytes());
    assert_tiles(text.as_bytes(), &entries);
    assert_eq!(parse_in_parts(text.as_bytes(), 20_000), entries);
    assert!(matches!(entries[1], Entry::Continued(_, 1)));
    assert!(matches!(entries[2], Entry::Continued(_, 1)));
    assert_eq!(entries.len(), 4);
    assert_eq!(records(text.as_bytes())[0], records(bare.as_bytes())[0]);
    // Lines of the other stream may stand between, and be cut themselves.
    let other = |text: &str, end: &str| part(text, end).replace("stderr", "stdout");
    let (x, y) = "[2020-08-14 10:52:09]  INFO p2p: y z=1".split_at(20);
    let text = format!(
        "{}{}{}{}{}{}",
        part(a, ""),
        other(x, ""),
        part(b, ""),
        other(y, "\\n"),
        part(c, "\\n"),
        part("words", "\\n")
    );
    let entries = parse(text.as_bytes());
    assert_tiles(text.as_bytes(), &entries);
    assert_eq!(parse_in_parts(text.as_bytes(), 20_000), entries);
    assert_eq!(records(text.as_bytes())[0], records(bare.as_bytes())[0]);
    assert_eq!(records(text.as_bytes()).len(), 2);
    assert!(matches!(entries[2], Entry::Continued(_, 1)));
    assert!(matches!(entries[3], Entry::Continued(_, 2)));
    assert!(matches!(entries[4], Entry::Continued(_, 1)));
    assert!(matches!(entries[5], Entry::Rejected(..)));
}

#[test]
fn other_units_of_a_journal_do_not_mix_in() {
    let text = "Aug 14 10:52:08 h prysm[1]: [2020-08-14 10:52:08] ERROR sync: x error=a\n\
                Aug 14 10:52:08 h sshd[9]:   indented\n\
                Aug 14 10:52:08 h prysm[1]:   indented\n";
    let entries = parse(text.as_bytes());
    assert_tiles(text.as_bytes(), &entries);
    assert_eq!(entries.len(), 3);
    assert_eq!(entries[0].span().lines, 1);
}

#[test]
fn parts_of_other_runtimes_are_joined() {
    let bare = "{\"message\":\"Synced new block\",\"severity\":\"INFO\",\"slot\":5}";
    let (a, b) = bare.split_at(30);
    let cri = |text: &str, stream: &str, tag: char| {
        format!("2020-08-14T10:52:08.1Z {stream} {tag} {text}\n")
    };
    let journal = |text: &str, more: &str| {
        format!(
            "{{\"MESSAGE\":{},\"CONTAINER_NAME\":\"beacon\"{more},\"__REALTIME_TIMESTAMP\":\"1597402328123456\"}}\n",
            json(text)
        )
    };
    let partial = ",\"CONTAINER_PARTIAL_MESSAGE\":\"true\"";
    for text in [
        cri(a, "stdout", 'P') + &cri("words", "stderr", 'F') + &cri(b, "stdout", 'F'),
        journal(a, partial) + &journal("words", "").replace("beacon", "other") + &journal(b, ""),
    ] {
        let entries = parse(text.as_bytes());
        assert_tiles(text.as_bytes(), &entries);
        assert_eq!(parse_in_parts(text.as_bytes(), 10), entries);
        assert_eq!(records(text.as_bytes()), records(bare.as_bytes()));
        assert!(matches!(entries[1], Entry::Rejected(..)));
        assert!(matches!(entries[2], Entry::Continued(_, 1)));
    }
    // `docker logs -t` stamps every chunk, in the middle of the line.
    let long = format!(
        "[2020-08-14 10:52:08]  INFO p2p: x error={}",
        "y".repeat(40_000)
    );
    let mut text = String::new();
    for chunk in long.as_bytes().chunks(16 << 10) {
        text += "2020-08-14T10:52:08.123456789Z ";
        text += std::str::from_utf8(chunk).unwrap();
    }
    assert_eq!(records(text.as_bytes()), records(long.as_bytes()));
}

#[test]
fn what_collectors_do_to_messages() {
    let journal = |message: &str| {
        format!(
            "{{\"__REALTIME_TIMESTAMP\":\"1597402328123456\",\"MESSAGE\":{message},\"PRIORITY\":\"6\"}}\n"
        )
    };
    let entries = parse(journal("null").as_bytes());
    assert!(matches!(entries[..], [Entry::Rejected(_, Reject::Omitted)]));
    let line = "[2020-08-14 10:52:08]  INFO p2p: x";
    let array = format!("[{},[32,121]]", json(line));
    let bare = format!("{line}\n y");
    assert_eq!(
        records(journal(&array).as_bytes()),
        records(bare.as_bytes())
    );
    // Several lines in one message.
    let stack = format!("{line} error=a\n\tframe\n");
    assert_eq!(
        records(journal(&json(&stack)).as_bytes()),
        records(stack.as_bytes())
    );
    // The journal's short form indents them.
    let column = " ".repeat("Aug 14 10:52:08 h prysm[1]: ".len());
    let short = format!("Aug 14 10:52:08 h prysm[1]: {line} error=a\n{column}\tframe\n");
    assert_eq!(records(short.as_bytes()), records(stack.as_bytes()));
    // Colours whose escape was lost or spelled out.
    for escape in ["", "^[", "\\u001b", "\\x1b"] {
        let coloured = format!("[2020-08-14 10:52:08] {escape}[32m INFO{escape}[0m p2p: x\n");
        assert_eq!(
            records(coloured.as_bytes()),
            records(line.as_bytes()),
            "{coloured}"
        );
    }
    // What frames a paste or an export says nothing itself.
    for frame in [
        "```log\n",
        "```\n",
        "-- Boot 0dc874d3fbd44bdbb6fbcfaa27481492 --\n",
        "-- Logs begin at Fri 2020-08-14 10:52:08 UTC. --\n",
        "+ beacon-0 › prysm\n",
        "web-1 exited with code 137\n",
    ] {
        let entries = parse(frame.as_bytes());
        assert!(matches!(entries[..], [Entry::Framing(..)]), "{frame}");
    }
}
