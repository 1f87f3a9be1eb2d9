//! Which sources share a segment: a pure function of the set of sources.

use std::collections::BTreeMap;

/// Sources of this length and more have segments of their own.
pub(crate) const LARGE_BYTES: u64 = 64 << 20;
/// A bin of small sources is split when it holds more than this.
const BIN_BYTES: u64 = 256 << 20;
/// Bits of a digest of 12 hex digits.
const DIGEST_BITS: u32 = 48;

/// Returns the bin of every source, given digests and decoded lengths: the digest itself for a large
/// one, else `~` and the leading digest bits that share a bin.
pub(crate) fn bins(sources: &BTreeMap<String, u64>) -> BTreeMap<String, String> {
    let mut bins = BTreeMap::new();
    let mut small = Vec::new();
    for (digest, bytes) in sources {
        if *bytes >= LARGE_BYTES {
            bins.insert(digest.clone(), digest.clone());
        } else {
            small.push((bits(digest), digest.as_str(), *bytes));
        }
    }
    split(&small, 0, "~".to_owned(), &mut bins);
    bins
}

fn split(
    sources: &[(u64, &str, u64)],
    depth: u32,
    name: String,
    bins: &mut BTreeMap<String, String>,
) {
    let bytes: u64 = sources.iter().map(|(_, _, bytes)| bytes).sum();
    if bytes <= BIN_BYTES || depth == DIGEST_BITS {
        for (_, digest, _) in sources {
            bins.insert((*digest).to_owned(), name.clone());
        }
        return;
    }
    let one = |source: &&(u64, &str, u64)| source.0 >> (DIGEST_BITS - 1 - depth) & 1 == 1;
    let (ones, zeros): (Vec<_>, Vec<_>) = sources.iter().partition(one);
    split(&zeros, depth + 1, format!("{name}0"), bins);
    split(&ones, depth + 1, format!("{name}1"), bins);
}

/// Returns the leading bits of a digest.
fn bits(digest: &str) -> u64 {
    digest
        .bytes()
        .take(12)
        .chain(std::iter::repeat(b'0'))
        .take(12)
        .fold(0, |bits, digit| {
            bits << 4 | u64::from((digit as char).to_digit(16).unwrap_or(0))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(list: &[(&str, u64)]) -> BTreeMap<String, u64> {
        list.iter()
            .map(|(digest, mib)| ((*digest).to_owned(), mib << 20))
            .collect()
    }

    #[test]
    fn small_sources_share_until_the_bin_is_full() {
        let few = bins(&sources(&[
            ("000000000000", 60),
            ("ffffffffffff", 60),
            ("800000000000", 70),
        ]));
        assert_eq!(few["000000000000"], "~");
        assert_eq!(few["ffffffffffff"], "~");
        assert_eq!(few["800000000000"], "800000000000");
        let many: Vec<(String, u64)> = (0..10).map(|n| (format!("{n:x}{n:011x}"), 60u64)).collect();
        let many: Vec<(&str, u64)> = many.iter().map(|(d, b)| (d.as_str(), *b)).collect();
        let many = bins(&sources(&many));
        assert_eq!(many["000000000000"], "~00");
        assert_eq!(many["700000000007"], "~01");
        assert_eq!(many["800000000008"], "~1");
        let mut filled: BTreeMap<&str, u64> = BTreeMap::new();
        for bin in many.values() {
            *filled.entry(bin).or_default() += 60;
        }
        assert!(filled.values().all(|mib| *mib <= 256), "{filled:?}");
    }
}
