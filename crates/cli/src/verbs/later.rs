//! Verbs of the contract that a later version brings.

use crate::error::CliError;
use crate::exit::Exit;
use coroner::{Error, ErrorKind};

/// Comes with a later version.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Whatever it will take
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _rest: Vec<std::ffi::OsString>,
}

/// Says so.
pub(crate) fn run(verb: &str) -> Result<Exit, CliError> {
    Err(Error::new(
        ErrorKind::NotAvailable,
        format!("`{verb}` comes with a later version"),
    )
    .with_hint("`coroner --help` lists what this version can do")
    .into())
}
