//! `triage`: the first screen.

use super::shared;
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use report::{Block, Document};

/// The first screen: what is wrong, ranked by harm; what cannot be said; what to run next
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    coroner beacon.log                 (the same as: coroner triage beacon.log)\n  \
    coroner triage logs/ --format chat\n  \
    kubectl logs beacon-0 | coroner -\n  \
    coroner triage medalla.case --watch 10   (while coroner ingest reads from a pipe)")]
pub(crate) struct Args {
    /// Case folder, or plain evidence
    case: String,
    /// Look again every so many seconds, until Ctrl-C
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    watch: Option<u64>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    let Some(seconds) = args.watch else {
        return look(args, ui);
    };
    loop {
        ui.clear()?;
        look(args, ui)?;
        std::thread::sleep(std::time::Duration::from_secs(seconds));
    }
}

fn look(args: &Args, ui: &Ui) -> Result<Exit, CliError> {
    let evidence = shared::open(ui, &args.case)?;
    let window = ui.window(&evidence)?;
    let triage = evidence.triage()?;
    let partial = evidence.partial();
    let found = !triage.findings.is_empty();
    let looked_at = (!found).then(|| {
        let missing: Vec<String> = triage
            .not_run
            .iter()
            .map(|detector| detector.missing.clone())
            .collect();
        evidence.looked_at(&window, &missing)
    });
    let mut body = shared::object(&triage);
    body.extend(shared::tail(
        window.is_given().then(|| window.to_json()),
        looked_at.as_ref(),
        &partial,
    ));
    ui.document(&Document {
        verb: "triage",
        body,
        view: vec![Block::Verbatim(triage.to_text())],
        rows: None,
    })?;
    Ok(shared::exit(found, &partial))
}
