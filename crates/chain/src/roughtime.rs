//! How a client's clock offset follows from the answers of roughtime servers, and back.
//!
//! Prysm, until 22 September 2020, took the plain arithmetic mean over the servers that answered
//! (cloudflare/roughtime a69ef1d, `AvgDeltaWithRadiusThresh`): no majority, no outlier rejection, no
//! limit. So one server that is wrong by `d` moves every client that asks `n` servers by `d / n`.

/// One way to explain an offset: so many servers answered, and exactly one was wrong by so much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneWrongServer {
    /// How many servers answered.
    pub answering: u32,
    /// By how much the one was wrong.
    pub deviation_us: i64,
}

/// Returns the mean of the servers' deltas in microseconds, rounded towards zero; `None` without any.
///
/// ```
/// // Five servers right, one a day ahead: the client goes four hours ahead.
/// let day = 86_400_000_000;
/// assert_eq!(chain::roughtime::mean_offset_us(&[0, 0, 0, 0, 0, day]), Some(4 * 3600 * 1_000_000));
/// assert_eq!(chain::roughtime::mean_offset_us(&[]), None);
/// ```
pub fn mean_offset_us(deltas_us: &[i64]) -> Option<i64> {
    let sum: i128 = deltas_us.iter().map(|delta| i128::from(*delta)).sum();
    let count = i128::try_from(deltas_us.len()).ok()?;
    if count == 0 {
        return None;
    }
    i64::try_from(sum / count).ok()
}

/// Returns the median of the servers' deltas (of an even number, the mean of the middle two): what
/// cloudflare's client does since March 2024.
///
/// ```
/// let day = 86_400_000_000;
/// assert_eq!(chain::roughtime::median_offset_us(&[3, day, 1, 5, 0, 2]), Some(2));
/// ```
pub fn median_offset_us(deltas_us: &[i64]) -> Option<i64> {
    let mut sorted = deltas_us.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        count if count % 2 == 1 => Some(sorted[middle]),
        _ => mean_offset_us(&sorted[middle - 1..=middle]),
    }
}

/// Returns the offset of a client that took the mean of `answering` servers of which one deviates.
///
/// ```
/// assert_eq!(chain::roughtime::offset_of_one_wrong_us(6, 86_400_000_000), Some(14_400_000_000));
/// assert_eq!(chain::roughtime::offset_of_one_wrong_us(0, 1), None);
/// ```
pub fn offset_of_one_wrong_us(answering: u32, deviation_us: i64) -> Option<i64> {
    (answering > 0).then(|| deviation_us / i64::from(answering))
}

/// Returns every way in which one wrong server of a mean explains an offset, most servers first.
///
/// `listed` is how many servers the client asks (Prysm: 6). Fewer than a majority answering is left
/// out: nothing speaks for it, and each further count adds a reading that no evidence could tell apart.
/// Only the servers' own replies can decide between the readings.
///
/// ```
/// let hour = 3_600_000_000;
/// let ways = chain::roughtime::one_wrong_server(4 * hour, 6);
/// let hours: Vec<_> = ways.iter().map(|way| (way.answering, way.deviation_us / hour)).collect();
/// assert_eq!(hours, [(6, 24), (5, 20), (4, 16)]);
/// ```
pub fn one_wrong_server(offset_us: i64, listed: u32) -> Vec<OneWrongServer> {
    (listed / 2 + 1..=listed)
        .rev()
        .filter_map(|answering| {
            Some(OneWrongServer {
                answering,
                deviation_us: offset_us.checked_mul(i64::from(answering))?,
            })
        })
        .collect()
}

/// Where most clocks agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// Start of the stretch that most intervals hold.
    pub low_us: i64,
    /// Its end.
    pub high_us: i64,
    /// How many intervals hold it.
    pub agreeing: usize,
}

/// Returns the stretch that lies in the most intervals `[low, high]` (Marzullo's algorithm, as RFC 5905
/// 11.2.1 uses it), the earliest such; `None` without intervals. It means something only if more
/// than half of the clocks agree.
///
/// ```
/// let day = 86_400_000_000;
/// let agreement = chain::roughtime::agreement(&[(-5, 3), (-1, 4), (0, 9), (day - 5, day + 5)]).unwrap();
/// assert_eq!((agreement.low_us, agreement.high_us, agreement.agreeing), (0, 3, 3));
/// ```
pub fn agreement(intervals_us: &[(i64, i64)]) -> Option<Agreement> {
    // Starts come before ends at one point: intervals that touch agree.
    let mut edges: Vec<(i64, bool)> = intervals_us
        .iter()
        .flat_map(|(low, high)| [(*low, false), ((*high).max(*low), true)])
        .collect();
    edges.sort_unstable();
    let mut inside = 0usize;
    let mut best: Option<Agreement> = None;
    for (index, (at, end)) in edges.iter().enumerate() {
        if *end {
            inside -= 1;
            continue;
        }
        inside += 1;
        if best.is_none_or(|best| inside > best.agreeing) {
            // The stretch ends at the next edge, whichever it is.
            best = Some(Agreement {
                low_us: *at,
                high_us: edges.get(index + 1).map_or(*at, |next| next.0),
                agreeing: inside,
            });
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_offset_seen_in_medalla_is_a_sixth_of_a_day() {
        // offset=4h0m0.317286608s (prysm issue 6825).
        let ways = one_wrong_server(14_400_317_286, 6);
        assert_eq!(ways[0].deviation_us, 86_401_903_716);
        assert!((ways[0].deviation_us - 86_400_000_000).abs() < 2_000_000);
    }

    proptest! {
        #[test]
        fn forward_and_back_agree(deviation in -1_000_000_000_000i64..1_000_000_000_000, answering in 4u32..=6) {
            let offset = offset_of_one_wrong_us(answering, deviation).unwrap();
            let mut deltas = vec![0; answering as usize];
            deltas[0] = deviation;
            prop_assert_eq!(mean_offset_us(&deltas), Some(offset));
            let back = one_wrong_server(offset, 6)
                .into_iter()
                .find(|way| way.answering == answering)
                .unwrap();
            prop_assert!((back.deviation_us - deviation).abs() < i64::from(answering));
        }

        #[test]
        fn one_wrong_server_never_moves_the_median_far(mut deltas in proptest::collection::vec(-50_000i64..50_000, 3..9), liar in any::<i32>()) {
            deltas.push(i64::from(liar) * 1_000_000);
            prop_assert!(median_offset_us(&deltas).unwrap().abs() <= 50_000);
        }
    }

    proptest! {
        #[test]
        fn a_minority_never_moves_the_agreement(
            honest in proptest::collection::vec((-40_000i64..40_000, 40_000i64..900_000), 3..7),
            liars in proptest::collection::vec((i64::from(i32::MIN)..i64::from(i32::MAX), 1i64..900_000), 0..2),
        ) {
            let intervals: Vec<(i64, i64)> = honest
                .iter()
                .chain(&liars)
                .map(|(middle, radius)| (middle - radius, middle + radius))
                .collect();
            let found = agreement(&intervals).unwrap();
            // Every honest interval holds 0.
            prop_assert!(found.agreeing >= honest.len());
            for (low, high) in &intervals[..honest.len()] {
                let overlaps = *low <= found.high_us && found.low_us <= *high;
                prop_assert!(overlaps || found.agreeing > honest.len());
            }
        }
    }
}
