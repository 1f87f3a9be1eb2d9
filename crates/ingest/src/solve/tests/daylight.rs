//! Daylight saving, both ways, with a named zone and without.

use super::*;
use chrono::{DateTime, Offset as _, TimeZone as _};

/// Lines every `step` seconds by the wall clock of a place.
fn local(
    tz: chrono_tz::Tz,
    from: &str,
    hours: i64,
    step: usize,
    named: bool,
    blocks: bool,
) -> Source {
    let mut source = Source::new("lighthouse", 0, Shape::Full);
    if named {
        source.pieces = Pieces::with_zone(tz, None);
    }
    for second in (0..hours * 3600).step_by(step) {
        let at = utc(from) + second * 1_000_000;
        let naive = DateTime::from_timestamp_micros(at).unwrap().naive_utc();
        source.zone = tz.offset_from_utc_datetime(&naive).fix().local_minus_utc();
        let slot = mainnet().slot_at_us(at);
        let kind = [AnchorKind::Received { slot }];
        source.say(at, second == 0, if blocks { &kind } else { &[] });
    }
    source
}

#[test]
fn a_named_zone_is_cut_at_its_dates() {
    for (tz, from) in [
        (chrono_tz::America::New_York, "2023-03-12T03:00:00Z"),
        (chrono_tz::America::New_York, "2023-11-05T02:00:00Z"),
        (chrono_tz::Europe::Berlin, "2023-03-25T22:00:00Z"),
        (chrono_tz::Europe::Berlin, "2023-10-28T20:00:00Z"),
        (chrono_tz::Australia::Lord_Howe, "2023-04-01T12:00:00Z"),
        (chrono_tz::Asia::Kathmandu, "2023-03-25T22:00:00Z"),
    ] {
        for step in [30, 240] {
            let source = local(tz, from, 8, step, true, false);
            let cuts = usize::from(tz != chrono_tz::Asia::Kathmandu);
            assert_eq!(source.pieces.facts().len(), 1 + cuts, "{tz} {from} {step}");
            let solutions = source.solve(&Options::default());
            assert_eq!(solutions[0].basis, Basis::Given);
            source.check(&solutions);
        }
    }
}

#[test]
fn an_unnamed_zone_follows_its_blocks_over_the_date() {
    for (tz, from) in [
        (chrono_tz::America::New_York, "2023-03-12T03:00:00Z"),
        (chrono_tz::America::New_York, "2023-11-05T02:00:00Z"),
        (chrono_tz::Europe::Berlin, "2023-03-25T22:00:00Z"),
        (chrono_tz::Europe::Berlin, "2023-10-28T20:00:00Z"),
    ] {
        let source = local(tz, from, 8, 12, false, true);
        let solutions = source.solve(&Options::default());
        assert_eq!(solutions.len(), 2, "{tz} {from}");
        assert!(
            solutions
                .iter()
                .all(|solution| solution.basis == Basis::Slot),
            "{solutions:?}"
        );
        source.check(&solutions);
    }
}

#[test]
fn a_step_of_an_hour_that_is_no_date_is_no_zone() {
    let mut source = Source::new("lighthouse", 0, Shape::Full);
    for minute in 0..300 {
        let at = utc("2023-06-12T03:00:00Z") + minute * 60_000_000;
        // The clock is set back by an hour in the middle of June.
        source.zone = if minute < 120 { 0 } else { -HOUR };
        let slot = mainnet().slot_at_us(at);
        source.say(at, minute == 0, &[AnchorKind::Received { slot }]);
    }
    let solutions = source.solve(&Options::default());
    assert!(
        solutions
            .iter()
            .all(|solution| solution.basis == Basis::Assumed),
        "{solutions:?}"
    );
    assert!(!solutions[0].alternatives.is_empty());
}

#[test]
fn a_named_zone_without_year_takes_the_year_from_elsewhere() {
    for (tz, from) in [
        (chrono_tz::America::New_York, "2023-03-12T03:00:00Z"),
        (chrono_tz::America::New_York, "2022-11-06T02:00:00Z"),
        (chrono_tz::Europe::Berlin, "2024-03-30T22:00:00Z"),
        (chrono_tz::Europe::Berlin, "2021-10-30T20:00:00Z"),
        (chrono_tz::Australia::Lord_Howe, "2023-04-01T12:00:00Z"),
        (chrono_tz::Asia::Kathmandu, "2023-12-31T10:00:00Z"),
    ] {
        let mut source = Source::new("lighthouse", 0, Shape::NoYear);
        source.pieces = Pieces::with_zone(tz, None);
        for minute in 0..480 {
            let at = utc(from) + minute * 60_000_000;
            let naive = DateTime::from_timestamp_micros(at).unwrap().naive_utc();
            source.zone = tz.offset_from_utc_datetime(&naive).fix().local_minus_utc();
            // One block, hours old and far from the change: it tells the year and nothing else.
            let slot = mainnet().slot_at_us(at - 5_000_000_000);
            let kind = [AnchorKind::Received { slot }];
            source.say(at, minute == 0, if minute == 30 { &kind } else { &[] });
        }
        let solutions = source.solve(&Options {
            network: Some(mainnet()),
            ..Options::default()
        });
        assert!(
            solutions
                .iter()
                .all(|solution| solution.basis == Basis::Given),
            "{tz} {from} {solutions:?}"
        );
        source.check(&solutions);
    }
}

#[test]
fn a_named_zone_without_date_takes_the_day_from_slots() {
    let sepolia = Network::by_name("sepolia").unwrap();
    let mut source = Source::new("teku", -4 * HOUR, Shape::NoDate);
    for minute in 0..4_000 {
        let at = utc("2024-07-05T15:00:00Z") + minute * 60_000_000;
        let slot = sepolia.slot_at_us(at);
        let kind = [AnchorKind::WallSlot {
            slot,
            phase_us: 4_000_000,
            bendable: false,
        }];
        let at = sepolia.slot_start_us(slot) + 4_002_000;
        source.say(at, minute == 0, if minute > 3_000 { &kind } else { &[] });
    }
    let anchors = source.anchors.clone().into_anchors();
    let options = Options {
        network: Some(sepolia),
        ..Options::default()
    };
    let mut pieces = inputs(source.pieces.facts(), &anchors, 0, &options);
    for piece in &mut pieces {
        piece.named_zone = Some(chrono_tz::America::New_York);
    }
    let solutions = solve(&pieces);
    assert!(
        solutions
            .iter()
            .all(|solution| solution.basis == Basis::Given)
    );
    source.check(&solutions);
}
