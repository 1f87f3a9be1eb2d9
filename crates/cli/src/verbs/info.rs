//! `info`: what a case holds.

use super::shared;
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use coroner::{Info, InfoSnapshot, InfoSource, InfoZone, Window};
use report::{Block, Document};

/// Sources: hashes, formats, counts, spans, zones and how they were found, damage
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  coroner info medalla.case\n  coroner info medalla.case --gaps"
)]
pub(crate) struct Args {
    /// Case folder, or plain evidence
    case: String,
    /// What is missing, too: starts, stretches without a record, ends of exports, levels, nodes
    #[arg(long)]
    gaps: bool,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    ui.no_window("info");
    let evidence = shared::open(ui, &args.case)?;
    let mut info = evidence.info();
    if args.gaps {
        info.gaps = evidence.gaps(&Window::default())?;
    }
    ui.document(&Document {
        verb: "info",
        body: shared::object(&info),
        view: view(&info, args.gaps, ui),
        rows: None,
    })?;
    Ok(shared::exit(!info.sources.is_empty(), &info.partial))
}

/// The shape that `info` and `ingest` share, for eyes.
pub(crate) fn view(info: &Info, gaps: bool, ui: &Ui) -> Vec<Block> {
    let mut view = Vec::new();
    let totals = &info.totals;
    let mut summary = format!(
        "{} of {}: {}, {}",
        shared::count(totals.sources as u64, "source"),
        match totals.nodes_range {
            [least, most] if least < most => format!("{least}-{most} nodes"),
            _ => shared::count(totals.nodes as u64, "node"),
        },
        shared::count(totals.records, "record"),
        shared::bytes(totals.bytes),
    );
    if totals.duplicates > 0 {
        summary.push_str(&format!(
            " ({} among them in several sources: {} without copies)",
            shared::count(totals.duplicates, "record"),
            shared::thousands(totals.records - totals.duplicates)
        ));
    }
    if totals.tables > 0 {
        summary.push_str(&format!(
            ", {} with {}",
            shared::count(totals.tables as u64, "database table"),
            shared::count(totals.rows, "row")
        ));
    }
    view.push(Block::Title(summary));
    if totals.first_ts.is_some() {
        view.push(Block::Text(format!(
            "{} to {}{}",
            shared::when(ui, totals.first_ts.as_deref()),
            shared::when(ui, totals.last_ts.as_deref()),
            match info.networks.as_slice() {
                [] => String::new(),
                names => format!(", network {}", names.join(", ")),
            }
        )));
    }
    if !info.sources.is_empty() {
        view.push(Block::Blank);
    }
    for source in &info.sources {
        view.push(Block::Text(headline(source)));
        let mut place = source.path.clone();
        if source.first_ts.is_some() {
            place = format!(
                "{place}  {} to {}",
                shared::when(ui, source.first_ts.as_deref()),
                shared::when(ui, source.last_ts.as_deref())
            );
        }
        view.push(Block::Note(place));
        notes(source, ui.settings.verbose > 0, &mut view);
    }
    for snapshot in &info.snapshots {
        view.push(Block::Blank);
        view.push(Block::Title(format!(
            "snapshot {} ({}){}",
            snapshot.name,
            snapshot.kind,
            snapshot
                .as_of
                .as_deref()
                .map_or(String::new(), |as_of| format!(
                    ", as of {}",
                    shared::when(ui, Some(as_of))
                ))
        )));
        let names: Vec<String> = snapshot
            .tables
            .iter()
            .map(|table| {
                let damaged = match table.damaged_rows {
                    0 => String::new(),
                    n => format!(" + {n} damaged"),
                };
                format!("{} {}{damaged}", table.name, shared::thousands(table.rows))
            })
            .collect();
        view.push(Block::Item(names.join(", ")));
        for table in &snapshot.tables {
            let notes = table.notes.iter();
            view.extend(notes.map(|note| Block::Note(format!("{}: {note}", table.name))));
        }
        for note in database_notes(snapshot) {
            view.push(Block::Note(note));
        }
    }
    if gaps {
        view.push(Block::Blank);
        view.push(Block::Title(match info.gaps.len() {
            0 => "no gap".into(),
            n => shared::count(n as u64, "gap"),
        }));
        for gap in &info.gaps {
            let node = gap
                .node
                .as_deref()
                .map_or(String::new(), |node| format!("{node}: "));
            let when = match (gap.from.as_deref(), gap.to.as_deref()) {
                (None, None) => String::new(),
                (None, to) => format!("before {}: ", shared::when(ui, to)),
                (from, None) => format!("from {} on: ", shared::when(ui, from)),
                (from, to) => format!("{} to {}: ", shared::when(ui, from), shared::when(ui, to)),
            };
            let refs = gap.refs.join(" ");
            view.push(Block::Item(format!("{node}{when}{} ({refs})", gap.why)));
        }
    }
    view
}

/// `S1 prysm-1: prysm, 1,141 records, 2 rejected, zone +00:00 by slot, 0bbbcf153f17`
fn headline(source: &InfoSource) -> String {
    let node = source.node.as_deref().unwrap_or("-");
    let mut parts = Vec::new();
    match (&source.format, source.kind) {
        (Some(format), _) => parts.push(format.clone()),
        (None, coroner::SourceKind::Dump) => parts.push("dump".into()),
        (None, _) => parts.push("no known format".into()),
    }
    if source.kind == coroner::SourceKind::Log {
        parts.push(shared::count(source.records, "record"));
        let rejected: u64 = source.rejected.values().sum();
        if rejected > 0 {
            parts.push(format!("{} rejected", shared::thousands(rejected)));
        }
        if let Some(copies) = source.duplicates.filter(|copies| *copies > 0) {
            parts.push(shared::plural(copies, "copy", "copies"));
        }
        if source.undated > 0 {
            parts.push(format!("{} undated", shared::thousands(source.undated)));
        }
        parts.push(format!("zone {}", zone(source)));
    } else {
        parts.push(shared::bytes(source.bytes));
    }
    parts.push(source.digest.clone());
    format!("{} {node}: {}", source.id, parts.join(", "))
}

fn zone(source: &InfoSource) -> String {
    let zone = &source.zone;
    let several = if source.zones.is_empty() { "" } else { " …" };
    match (&zone.value, zone.basis.as_str()) {
        (Some(value), "slot") => format!("{value} solved by slots{several}"),
        (Some(value), basis) => format!("{value} {basis}{several}"),
        (None, "none" | "") => "unknown".into(),
        (None, basis) => basis.to_owned(),
    }
}

/// What a person should know of a source beyond its row.
fn notes(source: &InfoSource, verbose: bool, view: &mut Vec<Block>) {
    for problem in &source.problems {
        view.push(Block::Alarm(format!(
            "{} {:?} at byte {}: {}",
            source.id, source.status, problem.byte, problem.what
        )));
    }
    let zones = match source.zones.as_slice() {
        [] => std::slice::from_ref(&source.zone),
        several => several,
    };
    for zone in zones {
        let lines = match (zone.first_line, zone.last_line) {
            (Some(first), Some(last)) => format!(" lines {first} to {last}:"),
            _ => String::new(),
        };
        if let Some(what) = found(source, zone, verbose) {
            view.push(Block::Note(format!("{}:{lines} {what}", source.id)));
        }
    }
    if verbose {
        for said in &source.overrides {
            let said: Vec<String> = [
                ("node", said.node.clone()),
                ("zone", said.zone.clone()),
                ("year", said.year.map(|year| year.to_string())),
                ("log format", said.log_format.clone()),
                ("network", said.network.clone()),
            ]
            .into_iter()
            .filter_map(|(what, value)| Some(format!("{what} {}", value?)))
            .collect();
            view.push(Block::Note(format!(
                "{}: given: {}",
                source.id,
                said.join(", ")
            )));
        }
    }
    if source.stale {
        view.push(Block::Note(format!(
            "{}: read by another version of the parser; `coroner ingest` reads it again",
            source.id
        )));
    }
}

/// Whose schemas a snapshot has, and in which zone its clock wrote.
fn database_notes(snapshot: &InfoSnapshot) -> Vec<String> {
    let mut notes = Vec::new();
    for schema in &snapshot.schemas {
        let name = match schema.name.as_str() {
            "public" => String::new(),
            name => format!("schema {name}: "),
        };
        let version = schema.version.as_deref().map_or(String::new(), |version| {
            format!(", newest migration {version}")
        });
        notes.push(format!("{name}{}{version}", schema.about));
        notes.extend(schema.notes.iter().map(|note| format!("{name}{note}")));
    }
    let zone = &snapshot.zone;
    let by = zone.by.as_deref().unwrap_or("");
    match (zone.value.as_deref(), zone.basis.as_str()) {
        (Some(value), "given") => notes.push(format!("times without a zone are {value}, as given")),
        (Some(value), _) => notes.push(format!(
            "times without a zone are {value}: {by}, {} of {}",
            shared::thousands(zone.witnesses),
            shared::count(zone.rows, "row"),
        )),
        (None, _) if !zone.changes.is_empty() => {
            let changes: Vec<String> = zone
                .changes
                .iter()
                .map(|change| format!("{} from {} on", change.value, change.from))
                .collect();
            notes.push(format!(
                "times without a zone are {}: its clock kept daylight-saving time ({by})",
                changes.join(", ")
            ));
        }
        (None, _) => {}
    }
    notes
}

/// How a zone became known, or what else it may be; solved ones only where details are wanted.
fn found(source: &InfoSource, zone: &InfoZone, verbose: bool) -> Option<String> {
    let others: Vec<String> = zone
        .alternatives
        .iter()
        .filter_map(|other| {
            let date = other.date.clone();
            let date = date.or_else(|| other.year.map(|year| year.to_string()));
            let date = date.map_or_else(String::new, |date| format!("{date} "));
            Some(format!("{date}{} ({})", other.value.as_deref()?, other.why))
        })
        .collect();
    let others = others.join(", ");
    match zone.basis.as_str() {
        "assumed" if others.is_empty() => {
            Some("its zone is assumed, nothing in the evidence tells".to_owned())
        }
        "assumed" => Some(format!(
            "its zone is assumed, nothing in the evidence tells; as good: {others}"
        )),
        "none" if source.undated == 0 => None,
        "none" if others.is_empty() => Some(
            "when it was written is not known: give --year, --network, or a source that tells"
                .to_owned(),
        ),
        "none" => Some(format!(
            "when it was written is not known, name the network with --network: {others}"
        )),
        _ if !verbose => None,
        basis => {
            let mut text = format!(
                "zone {} {basis}",
                zone.value.as_deref().unwrap_or("unknown")
            );
            if let Some(year) = zone.year {
                text.push_str(&format!(", year {year}"));
            }
            if let Some(network) = &zone.network {
                text.push_str(&format!(", {network}"));
            }
            if let Some(residual_s) = zone.residual_s {
                text.push_str(&format!(", {residual_s} s off"));
            }
            if !zone.refs.is_empty() {
                text.push_str(&format!(", by {}", zone.refs.join(" ")));
            }
            if let Some(wrapper) = &zone.wrapper {
                text.push_str(&format!("; wrapper {wrapper}"));
            }
            if !others.is_empty() {
                text.push_str(&format!("; against it: {others}"));
            }
            Some(text)
        }
    }
}
