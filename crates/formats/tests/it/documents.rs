//! Documents: several records in a line, one record over several; the same records wherever they are cut.

use crate::seen::{Entry, Seen, assert_tiles, records};
use formats::Catalogue;
use model::Position;
use proptest::prelude::*;

fn json(line: &str) -> String {
    serde_json::to_string(line).unwrap()
}

pub(crate) fn parse(bytes: &[u8]) -> Vec<Entry> {
    let catalogue = Catalogue::builtin();
    let document = catalogue.document(bytes).expect("a document");
    let mut seen = Seen::default();
    let Ok(()) =
        catalogue
            .parser()
            .parse_document(&document, bytes, Position::START, true, &mut seen);
    seen.0
}

/// Parses in blocks of about `largest` bytes, cut where the parser says.
pub(crate) fn parse_in_parts(bytes: &[u8], largest: usize) -> Vec<Entry> {
    let catalogue = Catalogue::builtin();
    let mut document = catalogue.document(bytes).expect("a document");
    let mut parser = catalogue.parser();
    let mut entries = Vec::new();
    let (mut from, mut line, mut window) = (0, 1, largest);
    while from < bytes.len() {
        let end = (from + window).min(bytes.len());
        let mut next = document.clone();
        let cut = if end == bytes.len() {
            end
        } else if let Some(cut) = parser.cut_document(&mut next, &bytes[from..end]) {
            from + cut
        } else {
            window *= 2;
            continue;
        };
        window = largest;
        let mut seen = Seen::default();
        let at = Position {
            byte: from as u64,
            line,
        };
        let block = &bytes[from..cut];
        let Ok(()) = parser.parse_document(&document, block, at, cut == bytes.len(), &mut seen);
        entries.append(&mut seen.0);
        line += block.iter().filter(|c| **c == b'\n').count() as u64;
        document = next;
        from = cut;
    }
    entries
}

fn record_texts(entries: &[Entry]) -> Vec<String> {
    entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Record { text, .. } => Some(text.clone()),
            _ => None,
        })
        .collect()
}

/// The forms, with what their layer says, and how lines look in them.
type Form = (&'static str, fn(&[&str]) -> String);

fn otel_record(line: &str) -> String {
    format!(
        "{{\"timeUnixNano\":\"1597402328123456789\",\"body\":{{\"stringValue\":{}}},\"attributes\":[{{\"key\":\"log.iostream\",\"value\":{{\"stringValue\":\"stdout\"}}}}]}}",
        json(line)
    )
}

fn hit(line: &str) -> String {
    format!(
        "{{\"_index\":\"logs\",\"_source\":{{\"@timestamp\":\"2020-08-14T10:52:08.123Z\",\"message\":{},\"kubernetes\":{{\"pod\":{{\"name\":\"beacon-0\"}}}}}}}}",
        json(line)
    )
}

fn quoted(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}

const FORMS: &[Form] = &[
    (
        "elastic[2020-08-14T10:52:08.123Z]pod=beacon-0,index=logs",
        |lines| {
            format!(
                "[{}]\n",
                lines
                    .iter()
                    .map(|line| hit(line))
                    .collect::<Vec<_>>()
                    .join(",\n ")
            )
        },
    ),
    (
        "elastic[2020-08-14T10:52:08.123Z]pod=beacon-0,index=logs",
        |lines| {
            format!(
                "{{\"took\":3,\"_shards\":{{\"total\":1}},\"hits\":{{\"total\":{{\"value\":9}},\"max_score\":null,\"hits\":[{}]}},\"x\":[1]}}",
                lines
                    .iter()
                    .map(|line| hit(line))
                    .collect::<Vec<_>>()
                    .join(",")
            )
        },
    ),
    (
        "otel[2020-08-14T10:52:08.123456789Z]pod=beacon-0,service=cl",
        |lines| {
            let batches = lines.chunks(3).map(|lines| {
            let records: Vec<_> = lines.iter().map(|line| otel_record(line)).collect();
            format!(
                "{{\"resourceLogs\":[{{\"resource\":{{\"attributes\":[{{\"key\":\"k8s.pod.name\",\"value\":{{\"stringValue\":\"beacon-0\"}}}},{{\"key\":\"service.name\",\"value\":{{\"stringValue\":\"cl\"}}}}]}},\"scopeLogs\":[{{\"scope\":{{}},\"logRecords\":[{}]}}]}}]}}\n",
                records.join(",")
            )
        });
            batches.collect()
        },
    ),
    (
        "loki[2020-08-14T10:52:08.123456789Z]pod=beacon-0,service=cl",
        |lines| {
            let values: Vec<_> = lines
                .iter()
                .map(|line| format!("[\"1597402328123456789\",{}]", json(line)))
                .collect();
            format!(
                "{{\"status\":\"success\",\"data\":{{\"resultType\":\"streams\",\"result\":[{{\"stream\":{{\"pod\":\"beacon-0\",\"app\":\"cl\"}},\"values\":[{}]}}],\"stats\":{{\"a\":{{}}}}}}}}",
                values.join(",")
            )
        },
    ),
    ("loki[2020-08-14T10:52:08.123456789Z]", |lines| {
        let entries: Vec<_> = lines
            .iter()
            .map(|line| format!("{{\"line\":{},\"timestamp\":\"1597402328123456789\",\"date\":\"2020-08-14T10:52:08.123Z\",\"fields\":{{}}}}", json(line)))
            .collect();
        format!("[\n  {}\n]\n", entries.join(",\n  "))
    }),
    ("kibana-csv[2020-08-14T10:52:08.123]pod=beacon-0", |lines| {
        let rows = lines.iter().map(|line| {
            format!(
                "\"Aug 14, 2020 @ 10:52:08.123\",\"beacon-0\",{},-\r\n",
                quoted(line)
            )
        });
        format!(
            "\u{feff}\"@timestamp\",\"kubernetes.pod.name\",message,tags\r\n{}",
            rows.collect::<String>()
        )
    }),
    (
        "datadog-csv[2020-08-14T10:52:08.123Z]host=k-1,service=cl",
        |lines| {
            let rows = lines
                .iter()
                .map(|line| format!("2020-08-14T10:52:08.123Z,k-1,cl,{}\n", quoted(line)));
            format!("Date,Host,Service,Message\n{}", rows.collect::<String>())
        },
    ),
    (
        "journald-export[2020-08-14T10:52:08.123456Z]host=node-1,unit=prysm.service,pid=7",
        |lines| {
            let entries = lines.iter().map(|line| {
            let mut entry = "__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1597402328123456\n_PID=7\n_HOSTNAME=node-1\n".to_owned();
            if line.contains(['\n', '\u{1b}', '\t']) && line.len() < 128 {
                // Longer ones would make lengths that are no text.
                let length: String = (line.len() as u64).to_le_bytes().iter().map(|byte| char::from(*byte)).collect();
                entry += "MESSAGE\n";
                entry += &length;
                entry += line;
                entry += "\n";
            } else {
                entry += &format!("MESSAGE={line}\n");
            }
            entry + "_SYSTEMD_UNIT=prysm.service\n\n"
        });
            entries.collect()
        },
    ),
    (
        "journald-export[2020-08-14T10:52:08.123456Z]host=node-1,pid=7",
        |lines| {
            let entries = lines.iter().map(|line| {
            let text = line.replace('\n', &format!("\n{}", " ".repeat(12)));
            format!("Fri 2020-08-14 10:52:08.123456 UTC [s=1;i=2]\n    _PID=7\n    MESSAGE={text}\n    _HOSTNAME=node-1\n")
        });
            entries.collect()
        },
    ),
    (
        "journald-json[2020-08-14T10:52:08.123456Z]host=node-1",
        |lines| {
            let entries = lines.iter().map(|line| {
            format!("{{\n\t\"__REALTIME_TIMESTAMP\" : \"1597402328123456\",\n\t\"MESSAGE\" : {},\n\t\"_HOSTNAME\" : \"node-1\"\n}}\n", json(line))
        });
            entries.collect()
        },
    ),
    (
        "chat-paste[2020-08-14T10:52:08.000200Z]author=U1",
        |lines| {
            let entries: Vec<_> = lines
            .iter()
            .map(|line| {
                let text = line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                format!("{{\"type\":\"message\",\"user\":\"U1\",\"text\":{},\"ts\":\"1597402328.000200\"}}", json(&text))
            })
            .collect();
            format!("[\n{}\n]", entries.join(",\n"))
        },
    ),
    (
        "chat-paste[2020-08-14T10:52:08.1+00:00]author=ann,channel=support",
        |lines| {
            let entries: Vec<_> = lines
            .iter()
            .map(|line| format!("{{\"id\":\"1\",\"timestamp\":\"2020-08-14T10:52:08.1+00:00\",\"content\":{},\"author\":{{\"id\":\"2\",\"name\":\"ann\"}}}}", json(line)))
            .collect();
            format!(
                "{{\"guild\":{{\"id\":\"1\",\"name\":\"g\"}},\"channel\":{{\"id\":\"3\",\"name\":\"support\"}},\"messages\":[{}],\"messageCount\":{}}}",
                entries.join(","),
                lines.len()
            )
        },
    ),
];

#[test]
fn every_sample_reads_the_same_in_every_document() {
    let samples: Vec<&str> = Catalogue::builtin()
        .sample_lines()
        .into_iter()
        .map(|(_, line)| line)
        // Rows of chats stand for lines; what begins in one may go on in the next.
        .filter(|line| line.lines().count() == 1 && !line.starts_with("panic: "))
        .filter(|line| records(line.as_bytes()).len() == 1)
        .collect();
    let bare: Vec<String> = samples
        .iter()
        .map(|line| records(line.as_bytes())[0].clone())
        .collect();
    for (says, with) in FORMS {
        let text = with(&samples);
        let entries = parse(text.as_bytes());
        assert_tiles(text.as_bytes(), &entries);
        for entry in &entries {
            match entry {
                Entry::Record { wrapper, .. } => {
                    assert!(wrapper.starts_with(says), "{wrapper} is not {says}")
                }
                Entry::Framing(..) | Entry::Continued(..) => {}
                other => {
                    let span = other.span();
                    let bytes =
                        &text.as_bytes()[span.byte as usize..(span.byte + span.length) as usize];
                    panic!("{says}: {other:?}: {}", String::from_utf8_lossy(bytes));
                }
            }
        }
        for (read, bare) in record_texts(&entries).iter().zip(&bare) {
            assert_eq!(read, bare, "{says}");
        }
        assert_eq!(record_texts(&entries).len(), bare.len(), "{says}");
        for largest in [300, 5_000] {
            assert_eq!(parse_in_parts(text.as_bytes(), largest), entries, "{says}");
        }
    }
}

#[test]
fn messages_of_several_lines_are_one_record() {
    let stack = "[2020-08-14 10:52:08] ERROR sync: x error=a\n\tframe.go:1\n\nruntime.goexit";
    let bare = records(stack.as_bytes());
    for (says, with) in FORMS {
        let text = with(&[stack, "[2020-08-14 10:52:09]  INFO p2p: y"]);
        let entries = parse(text.as_bytes());
        assert_tiles(text.as_bytes(), &entries);
        let texts = record_texts(&entries);
        assert_eq!(texts.len(), 2, "{says}: {entries:?}");
        assert_eq!(texts[0], bare[0], "{says}");
    }
}

#[test]
fn what_is_damaged_is_rejected_and_the_rest_read() {
    let line = "[2020-08-14 10:52:08]  INFO p2p: x";
    let text = format!("[{},\n nonsense,\n{}]\n", hit(line), hit(line));
    let entries = parse(text.as_bytes());
    assert_tiles(text.as_bytes(), &entries);
    assert_eq!(record_texts(&entries).len(), 2);
    // A cut file.
    for (says, with) in FORMS {
        let whole = with(&[line, line, line]);
        for end in (20..whole.len()).filter(|end| whole.is_char_boundary(*end)) {
            let bytes = &whole.as_bytes()[..end];
            if Catalogue::builtin().document(bytes).is_some() {
                assert_tiles(bytes, &parse(bytes));
                assert_eq!(parse_in_parts(bytes, 100), parse(bytes), "{says} {end}");
            }
        }
    }
}

#[test]
fn lines_of_other_files_are_no_documents() {
    for text in [
        "",
        "[",
        "{",
        "[2020-08-14 10:52:08]  INFO p2p: x\n",
        "{\"message\":\"x\",\"severity\":\"INFO\"}\n",
        "{\"log\":\"x\\n\",\"stream\":\"stdout\",\"time\":\"2020-08-14T10:52:08Z\"}\n",
        "epoch,total_active_balance,previous_target_balance\n1,2,3\n",
        "a,message\n1,x\n",
        "[{\"id\":1}]",
    ] {
        assert!(
            Catalogue::builtin().document(text.as_bytes()).is_none(),
            "{text}"
        );
    }
}

fn hostile() -> impl Strategy<Value = (usize, Vec<u8>)> {
    let piece = prop_oneof![
        Just(b"\"".to_vec()),
        Just(b"{\"_source\":{\"message\":\"[2020-08-14 10:52:08]  INFO p2p: x\"}}".to_vec()),
        Just(b"[2020-08-14 10:52:08]  INFO p2p: x".to_vec()),
        Just(b"MESSAGE\n\x05\0\0\0\0\0\0\0a\n\nb\n\n".to_vec()),
        Just(b"MESSAGE=time=\"2020-08-14 10:52:08\" level=info msg=x\n\n".to_vec()),
        Just(b"{\"message\":".to_vec()),
        Just(b"[\"1\",\"x\"]".to_vec()),
        Just(b"\n".to_vec()),
        Just(b",".to_vec()),
        Just(b"]".to_vec()),
        Just(b"}".to_vec()),
        Just(b"\\".to_vec()),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    (
        0..FORMS.len(),
        prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands in a document: it tiles, and cuts change nothing.
    #[test]
    fn any_bytes_in_a_document_tile((form, bytes) in hostile(), at in 30usize..400, largest in 1usize..400) {
        let line = "[2020-08-14 10:52:08]  INFO p2p: x";
        let mut text = (FORMS[form].1)(&[line, line, line]).into_bytes();
        let at = at.min(text.len());
        text.splice(at..at, bytes);
        if Catalogue::builtin().document(&text).is_some() {
            let entries = parse(&text);
            assert_tiles(&text, &entries);
            prop_assert_eq!(parse_in_parts(&text, largest), entries);
        }
    }
}

/// No clock is asked: were a scan quadratic, this would take minutes.
#[test]
fn hostile_documents_are_read_in_one_pass() {
    for (head, filler) in [
        ("[{\"_source\":", "{\"a\":"),
        ("[{\"_source\":{\"message\":\"", "\\n"),
        ("[{\"_source\":1},", "["),
        ("[{\"_source\":1},", "{\"message\":\"x\"},"),
        ("[{\"_source\":1}", " "),
        ("[{\"text\":\"x\",\"ts\":\"1.1\"},{\"text\":\"", "a\\n"),
        ("@timestamp,message\n", "\""),
        ("@timestamp,message\n", "\"\n"),
        ("@timestamp,message\n", ",,,,"),
        ("@timestamp,message\n", "x\n"),
        ("__CURSOR=x\n", "A=b\n"),
        ("__CURSOR=x\n", "AAAAAAAAAAA\n"),
        ("__CURSOR=x\n", "\n"),
        ("Fri 2020-08-14 10:52:08.123456 UTC [s=1]\n", "    A=b\n"),
        ("{\"resourceLogs\":[", "{\"resource\":{\"attributes\":[]}},"),
        ("{\"resourceLogs\":[{\"resource\":{}},", "x"),
    ] {
        let text = format!("{head}{}", filler.repeat((3 << 20) / filler.len()));
        let entries = parse(text.as_bytes());
        assert_tiles(text.as_bytes(), &entries);
    }
}
