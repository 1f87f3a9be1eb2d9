//! `search`: text in the evidence.

use super::{shared, timeline};
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use coroner::{Hit, Unsearched};
use model::time::format_utc;
use report::{Block, Document, ListSpec};
use serde_json::{Map, Value, json};

/// Find text in records and in lines that no format claimed, and hashes in database tables as well
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    coroner search logs/ 'roughtime \"clock is off\"'\n  \
    coroner search medalla.case 'level:warn+ node:prysm-3 -peers' --count\n  \
    coroner search rollup.case 0x0bbbcf\n\n\
    Words must all be there; case does not matter. \"a phrase\", word*, 0x… (the start of a hash),\n\
    level:warn+, node: client: component: kind: or any field:value, and -term for not that.")]
pub(crate) struct Args {
    /// Case folder, or plain evidence
    case: String,
    /// What to look for
    #[arg(allow_hyphen_values = true)]
    query: String,
    /// Only how many there are
    #[arg(long)]
    count: bool,
    /// Find copies of a record in other sources of its process, too
    #[arg(long)]
    no_dedup: bool,
    /// At most N, the earliest
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

const SPEC: ListSpec = ListSpec {
    verb: "search",
    plural: "records",
    columns: timeline::COLUMNS,
    line: Some(timeline::line),
};

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    let evidence = shared::open(ui, &args.case)?;
    let window = ui.window(&evidence)?;
    let limit = if args.count { Some(0) } else { args.limit };
    let found = evidence.search(&args.query, &window, limit, args.no_dedup)?;
    let partial = evidence.partial();
    let looked_at = evidence.looked_at(&window, &[]);
    let tail = shared::tail(
        window.is_given().then(|| window.to_json()),
        (found.count == 0).then_some(&looked_at),
        &partial,
    );
    if found.cut > 0 {
        ui.warn(&format!(
            "{} not searched to the end: too long, or of a dump that the case keeps by hash",
            shared::count(found.cut, "rejected line")
        ));
    }
    match found.tables_unsearched {
        Some(Unsearched::OldSources(sources)) => ui.warn(&format!(
            "database tables were not searched, log lines were read one by one: the hashes of {} were not filed \
             by the coroner that read them; `coroner ingest` does it",
            shared::count(sources as u64, "source")
        )),
        Some(Unsearched::NotFiled) => ui.note(
            "database tables were not searched: what is asked for begins with zeros, or stands in very many places",
        ),
        None => {}
    }
    if args.count {
        let mut body = Map::new();
        body.insert("count".into(), json!(found.count));
        body.insert("copies".into(), json!(found.copies));
        body.insert("answered_by".into(), json!(found.answered_by));
        body.extend(tail);
        ui.document(&Document {
            verb: "search",
            body,
            view: vec![Block::Text(shared::count(found.count, "hit"))],
            rows: None,
        })?;
    } else {
        ui.list(SPEC, |list| {
            for hit in &found.hits {
                list.push(row(hit))?;
            }
            let mut whole = Map::new();
            whole.insert("count".into(), json!(found.count));
            whole.insert("copies".into(), json!(found.copies));
            whole.insert("answered_by".into(), json!(found.answered_by));
            whole.extend(tail);
            Ok(whole)
        })?;
        if (found.hits.len() as u64) < found.count {
            ui.note(&format!(
                "{} of {} shown: --limit",
                found.hits.len(),
                shared::count(found.count, "hit")
            ));
        }
    }
    if found.copies > 0 && !args.no_dedup {
        ui.note(&format!(
            "{} of hits in other sources left out: --no-dedup shows them",
            shared::plural(found.copies, "copy", "copies")
        ));
    }
    if found.count == 0 {
        ui.note(&format!(
            "nothing found; {looked_at}, {}",
            shared::count(found.rejects, "rejected line")
        ));
    }
    Ok(shared::exit(found.count > 0, &partial))
}

/// A hit in the shape of the timeline.
fn row(hit: &Hit) -> Map<String, Value> {
    let fields: Value = hit
        .fields
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_else(|| Value::Object(Map::new()));
    let basis = hit.ts_basis.clone().unwrap_or_else(|| "none".into());
    let kind = if hit.is_rejected {
        json!("rejected")
    } else {
        json!(hit.kind)
    };
    let row = json!({
        "ts": hit.ts_us.map(format_utc),
        "ts_basis": basis,
        "ts_order": hit.ts_order_us.map(format_utc),
        "corrected_ts": null,
        "node": hit.node,
        "process": hit.process,
        "client": hit.client,
        "level": hit.level,
        "component": hit.component,
        "kind": kind,
        "message": hit.message,
        "fields": fields,
        "ref": hit.reference(),
        "duplicates": hit.copies,
    });
    match row {
        Value::Object(row) => row,
        _ => Map::new(),
    }
}
