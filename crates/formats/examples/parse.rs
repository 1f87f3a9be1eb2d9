//! Shows what the parser sees in files, one line per entry; with `--speed N` reads each file N times
//! in memory instead and prints megabytes per second.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a tool for people who write definitions"
)]

use formats::Catalogue;
use model::{ObsValue, Position, Record, RecordSink, Reject, Span, observation_kinds};
use std::convert::Infallible;

struct Print;

impl RecordSink for Print {
    type Error = Infallible;

    fn record(&mut self, r: &Record<'_>) -> Result<(), Infallible> {
        let text = |bytes: &[u8]| model::escape_control(bytes);
        println!(
            "{}+{} {} {} {} {} | {} | {}",
            r.span.line,
            r.span.lines,
            r.stamp.map_or("-".into(), |stamp| stamp.to_string()),
            r.level.map_or("-", |level| level.name()),
            r.component.map_or("-".into(), text),
            r.kind.unwrap_or("?"),
            text(r.message),
            r.fields
                .iter()
                .map(|field| format!("{}=<{}>", text(field.key), text(field.value.bytes())))
                .collect::<Vec<_>>()
                .join(" "),
        );
        for layer in r.wrapper {
            let facts: Vec<_> = layer
                .facts
                .iter()
                .map(|(k, v)| format!("{k}={}", text(v)))
                .collect();
            println!(
                "    in {} {:?} {}",
                layer.kind,
                layer.stamp.map(|s| s.to_string()),
                facts.join(" ")
            );
        }
        for observation in r.observations {
            let kind = &observation_kinds()[observation.kind];
            let values: Vec<_> = kind
                .columns
                .iter()
                .zip(observation.values.iter())
                .filter_map(|(column, value)| {
                    let value = match value? {
                        ObsValue::Text(bytes) => format!("<{}>", text(bytes)),
                        other => format!("{other:?}"),
                    };
                    Some(format!("{}={value}", column.name))
                })
                .collect();
            println!(
                "    obs {} slot={:?} {}",
                kind.name,
                observation.slot,
                values.join(" ")
            );
        }
        for clue in r.clues {
            println!("    clue {clue:?}");
        }
        Ok(())
    }

    fn rejected(&mut self, span: Span, why: Reject) -> Result<(), Infallible> {
        println!("{}+{} REJECTED {}", span.line, span.lines, why.reason());
        Ok(())
    }
}

#[derive(Default)]
struct Count {
    records: u64,
    rejects: u64,
    fields: u64,
}

impl RecordSink for Count {
    type Error = Infallible;

    fn record(&mut self, r: &Record<'_>) -> Result<(), Infallible> {
        self.records += 1;
        self.fields += r.fields.len() as u64;
        Ok(())
    }

    fn rejected(&mut self, _: Span, _: Reject) -> Result<(), Infallible> {
        self.rejects += 1;
        Ok(())
    }
}

fn main() {
    let mut times = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--speed" {
            times = Some(arguments.next().unwrap().parse::<u32>().unwrap());
            continue;
        }
        let bytes = std::fs::read(&argument).unwrap();
        let mut parser = Catalogue::builtin().parser();
        let document = Catalogue::builtin().document(&bytes);
        let Some(times) = times else {
            println!("== {argument}");
            let Ok(()) = match &document {
                Some(document) => {
                    parser.parse_document(document, &bytes, Position::START, true, &mut Print)
                }
                None => parser.parse_block(&bytes, Position::START, &mut Print),
            };
            continue;
        };
        let mut count = Count::default();
        let start = std::time::Instant::now();
        for _ in 0..times {
            let Ok(()) = match &document {
                Some(document) => {
                    parser.parse_document(document, &bytes, Position::START, true, &mut count)
                }
                None => parser.parse_block(&bytes, Position::START, &mut count),
            };
        }
        let seconds = start.elapsed().as_secs_f64();
        let megabytes = bytes.len() as f64 * f64::from(times) / 1e6;
        println!(
            "{argument}: {:.0} MB/s, {} records, {} rejects, {} fields",
            megabytes / seconds,
            count.records / u64::from(times),
            count.rejects / u64::from(times),
            count.fields / u64::from(times)
        );
    }
}
