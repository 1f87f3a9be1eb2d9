//! `clock`: were the clocks right.

use super::shared;
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use coroner::ClockReport;
use model::{Answer, Cell};
use report::{Block, Document};

/// Was a node's clock wrong: episodes, offsets, zones, and which time servers lied
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    coroner clock medalla.case\n  \
    coroner clock logs/ --network medalla --from 'epoch 2290'")]
pub(crate) struct Args {
    /// Case folder, or plain evidence
    case: String,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    let evidence = shared::open(ui, &args.case)?;
    let window = ui.window(&evidence)?;
    let clock = evidence.clock(&window)?;
    let partial = evidence.partial();
    let judged = clock
        .nodes
        .iter()
        .any(|node| !node.stamp_clock.is_empty() || !node.slot_clock.is_empty());
    let found = !clock.episodes.is_empty()
        || clock
            .servers
            .iter()
            .any(|server| server.verdict == "falseticker");
    let missing: Vec<String> = clock
        .undetermined
        .iter()
        .map(|node| node.why.clone())
        .collect();
    let looked_at = (!found).then(|| {
        let mut missing = missing;
        missing.sort();
        missing.dedup();
        evidence.looked_at(&window, &missing)
    });
    let mut body = shared::object(&clock);
    body.extend(shared::tail(
        window.is_given().then(|| window.to_json()),
        looked_at.as_ref(),
        &partial,
    ));
    let mut view = view(&clock, ui);
    if let Some(looked_at) = &looked_at {
        view.push(Block::Note(looked_at.to_string()));
    }
    ui.document(&Document {
        verb: "clock",
        body,
        view,
        rows: None,
    })?;
    let mut exit = shared::exit(found, &partial);
    if !found && !judged {
        // No clock could be judged: that is not "no clock was wrong".
        exit = exit.merge(Exit::Undetermined);
    }
    Ok(exit)
}

fn view(clock: &ClockReport, ui: &Ui) -> Vec<Block> {
    let mut view = Vec::new();
    if clock.episodes.is_empty() {
        view.push(Block::Title("no clock was found wrong".into()));
    }
    for episode in &clock.episodes {
        view.push(Block::Title(format!(
            "{} {} on {} of {} nodes, {} to {}, {}",
            episode.kind.replace('_', " "),
            offset(episode.offset_s),
            episode.nodes.len(),
            clock.nodes.len(),
            shared::when(ui, Some(&episode.from)),
            shared::when(ui, Some(&episode.to)),
            episode.status,
        )));
        view.push(Block::Item(episode.nodes.join(", ")));
        for cause in &episode.causes {
            view.push(Block::Item(format!(
                "{} ({}): {}",
                cause.confidence, cause.basis, cause.text
            )));
        }
        if !episode.refs.is_empty() {
            let shown: Vec<&str> = episode.refs.iter().take(3).map(String::as_str).collect();
            view.push(Block::Note(format!("see {}", shown.join(", "))));
        }
    }
    if !clock.nodes.is_empty() {
        view.push(Block::Blank);
        view.push(Block::Table(nodes(clock, ui)));
    }
    if !clock.servers.is_empty() {
        view.push(Block::Blank);
        let mut table = Answer::new(&[
            ("time server", "text"),
            ("verdict", "text"),
            ("deviation", "text"),
            ("replies", "i64"),
        ]);
        for server in &clock.servers {
            table.rows.push(vec![
                Cell::Text(server.server.clone()),
                Cell::Text(server.verdict.clone()),
                Cell::Text(server.deviation_s.map_or("-".into(), offset)),
                Cell::I64(server.replies as i64),
            ]);
        }
        view.push(Block::Table(table));
    }
    if !clock.undetermined.is_empty() {
        view.push(Block::Blank);
        view.push(Block::Title("CANNOT SAY".into()));
        for node in &clock.undetermined {
            view.push(Block::Item(format!("{}: {}", node.node, node.why)));
        }
    }
    view
}

/// Intervals of one node that a screen has room for.
const INTERVALS: usize = 4;

fn nodes(clock: &ClockReport, ui: &Ui) -> Answer {
    let mut table = Answer::new(&[
        ("node", "text"),
        ("zone", "text"),
        ("clock", "text"),
        ("offset", "text"),
        ("from", "text"),
        ("to", "text"),
        ("n", "i64"),
    ]);
    // The year stands in the headline.
    let short = |time: &str| {
        let shown = shared::when(ui, Some(time));
        shown.get(5..).unwrap_or(&shown).to_owned()
    };
    for node in &clock.nodes {
        let zone = match &node.zone.value {
            Some(value) => value.clone(),
            None => node.zone.basis.clone(),
        };
        let both = [("stamp", &node.stamp_clock), ("slot", &node.slot_clock)];
        let mut all: Vec<(&str, &coroner::ClockInterval)> = both
            .iter()
            .flat_map(|(name, intervals)| intervals.iter().map(move |interval| (*name, interval)))
            .collect();
        let left_out = all.len().saturating_sub(INTERVALS);
        // Those that rest on most samples, in time order.
        all.sort_by_key(|(_, interval)| std::cmp::Reverse(interval.samples));
        all.truncate(INTERVALS);
        all.sort_by(|a, b| (a.0, &a.1.from).cmp(&(b.0, &b.1.from)));
        if all.is_empty() {
            let unknown = || Cell::Text("-".into());
            table.rows.push(vec![
                Cell::Text(node.node.clone()),
                Cell::Text(zone.clone()),
                unknown(),
                unknown(),
                Cell::Null,
                Cell::Null,
                Cell::Null,
            ]);
        }
        for (name, interval) in all {
            table.rows.push(vec![
                Cell::Text(node.node.clone()),
                Cell::Text(zone.clone()),
                Cell::Text(name.into()),
                Cell::Text(offset(interval.offset_s)),
                Cell::Text(short(&interval.from)),
                Cell::Text(short(&interval.to)),
                Cell::I64(interval.samples as i64),
            ]);
        }
        if left_out > 0 {
            table.rows.push(vec![
                Cell::Text(node.node.clone()),
                Cell::Null,
                Cell::Null,
                Cell::Text(format!("and {left_out} more")),
                Cell::Null,
                Cell::Null,
                Cell::Null,
            ]);
        }
    }
    table
}

/// `14400.03` as `+4h00m00.0s`.
fn offset(seconds: f64) -> String {
    let sign = if seconds < 0.0 { '-' } else { '+' };
    let s = seconds.abs();
    if s < 60.0 {
        return format!("{sign}{s:.2}s");
    }
    let whole = (s * 10.0).round() / 10.0;
    let hours = (whole / 3600.0).floor();
    let minutes = ((whole - hours * 3600.0) / 60.0).floor();
    let rest = whole - hours * 3600.0 - minutes * 60.0;
    if hours > 0.0 {
        format!("{sign}{hours}h{minutes:02}m{rest:04.1}s")
    } else {
        format!("{sign}{minutes}m{rest:04.1}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_for_people() {
        assert_eq!(offset(14_400.03), "+4h00m00.0s");
        assert_eq!(offset(-0.5), "-0.50s");
        assert_eq!(offset(3_599.96), "+1h00m00.0s");
        assert_eq!(offset(90.0), "+1m30.0s");
    }
}
