//! `tables`: which database tables there are.

use super::shared;
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use coroner::{Evidence, PlainDumps, TableRow, Window};
use model::{Answer, Cell};
use report::{Block, Document};
use serde_json::{Map, Value};

/// Database tables: rows, keys, columns
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  coroner tables dump.sql.gz\n  coroner tables rollup.case --format json | jq '.tables[].columns'"
)]
pub(crate) struct Args {
    /// Case folder, or plain evidence
    case: String,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    ui.no_window("tables");
    let options = ui.settings.open_options();
    let snapshot = ui.settings.snapshot.as_deref();
    let (rows, partial, looked_at) = match PlainDumps::open(&args.case, &options, snapshot)? {
        Some(mut dumps) => {
            let rows = dumps.rows()?;
            let partial = dumps.partial();
            ui.partial(&partial);
            (rows, partial, None)
        }
        None => {
            let evidence: Evidence = shared::open(ui, &args.case)?;
            let rows = evidence.tables(snapshot);
            let looked_at = evidence.looked_at(&Window::default(), &["database dumps".into()]);
            (rows, evidence.partial(), Some(looked_at))
        }
    };
    let looked_at = looked_at.filter(|_| rows.is_empty());
    let mut body = Map::new();
    let list = rows.iter().map(|row| Value::Object(shared::object(row)));
    body.insert("tables".into(), list.collect());
    body.extend(shared::tail(None, looked_at.as_ref(), &partial));
    let view = match &looked_at {
        Some(looked_at) => vec![Block::Text(format!("no database table; {looked_at}"))],
        None => {
            let mut view = vec![Block::Table(table(&rows))];
            for row in &rows {
                let name = shown_name(row);
                let notes = row.notes.iter();
                view.extend(notes.map(|note| Block::Note(format!("{name}: {note}"))));
            }
            view
        }
    };
    ui.document(&Document {
        verb: "tables",
        body,
        view,
        rows: Some("tables"),
    })?;
    Ok(shared::exit(!rows.is_empty(), &partial))
}

/// A table's name as people know it.
fn shown_name(row: &TableRow) -> String {
    match row.schema.as_str() {
        "public" | "" => row.name.clone(),
        schema => format!("{schema}.{}", row.name),
    }
}

fn table(rows: &[TableRow]) -> Answer {
    let mut table = Answer::new(&[
        ("snapshot", "text"),
        ("table", "text"),
        ("rows", "i64"),
        ("damaged", "i64"),
        ("key", "text"),
        ("columns", "i64"),
        ("types", "text"),
    ]);
    for row in rows {
        let name = shown_name(row);
        table.rows.push(vec![
            Cell::Text(row.snapshot.clone()),
            Cell::Text(name),
            Cell::I64(row.rows as i64),
            Cell::I64(row.damaged_rows as i64),
            Cell::Text(row.primary_key.join(", ")),
            Cell::I64(row.columns.len() as i64),
            Cell::Text(
                if row.types_inferred {
                    "inferred"
                } else {
                    "declared"
                }
                .into(),
            ),
        ]);
    }
    table
}
