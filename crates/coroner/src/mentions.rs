//! What else the case knows of a hash that the rollup's tables do not know.

use crate::{Error, Evidence};
use analysis::trace::Trace;

/// Places that are named.
const NAMED: usize = 5;

impl Evidence {
    /// Says where a hash stands that no table of a trace knows: in log lines, in other tables. Says as well if
    /// the answer took long because an older program did not file hashes.
    pub(crate) fn mention(&self, trace: &mut Trace) -> Result<(), Error> {
        let unfiled = self.case.sources_without_hashes();
        if unfiled > 0 {
            trace.warnings.push(format!(
                "the hashes of {unfiled} sources were not filed by the coroner that read them: tables were read \
                 instead of looked up, log lines were not searched; `coroner ingest` files them"
            ));
            return Ok(());
        }
        if trace.fate != "unknown_hash" || !trace.key.starts_with("0x") {
            return Ok(());
        }
        let filter = index::Filter {
            limit: Some(NAMED),
            ..index::Filter::default()
        };
        let found = index::search(&self.case, &trace.key, filter).map_err(search_error)?;
        if found.count == 0 {
            return Ok(());
        }
        let refs: Vec<String> = found.hits.iter().map(index::Hit::reference).collect();
        let more = found.count - refs.len() as u64;
        trace.warnings.push(format!(
            "no rollup table knows {}, but it stands in {}{}: `coroner search` shows them",
            trace.key,
            refs.join(", "),
            match more {
                0 => String::new(),
                more => format!(" and {more} more places"),
            }
        ));
        trace.refs.extend(refs);
        Ok(())
    }
}

/// Attaches what to do to a search that failed.
pub(crate) fn search_error(error: index::SearchError) -> Error {
    match error {
        index::SearchError::Case(error) => error.into(),
        error @ index::SearchError::Syntax(_) => Error::wrap(crate::ErrorKind::Request, error)
            .with_hint(
                "write words, \"a phrase\", word*, level:warn+, node:NAME, field:value, -not",
            ),
    }
}
