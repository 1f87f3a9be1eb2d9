//! `collect`: the commands that would have fetched everything.

use super::shared;
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use coroner::{CollectTargets, Collector, Window};
use report::{Block, Document};
use serde_json::{Value, json};

/// Print the commands that fetch evidence whole; nothing is run
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    coroner collect --print kubectl\n  \
    coroner collect medalla.case --print docker --from '2020-08-14 16:00'\n\n\
    With a case its pods, containers, units and databases are named.")]
pub(crate) struct Args {
    /// Case folder, or plain evidence, for names
    case: Option<String>,
    /// What evidence is fetched with
    #[arg(long, value_name = "TOOL")]
    print: Tool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Tool {
    Kubectl,
    Docker,
    Journald,
    Kibana,
    Pg,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    let (collector, name) = match args.print {
        Tool::Kubectl => (Collector::Kubectl, "kubectl"),
        Tool::Docker => (Collector::Docker, "docker"),
        Tool::Journald => (Collector::Journald, "journald"),
        Tool::Kibana => (Collector::Kibana, "kibana"),
        Tool::Pg => (Collector::Pg, "pg"),
    };
    let (targets, window) = match &args.case {
        Some(case) => {
            let evidence = shared::open(ui, case)?;
            (evidence.collect_targets(), ui.window(&evidence)?)
        }
        None => {
            let settings = &ui.settings;
            let context = coroner::TimeContext {
                zone: settings.zone,
                network: None,
                networks_seen: &[],
                newest_us: None,
            };
            let window = Window::resolve(settings.from, settings.to, &context)?;
            (CollectTargets::default(), window)
        }
    };
    let commands = coroner::collect_commands(collector, &targets, &window);
    let mut text = String::new();
    for command in &commands {
        text.push_str(&format!("# {}\n{}\n", command.why, command.command));
    }
    let rows: Vec<Value> = commands.iter().map(|command| json!(command)).collect();
    let mut body = serde_json::Map::new();
    body.insert("tool".into(), name.into());
    body.insert("commands".into(), Value::Array(rows));
    body.extend(shared::tail(
        window.is_given().then(|| window.to_json()),
        None,
        &[],
    ));
    ui.document(&Document {
        verb: "collect",
        body,
        view: vec![Block::Verbatim(text)],
        rows: None,
    })?;
    Ok(Exit::Done)
}
