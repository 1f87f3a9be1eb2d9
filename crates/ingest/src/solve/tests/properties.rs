//! For any zone, year and client: solved back, or honestly undetermined, never wrong.

use super::*;
use proptest::prelude::*;

const ZONES: [i32; 40] = [
    -720, -660, -600, -570, -540, -480, -420, -360, -300, -240, -210, -180, -150, -120, -60, 0, 60,
    120, 180, 210, 240, 270, 300, 330, 345, 360, 390, 420, 480, 510, 525, 540, 570, 600, 630, 660,
    720, 765, 780, 840,
];

fn shapes() -> impl Strategy<Value = Shape> {
    prop_oneof![Just(Shape::Full), Just(Shape::NoYear), Just(Shape::NoDate)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn solved_back_or_undetermined(
        zone in proptest::sample::select(&ZONES[..]),
        network in 0..8usize,
        shape in shapes(),
        start_slot in 1_000i64..2_000_000,
        blocks in proptest::collection::vec((1i64..400, 200i64..9_000, 0u8..10), 1..60),
        sync in 0usize..40,
        known_network in any::<bool>(),
    ) {
        let network = &chain::networks()[network];
        let mut source = Source::new("lighthouse", zone * 60, shape);
        // First an initial sync: blocks hours to weeks old, then gossip.
        let begin = network.slot_start_us(start_slot);
        for n in 0..sync as i64 {
            let behind = (sync as i64 - n) * 977;
            let slot = (start_slot - behind).max(0);
            source.say(begin - (sync as i64 - n) * 3_100_000, n == 0, &[AnchorKind::Received { slot }]);
        }
        let mut slot = start_slot;
        let mut gossip = 0;
        for (gap, late_ms, quiet) in blocks {
            slot += gap;
            if quiet == 0 {
                source.say(network.slot_start_us(slot) + late_ms * 1000, false, &[]);
            } else {
                source.block(network, slot, late_ms);
                gossip += 1;
            }
        }
        let options = Options { network: known_network.then_some(network), ..Options::default() };
        let solutions = source.solve(&options);
        let mut solved = 0;
        for (piece, stamp, at) in &source.truth {
            let solution = &solutions[*piece as usize];
            if matches!(solution.basis, Basis::Slot) {
                prop_assert_eq!(
                    utc_us_of(&solutions, *piece, stamp).map(|us| us / 1000),
                    Some(at / 1000),
                    "{} {:?}", stamp, solution
                );
                solved += 1;
            }
        }
        // With a date, a known network and gossip, nothing is left open.
        if known_network && shape == Shape::Full && gossip > 30 && solutions.len() == 1 {
            prop_assert!(solved == source.truth.len(), "{:?}", solutions);
        }
    }

    #[test]
    fn a_set_is_the_same_whatever_the_order(
        items in proptest::collection::vec((0u32..3, 0i64..2_000_000, 0i64..180_000, 0u8..7), 1..400),
        cut in 0usize..400,
        rotate in 0usize..400,
    ) {
        let base = utc("2020-08-10T00:00:00Z");
        let anchors: Vec<(u32, Anchor)> = items
            .iter()
            .enumerate()
            .map(|(line, (piece, second, slot, kind))| {
                let at = base + second * 1_000_000;
                let slot = *slot;
                let kind = match kind {
                    0 => AnchorKind::Received { slot },
                    1 => AnchorKind::WallSlot { slot, phase_us: 4_000_000, bendable: slot % 2 == 0 },
                    2 => AnchorKind::Skew { offset_us: slot },
                    3 => AnchorKind::Written { utc_us: at },
                    4 => AnchorKind::WrittenElsewhere { utc_us: at + slot },
                    5 => AnchorKind::Wrapper { stamp: stamp(at + slot, 0, Shape::NoYear) },
                    _ => AnchorKind::Received { slot: slot / 3 },
                };
                (*piece, Anchor { line: line as u64, stamp: stamp(at, 0, Shape::Full), kind })
            })
            .collect();
        let collect = |anchors: &[(u32, Anchor)]| {
            let mut set = AnchorSet::new();
            for (piece, anchor) in anchors {
                set.push(*piece, anchor);
            }
            set
        };
        let whole = collect(&anchors);
        let mut turned = anchors.clone();
        turned.rotate_left(rotate % anchors.len());
        turned.reverse();
        prop_assert_eq!(collect(&turned).into_anchors(), whole.clone().into_anchors());
        let (head, tail) = turned.split_at(cut % turned.len());
        let mut union = AnchorSet::new();
        union.merge(&collect(tail), |piece| piece);
        union.merge(&collect(head), |piece| piece);
        prop_assert_eq!(union.into_anchors(), whole.into_anchors());
    }
}

#[test]
fn a_set_is_bounded() {
    let mut set = AnchorSet::new();
    for n in 0..400_000i64 {
        let at = utc("2020-08-10T00:00:00Z") + n * 60_000_000;
        let kind = AnchorKind::Received { slot: n * 5 };
        set.push(
            0,
            &Anchor {
                line: n as u64,
                stamp: stamp(at, 0, Shape::Full),
                kind,
            },
        );
    }
    assert!(set.len() <= 2 * 2 * 256, "{}", set.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A Prysm node whose slot clock is bent for a while, restarted now and then, hearing honest blocks and
    /// blocks of peers bent like itself: a zone that is claimed is the true one.
    #[test]
    fn a_bent_slot_clock_never_becomes_a_zone(
        zone in proptest::sample::select(&ZONES[..]),
        skew_hours in prop_oneof![Just(4i64), Just(6), Just(-4), Just(2)],
        from in 0i64..300,
        length in 20i64..300,
        hourly in any::<bool>(),
        ahead in 0i64..=10,
        restarts in proptest::collection::vec(0i64..500, 0..4),
        begin in 0i64..400,
        minutes in 30i64..500,
        seed in any::<u32>(),
    ) {
        let network = medalla();
        let mut source = Source::new("prysm", zone * 60, Shape::Full);
        let origin = utc("2020-08-14T12:00:00Z");
        let mut random = u64::from(seed) | 1;
        let mut next = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as i64
        };
        let mut measured = i64::MIN;
        for minute in begin..begin + minutes {
            let restart = restarts.contains(&minute);
            if restart || minute == begin {
                source.say(origin + minute * 60_000_000, true, &[]);
                measured = i64::MIN;
            }
            let skewed = (from..from + length).contains(&minute);
            // It measures at its start and each hour; if it is off, each minute or (before alpha.19) each hour.
            let due = measured == i64::MIN || minute % 60 == 7 || (!hourly && measured == 1);
            if due {
                measured = i64::from(skewed);
                if skewed {
                    let offset_us = skew_hours * 3_600_000_000 + next() % 400_000;
                    source.say(origin + minute * 60_000_000 + 1, false, &[AnchorKind::Skew { offset_us }]);
                }
            }
            for fifth in 0..5 {
                let slot = network.slot_at_us(origin + minute * 60_000_000) + fifth;
                let at = network.slot_start_us(slot) + 200_000 + next() % 1_500_000;
                let made = measured == 1 && next() % 10 < ahead;
                let heard = if made { slot + skew_hours * 300 } else { slot };
                if next() % 3 == 0 {
                    source.say(at, false, &[AnchorKind::Received { slot: heard }]);
                }
            }
        }
        let solutions = source.solve(&Options { host: "node", ..Options::default() });
        for solution in &solutions {
            if solution.basis == Basis::Slot {
                prop_assert_eq!(solution.zone_seconds, Some(zone * 60), "{:?}", solutions);
            } else {
                prop_assert_eq!(solution.basis, Basis::Assumed);
            }
        }
    }
}
