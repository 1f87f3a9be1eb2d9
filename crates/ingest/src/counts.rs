//! What is counted of a source, and what must be taken off again when it has grown: its last record was
//! not final.

use std::collections::BTreeMap;

/// Sums over a source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) records: u64,
    pub(crate) continuation_lines: u64,
    pub(crate) framing_lines: u64,
    pub(crate) undated: u64,
    /// Whether some line holds several records.
    pub(crate) shares_lines: bool,
    pub(crate) rejected: BTreeMap<String, u64>,
    pub(crate) formats: BTreeMap<String, u64>,
    pub(crate) clients: BTreeMap<String, u64>,
    pub(crate) wrappers: BTreeMap<String, ()>,
    pub(crate) first_ts_us: Option<i64>,
    pub(crate) last_ts_us: Option<i64>,
    /// The last record or reject, which a grown file may continue.
    pub(crate) last: Option<Last>,
}

/// The last entry of a source, and what was counted from it on.
#[derive(Clone, Debug)]
pub(crate) struct Last {
    pub(crate) byte: u64,
    pub(crate) line: u64,
    /// Continuation and framing lines before it.
    pub(crate) before: (u64, u64),
    /// Its format, client and whether it has no time; `None` for a reject.
    pub(crate) record: Option<(String, String, bool)>,
    /// Its reason and lines if it is a reject.
    pub(crate) reject: Option<(&'static str, u64)>,
}

impl Counts {
    /// Returns where a grown source is read on, with what must be taken off the counts then.
    pub(crate) fn resume(&self) -> Option<case::Resume> {
        let last = self.last.as_ref()?;
        let (format, client, undated) = last.record.clone().unwrap_or_default();
        Some(case::Resume {
            byte: last.byte,
            line: last.line,
            continuation_lines: self.continuation_lines - last.before.0,
            framing_lines: self.framing_lines - last.before.1,
            format,
            client,
            undated,
            rejected: last
                .reject
                .map(|(reason, lines)| (reason.to_owned(), lines)),
        })
    }

    /// Returns the counts of a source as they were before its last entry.
    pub(crate) fn before_last(source: &case::Source) -> Counts {
        let resume = source.resume.clone().unwrap_or_default();
        let mut counts = Counts {
            records: source.records,
            continuation_lines: source.continuation_lines - resume.continuation_lines,
            framing_lines: source.framing_lines - resume.framing_lines,
            undated: source.undated - u64::from(resume.undated),
            shares_lines: source.shares_lines,
            rejected: source.rejected.clone(),
            formats: source.formats.clone(),
            clients: source
                .client
                .iter()
                .map(|client| (client.clone(), source.records))
                .collect(),
            wrappers: source
                .wrappers
                .iter()
                .map(|kind| (kind.clone(), ()))
                .collect(),
            first_ts_us: source.first_ts_us,
            last_ts_us: source.last_ts_us,
            last: None,
        };
        match &resume.rejected {
            Some((reason, lines)) => less(&mut counts.rejected, reason, *lines),
            None => {
                counts.records = counts.records.saturating_sub(1);
                less(&mut counts.formats, &resume.format, 1);
                less(&mut counts.clients, &resume.client, 1);
            }
        }
        counts
    }
}

fn less(sums: &mut BTreeMap<String, u64>, word: &str, by: u64) {
    if let Some(sum) = sums.get_mut(word) {
        *sum = sum.saturating_sub(by);
        if *sum == 0 {
            sums.remove(word);
        }
    }
}
