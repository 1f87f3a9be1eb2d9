//! Correcting what the case believes of a source, taking one out.

use crate::networks::{self, CaseNetworks};
use crate::reread::{Catalogues, ReadWith, read_again};
use crate::setting::SourceSetting;
use crate::{Custody, IngestError, Quiet, copies};
use case::{CaseWriter, CustodyEntry, NodeRule, Override, SourceKind, Transaction};
use model::SourceId;
use std::collections::BTreeSet;
use std::fmt;

/// What a person says of a source against what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amendment {
    /// Its node.
    pub node: Option<String>,
    /// Zone of stamps that write none: an offset or a name such as `Europe/Berlin`.
    pub zone: Option<String>,
    /// Year of stamps that write none.
    pub year: Option<i32>,
    /// Its network.
    pub network: Option<String>,
}

/// Returns the digest of a source named by digest (or its beginning), alias or path.
///
/// # Errors
/// [`IngestError::NoSource`].
pub fn find_source(manifest: &case::Manifest, name: &str) -> Result<String, IngestError> {
    let by_id = match name.parse::<SourceId>() {
        Ok(SourceId::Alias(number)) => manifest.source_by_number(number),
        Ok(SourceId::Digest(digest)) => {
            let mut fits = manifest
                .sources
                .iter()
                .filter(|source| source.digest.starts_with(&digest) || source.sha256 == digest);
            fits.next().filter(|_| fits.next().is_none())
        }
        Err(_) => None,
    };
    by_id
        .or_else(|| manifest.sources.iter().find(|source| source.path == name))
        .map(|source| source.digest.clone())
        .ok_or_else(|| IngestError::NoSource {
            name: name.to_owned(),
        })
}

impl fmt::Display for Amendment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let year = self.year.map(|year| year.to_string());
        let said = [
            ("node", &self.node),
            ("zone", &self.zone),
            ("year", &year),
            ("network", &self.network),
        ];
        let said = said
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_ref()?)));
        for (index, (name, value)) in said.enumerate() {
            let between = if index > 0 { "; " } else { "" };
            write!(f, "{between}{name} = {value}")?;
        }
        Ok(())
    }
}

/// Puts into the custody of a case what was done to a source.
fn note(
    tx: &mut Transaction<'_>,
    custody: Option<&Custody>,
    action: &str,
    digest: &str,
    detail: String,
) {
    let Some(custody) = custody else { return };
    let path = tx
        .manifest()
        .source(digest)
        .map(|source| source.path.clone());
    tx.custody(CustodyEntry {
        source: Some(digest.to_owned()),
        path,
        detail: (!detail.is_empty()).then_some(detail),
        ..custody.entry(action)
    });
}

/// Records what a person says of a source and solves the case anew. Returns the source's digest.
///
/// # Errors
/// If there is no such source, the zone or network is none, or the case cannot be written.
pub fn amend(
    writer: &mut CaseWriter,
    name: &str,
    said: &Amendment,
    custody: Option<&Custody>,
) -> Result<String, IngestError> {
    let digest = find_source(writer.case().manifest(), name)?;
    let mut setting = SourceSetting::default();
    if let Some(zone) = &said.zone {
        setting.set_zone(zone)?;
    }
    let committed = writer.case().clone();
    let known = CaseNetworks::of(committed.manifest());
    let network = said.network.as_deref();
    let network = network.map(|name| known.named(name)).transpose()?;
    let mut tx = writer.begin();
    note(&mut tx, custody, "amend", &digest, said.to_string());
    if let Some(named) = &network {
        networks::keep(tx.manifest_mut(), named);
    }
    tx.manifest_mut().overrides.push(Override {
        source: digest.clone(),
        node: said.node.clone(),
        zone: said.zone.clone(),
        year: said.year,
        log_format: None,
        network: network.map(|named| named.network.name.clone()),
    });
    let is_log = committed
        .manifest()
        .source(&digest)
        .is_some_and(|source| source.kind == SourceKind::Log);
    if is_log && (said.zone.is_some() || said.node.is_some()) {
        // A named zone cuts pieces at its daylight-saving dates: only reading again can do that.
        let source = tx.manifest().source(&digest);
        let with = source.map(|source| ReadWith::of(tx.manifest(), source));
        let mut catalogues = Catalogues::default();
        let catalogue = catalogues.get(&with.unwrap_or_default())?;
        read_again(&mut tx, &committed, catalogue, &digest, 1, &mut Quiet)?;
    }
    copies::settle(&mut tx)?;
    tx.commit()?;
    Ok(digest)
}

/// Records what people say about who is who, in place of what they said before, and solves the case anew
/// in the same commit. Words that name a source (`S3`, a digest, a path) are kept as its digest.
///
/// # Errors
/// If a word names nothing in the case, or the case cannot be written.
pub fn set_nodes(
    writer: &mut CaseWriter,
    rules: &[NodeRule],
    custody: Option<case::CustodyEntry>,
) -> Result<(), IngestError> {
    let manifest = writer.case().manifest();
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for node in &manifest.nodes {
        known.insert(&node.name);
        known.extend(node.names.iter().map(String::as_str));
    }
    let pieces = manifest.sources.iter().flat_map(|source| &source.pieces);
    known.extend(pieces.map(|piece| piece.stream.as_str()));
    known.extend(
        manifest
            .node_rules
            .iter()
            .flat_map(|rule| &rule.is)
            .map(String::as_str),
    );
    let mut resolved = Vec::new();
    for rule in rules {
        let mut is = Vec::new();
        for word in &rule.is {
            is.push(match find_source(manifest, word) {
                Ok(digest) => digest,
                Err(_) if known.contains(word.as_str()) => word.clone(),
                Err(_) => return Err(IngestError::NoNode { name: word.clone() }),
            });
        }
        resolved.push(NodeRule {
            node: rule.node.clone(),
            is,
        });
    }
    let mut tx = writer.begin();
    tx.manifest_mut().node_rules = resolved;
    if let Some(entry) = custody {
        tx.custody(entry);
    }
    copies::settle(&mut tx)?;
    tx.commit()?;
    Ok(())
}

/// Takes a source out of a case: its rows, its raw text, its snapshot. Returns its digest.
///
/// # Errors
/// If there is no such source or the case cannot be written.
pub fn forget(
    writer: &mut CaseWriter,
    name: &str,
    custody: Option<&Custody>,
) -> Result<String, IngestError> {
    let digest = find_source(writer.case().manifest(), name)?;
    let mut tx = writer.begin();
    note(&mut tx, custody, "forget", &digest, String::new());
    tx.drop_rows(&digest, None)?;
    let snapshots: Vec<String> = tx
        .manifest()
        .snapshots
        .iter()
        .filter(|snapshot| snapshot.source == digest)
        .map(|snapshot| snapshot.name.clone())
        .collect();
    for snapshot in &snapshots {
        tx.drop_table(snapshot);
    }
    let manifest = tx.manifest_mut();
    manifest.sources.retain(|source| source.digest != digest);
    manifest
        .processes
        .retain(|process| process.source != digest);
    manifest
        .snapshots
        .retain(|snapshot| snapshot.source != digest);
    manifest.overrides.retain(|said| said.source != digest);
    copies::settle(&mut tx)?;
    tx.commit()?;
    Ok(digest)
}
