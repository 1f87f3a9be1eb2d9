//! `man`: the manual page.

use crate::args::Cli;
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use clap::CommandFactory;

/// The manual page, in roff
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  coroner man | man -l -")]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    ui.bytes(page, report::Format::Table)?;
    Ok(Exit::Done)
}
