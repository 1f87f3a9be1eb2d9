//! `report`: the postmortem draft.

use super::shared;
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use coroner::DraftOptions;
use report::{Document, Format};
use serde_json::{Map, json};

/// The postmortem draft in Markdown, every statement with its references
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    coroner report samples/zksync-2023/input -o postmortem.md\n  \
    coroner report medalla.case --tz Asia/Shanghai --from '2020-08-15 01:00' -o medalla.md")]
pub(crate) struct Args {
    /// Case folder, or plain evidence
    case: String,
    /// Follow this hash, batch:N … in the draft (may be repeated)
    #[arg(long, value_name = "KEY")]
    trace: Vec<String>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    let evidence = shared::open(ui, &args.case)?;
    let window = ui.window(&evidence)?;
    let options = DraftOptions {
        local_zone: ui.settings.zone_given.then_some(ui.settings.zone),
        snapshot: ui.settings.snapshot.clone(),
        keys: args.trace.clone(),
        tool: format!("coroner {}", env!("CARGO_PKG_VERSION")),
    };
    let draft = evidence.draft(&window, &options)?;
    let partial = evidence.partial();
    match ui.settings.format {
        None | Some(Format::Md | Format::Table) => ui.bytes(draft.into_bytes(), Format::Md)?,
        Some(format) => {
            let mut body = Map::new();
            body.insert("markdown".into(), json!(draft));
            body.extend(shared::tail(
                window.is_given().then(|| window.to_json()),
                None,
                &partial,
            ));
            ui.document_as(
                &Document {
                    verb: "report",
                    body,
                    view: vec![report::Block::Verbatim(draft)],
                    rows: None,
                },
                format,
            )?;
        }
    }
    Ok(shared::exit(true, &partial))
}
