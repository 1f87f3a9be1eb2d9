//! `sql`: a statement over everything.

use super::shared;
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use coroner::{Error, SqlOptions};

/// SQL over records, rejects, obs.<kind> and database tables
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    coroner sql logs/ \"SELECT level, COUNT(*) AS n FROM records GROUP BY level ORDER BY n DESC\"\n  \
    coroner sql dump.sql.gz 'SELECT number FROM miniblocks WHERE l1_batch_number = $batch' --param batch=7670\n  \
    coroner sql medalla.case 'SHOW TABLES'")]
pub(crate) struct Args {
    /// Case folder, or plain evidence
    case: String,
    /// One statement that reads
    sql: String,
    /// Value of $NAME in the statement (may be repeated)
    #[arg(long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// At most N rows
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    ui.no_window("sql");
    let params = params(&args.params)?;
    let options = options(ui, args.limit);
    let outcome = coroner::sql(&args.case, &args.sql, &params, &options)?;
    finish("sql", &outcome, ui)
}

/// Converts `--param k=v`.
pub(crate) fn params(given: &[String]) -> Result<Vec<(String, String)>, Error> {
    given
        .iter()
        .map(|text| match text.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => Ok((
                name.trim().trim_start_matches('$').to_owned(),
                value.to_owned(),
            )),
            _ => Err(Error::request(format!("`{text}` is not a parameter"))
                .with_hint("write --param name=value")),
        })
        .collect()
}

pub(crate) fn options(ui: &Ui, limit: Option<usize>) -> SqlOptions {
    SqlOptions {
        open: ui.settings.open_options(),
        snapshot: ui.settings.snapshot.clone(),
        memory_bytes: ui.settings.memory.map(|bytes| bytes as usize),
        limit,
        queries: None,
    }
}

/// Writes the rows, and says what an answer without rows rests on.
pub(crate) fn finish(
    verb: &'static str,
    outcome: &coroner::SqlOutcome,
    ui: &Ui,
) -> Result<Exit, CliError> {
    ui.partial(&outcome.partial);
    let empty = outcome.answer.rows.is_empty();
    let looked_at = outcome.looked_at.as_ref().filter(|_| empty);
    let tail = shared::tail(None, looked_at, &outcome.partial);
    ui.answer(verb, &outcome.answer, &tail)?;
    if outcome.more {
        ui.note("more rows follow: --limit cut them off");
    }
    if let Some(looked_at) = looked_at {
        ui.note(&format!("no row; {looked_at}"));
    }
    ui.detail(&format!("read {}", outcome.tables.join(", ")));
    Ok(shared::exit(!empty, &outcome.partial))
}
