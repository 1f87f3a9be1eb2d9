//! Which network a log speaks of: by its name, by a fork's digest, by when it began.

use model::time;

/// Returns the known network that a log calls so: in any case, as one word of some (`Ethereum Mainnet`, `Holesky Testnet`).
pub(crate) fn named(text: &[u8]) -> Option<&'static str> {
    std::str::from_utf8(text)
        .ok()?
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric()))
        .find_map(chain::Network::by_name)
        .map(|network| network.name.as_str())
}

/// Reads the first 8 hex digits that stand alone, as in `/eth2/e7a75d5a/beacon_block/ssz_snappy` or
/// `0xe7a75d5a`, or four bytes as Rust prints an array: `[231, 167, 93, 90]`.
pub(crate) fn fork_digest(text: &[u8]) -> Option<[u8; 4]> {
    if let Some(list) = text
        .strip_prefix(b"[")
        .and_then(|list| list.strip_suffix(b"]"))
    {
        let mut bytes = std::str::from_utf8(list)
            .ok()?
            .split(',')
            .map(|byte| byte.trim().parse());
        let mut next = || bytes.next()?.ok();
        let digest = [next()?, next()?, next()?, next()?];
        return bytes.next().is_none().then_some(digest);
    }
    let word = text
        .split(|c| !c.is_ascii_alphanumeric())
        .map(|word| word.strip_prefix(b"0x").unwrap_or(word))
        .find(|word| word.len() == 8 && word.iter().all(u8::is_ascii_hexdigit))?;
    let word = std::str::from_utf8(word).ok()?;
    u32::from_str_radix(word, 16).ok().map(u32::to_be_bytes)
}

/// Returns the known network that has a fork with this digest.
pub(crate) fn with_digest(digest: [u8; 4]) -> Option<&'static str> {
    chain::Network::by_fork_digest(digest).map(|(network, _)| network.name.as_str())
}

/// Returns the known network that began then, in microseconds since 1970.
pub(crate) fn begun_at(utc_us: i64) -> Option<&'static str> {
    let began = utc_us.div_euclid(time::MICROS_PER_SECOND);
    chain::networks()
        .iter()
        .find(|network| network.genesis_time_s == began)
        .map(|network| network.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_by_name_digest_and_genesis() {
        assert_eq!(named(b"holesky"), Some("holesky"));
        assert_eq!(named(b"ETH2 Mainnet"), Some("mainnet"));
        assert_eq!(named(b"the Goerli Testnet"), Some("prater"));
        assert_eq!(named(b"custom loaded from ./mainnet/config.yaml"), None);
        assert_eq!(named(b"mainnet-shadow-fork-5"), None);
        let topic = b"/eth2/e7a75d5a/beacon_block/ssz_snappy";
        assert_eq!(fork_digest(topic).and_then(with_digest), Some("medalla"));
        assert_eq!(
            fork_digest(b"0xbba4da96").and_then(with_digest),
            Some("mainnet")
        );
        assert_eq!(fork_digest(b"0x12345678").and_then(with_digest), None);
        assert_eq!(fork_digest(b"/eth2/beacon"), None);
        assert_eq!(
            fork_digest(b"[231, 167, 93, 90]").and_then(with_digest),
            Some("medalla")
        );
        assert_eq!(fork_digest(b"[231, 167, 93]"), None);
        assert_eq!(fork_digest(b"[231, 167, 93, 90, 1]"), None);
        assert_eq!(fork_digest(b"[256, 167, 93, 90]"), None);
        assert_eq!(begun_at(1_655_733_600_000_000), Some("sepolia"));
    }
}
