//! `show`: raw evidence.

use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use coroner::{Error, Evidence, PlainDumps, Reference, Shown};
use report::{ListSpec, Style};
use serde_json::{Map, Value};

/// The raw evidence behind a reference
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    coroner show medalla.case 0bbbcf153f17:1402\n  \
    coroner show medalla.case S3:1402-1410 -C 5\n  \
    coroner show dump.sql.gz 5ab6f0c2d1e9:public.eth_txs#41073\n\n\
    References stand in the `ref` and `refs` of every answer: SOURCE:LINE, SOURCE:FIRST-LAST,\n\
    SOURCE@BYTE+LENGTH, SOURCE:SCHEMA.TABLE#KEY; SOURCE is 12 hex digits or S<number>.")]
pub(crate) struct Args {
    /// Case folder, or plain evidence
    case: String,
    /// References
    #[arg(required = true, value_name = "REF")]
    refs: Vec<String>,
    /// N lines around it, too
    #[arg(
        short = 'C',
        long,
        value_name = "N",
        default_value_t = 0,
        hide_default_value = true
    )]
    context: u64,
}

const SPEC: ListSpec = ListSpec {
    verb: "show",
    plural: "shown",
    columns: &[
        ("ref", "text"),
        ("path", "text"),
        ("byte", "i64"),
        ("length", "i64"),
        ("raw", "text"),
        ("raw_base64", "text"),
    ],
    line: Some(line),
};

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    ui.no_window("show");
    let references = args
        .refs
        .iter()
        .map(|text| text.parse().map_err(Error::from))
        .collect::<Result<Vec<Reference>, Error>>()?;
    // A single dump is read as it lies; a folder may hold logs as well.
    let dump = if std::path::Path::new(&args.case).is_file() {
        PlainDumps::open(&args.case, &ui.settings.open_options(), None)?
    } else {
        None
    };
    let rows: Vec<Shown> = match dump {
        Some(dumps) => references
            .iter()
            .map(|reference| dumps.show(reference))
            .collect::<Result<_, Error>>()?,
        None => {
            let evidence = Evidence::open(&args.case, &ui.settings.open_options())?;
            references
                .iter()
                .map(|reference| evidence.show(reference, args.context))
                .collect::<Result<_, Error>>()?
        }
    };
    ui.list(SPEC, |list| {
        for row in &rows {
            list.push(row.to_json())?;
        }
        Ok(Map::new())
    })?;
    // What was shown is whole, whatever else the evidence lacks.
    Ok(Exit::Done)
}

fn line(row: &Map<String, Value>, style: &Style) -> String {
    let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or("");
    let mut out = report::dim(&format!("{}  {}", text("ref"), text("path")), style);
    let mut part = |key: &str, mark: &str| {
        for line in text(key).split_inclusive('\n') {
            let line = line.strip_suffix('\n').unwrap_or(line);
            out.push('\n');
            out.push_str(mark);
            out.push_str(&report::terminal(line.strip_suffix('\r').unwrap_or(line)));
        }
    };
    part("before", "  ");
    part(
        "raw",
        if row.contains_key("before") || row.contains_key("after") {
            "> "
        } else {
            ""
        },
    );
    if row.contains_key("text") {
        part("text", "");
    } else {
        part("raw_base64", "base64: ");
    }
    part("after", "  ");
    out
}
