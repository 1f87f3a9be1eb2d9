//! Networks by name or by a `config.yaml`, and those that a case was told about.

use crate::IngestError;
use chain::Network;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

/// A network that the user named.
#[derive(Clone, Debug)]
pub struct NamedNetwork {
    /// Its rules.
    pub network: Arc<Network>,
    /// The text of the configuration it came from; `None` for one that the program knows.
    pub config: Option<String>,
}

/// Returns a network by the name that the user gave: a known one, or the path of a `config.yaml`. Such a file does not
/// say when its network began: that is the network's own if it is a known one, else what `GENESIS_TIME` in the file or
/// the `genesis.ssz` beside it says (its first 8 bytes).
///
/// # Errors
/// If there is no such network, or the file cannot be read or is not enough.
pub fn network_named(name: &str) -> Result<NamedNetwork, IngestError> {
    if let Some(network) = Network::by_name(name) {
        return Ok(NamedNetwork {
            network: Arc::new(network.clone()),
            config: None,
        });
    }
    let path = Path::new(name);
    if !path.is_file() {
        let known: Vec<&str> = chain::networks()
            .iter()
            .map(|network| network.name.as_str())
            .collect();
        return Err(IngestError::UnknownNetwork {
            name: name.to_owned(),
            known: known.join(", "),
        });
    }
    let read = |source| IngestError::Read {
        path: name.to_owned(),
        source,
    };
    let mut text = String::new();
    std::fs::File::open(path)
        .map_err(read)?
        .take(CONFIG_LIMIT_BYTES)
        .read_to_string(&mut text)
        .map_err(read)?;
    let network = from_config(&text, genesis_beside(path))?;
    Ok(NamedNetwork {
        network: Arc::new(network),
        config: Some(text),
    })
}

/// A configuration is some kilobytes long.
const CONFIG_LIMIT_BYTES: u64 = 1 << 20;

fn from_config(text: &str, genesis_time_s: Option<i64>) -> Result<Network, IngestError> {
    let mut network =
        Network::from_config_yaml(text, genesis_time_s).map_err(IngestError::Network)?;
    // A devnet may bear the name of a network that everybody knows.
    let known = Network::by_name(&network.name);
    if known.is_some_and(|known| known.genesis_time_s != network.genesis_time_s) {
        network.name = format!("{}-{}", network.name, network.genesis_time_s);
    }
    Ok(network)
}

/// Returns the genesis time that the state beside a configuration begins with.
fn genesis_beside(config: &Path) -> Option<i64> {
    let mut first = [0; 8];
    std::fs::File::open(config.with_file_name("genesis.ssz"))
        .ok()?
        .read_exact(&mut first)
        .ok()?;
    // Anything but a time of this century is no state.
    i64::try_from(u64::from_le_bytes(first))
        .ok()
        .filter(|seconds| (1_500_000_000..4_000_000_000).contains(seconds))
}

/// The networks that a case was told about, beside the known ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct CaseNetworks {
    told: Vec<Arc<Network>>,
    all: Vec<Network>,
}

impl CaseNetworks {
    pub(crate) fn of(manifest: &case::Manifest) -> CaseNetworks {
        let told: Vec<Arc<Network>> = manifest
            .networks
            .iter()
            .filter_map(|kept| {
                let network = Network::from_config_yaml(&kept.config, Some(kept.genesis_time_s));
                let mut network = network.ok()?;
                network.name.clone_from(&kept.name);
                Some(Arc::new(network))
            })
            .collect();
        let mut all: Vec<Network> = Vec::new();
        if !told.is_empty() {
            all.extend(told.iter().map(|network| Network::clone(network)));
            all.extend(chain::networks().iter().cloned());
        }
        CaseNetworks { told, all }
    }

    /// Returns a network by the name that the case has for it.
    pub(crate) fn by_name(&self, name: &str) -> Option<&Network> {
        let told = self.told.iter().map(Arc::as_ref);
        told.into_iter()
            .find(|network| network.name == name)
            .or_else(|| Network::by_name(name))
    }

    /// Returns the same, or what the user names now.
    pub(crate) fn named(&self, name: &str) -> Result<NamedNetwork, IngestError> {
        match self.told.iter().find(|network| network.name == name) {
            Some(network) => Ok(NamedNetwork {
                network: network.clone(),
                config: None,
            }),
            None => network_named(name),
        }
    }

    /// Returns the networks to try for a process whose lines name none.
    pub(crate) fn candidates(&self) -> &[Network] {
        if self.all.is_empty() {
            chain::networks()
        } else {
            &self.all
        }
    }

    /// Returns those to try for one whose lines name a network that nobody knows.
    pub(crate) fn strangers(&self) -> &[Network] {
        &self.all[..self.told.len()]
    }
}

/// Keeps a network's configuration in a case, so that it can be solved anew without the file.
pub(crate) fn keep(manifest: &mut case::Manifest, named: &NamedNetwork) {
    let Some(config) = &named.config else { return };
    let kept = case::Network {
        name: named.network.name.clone(),
        genesis_time_s: named.network.genesis_time_s,
        config: config.clone(),
    };
    manifest.networks.retain(|other| other.name != kept.name);
    manifest.networks.push(kept);
    manifest.networks.sort_by(|a, b| a.name.cmp(&b.name));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const CONFIG: &str = "CONFIG_NAME: 'westeros'\nPRESET_BASE: mainnet\nSECONDS_PER_SLOT: 6\n\
                          GENESIS_FORK_VERSION: 0x10099999\nMIN_GENESIS_TIME: 1700000000\n";

    #[test]
    fn a_configuration_with_its_genesis() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        fs::write(&path, CONFIG).unwrap();
        let named = |path: &Path| network_named(&path.display().to_string());
        // MIN_GENESIS_TIME is a lower bound only.
        let error = named(&path).unwrap_err();
        assert!(matches!(error, IngestError::Network(_)), "{error}");
        let mut state = 1_700_000_060u64.to_le_bytes().to_vec();
        state.extend([7; 40]);
        fs::write(folder.path().join("genesis.ssz"), &state).unwrap();
        let network = named(&path).unwrap().network;
        assert_eq!(
            (network.genesis_time_s, network.seconds_per_slot),
            (1_700_000_060, 6)
        );
        fs::write(&path, format!("{CONFIG}GENESIS_TIME: 1700000120\n")).unwrap();
        assert_eq!(named(&path).unwrap().network.genesis_time_s, 1_700_000_120);
        // A devnet that calls itself mainnet is not it.
        fs::write(&path, CONFIG.replace("westeros", "mainnet")).unwrap();
        assert_eq!(named(&path).unwrap().network.name, "mainnet-1700000060");
        assert!(matches!(
            network_named("nowhere"),
            Err(IngestError::UnknownNetwork { .. })
        ));
    }

    #[test]
    fn a_case_keeps_what_it_was_told() {
        let network = from_config(CONFIG, Some(1_700_000_060)).unwrap();
        let named = NamedNetwork {
            network: Arc::new(network.clone()),
            config: Some(CONFIG.to_owned()),
        };
        let mut manifest = case::Manifest::default();
        keep(&mut manifest, &named);
        keep(&mut manifest, &named);
        let networks = CaseNetworks::of(&manifest);
        assert_eq!(networks.by_name("westeros"), Some(&network));
        assert_eq!(networks.strangers(), [network]);
        assert_eq!(networks.candidates().len(), chain::networks().len() + 1);
    }
}
