//! One test for each form of stamp, and for what stands around it.

use super::*;

fn wall(slot: i64, phase_us: i64) -> AnchorKind {
    AnchorKind::WallSlot {
        slot,
        phase_us,
        bendable: false,
    }
}

/// A stamp as its line writes it.
fn written(text: &str) -> Stamp {
    text.parse().unwrap()
}

/// One line with one clue.
fn line<'a>(anchors: &'a [Anchor], network: Option<&'a Network>) -> PieceInput<'a> {
    PieceInput {
        anchors,
        first: Some(anchors[0].stamp),
        last: Some(anchors[anchors.len() - 1].stamp),
        network,
        candidates: chain::networks(),
        ..PieceInput::default()
    }
}

fn anchor(stamp: &str, kind: AnchorKind) -> Anchor {
    Anchor {
        line: 1,
        stamp: written(stamp),
        kind,
    }
}

/// The lines of `domain/client-log-formats.md` §8, each alone.
#[test]
fn slot_lines_of_four_clients_give_year_day_zone_and_network() {
    for (stamp, slot, phase_us, network, utc) in [
        // Lighthouse `Synced`, no year.
        (
            "--12-12T12:19:41.001",
            13_226_496,
            6_000_000,
            "mainnet",
            "2025-12-12T12:19:41.001Z",
        ),
        // Lodestar `Synced - slot`, no year.
        (
            "--04-20T15:15:05.000",
            6_264_973,
            6_000_000,
            "mainnet",
            "2023-04-20T15:15:05Z",
        ),
        // Nimbus `Slot start`, a millisecond early.
        (
            "2023-04-07T01:37:35.999+00:00",
            5_360_288,
            0,
            "prater",
            "2023-04-07T01:37:35.999Z",
        ),
        // Lighthouse on a machine in Kathmandu, tracing form.
        (
            "--12-12T18:04:41.001",
            13_226_496,
            6_000_000,
            "mainnet",
            "2025-12-12T12:19:41.001Z",
        ),
    ] {
        let anchors = [anchor(stamp, wall(slot, phase_us))];
        let solutions = solve(&[line(&anchors, None)]);
        assert_eq!(solutions[0].network.as_deref(), Some(network), "{stamp}");
        let us = super::super::utc_us(&solutions[0], &anchors[0].stamp);
        assert_eq!(us.map(format_utc_short).as_deref(), Some(utc), "{stamp}");
    }
}

#[test]
fn a_time_of_day_needs_its_network() {
    // Teku's console on Sepolia: Goerli's and Holesky's slots begin at the same moments of a day.
    let anchors = [anchor("T00:02:04.002", wall(6_706_210, 4_000_000))];
    let alone = solve(&[line(&anchors, None)]);
    assert_eq!((alone[0].basis, alone[0].day0), (Basis::None, None));
    let days: Vec<_> = alone[0]
        .alternatives
        .iter()
        .map(|other| (other.network.as_deref(), other.zone_seconds, other.day))
        .collect();
    let sepolia = (
        Some("sepolia"),
        Some(0),
        Some(time::days_from_civil(2025, 1, 7)),
    );
    assert!(days.contains(&sepolia), "{days:?}");
    assert!(days.len() > 1, "{days:?}");

    let named = solve(&[line(&anchors, Network::by_name("sepolia"))]);
    assert_eq!(named[0].basis, Basis::Slot);
    let us = super::super::utc_us(&named[0], &anchors[0].stamp);
    assert_eq!(
        us.map(format_utc_short).as_deref(),
        Some("2025-01-07T00:02:04.002Z")
    );

    // Another process of the case knows where it is.
    let other = [anchor("2025-01-07T09:02:06Z", wall(6_708_910, 6_000_000))];
    let both = solve(&[
        line(&anchors, None),
        PieceInput {
            process: 1,
            ..line(&other, Network::by_name("sepolia"))
        },
    ]);
    assert_eq!(
        (both[0].basis, both[0].day0),
        (named[0].basis, named[0].day0)
    );
}

#[test]
fn a_network_nobody_knows_has_no_slots() {
    let anchors = [anchor("--12-12T12:19:41.001", wall(13_226_496, 6_000_000))];
    let devnet = solve(&[PieceInput {
        candidates: &[],
        ..line(&anchors, None)
    }]);
    assert_eq!((devnet[0].basis, devnet[0].year), (Basis::None, None));
}

#[test]
fn gnosis_has_slots_of_five_seconds() {
    let gnosis = Network::by_name("gnosis").unwrap();
    let mut source = Source::new("lighthouse", HOUR, Shape::NoYear);
    let first = gnosis.slot_at_us(utc("2023-08-01T11:00:00Z"));
    for slot in first..first + 400 {
        let at = gnosis.slot_start_us(slot) + 2_500_000;
        // Half a slot, as formats tell it.
        source.say(at, slot == first, &[wall(slot, 6_000_000)]);
    }
    let solutions = source.solve(&Options::default());
    assert_eq!(solutions[0].network.as_deref(), Some("gnosis"));
    assert_eq!(solutions[0].residual_s, Some(0.0));
    source.check(&solutions);
}

#[test]
fn a_stamp_may_stand_in_a_slot() {
    let stamp = written("167991/6T00:00:06.007");
    let anchors = [Anchor {
        line: 1,
        stamp,
        kind: wall(5_375_718, 6_000_000),
    }];
    let alone = solve(&[line(&anchors, None)]);
    assert_eq!(alone[0].basis, Basis::None);
    assert_eq!(super::super::utc_us(&alone[0], &stamp), None);
    for (given, basis) in [(false, Basis::Slot), (true, Basis::Given)] {
        let named = solve(&[PieceInput {
            network_given: given,
            ..line(&anchors, Some(mainnet()))
        }]);
        assert_eq!(named[0].basis, basis);
        let us = super::super::utc_us(&named[0], &stamp).unwrap();
        assert_eq!(us, mainnet().slot_start_us(5_375_718) + 6_007_000);
    }
    // A wrapper's instant tells the network.
    let late = mainnet().slot_start_us(5_375_718) + 6_050_000;
    let mut wrapper = super::stamp(late, 0, Shape::Full);
    wrapper.zone = StampZone::Utc;
    let wrapped = [Anchor {
        kind: AnchorKind::Wrapper { stamp: wrapper },
        ..anchors[0]
    }];
    let solutions = solve(&[line(&wrapped, None)]);
    assert_eq!(solutions[0].network.as_deref(), Some("mainnet"));
    // Another stamp of the process, a slot later.
    let next = written("167991/7T00:00:00.5");
    let us = super::super::utc_us(&solutions[0], &next).unwrap();
    assert_eq!(us, mainnet().slot_start_us(5_375_719) + 500_000);
}

#[test]
fn a_lone_old_object_names_no_zone() {
    // A node in UTC that catches up takes one block, two hours and five seconds old.
    let block = |late_s: i64, more: &[AnchorKind]| {
        let mut source = Source::new("prysm", 0, Shape::Full);
        let at = medalla().slot_start_us(70_000) + late_s * 1_000_000;
        source.say(at - 60_000_000, true, more);
        source.say(at, false, &[AnchorKind::Received { slot: 70_000 }]);
        source.solve(&Options {
            network: Some(medalla()),
            ..Options::default()
        })
    };
    for (late_s, more) in [
        (2 * 3600 + 12, &[][..]),
        (2 * 3600 + 5, &[AnchorKind::Syncing][..]),
    ] {
        let stale = block(late_s, more);
        assert_eq!(
            (stale[0].basis, stale[0].zone_seconds),
            (Basis::Assumed, Some(0))
        );
        let zones: Vec<_> = stale[0]
            .alternatives
            .iter()
            .map(|a| a.zone_seconds)
            .collect();
        assert_eq!(zones, [Some(2 * HOUR)]);
    }
    // One that came within its slot's first seconds, with nothing against it, is believed.
    let fresh = block(2 * 3600 + 2, &[]);
    assert_eq!(
        (fresh[0].basis, fresh[0].zone_seconds),
        (Basis::Slot, Some(2 * HOUR))
    );
}

#[test]
fn lines_without_stamp_have_their_wrappers() {
    // journald-short, no year, no zone, around Lighthouse with --disable-log-timestamp: over New Year.
    let mut pieces = Pieces::new();
    let mut anchors = AnchorSet::new();
    let mut truth = Vec::new();
    let midnight = utc("2022-12-31T23:00:00Z");
    for (line, minute) in (-120i64..120).enumerate() {
        let slot = mainnet().slot_at_us(midnight + minute * 60_000_000);
        let at = mainnet().slot_start_us(slot) + 6_001_000;
        let wrapper = stamp(at, HOUR, Shape::NoYear);
        let clue = Clue {
            client: "lighthouse",
            wrapper: Some(&wrapper),
            ..Clue::default()
        };
        let line = line as u64 + 1;
        let piece = pieces.observe(line, None, &clue);
        if minute == 100 {
            let kind = wall(slot, 6_000_000);
            anchors.push(
                piece,
                &Anchor {
                    line,
                    stamp: wrapper,
                    kind,
                },
            );
        }
        truth.push((piece, wrapper, at));
    }
    let anchors = anchors.into_anchors();
    let solutions = solve(&inputs(pieces.facts(), &anchors, 0, &Options::default()));
    assert_eq!(solutions.len(), 2);
    for (piece, wrapper, at) in truth {
        let solution = &solutions[piece as usize];
        assert_eq!(solution.basis, Basis::Slot);
        let us = wrapper_utc_us(solution, &wrapper, Some(at));
        assert_eq!(us, Some(at), "{wrapper}");
    }
}

#[test]
fn a_program_that_begins_to_write_stamps_is_on_its_own_clock() {
    let mut pieces = Pieces::new();
    let mut docker = stamp(utc("2023-05-12T17:00:00Z"), 0, Shape::Full);
    docker.zone = StampZone::Utc;
    let clue = Clue {
        client: "lighthouse",
        wrapper: Some(&docker),
        ..Clue::default()
    };
    let own = stamp(utc("2023-05-12T17:00:01Z"), 2 * HOUR, Shape::NoYear);
    assert_eq!(pieces.observe(1, None, &clue), 0);
    assert_eq!(pieces.observe(2, Some(&own), &clue), 1);
    // A stack trace in between belongs to the program's own piece.
    assert_eq!(pieces.observe(3, None, &clue), 1);
    assert_eq!(pieces.facts()[1].begins, Begin::Clock);
    let mut anchors = AnchorSet::new();
    let kind = AnchorKind::Wrapper { stamp: docker };
    anchors.push(
        1,
        &Anchor {
            line: 2,
            stamp: own,
            kind,
        },
    );
    let anchors = anchors.into_anchors();
    let solutions = solve(&inputs(pieces.facts(), &anchors, 0, &Options::default()));
    let zones: Vec<_> = solutions
        .iter()
        .map(|s| (s.zone_seconds, s.basis))
        .collect();
    let wrapper = Basis::Wrapper;
    assert_eq!(zones, [(Some(0), wrapper), (Some(2 * HOUR), wrapper)]);
}

#[test]
fn a_collectors_zone_dates_its_other_lines() {
    // A Kibana export in the browser's zone (+02:00): a beacon node in UTC with slots, and an execution client
    // in EDT whose stamps have no year and which prints no slot.
    let at = mainnet().slot_start_us(6_424_000) + 1_000_000;
    let browser = |at: i64| AnchorKind::Wrapper {
        stamp: stamp(at + 40_000, 2 * HOUR, Shape::Full),
    };
    let mut beacon = Source::new("prysm", 0, Shape::Full);
    beacon.say(
        at,
        true,
        &[browser(at), AnchorKind::Received { slot: 6_424_000 }],
    );
    let mut geth = Source::new("geth", -4 * HOUR, Shape::NoYear);
    for minute in 0..30 {
        let at = at + minute * 60_000_000;
        geth.say(at, minute == 0, &[browser(at)]);
    }
    let options = Options {
        collector: "kibana",
        ..Options::default()
    };
    let (a, b) = (
        beacon.anchors.clone().into_anchors(),
        geth.anchors.clone().into_anchors(),
    );
    let mut pieces = inputs(beacon.pieces.facts(), &a, 0, &options);
    pieces.extend(inputs(geth.pieces.facts(), &b, 1, &options));
    let solutions = solve(&pieces);
    assert_eq!(solutions[0].wrapper_zone_seconds, Some(2 * HOUR));
    assert_eq!(solutions[1].basis, Basis::Wrapper);
    assert_eq!(solutions[1].zone_seconds, Some(-4 * HOUR));
    assert_eq!(solutions[1].wrapper_zone_seconds, Some(2 * HOUR));
    geth.check(&solutions[1..]);
    // Alone, the difference of the two clocks is all that is known.
    let alone = solve(&inputs(geth.pieces.facts(), &b, 1, &options));
    assert_eq!(alone[0].basis, Basis::Assumed);
}

#[test]
fn a_wrapper_that_leaves_the_year_out_has_that_of_its_line() {
    let solution = Solution {
        zone_seconds: Some(0),
        wrapper_zone_seconds: Some(HOUR),
        wrapper_year: Some(2020),
        basis: Basis::Slot,
        ..Solution::default()
    };
    let at = utc("2020-12-31T23:30:00Z");
    let wrapper = stamp(at, HOUR, Shape::NoYear);
    assert_eq!(wrapper.to_string(), "--01-01T00:30:00.000");
    assert_eq!(wrapper_utc_us(&solution, &wrapper, Some(at)), Some(at));
}

#[test]
fn each_process_of_a_source_has_its_own_zone() {
    let mut source = Source::new("lighthouse", 0, Shape::NoYear);
    let first = mainnet().slot_at_us(utc("2023-05-12T10:00:00Z"));
    for (process, zone) in [0, -4 * HOUR, 9 * HOUR].into_iter().enumerate() {
        source.zone = zone;
        for slot in 0..400 {
            let slot = first + process as i64 * 400 + slot;
            let at = mainnet().slot_start_us(slot) + 6_001_000;
            let fresh = slot == first + process as i64 * 400;
            source.say(at, fresh, &[wall(slot, 6_000_000)]);
        }
    }
    let solutions = source.solve(&Options {
        host: "node-1",
        ..Options::default()
    });
    let zones: Vec<_> = solutions.iter().map(|s| s.zone_seconds).collect();
    assert_eq!(zones, [Some(0), Some(-4 * HOUR), Some(9 * HOUR)]);
    source.check(&solutions);
}

/// Pastes of many years and networks in one folder are no run of one machine.
#[test]
fn files_of_one_folder_lend_each_other_no_year() {
    let mut known = Source::new("lighthouse", 0, Shape::NoYear);
    known.block(medalla(), 70_000, 400);
    let solve_beside = |time: &str, collector: &str| {
        let mut other = Source::new("lighthouse", 0, Shape::NoYear);
        other.at(time, &[]);
        let anchors = known.anchors.clone().into_anchors();
        let none = std::collections::BTreeMap::new();
        let of = |collector| Options {
            host: "logs",
            collector,
            ..Options::default()
        };
        let mut pieces = inputs(known.pieces.facts(), &anchors, 0, &of("a"));
        pieces.extend(inputs(other.pieces.facts(), &none, 9, &of(collector)));
        let solution = solve(&pieces)[1].clone();
        (solution.year, solution.network)
    };
    // Slot 70,000 of Medalla is 14 August 2020, 07:20 UTC.
    assert_eq!(solve_beside("2023-03-01T10:00:00Z", "b"), (None, None));
    assert_eq!(
        solve_beside("2020-08-14T10:00:00Z", "b"),
        (Some(2020), Some("medalla".to_owned()))
    );
    // Lines of one file do follow each other.
    assert_eq!(
        solve_beside("2021-03-01T10:00:00Z", "a"),
        (Some(2021), Some("medalla".to_owned()))
    );
}
