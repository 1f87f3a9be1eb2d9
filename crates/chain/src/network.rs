//! Networks, their genesis and forks; slots and epochs as time.

use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::LazyLock;

const MICROS: i64 = 1_000_000;

/// A hard fork of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// Lower-case name: `phase0`, `altair`, `bellatrix`, `capella`, `deneb`, `electra`, `fulu`.
    pub name: String,
    /// First epoch under its rules; `None` if it is not scheduled.
    pub epoch: Option<i64>,
    /// Fork version as the configuration gives it.
    pub version: [u8; 4],
}

/// A beacon chain: when it began and how it counts time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Lower-case name, for example `mainnet`.
    pub name: String,
    /// Other names that people and configurations use.
    pub aliases: Vec<String>,
    /// Unix time of slot 0: the real one, never `MIN_GENESIS_TIME`.
    pub genesis_time_s: i64,
    /// Length of a slot.
    pub seconds_per_slot: i64,
    /// Slots in an epoch.
    pub slots_per_epoch: i64,
    /// Forks in order, `phase0` first.
    pub forks: Vec<Fork>,
    /// Root of the genesis validators, where known: with a fork version it gives the fork digest.
    pub genesis_validators_root: Option<[u8; 32]>,
}

const FORK_NAMES: [&str; 7] = [
    "phase0",
    "altair",
    "bellatrix",
    "capella",
    "deneb",
    "electra",
    "fulu",
];

pub(crate) fn forks(versions: &[u32], epochs: &[Option<i64>]) -> Vec<Fork> {
    FORK_NAMES
        .iter()
        .zip(versions.iter().zip(epochs))
        .map(|(name, (version, epoch))| Fork {
            name: (*name).to_owned(),
            epoch: *epoch,
            version: version.to_be_bytes(),
        })
        .collect()
}

/// A root that is written in this file as 64 hex digits.
fn root(hex: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// The table of networks. Sources: genesis times and fork schedules from the configurations of
/// `eth-clients/{mainnet,sepolia,holesky,hoodi,goerli,eth2-networks}` and `gnosischain/configs`; fulu
/// epochs of mainnet, sepolia, holesky and hoodi from OffchainLabs/prysm `config/params`; gnosis and
/// chiado genesis from the first 8 bytes of their `genesis.ssz` (their configurations' `MIN_GENESIS_TIME +
/// GENESIS_DELAY` is hours or minutes off). Validators' roots: as Lodestar, Teku and Prysm carry them, Medalla's and
/// mainnet's checked against the gossip digests `e7a75d5a` (seen in a Medalla Teku log) and `b5303f2a`.
/// Networks that are gone, since old logs live on: Altona and Spadina from `goerli/medalla` (Altona's genesis state as
/// Lodestar's tests read it), Pyrmont from `eth-clients/eth2-networks` and its beacon API's `genesis`, Kiln and the
/// Ropsten beacon chain from Lodestar's and Teku's tables and `eth-clients/merge-testnets`.
static NETWORKS: LazyLock<Vec<Network>> = LazyLock::new(|| {
    let network = |name: &str,
                   aliases: &[&str],
                   genesis_time_s: i64,
                   (seconds_per_slot, slots_per_epoch): (i64, i64),
                   versions: &[u32],
                   epochs: &[i64],
                   validators_root: Option<&str>| Network {
        name: name.to_owned(),
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        genesis_time_s,
        seconds_per_slot,
        slots_per_epoch,
        forks: forks(
            versions,
            &std::iter::once(0)
                .chain(epochs.iter().copied())
                .map(Some)
                .collect::<Vec<_>>(),
        ),
        genesis_validators_root: validators_root.and_then(root),
    };
    const MAINNET: (i64, i64) = (12, 32);
    const GNOSIS: (i64, i64) = (5, 16);
    vec![
        network(
            "mainnet",
            &[],
            1_606_824_023,
            MAINNET,
            &[
                0x0000_0000,
                0x0100_0000,
                0x0200_0000,
                0x0300_0000,
                0x0400_0000,
                0x0500_0000,
                0x0600_0000,
            ],
            &[74_240, 144_896, 194_048, 269_568, 364_032, 411_392],
            Some("4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95"),
        ),
        network(
            "medalla",
            &[],
            1_596_546_008,
            MAINNET,
            &[0x0000_0001],
            &[],
            Some("04700007fabc8282644aed6d1c7c9e21d38a03a0c4ba193f3afe428824b3a673"),
        ),
        network(
            "prater",
            &["goerli"],
            1_616_508_000,
            MAINNET,
            &[
                0x0000_1020,
                0x0100_1020,
                0x0200_1020,
                0x0300_1020,
                0x0400_1020,
            ],
            &[36_660, 112_260, 162_304, 231_680],
            Some("043db0d9a83813551ee2f33450d23797757d430911a9320530ad8a0eabc43efb"),
        ),
        network(
            "sepolia",
            &[],
            1_655_733_600,
            MAINNET,
            &[
                0x9000_0069,
                0x9000_0070,
                0x9000_0071,
                0x9000_0072,
                0x9000_0073,
                0x9000_0074,
                0x9000_0075,
            ],
            &[50, 100, 56_832, 132_608, 222_464, 272_640],
            Some("d8ea171f3c94aea21ebc42a1ed61052acf3f9209c00e4efbaaddac09ed9b8078"),
        ),
        network(
            "holesky",
            &[],
            1_695_902_400,
            MAINNET,
            &[
                0x0101_7000,
                0x0201_7000,
                0x0301_7000,
                0x0401_7000,
                0x0501_7000,
                0x0601_7000,
                0x0701_7000,
            ],
            &[0, 0, 256, 29_696, 115_968, 165_120],
            Some("9143aa7c615a7f7115e2b6aac319c03529df8242ae705fba9df39b79c59fa8b1"),
        ),
        network(
            "hoodi",
            &[],
            1_742_213_400,
            MAINNET,
            &[
                0x1000_0910,
                0x2000_0910,
                0x3000_0910,
                0x4000_0910,
                0x5000_0910,
                0x6000_0910,
                0x7000_0910,
            ],
            &[0, 0, 0, 0, 2048, 50_688],
            Some("212f13fc4df078b6cb7db228f1c8307566dcecf900867401a92023d7ba99cb5f"),
        ),
        network(
            "gnosis",
            &[],
            1_638_993_340,
            GNOSIS,
            &[
                0x0000_0064,
                0x0100_0064,
                0x0200_0064,
                0x0300_0064,
                0x0400_0064,
                0x0500_0064,
                0x0600_0064,
            ],
            &[512, 385_536, 648_704, 889_856, 1_337_856, 1_714_688],
            Some("f5dcb5564e829aab27264b9becd5dfaa017085611224cb3036f573368dbb9d47"),
        ),
        network(
            "chiado",
            &[],
            1_665_396_300,
            GNOSIS,
            &[
                0x0000_006f,
                0x0100_006f,
                0x0200_006f,
                0x0300_006f,
                0x0400_006f,
                0x0500_006f,
                0x0600_006f,
            ],
            &[90, 180, 244_224, 516_608, 948_224, 1_353_216],
            Some("9d642dac73058fbf39c0ae41ab1e34e4d889043cb199851ded7095bc99eb4c1e"),
        ),
        network(
            "altona",
            &[],
            1_593_433_805,
            MAINNET,
            &[0x0000_0121],
            &[],
            None,
        ),
        network(
            "spadina",
            &[],
            1_601_380_813,
            MAINNET,
            &[0x0000_0002],
            &[],
            None,
        ),
        network(
            "pyrmont",
            &[],
            1_605_700_807,
            MAINNET,
            &[0x0000_2009, 0x0100_2009],
            &[61_650],
            Some("9436e8a630e3162b7ed4f449b12b8a5a368a4b95bc46b941ae65c11613bfa4c1"),
        ),
        network(
            "kiln",
            &[],
            1_647_007_500,
            MAINNET,
            &[0x7000_0069, 0x7000_0070, 0x7000_0071],
            &[50, 150],
            Some("99b09fcd43e5905236c370f184056bec6e6638cfc31a323b304fc4aa789cb4ad"),
        ),
        network(
            "ropsten",
            &[],
            1_653_922_800,
            MAINNET,
            &[0x8000_0069, 0x8000_0070, 0x8000_0071],
            &[500, 750],
            Some("44f1e56283ca88b35c789f7f449e52339bc1fefe3a45913a43a6d16edcd33cf1"),
        ),
    ]
});

/// Returns the public networks that the program knows, in a fixed order.
///
/// ```
/// let names: Vec<&str> = chain::networks().iter().map(|n| n.name.as_str()).collect();
/// assert_eq!(names[..4], ["mainnet", "medalla", "prater", "sepolia"]);
/// assert!(names.contains(&"gnosis") && names.contains(&"pyrmont"));
/// ```
pub fn networks() -> &'static [Network] {
    &NETWORKS
}

impl Network {
    /// Returns a known network by its name or an alias, in any case.
    ///
    /// ```
    /// assert_eq!(chain::Network::by_name("Goerli").unwrap().name, "prater");
    /// assert!(chain::Network::by_name("westeros").is_none());
    /// ```
    pub fn by_name(name: &str) -> Option<&'static Network> {
        networks().iter().find(|network| {
            network.name.eq_ignore_ascii_case(name)
                || network
                    .aliases
                    .iter()
                    .any(|alias| alias.eq_ignore_ascii_case(name))
        })
    }

    /// Returns when a slot starts.
    ///
    /// ```
    /// let mainnet = chain::Network::by_name("mainnet").unwrap();
    /// // Epoch 200750, the first that was not justified in May 2023, starts with slot 6424000.
    /// let start = model::time::format_utc_short(mainnet.slot_start_us(6_424_000));
    /// assert_eq!(start, "2023-05-12T17:20:23Z");
    /// ```
    pub fn slot_start_us(&self, slot: i64) -> i64 {
        slot.saturating_mul(self.seconds_per_slot)
            .saturating_add(self.genesis_time_s)
            .saturating_mul(MICROS)
    }

    /// Returns the slot that holds an instant; negative before genesis.
    ///
    /// ```
    /// let gnosis = chain::Network::by_name("gnosis").unwrap();
    /// assert_eq!(gnosis.slot_at_us(gnosis.slot_start_us(100) + 4_999_999), 100);
    /// assert_eq!(gnosis.slot_at_us(gnosis.slot_start_us(100) - 1), 99);
    /// ```
    pub fn slot_at_us(&self, us: i64) -> i64 {
        us.saturating_sub(self.genesis_time_s.saturating_mul(MICROS))
            .div_euclid(self.seconds_per_slot * MICROS)
    }

    /// Returns the epoch of a slot.
    ///
    /// ```
    /// let medalla = chain::Network::by_name("medalla").unwrap();
    /// assert_eq!(medalla.epoch_of(403_808), 12_619);
    /// ```
    pub fn epoch_of(&self, slot: i64) -> i64 {
        slot.div_euclid(self.slots_per_epoch)
    }

    /// Returns the first slot of an epoch.
    ///
    /// ```
    /// let medalla = chain::Network::by_name("medalla").unwrap();
    /// assert_eq!(medalla.epoch_start_slot(2289), 73_248);
    /// ```
    pub fn epoch_start_slot(&self, epoch: i64) -> i64 {
        epoch.saturating_mul(self.slots_per_epoch)
    }

    /// Returns when an epoch starts.
    ///
    /// ```
    /// let medalla = chain::Network::by_name("medalla").unwrap();
    /// let start = model::time::format_utc_short(medalla.epoch_start_us(2289));
    /// assert_eq!(start, "2020-08-14T17:09:44Z");
    /// ```
    pub fn epoch_start_us(&self, epoch: i64) -> i64 {
        self.slot_start_us(self.epoch_start_slot(epoch))
    }

    /// Returns the fork in force in an epoch.
    ///
    /// ```
    /// let mainnet = chain::Network::by_name("mainnet").unwrap();
    /// assert_eq!(mainnet.fork_at(200_750).name, "capella");
    /// ```
    pub fn fork_at(&self, epoch: i64) -> &Fork {
        self.forks
            .iter()
            .rev()
            .find(|fork| fork.epoch.is_some_and(|start| start <= epoch))
            .unwrap_or(&self.forks[0])
    }

    /// Returns a fork's digest, as it stands in gossip topics; `None` where the validators' root is
    /// not known, and from fulu on, whose digests also depend on the blob schedule (EIP-7892).
    ///
    /// The rule (consensus-specs, `compute_fork_digest`): the first 4 bytes of the SHA-256 of the
    /// version, padded to 32 bytes, and the genesis validators' root.
    ///
    /// ```
    /// let medalla = chain::Network::by_name("medalla").unwrap();
    /// assert_eq!(medalla.fork_digest("phase0"), Some([0xe7, 0xa7, 0x5d, 0x5a]));
    /// ```
    pub fn fork_digest(&self, fork: &str) -> Option<[u8; 4]> {
        let index = self.forks.iter().position(|known| known.name == fork)?;
        if FORK_NAMES
            .iter()
            .position(|name| *name == fork)
            .is_none_or(|rank| rank >= 6)
        {
            return None;
        }
        let mut hasher = Sha256::new();
        hasher.update(self.forks[index].version);
        hasher.update([0; 28]);
        hasher.update(self.genesis_validators_root?);
        let digest = hasher.finalize();
        Some([digest[0], digest[1], digest[2], digest[3]])
    }

    /// Returns the known network and fork whose digest this is.
    ///
    /// ```
    /// let (network, fork) = chain::Network::by_fork_digest([0xbb, 0xa4, 0xda, 0x96]).unwrap();
    /// assert_eq!((network.name.as_str(), fork.name.as_str()), ("mainnet", "capella"));
    /// ```
    pub fn by_fork_digest(digest: [u8; 4]) -> Option<(&'static Network, &'static Fork)> {
        static DIGESTS: LazyLock<BTreeMap<[u8; 4], (usize, usize)>> = LazyLock::new(|| {
            let mut digests = BTreeMap::new();
            for (at, network) in networks().iter().enumerate() {
                for (fork, named) in network.forks.iter().enumerate() {
                    if let Some(digest) = network.fork_digest(&named.name) {
                        digests.entry(digest).or_insert((at, fork));
                    }
                }
            }
            digests
        });
        let (at, fork) = *DIGESTS.get(&digest)?;
        let network = &networks()[at];
        Some((network, &network.forks[fork]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::time::format_utc_short;
    use proptest::prelude::*;

    #[test]
    fn genesis_times_read_as_published() {
        for (name, utc) in [
            ("mainnet", "2020-12-01T12:00:23Z"),
            ("medalla", "2020-08-04T13:00:08Z"),
            ("prater", "2021-03-23T14:00:00Z"),
            ("sepolia", "2022-06-20T14:00:00Z"),
            ("holesky", "2023-09-28T12:00:00Z"),
            ("hoodi", "2025-03-17T12:10:00Z"),
            ("gnosis", "2021-12-08T19:55:40Z"),
            ("chiado", "2022-10-10T10:05:00Z"),
            ("altona", "2020-06-29T12:30:05Z"),
            ("spadina", "2020-09-29T12:00:13Z"),
            ("pyrmont", "2020-11-18T12:00:07Z"),
            ("kiln", "2022-03-11T14:05:00Z"),
            ("ropsten", "2022-05-30T15:00:00Z"),
        ] {
            let network = Network::by_name(name).unwrap();
            assert_eq!(format_utc_short(network.slot_start_us(0)), utc, "{name}");
        }
    }

    #[test]
    fn known_moments_of_known_incidents() {
        let medalla = Network::by_name("medalla").unwrap();
        // The finalized block of slot 403808 is of 2020-09-29T15:01:44Z.
        assert_eq!(
            format_utc_short(medalla.slot_start_us(403_808)),
            "2020-09-29T15:01:44Z"
        );
        let mainnet = Network::by_name("mainnet").unwrap();
        assert_eq!(
            format_utc_short(mainnet.epoch_start_us(200_759)),
            "2023-05-12T18:17:59Z"
        );
        // Gnosis' Capella is commented 2023-08-01T11:34:20Z in its own configuration.
        let gnosis = Network::by_name("gnosis").unwrap();
        assert_eq!(
            format_utc_short(gnosis.epoch_start_us(648_704)),
            "2023-08-01T11:34:20Z"
        );
        let mainnet_deneb = mainnet.forks[4].epoch.unwrap();
        assert_eq!(
            format_utc_short(mainnet.epoch_start_us(mainnet_deneb)),
            "2024-03-13T13:55:35Z"
        );
        assert_eq!(
            mainnet.fork_digest("phase0"),
            Some([0xb5, 0x30, 0x3f, 0x2a])
        );
        assert_eq!(mainnet.fork_digest("fulu"), None);
    }

    #[test]
    fn absurd_slots_saturate() {
        let mainnet = Network::by_name("mainnet").unwrap();
        assert_eq!(mainnet.slot_start_us(i64::MAX), i64::MAX);
        assert_eq!(mainnet.epoch_start_us(i64::MIN), i64::MIN);
        mainnet.slot_at_us(i64::MIN);
    }

    proptest! {
        #[test]
        fn slots_tile_time(index in 0..13usize, slot in -10_000_000i64..100_000_000, into in 0.0..1.0f64) {
            let network = &networks()[index];
            let start = network.slot_start_us(slot);
            let length = network.slot_start_us(slot + 1) - start;
            prop_assert_eq!(length, network.seconds_per_slot * MICROS);
            let inside = start + (into * length as f64) as i64;
            prop_assert_eq!(network.slot_at_us(inside), slot);
            let epoch = network.epoch_of(slot);
            prop_assert!(network.epoch_start_slot(epoch) <= slot);
            prop_assert!(slot < network.epoch_start_slot(epoch + 1));
        }
    }
}
