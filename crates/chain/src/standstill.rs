//! When Ethereum mainnet did not finalize: whoever waits for finality was late then, through no fault of its own.

use model::time::MICROS_PER_SECOND;

/// When mainnet's finalized checkpoint stood still, in UTC seconds: from its last move to the next. Replayed
/// from the published participation of the two incidents (Prysm's report of May 2023).
const MAINNET: [(i64, i64); 2] = [
    (1_683_836_375, 1_683_837_911), // 2023-05-11 20:19:35 to 20:45:11
    (1_683_912_023, 1_683_916_247), // 2023-05-12 17:20:23 to 18:30:47
];

/// Returns the first stretch between two times in which Ethereum mainnet finalized nothing although it should
/// have, from the last move of its finalized checkpoint to the next. All times are microseconds UTC.
///
/// ```
/// let us = |time| model::time::parse_utc(time).unwrap();
/// let found = chain::mainnet_standstill(us("2023-05-12T17:00:00Z"), us("2023-05-12T18:00:00Z"));
/// assert_eq!(found, Some((us("2023-05-12T17:20:23Z"), us("2023-05-12T18:30:47Z"))));
/// assert_eq!(chain::mainnet_standstill(us("2023-05-12T18:31:00Z"), us("2023-06-01T00:00:00Z")), None);
/// ```
pub fn mainnet_standstill(from_us: i64, to_us: i64) -> Option<(i64, i64)> {
    MAINNET
        .iter()
        .map(|(start, end)| (start * MICROS_PER_SECOND, end * MICROS_PER_SECOND))
        .find(|(start, end)| from_us < *end && to_us > *start)
}
