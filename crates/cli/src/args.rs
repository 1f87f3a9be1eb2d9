//! What can be typed: options everywhere, and the verbs.

use crate::verbs;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// Forensics of blockchain incidents: evidence in, answers with references out.
#[derive(Debug, Parser)]
#[command(
    name = "coroner",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    override_usage = "coroner <VERB> CASE [ARGUMENTS] [OPTIONS]\n       coroner PATH             (the same as: coroner triage PATH)",
    after_help = "CASE is a case folder, or plain evidence: a log, a dump, a folder of them, or - for standard input.\n\n\
        Start here:\n  \
        coroner beacon.log                    what is wrong, on one screen\n  \
        coroner report logs/ -o incident.md   the draft of the postmortem\n  \
        coroner timeline logs/ --level warn   every warning in time order\n  \
        coroner VERB --help                   an example for each verb\n\n\
        Later versions: templates, contrast, finality, slashings, check, findings,\n\
        note, export, replay.\n\n\
        Exit codes: 0 found, 1 nothing found, 2 wrong request or nothing readable, 3 partial evidence,\n\
        4 the evidence cannot tell, 5 verification failed, 70 a bug of ours."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Options that every verb takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options everywhere")]
pub(crate) struct Globals {
    /// Form [default: table on a terminal; piped: json, or jsonl for lists]
    #[arg(
        long,
        global = true,
        value_name = "table|json|jsonl|csv|md|parquet|chat",
        hide_possible_values = true
    )]
    pub(crate) format: Option<FormatArg>,
    /// Write to FILE (overwrites only what coroner wrote and nobody edited)
    #[arg(short, long, global = true, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Overwrite FILE whatever it is
    #[arg(long, global = true)]
    pub(crate) force: bool,
    /// Zone to show times in and to read typed times in, e.g. Asia/Shanghai or +08:00 [default: UTC]
    #[arg(long, global = true, value_name = "ZONE")]
    pub(crate) tz: Option<String>,
    /// Only from T on: '2020-08-14 21:40', 2020-08-14T21:40:00Z, 'slot 73324', 'epoch 2291', -3h
    #[arg(long, global = true, value_name = "T", allow_hyphen_values = true)]
    pub(crate) from: Option<String>,
    /// Only before T
    #[arg(long, global = true, value_name = "T", allow_hyphen_values = true)]
    pub(crate) to: Option<String>,
    /// Network that slots and epochs belong to: mainnet, medalla … or a config.yaml
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) network: Option<String>,
    /// Which snapshot of a database
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) snapshot: Option<String>,
    /// Colours [default: auto; NO_COLOR is heeded]
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub(crate) color: When,
    /// Say nothing but the answer and errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Progress bar: auto (on a terminal) or never
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub(crate) progress: ProgressWhen,
    /// Threads [default: one per core]
    #[arg(
        long,
        global = true,
        value_name = "N",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub(crate) threads: usize,
    /// Memory that queries may use, e.g. 2G
    #[arg(long, global = true, value_name = "SIZE")]
    pub(crate) memory: Option<String>,
    /// Room for throw-away cases in the cache [default: 20G]
    #[arg(long, global = true, value_name = "SIZE")]
    pub(crate) cache_size: Option<String>,
}

/// `--format`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FormatArg {
    /// For eyes
    Table,
    /// One document
    Json,
    /// One object per line
    Jsonl,
    /// For spreadsheets
    Csv,
    /// Markdown
    Md,
    /// Apache Parquet
    Parquet,
    /// For Discord and Slack
    Chat,
}

/// `--color`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// `--progress`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressWhen {
    /// On a terminal
    Auto,
    /// Never
    Never,
}

/// The verbs.
#[derive(Debug, Subcommand)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
pub(crate) enum Verb {
    /// The first screen: what is wrong, how bad, since when, what to run next
    Triage(verbs::triage::Args),
    /// The postmortem draft, every sentence with its references
    Report(verbs::report::Args),
    /// All records of all sources in time order
    Timeline(verbs::timeline::Args),
    /// Find text in the evidence
    Search(verbs::search::Args),
    /// The raw evidence behind a reference
    Show(verbs::show::Args),
    /// Was a node's clock wrong: since when, by how much, why
    Clock(verbs::clock::Args),
    /// A hash's way from L2 to L1
    Trace(verbs::trace::Args),
    /// Every batch of a rollup: milestones, waits, pauses, resends, where it stands
    Batches(verbs::batches::Args),
    /// Prover and witness jobs, stuck and why
    Jobs(verbs::jobs::Args),
    /// The same evidence under another rule or other limits
    WhatIf(verbs::what_if::Args),
    /// SQL over records, observations and database tables
    Sql(verbs::sql::Args),
    /// Run a named query
    Query(verbs::query::Args),
    /// List the named queries
    Queries(verbs::queries::Args),
    /// Read evidence into a case; again costs only what is new
    Ingest(verbs::ingest::Args),
    /// Sources of a case: hashes, formats, counts, spans, zones, damage
    Info(verbs::info::Args),
    /// Who is who
    Nodes(verbs::nodes::Args),
    /// Database tables
    Tables(verbs::tables::Args),
    /// Two dumps of one database: what is new, gone, changed
    Diff(verbs::diff::Args),
    /// Correct node, zone or year of a source
    Amend(verbs::amend::Args),
    /// Take a source out of a case
    Forget(verbs::forget::Args),
    /// Re-hash evidence and store
    Verify(verbs::verify::Args),
    /// One root digest over the case
    Seal(verbs::seal::Args),
    /// What the parser sees, one JSON object per record; no case needed
    Parse(verbs::parse::Args),
    /// The log formats it knows; `formats test FILE` tries them
    Formats(verbs::formats::Args),
    /// The commands that would have fetched everything
    Collect(verbs::collect::Args),
    /// Throw-away cases: list or purge
    Cache(verbs::cache::Args),
    /// Completions for a shell
    Completions(verbs::completions::Args),
    /// The manual page
    Man(verbs::man::Args),
    #[command(hide = true)]
    Templates(verbs::later::Args),
    #[command(hide = true)]
    Contrast(verbs::later::Args),
    #[command(hide = true)]
    Finality(verbs::later::Args),
    #[command(hide = true)]
    Slashings(verbs::later::Args),
    #[command(hide = true)]
    Check(verbs::later::Args),
    #[command(hide = true)]
    Findings(verbs::later::Args),
    #[command(hide = true)]
    Note(verbs::later::Args),
    #[command(hide = true)]
    Export(verbs::later::Args),
    #[command(hide = true)]
    Replay(verbs::later::Args),
}

/// Returns the arguments with `triage` put in where the first word that is no option is no verb:
/// `coroner PATH` is `coroner triage PATH`.
pub(crate) fn with_verb(args: Vec<OsString>) -> Vec<OsString> {
    let command = Cli::command();
    let takes_value = |word: &str| {
        command.get_arguments().any(|arg| {
            let long = word
                .strip_prefix("--")
                .is_some_and(|w| arg.get_long() == Some(w));
            let short = word.len() == 2
                && word.starts_with('-')
                && arg.get_short().is_some_and(|s| word.ends_with(s));
            (long || short) && arg.get_action().takes_values()
        })
    };
    let mut at = 1;
    while let Some(word) = args.get(at) {
        let Some(text) = word.to_str() else { break };
        if text == "--" {
            // `coroner -- PATH`
            break;
        }
        if text != "-" && text.starts_with('-') {
            at += if takes_value(text) { 2 } else { 1 };
            continue;
        }
        let is_verb = command
            .get_subcommands()
            .any(|verb| verb.get_name() == text || verb.get_all_aliases().any(|a| a == text));
        if is_verb {
            return args;
        }
        break;
    }
    if at >= args.len() {
        return args;
    }
    let mut args = args;
    args.insert(at, "triage".into());
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let args = std::iter::once("coroner")
            .chain(line.split(' ').filter(|word| !word.is_empty()))
            .map(OsString::from)
            .collect();
        let done: Vec<String> = with_verb(args)
            .into_iter()
            .skip(1)
            .map(|word| word.into_string().expect("UTF-8"))
            .collect();
        assert_eq!(done.join(" "), expected);
    }

    #[test]
    fn a_path_means_triage() {
        check("beacon.log", "triage beacon.log");
        check("-", "triage -");
        check("--tz +08:00 beacon.log", "--tz +08:00 triage beacon.log");
        check("-q --from -3h logs/", "-q --from -3h triage logs/");
        check("-o x.md info a.case", "-o x.md info a.case");
        check("--format=json x", "--format=json triage x");
        check("timeline x", "timeline x");
        check("./timeline", "triage ./timeline");
        check("-- trace", "triage -- trace");
        check("--help", "--help");
        check("", "");
    }

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }
}
