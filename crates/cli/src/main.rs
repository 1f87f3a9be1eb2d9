//! The `coroner` command: the only crate that prints, exits, reads the environment or knows clap.
//!
//! Each verb is a module of [`verbs`]; this file parses, dispatches and ends the process.

mod args;
mod error;
mod exit;
mod memory;
mod settings;
mod ui;
mod verbs;

use args::{Cli, Verb};
use clap::Parser;
use error::CliError;
use exit::Exit;
use settings::{Environment, Settings};
use std::io::Write;
use std::process::ExitCode;
use ui::Ui;

fn main() -> ExitCode {
    memory::keep_freed_pages();
    std::panic::set_hook(Box::new(|info| {
        let what = info.payload_as_str().unwrap_or("unknown");
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let _ = std::io::stderr().write_all(told(what, &place).as_bytes());
    }));
    guarded(run).into()
}

/// What is said of a bug of ours. Its words may quote evidence.
fn told(what: &str, place: &str) -> String {
    format!(
        "bug in coroner: {} ({place}, version {})\nhint: please report this line and what you ran; your evidence and cases are not harmed\n",
        model::escape_control(what.as_bytes()),
        env!("CARGO_PKG_VERSION"),
    )
}

/// Runs the command; a panic on any of its threads that nothing else answers for is a bug of ours.
fn guarded(run: impl FnOnce() -> Exit + std::panic::UnwindSafe) -> Exit {
    std::panic::catch_unwind(run).unwrap_or(Exit::Bug)
}

fn run() -> Exit {
    let args = args::with_verb(std::env::args_os().collect());
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers; anything else is a wrong request.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Wrong
            } else {
                Exit::Done
            };
        }
    };
    let settings = match Settings::new(&cli.globals, Environment::read()) {
        Ok(settings) => settings,
        Err(error) => {
            ui::print_error(&error);
            return Exit::Wrong;
        }
    };
    let mut ui = Ui::new(settings);
    match dispatch(cli.verb, &mut ui) {
        Ok(exit) => exit,
        Err(error) => {
            if let CliError::Failed(error) = &error {
                ui.error(error);
            }
            error.exit()
        }
    }
}

fn dispatch(verb: Verb, ui: &mut Ui) -> Result<Exit, CliError> {
    use verbs::*;
    match verb {
        Verb::Triage(args) => triage::run(&args, ui),
        Verb::Report(args) => report::run(&args, ui),
        Verb::Timeline(args) => timeline::run(&args, ui),
        Verb::Search(args) => search::run(&args, ui),
        Verb::Show(args) => show::run(&args, ui),
        Verb::Clock(args) => clock::run(&args, ui),
        Verb::Trace(args) => trace::run(&args, ui),
        Verb::Batches(args) => batches::run(&args, ui),
        Verb::Jobs(args) => jobs::run(&args, ui),
        Verb::WhatIf(args) => what_if::run(&args, ui),
        Verb::Sql(args) => sql::run(&args, ui),
        Verb::Query(args) => query::run(&args, ui),
        Verb::Queries(args) => queries::run(&args, ui),
        Verb::Ingest(args) => ingest::run(&args, ui),
        Verb::Info(args) => info::run(&args, ui),
        Verb::Nodes(args) => nodes::run(&args, ui),
        Verb::Tables(args) => tables::run(&args, ui),
        Verb::Diff(args) => diff::run(&args, ui),
        Verb::Amend(args) => amend::run(&args, ui),
        Verb::Forget(args) => forget::run(&args, ui),
        Verb::Verify(args) => verify::run(&args, ui),
        Verb::Seal(args) => seal::run(&args, ui),
        Verb::Parse(args) => parse::run(&args, ui),
        Verb::Formats(args) => formats::run(&args, ui),
        Verb::Collect(args) => collect::run(&args, ui),
        Verb::Cache(args) => cache::run(&args, ui),
        Verb::Completions(args) => completions::run(&args, ui),
        Verb::Man(args) => man::run(&args, ui),
        Verb::Templates(_) => later::run("templates"),
        Verb::Contrast(_) => later::run("contrast"),
        Verb::Finality(_) => later::run("finality"),
        Verb::Slashings(_) => later::run("slashings"),
        Verb::Check(_) => later::run("check"),
        Verb::Findings(_) => later::run("findings"),
        Verb::Note(_) => later::run("note"),
        Verb::Export(_) => later::run("export"),
        Verb::Replay(_) => later::run("replay"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_our_fault_and_nothing_else_is() {
        let code = |exit: Exit| format!("{:?}", ExitCode::from(exit));
        assert_eq!(
            code(guarded(|| Exit::Nothing)),
            format!("{:?}", ExitCode::from(1))
        );
        assert_eq!(
            code(guarded(|| panic!("an invariant"))),
            format!("{:?}", ExitCode::from(70))
        );
        // On a thread that works for the command.
        let worker = || {
            std::thread::scope(|scope| {
                let thread = scope.spawn(|| -> Exit { panic!("an invariant") });
                thread.join().expect("a worker does not panic")
            })
        };
        assert_eq!(code(guarded(worker)), format!("{:?}", ExitCode::from(70)));
    }

    #[test]
    fn a_bug_is_told_in_two_lines_that_no_terminal_obeys() {
        let told = told("no \u{1b}[2J slot", "a.rs:1:2");
        assert_eq!(told.lines().count(), 2);
        assert!(told.starts_with("bug in coroner: no "), "{told}");
        assert!(told.contains("(a.rs:1:2, version ") && !told.contains('\u{1b}'));
    }
}
