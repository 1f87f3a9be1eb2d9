//! `query`: a named query.

use super::sql;
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use std::path::PathBuf;

/// Run a named query (`coroner queries` lists them)
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  coroner query medalla.case clock/offsets_over_2s --param min_offset_s=2"
)]
pub(crate) struct Args {
    /// Case folder, or plain evidence
    case: String,
    /// The query's name
    name: String,
    /// Value of a parameter (may be repeated)
    #[arg(long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// A folder with queries of your own
    #[arg(long, value_name = "DIR")]
    queries: Option<PathBuf>,
    /// At most N rows
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    ui.no_window("query");
    let params = sql::params(&args.params)?;
    let mut options = sql::options(ui, args.limit);
    options.queries = args.queries.clone();
    let outcome = coroner::query(&args.case, &args.name, &params, &options)?;
    sql::finish("query", &outcome, ui)
}
