//! Reading a network's `config.yaml`: the simple `KEY: value` lines that clients publish.

use crate::{
    Network,
    network::{forks, networks},
};
use std::collections::BTreeMap;

/// Why a `config.yaml` gives no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A key that is needed is not there.
    #[error("the network configuration has no {0}")]
    Missing(&'static str),
    /// A value is not what its key needs.
    #[error("the network configuration has {key}: {value}, which is no {wanted}")]
    Value {
        /// The key.
        key: String,
        /// What it says.
        value: String,
        /// What was expected.
        wanted: &'static str,
    },
    /// The genesis time is not in such a file, and the network is none of the known ones.
    #[error(
        "the configuration of network `{name}` does not say when it began (MIN_GENESIS_TIME is only the earliest possible time): put its genesis.ssz beside the file, or add a line GENESIS_TIME: <unix seconds>"
    )]
    GenesisUnknown {
        /// The network's name.
        name: String,
        /// `MIN_GENESIS_TIME + GENESIS_DELAY`, where given: often, but not always, the real genesis.
        earliest_s: Option<i64>,
    },
}

impl Network {
    /// Reads a network from its `config.yaml`.
    ///
    /// The file does not hold the genesis time: `MIN_GENESIS_TIME` is a lower bound (Gnosis began
    /// more than 5 hours after `MIN_GENESIS_TIME + GENESIS_DELAY`). It comes from `genesis_time_s`, else from the table of known
    /// networks if one has the same `GENESIS_FORK_VERSION`; else the network stays unknown. A line `GENESIS_TIME`, which such files
    /// do not have unless somebody adds it, wins.
    ///
    /// # Errors
    /// [`ConfigError::GenesisUnknown`] for a network that is not known and without `genesis_time_s`;
    /// otherwise a missing or unreadable key.
    ///
    /// ```
    /// let text = "CONFIG_NAME: 'devnet-7'\nPRESET_BASE: mainnet\nSECONDS_PER_SLOT: 6\n\
    ///             GENESIS_FORK_VERSION: 0x10001234\nALTAIR_FORK_VERSION: 0x20001234\nALTAIR_FORK_EPOCH: 0\n";
    /// let network = chain::Network::from_config_yaml(text, Some(1_700_000_000)).unwrap();
    /// assert_eq!((network.name.as_str(), network.seconds_per_slot), ("devnet-7", 6));
    /// assert!(chain::Network::from_config_yaml(text, None).is_err());
    /// ```
    pub fn from_config_yaml(
        text: &str,
        genesis_time_s: Option<i64>,
    ) -> Result<Network, ConfigError> {
        let values = read_lines(text);
        let get = |key: &str| values.get(key).map(String::as_str);
        let number = |key: &str| -> Result<Option<i64>, ConfigError> {
            let Some(value) = get(key) else {
                return Ok(None);
            };
            match value.parse::<u64>() {
                // 2^64 - 1 means "not scheduled".
                Ok(number) => Ok(i64::try_from(number).ok()),
                Err(_) => Err(ConfigError::Value {
                    key: key.to_owned(),
                    value: value.to_owned(),
                    wanted: "whole number",
                }),
            }
        };
        let version = |key: &str| -> Result<Option<u32>, ConfigError> {
            let Some(value) = get(key) else {
                return Ok(None);
            };
            value
                .strip_prefix("0x")
                .filter(|digits| digits.len() == 8)
                .and_then(|digits| u32::from_str_radix(digits, 16).ok())
                .map(Some)
                .ok_or_else(|| ConfigError::Value {
                    key: key.to_owned(),
                    value: value.to_owned(),
                    wanted: "fork version of 4 bytes",
                })
        };

        let genesis_version =
            version("GENESIS_FORK_VERSION")?.ok_or(ConfigError::Missing("GENESIS_FORK_VERSION"))?;
        let known = networks()
            .iter()
            .find(|network| network.forks[0].version == genesis_version.to_be_bytes());
        let name = match (get("CONFIG_NAME"), known) {
            (Some(name), _) => name.to_owned(),
            // Medalla's file (v0.12) has no CONFIG_NAME.
            (None, Some(known)) => known.name.clone(),
            (None, None) => "custom".to_owned(),
        };
        let seconds_per_slot = match number("SECONDS_PER_SLOT")? {
            Some(seconds) => seconds,
            None => {
                number("SLOT_DURATION_MS")?.ok_or(ConfigError::Missing("SECONDS_PER_SLOT"))? / 1000
            }
        };
        if seconds_per_slot <= 0 {
            return Err(ConfigError::Value {
                key: "SECONDS_PER_SLOT".to_owned(),
                value: seconds_per_slot.to_string(),
                wanted: "positive number",
            });
        }
        // Part of the preset since v1.0, of the file before.
        let slots_per_epoch = match (number("SLOTS_PER_EPOCH")?, get("PRESET_BASE")) {
            (Some(slots), _) if slots > 0 => slots,
            (_, Some("gnosis")) => 16,
            (_, Some("minimal")) => 8,
            _ => 32,
        };
        let genesis_time_s = match (number("GENESIS_TIME")?.or(genesis_time_s), known) {
            (Some(given), _) => given,
            (None, Some(known)) => known.genesis_time_s,
            (None, None) => {
                let earliest_s = match (number("MIN_GENESIS_TIME")?, number("GENESIS_DELAY")?) {
                    (Some(earliest), delay) => Some(earliest.saturating_add(delay.unwrap_or(0))),
                    _ => None,
                };
                return Err(ConfigError::GenesisUnknown { name, earliest_s });
            }
        };
        let mut versions = vec![genesis_version];
        let mut epochs = vec![Some(0)];
        for fork in ["ALTAIR", "BELLATRIX", "CAPELLA", "DENEB", "ELECTRA", "FULU"] {
            let Some(fork_version) = version(&format!("{fork}_FORK_VERSION"))? else {
                break;
            };
            versions.push(fork_version);
            epochs.push(number(&format!("{fork}_FORK_EPOCH"))?);
        }
        Ok(Network {
            aliases: known
                .filter(|known| known.name != name)
                .map(|known| known.name.clone())
                .into_iter()
                .collect(),
            name,
            genesis_time_s,
            seconds_per_slot,
            slots_per_epoch,
            forks: forks(&versions, &epochs),
            genesis_validators_root: known.and_then(|known| known.genesis_validators_root),
        })
    }
}

/// Reads `KEY: value` lines; comments, quotes and nested values (the blob schedule) are left out.
fn read_lines(text: &str) -> BTreeMap<&str, String> {
    let mut values = BTreeMap::new();
    for line in text.lines() {
        if line.starts_with([' ', '\t', '#', '-']) {
            continue;
        }
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.split(" #").next().unwrap_or("").trim();
        let value = value.trim_matches(['\'', '"']);
        if !value.is_empty() && !value.starts_with('#') {
            values.insert(key.trim(), value.to_owned());
        }
    }
    values
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]
    use super::*;

    #[test]
    fn published_configurations_agree_with_the_table() {
        let folder = std::path::Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../shared/corpus/incidents/networks"
        ));
        if !folder.is_dir() {
            eprintln!("SKIPPED: no corpus at {}", folder.display());
            return;
        }
        let mut compared = 0;
        for known in networks() {
            let path = folder.join(format!("{}.config.yaml", known.name));
            let Ok(text) = std::fs::read_to_string(path) else {
                // The networks that are gone.
                continue;
            };
            compared += 1;
            let read = Network::from_config_yaml(&text, None).unwrap();
            assert_eq!(read.name, known.name);
            assert_eq!(read.genesis_time_s, known.genesis_time_s);
            assert_eq!(read.seconds_per_slot, known.seconds_per_slot);
            assert_eq!(read.slots_per_epoch, known.slots_per_epoch);
            for (read, known) in read.forks.iter().zip(&known.forks) {
                assert_eq!((&read.name, read.version), (&known.name, known.version));
                // Some of these files were published before fulu was scheduled.
                if read.name != "fulu" {
                    assert_eq!(read.epoch, known.epoch, "{}", known.name);
                }
            }
        }
        assert!(compared >= 8);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        assert_eq!(
            Network::from_config_yaml("", None),
            Err(ConfigError::Missing("GENESIS_FORK_VERSION"))
        );
        let text =
            "GENESIS_FORK_VERSION: 0x99\nSECONDS_PER_SLOT: 12\nPRESET_BASE: 'mainnet' # text\n";
        assert!(matches!(
            Network::from_config_yaml(text, None),
            Err(ConfigError::Value { .. })
        ));
        let text = "CONFIG_NAME: \"kurtosis\"\nGENESIS_FORK_VERSION: 0x10000038\nSECONDS_PER_SLOT: 12\n\
                    MIN_GENESIS_TIME: 1700000000 # earliest\nGENESIS_DELAY: 20\n";
        assert_eq!(
            Network::from_config_yaml(text, None),
            Err(ConfigError::GenesisUnknown {
                name: "kurtosis".to_owned(),
                earliest_s: Some(1_700_000_020)
            })
        );
    }
}
