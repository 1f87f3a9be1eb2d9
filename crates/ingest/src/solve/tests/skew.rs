//! Medalla, 14 August 2020: slot clocks four hours ahead between 17:30 and 18:45 UTC.

use super::*;

const SKEW_US: i64 = 14_400_028_854;

/// A Prysm node from 15:30 to 20:30 UTC, restarted at 18:00; `made_ahead` says which share of the blocks it
/// hears in the skew comes from peers with the same skew, in tenths.
fn prysm(zone: i32, restart: bool, made_ahead: i64) -> Source {
    let mut source = Source::new("prysm", zone, Shape::Full);
    let network = medalla();
    source.start("2020-08-14T15:30:00Z");
    let (from, to) = (utc("2020-08-14T17:30:02Z"), utc("2020-08-14T18:45:00Z"));
    let restarted = utc("2020-08-14T18:00:00Z");
    let mut at = utc("2020-08-14T15:30:05Z");
    let mut n = 0;
    while at < utc("2020-08-14T20:30:00Z") {
        n += 1;
        let skewed = (from..to).contains(&at);
        if restart && (restarted..restarted + 12_000_000).contains(&at) {
            source.say(restarted, true, &[]);
        }
        let slot = network.slot_at_us(at);
        let block = network.slot_start_us(slot) + 1_300_000;
        if !skewed {
            source.say(block, false, &[AnchorKind::Received { slot }]);
        } else {
            // Skewed, it says so every minute; it takes blocks of peers with the same skew.
            if n % 5 == 0 {
                source.say(block, false, &[AnchorKind::Skew { offset_us: SKEW_US }]);
            }
            let ahead = n % 10 < made_ahead;
            let kind = AnchorKind::Received {
                slot: if ahead { slot + 1200 } else { slot },
            };
            source.say(block, false, &[kind]);
            let wall = AnchorKind::WallSlot {
                slot: slot + 1200,
                phase_us: 0,
                bendable: true,
            };
            source.say(network.slot_start_us(slot) + 100_000, false, &[wall]);
        }
        at += 12_000_000;
    }
    source
}

#[test]
fn utc_and_eastern_nodes_are_both_solved() {
    for zone in [0, -4 * HOUR] {
        for made_ahead in [0, 5, 10] {
            for restart in [false, true] {
                let source = prysm(zone, restart, made_ahead);
                let solutions = source.solve(&Options {
                    host: "node",
                    ..Options::default()
                });
                assert_eq!(solutions.len(), 1 + usize::from(restart));
                for solution in &solutions {
                    assert_eq!(
                        solution.zone_seconds,
                        Some(zone),
                        "{made_ahead} {restart} {solution:?}"
                    );
                    assert_eq!(solution.basis, Basis::Slot);
                    assert_eq!(solution.network.as_deref(), Some("medalla"));
                }
                source.check(&solutions);
            }
        }
    }
}

/// The part of a node's log that lies wholly inside the skew.
fn inside(zone: i32, made_ahead: i64, first_process: u32) -> (Source, u32) {
    let network = medalla();
    let mut source = Source::new("prysm", zone, Shape::Full);
    source.start("2020-08-14T18:00:00Z");
    for n in 0..200 {
        let slot = network.slot_at_us(utc("2020-08-14T18:00:12Z")) + n;
        let at = network.slot_start_us(slot) + 1_000_000;
        if n % 5 == 0 {
            source.say(at, false, &[AnchorKind::Skew { offset_us: SKEW_US }]);
        }
        let slot = if n % 10 < made_ahead {
            slot + 1200
        } else {
            slot
        };
        source.say(at, false, &[AnchorKind::Received { slot }]);
    }
    (source, first_process)
}

#[test]
fn a_process_wholly_inside_the_skew_keeps_both_readings() {
    for (zone, made_ahead) in [(0, 0), (0, 10), (-4 * HOUR, 0), (-4 * HOUR, 10)] {
        let (source, _) = inside(zone, made_ahead, 0);
        let solutions = source.solve(&Options::default());
        assert_eq!(solutions[0].basis, Basis::Assumed);
        let mut readings: Vec<i32> = solutions[0]
            .alternatives
            .iter()
            .filter_map(|a| a.zone_seconds)
            .collect();
        readings.extend(solutions[0].zone_seconds);
        assert!(
            readings.contains(&zone),
            "{zone} {made_ahead} {:?}",
            solutions[0]
        );
    }
}

#[test]
fn honest_and_skewed_blocks_side_by_side_tell_the_zone() {
    for zone in [0, -4 * HOUR] {
        let (source, _) = inside(zone, 5, 0);
        let solutions = source.solve(&Options::default());
        assert_eq!(
            (solutions[0].zone_seconds, solutions[0].basis),
            (Some(zone), Basis::Slot)
        );
    }
}

#[test]
fn the_process_before_the_restart_settles_it() {
    for zone in [0, -4 * HOUR] {
        for made_ahead in [0, 10] {
            let mut before = Source::new("prysm", zone, Shape::Full);
            before.start("2020-08-14T16:00:00Z");
            for slot in 72_900..73_200 {
                before.block(medalla(), slot, 1_100);
            }
            let (after, _) = inside(zone, made_ahead, 1);
            let (a, b) = (
                before.anchors.clone().into_anchors(),
                after.anchors.clone().into_anchors(),
            );
            let options = Options {
                host: "node",
                ..Options::default()
            };
            let mut all = inputs(before.pieces.facts(), &a, 0, &options);
            all.extend(inputs(after.pieces.facts(), &b, 1, &options));
            let solutions = solve(&all);
            assert_eq!(solutions[1].zone_seconds, Some(zone));
            assert_eq!(solutions[1].basis, Basis::Slot);
            assert_eq!(solutions[1].neighbour, Some(0));
            after.check(&solutions[1..]);
            // The process after the restart may settle it as well.
            all.rotate_left(1);
            let solutions = solve(&all);
            assert_eq!(
                (solutions[0].zone_seconds, solutions[0].neighbour),
                (Some(zone), Some(0))
            );
        }
    }
}

#[test]
fn bent_wall_slots_never_solve_a_zone() {
    let mut source = Source::new("prysm", 0, Shape::Full);
    let slot = medalla().slot_at_us(utc("2020-08-14T17:40:00Z"));
    for n in 0..100 {
        let at = medalla().slot_start_us(slot + n) + 300_000;
        let wall = AnchorKind::WallSlot {
            slot: slot + n + 1200,
            phase_us: 0,
            bendable: true,
        };
        source.say(at, n == 0, &[wall]);
    }
    let solutions = source.solve(&Options::default());
    assert_eq!(solutions[0].basis, Basis::Assumed);
    let mut readings: Vec<Option<i32>> = solutions[0]
        .alternatives
        .iter()
        .map(|a| a.zone_seconds)
        .collect();
    readings.push(solutions[0].zone_seconds);
    assert!(readings.contains(&Some(0)) && readings.contains(&Some(-4 * HOUR)));
}

#[test]
fn a_validator_that_logs_only_its_own_slots_is_assumed_rightly() {
    // Its duties before the skew and in it, four hours apart: never a solution, but the likelier reading.
    for zone in [0, -4 * HOUR] {
        let mut source = Source::new("prysm", zone, Shape::Full);
        let first = medalla().slot_at_us(utc("2020-08-14T17:00:00Z"));
        for slot in first..first + 300 {
            let at = medalla().slot_start_us(slot) + 4_200_000;
            let skewed = slot > first + 160;
            let own = if skewed { slot + 1200 } else { slot };
            let wall = AnchorKind::WallSlot {
                slot: own,
                phase_us: 4_000_000,
                bendable: true,
            };
            source.say(at, slot == first, &[wall]);
            if skewed && slot % 5 == 0 {
                source.say(at, false, &[AnchorKind::Skew { offset_us: SKEW_US }]);
            }
        }
        let solutions = source.solve(&Options::default());
        assert_eq!(
            (solutions[0].zone_seconds, solutions[0].basis),
            (Some(zone), Basis::Assumed)
        );
        assert!(!solutions[0].alternatives.is_empty());
    }
}
