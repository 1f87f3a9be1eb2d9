//! `batches`: the life of every batch of a rollup.

use super::shared;
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use coroner::BatchesQuestion;
use model::{Answer, Cell};
use report::{Block, Document};
use serde_json::{Map, Value};

/// Every batch of a rollup: sealed, committed, proven, executed; waits, pauses, resends, where it stands
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    coroner batches dump.sql.gz\n  \
    coroner batches rollup.case --from '2023-09-18 03:00' --to '2023-09-18 05:00' --format csv -o batches.csv\n  \
    coroner batches dump.sql.gz --format json | jq '.stands'\n\n\
    Times are the database's: noticed is when the server noticed a receipt, not when L1 mined it.\n\
    --from and --to choose batches by the time they began.")]
pub(crate) struct Args {
    /// Case folder, or plain evidence: of a dump only the tables of batches and L1 transactions are read
    case: String,
    /// Answer as of T: rows made later are left out; -3h counts back from the default [default: when the dump was
    /// taken, else its newest row]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    as_of: Option<String>,
    /// The delay that L1 demands between commit and execution, e.g. 21h (never assumed)
    #[arg(long, value_name = "TIME")]
    execution_delay: Option<String>,
    /// List at most N batches, the newest (sums are over all of the window)
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    limit: usize,
}

/// Batches, pauses and resends that a screen has room for; JSON has all.
const SHOWN: usize = 12;

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    let question = BatchesQuestion {
        snapshot: ui.settings.snapshot.as_deref(),
        as_of: shared::as_of(args.as_of.as_deref())?,
        execution_delay_s: shared::delay_s(args.execution_delay.as_deref())?,
        from: ui.settings.from,
        to: ui.settings.to,
        zone: Some(ui.settings.zone),
        limit: Some(args.limit),
    };
    let found = coroner::batches(&args.case, &question, &ui.settings.open_options())?;
    shared::tell_as_of(ui, found.report.as_of.as_ref());
    if found.window.is_given() {
        ui.note(&format!("window: {}", found.window));
    }
    ui.partial(&found.partial);
    let report = &found.report;
    for what in &report.partial {
        ui.tell_partial(what);
    }
    if report.left_out > 0 {
        ui.note(&format!(
            "the newest {} of {} batches are listed (--limit)",
            args.limit, report.count
        ));
    }
    let mut body = shared::object(report);
    let mut parts: Vec<Value> = found
        .partial
        .iter()
        .map(|part| Value::Object(shared::object(part)))
        .collect();
    let inside = report.partial.iter();
    parts.extend(inside.map(|what| serde_json::json!({"source": report.snapshot, "what": what})));
    let is_whole = parts.is_empty();
    if !is_whole {
        body.insert("partial".into(), Value::Array(parts));
    }
    if found.window.is_given() {
        body.insert("window".into(), found.window.to_json());
    }
    let view = view(&body, report.count);
    ui.document(&Document {
        verb: "batches",
        body,
        view,
        rows: Some("batches"),
    })?;
    let exit = if report.count > 0 {
        Exit::Done
    } else {
        Exit::Nothing
    };
    Ok(if is_whole {
        exit
    } else {
        exit.merge(Exit::Partial)
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// `2023-09-18T03:50:19.059576Z` as `2023-09-18 03:50:19Z`; `-` if there is none.
fn when(value: &Value) -> String {
    let Some(time) = value.as_str() else {
        return "-".to_owned();
    };
    let zone = if time.ends_with('Z') { "Z" } else { "" };
    let body = time.split('.').next().unwrap_or(time);
    format!("{}{zone}", body.trim_end_matches('Z').replace('T', " "))
}

/// Seconds as `2h 05m`; `-` if there are none.
fn length(value: &Value) -> String {
    let Some(seconds) = value.as_f64() else {
        return "-".to_owned();
    };
    let s = seconds.abs().round() as u64;
    let sign = if seconds < 0.0 { "-" } else { "" };
    match s {
        0..=119 => format!("{sign}{s}s"),
        120..=7199 => format!("{sign}{}m {:02}s", s / 60, s % 60),
        7200..=172_799 => format!("{sign}{}h {:02}m", s / 3600, s / 60 % 60),
        _ => format!("{sign}{}d {:02}h", s / 86_400, s / 3600 % 24),
    }
}

fn number(value: &Value) -> Cell {
    value.as_i64().map_or(Cell::Null, Cell::I64)
}

/// How a value is shown.
type Show = fn(&Value) -> Cell;

/// Rows of a list of the body as a table: `(heading, key, how)`.
type Column = (&'static str, &'static str, Show);

fn table(rows: &[Value], columns: &[Column]) -> Block {
    let heads: Vec<(&str, &str)> = columns.iter().map(|(head, _, _)| (*head, "text")).collect();
    let mut table = Answer::new(&heads);
    for row in rows {
        let cells = columns.iter().map(|(_, key, show)| show(&row[*key]));
        table.rows.push(cells.collect());
    }
    Block::Table(table)
}

fn list<'a>(body: &'a Map<String, Value>, key: &str) -> &'a [Value] {
    body.get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn view(body: &Map<String, Value>, count: usize) -> Vec<Block> {
    let words: Show = |value| Cell::Text(text(value));
    let times: Show = |value| Cell::Text(when(value));
    let lengths: Show = |value| Cell::Text(length(value));
    let mut view = vec![Block::Title(format!(
        "{} in snapshot {}",
        shared::plural(count as u64, "batch", "batches"),
        text(&body["snapshot"])
    ))];
    if let Some(as_of) = body["as_of"].as_object() {
        let zone = match body["database_zone"].as_object() {
            Some(zone) => format!("database times are {}", text(&zone["value"])),
            None => "the zone of the database's times is unknown".to_owned(),
        };
        view.push(Block::Note(format!(
            "as of {} ({}); {zone}",
            when(&as_of["value"]),
            text(&as_of["basis"])
        )));
        if as_of["basis"] != "given" {
            view.push(Block::Note(text(&as_of["rests_on"])));
        }
    }
    for stand in list(body, "stands") {
        view.push(Block::Lines(standing(stand)));
        let why = &stand["waiting"]["blocked_by"]["why"];
        if why.is_string() {
            view.push(Block::Item(format!("blocked by {}", text(why))));
        }
        let perhaps = stand["waiting"]["hypotheses"].as_array();
        for hypothesis in perhaps.into_iter().flatten() {
            view.push(Block::Item(format!(
                "perhaps {}",
                text(&hypothesis["text"])
            )));
        }
    }
    view.push(Block::Blank);
    let waits: [Column; 7] = [
        ("wait", "step", words),
        ("n", "n", number),
        ("p50", "p50_s", lengths),
        ("p90", "p90_s", lengths),
        ("p99", "p99_s", lengths),
        ("longest", "max_s", lengths),
        ("batch", "max_batch", number),
    ];
    view.push(table(list(body, "waits"), &waits));
    let gaps = list(body, "gaps");
    if !gaps.is_empty() {
        view.push(Block::Blank);
        view.push(Block::Title(format!("PAUSES ({})", gaps.len())));
        view.push(Block::Note(pauses(list(body, "pause_rules"))));
        view.push(table(
            &gaps[..gaps.len().min(SHOWN)],
            &[
                ("of", "kind", words),
                ("from", "from", times),
                ("to", "to", times),
                ("for", "gap_s", lengths),
                ("usual", "usual_s", lengths),
                ("status", "status", words),
                ("after batch", "after_batch", number),
            ],
        ));
    }
    let mut part = |title: String, rows: &[Value], columns: &[Column]| {
        if !rows.is_empty() {
            view.push(Block::Blank);
            view.push(Block::Title(title));
            view.push(table(&rows[..rows.len().min(SHOWN)], columns));
        }
    };
    let resends = list(body, "resends");
    part(
        format!("SENT MORE THAN ONCE ({})", resends.len()),
        resends,
        &[
            ("eth_tx", "eth_tx_id", number),
            ("step", "step", words),
            ("batch", "first_batch", number),
            ("to", "last_batch", number),
            ("times", "attempts", number),
            ("first signed", "first_signed_at", times),
            ("noticed", "noticed_at", times),
        ],
    );
    part(
        "FEES (at most, blobs not counted)".to_owned(),
        list(body, "fees"),
        &[
            ("step", "step", words),
            ("transactions", "transactions", number),
            ("gas", "gas_used", number),
            ("gwei", "fee_at_most_gwei", number),
        ],
    );
    let batches = list(body, "batches");
    let newest = &batches[batches.len().saturating_sub(SHOWN)..];
    part(
        format!("NEWEST ({} of {count})", newest.len()),
        newest,
        &[
            ("batch", "number", number),
            ("commit", "commit_state", words),
            ("prove", "prove_state", words),
            ("execute", "execute_state", words),
            ("waits for", "waits_for", words),
            ("for", "waits_s", lengths),
            ("", "verdict", words),
        ],
    );
    let missing = list(body, "missing");
    if !missing.is_empty() {
        let shown = missing.iter().take(SHOWN).map(|range| {
            let (first, last) = (&range["first"], &range["last"]);
            if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            }
        });
        let shown: Vec<String> = shown.collect();
        view.push(Block::Note(format!(
            "numbers without a row: {} ({} in all)",
            shown.join(", "),
            shared::plural(missing.len() as u64, "range", "ranges")
        )));
    }
    for warning in list(body, "warnings") {
        view.push(Block::Note(text(warning)));
    }
    view
}

/// What counts as a pause.
fn pauses(rules: &[Value]) -> String {
    let known = rules.iter().filter(|rule| rule["pause_s"].is_number());
    let known: Vec<String> = known
        .map(|rule| {
            format!(
                "{} {} ({}, {})",
                text(&rule["kind"]),
                length(&rule["pause_s"]),
                length(&rule["p50_s"]),
                length(&rule["p90_s"])
            )
        })
        .collect();
    format!(
        "longer than 10 times the median and 3 times the 90th percentile of the distances here, than 3 times the median of the ten around it, and than 5 min: {}",
        known.join(", ")
    )
}

/// Where one step stands, in a line.
fn standing(stand: &Value) -> String {
    let highest = match stand["highest"].as_i64() {
        Some(highest) => format!("up to {highest}, noticed {}", when(&stand["noticed_at"])),
        None => "none yet".to_owned(),
    };
    let next = match (stand["next"].as_i64(), stand["waiting"].as_object()) {
        (Some(next), Some(waiting)) => format!(
            "; {next} waits since {}, {}: {}",
            when(&waiting["since"]),
            length(&waiting["age_s"]),
            text(&waiting["verdict"])
        ),
        (Some(next), None) => format!("; {next} waits for an earlier step"),
        (None, _) => "; nothing waits".to_owned(),
    };
    let behind = match stand["behind"].as_u64() {
        Some(behind) if behind > 0 => format!(" ({behind} behind)"),
        _ => String::new(),
    };
    format!("{:<8}  {highest}{next}{behind}", text(&stand["step"]))
}
