//! What is said of a source before it is read: its node, its zone, its year, its network.

use crate::IngestError;
use crate::solve::Pieces;
use chain::Network;
use std::sync::Arc;

/// What the assembler must be told about its source.
#[derive(Clone, Debug, Default)]
pub(crate) struct SourceSetting {
    /// Node of records whose wrapper names none.
    pub(crate) node: String,
    /// Whether the user gave that name: then it wins over wrappers' names.
    pub(crate) node_given: bool,
    /// Zone given as an offset.
    pub(crate) given_zone: Option<i32>,
    /// Zone given by name.
    pub(crate) named_zone: Option<chrono_tz::Tz>,
    pub(crate) given_year: Option<i32>,
    /// The network, if the user named one.
    pub(crate) network: Option<Arc<Network>>,
}

impl SourceSetting {
    /// Returns a cutter of pieces for the source.
    pub(crate) fn pieces(&self) -> Pieces {
        match self.named_zone {
            Some(zone) => Pieces::with_zone(zone, self.given_year),
            None => Pieces::new(),
        }
    }

    /// Takes a zone as the user writes it: an offset, or a name of the time zone database.
    pub(crate) fn set_zone(&mut self, zone: &str) -> Result<(), IngestError> {
        match (model::time::parse_offset(zone), zone.parse()) {
            (Some(seconds), _) => self.given_zone = Some(seconds),
            // Abbreviations that are names there (EST, MST) are ambiguous all the same.
            (None, Ok(named)) if zone.contains('/') => self.named_zone = Some(named),
            _ => {
                return Err(IngestError::UnknownZone {
                    zone: zone.to_owned(),
                });
            }
        }
        Ok(())
    }
}

/// Returns the node of a record: the one given, else its wrapper's host or pod, else its source's.
pub(crate) fn node_of(stream: &str, setting: &SourceSetting) -> String {
    if stream.is_empty() || setting.node_given {
        setting.node.clone()
    } else {
        crate::nodes::stable_pod_name(stream).to_owned()
    }
}
