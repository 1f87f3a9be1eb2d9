//! `amend`: corrects what is known of a source.

use super::{info, shared};
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use coroner::{Amendment, Error, Evidence};
use report::Document;
use serde_json::{Map, json};

/// Correct node, zone or year of a source: recorded, and its times are solved anew
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    coroner amend medalla.case S3 --zone America/New_York\n  \
    coroner amend medalla.case 0bbbcf153f17 --year 2020 --node prysm-3")]
pub(crate) struct Args {
    /// Case folder
    case: String,
    /// S<number>, digest or path, as `coroner info CASE` shows it
    source: String,
    /// The node it belongs to
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Zone of stamps that write none: -04:00 or America/New_York
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    zone: Option<String>,
    /// Year of stamps that write none
    #[arg(long, value_name = "YEAR")]
    year: Option<i32>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    ui.no_window("amend");
    let said = Amendment {
        node: args.node.clone(),
        zone: args.zone.clone(),
        year: args.year,
        network: ui.settings.network.clone(),
    };
    if said.node.is_none() && said.zone.is_none() && said.year.is_none() && said.network.is_none() {
        return Err(Error::request("nothing to correct")
            .with_hint("give --node, --zone, --year or --network")
            .into());
    }
    if let Some(zone) = &said.zone {
        zone.parse::<coroner::Zone>().map_err(Error::from)?;
    }
    let custody = shared::custody(ui);
    let digest = coroner::amend(&args.case, &args.source, &said, Some(&custody))?;
    let evidence = Evidence::open_case(&args.case)?;
    let mut whole = evidence.info();
    whole.sources.retain(|source| source.digest == digest);
    let mut body = Map::new();
    body.insert("source".into(), json!(digest));
    body.insert("sources".into(), json!(whole.sources));
    ui.document(&Document {
        verb: "amend",
        body,
        view: info::view(&whole, false, ui).split_off(1),
        rows: None,
    })?;
    Ok(Exit::Done)
}
