//! `completions`: for a shell.

use crate::args::Cli;
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use clap::CommandFactory;

/// Completions for a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  coroner completions bash > ~/.local/share/bash-completion/completions/coroner"
)]
pub(crate) struct Args {
    /// bash, zsh, fish, elvish or powershell
    shell: clap_complete::Shell,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "coroner", &mut script);
    ui.bytes(script, report::Format::Table)?;
    Ok(Exit::Done)
}
