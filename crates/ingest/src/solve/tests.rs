//! The solver against truth: stamps are made from known instants, then solved back.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use chain::Network;
use model::time::{MICROS_PER_DAY, format_utc_short, parse_utc};
use model::{StampZone, time};

mod daylight;
mod forms;
mod properties;
mod skew;

const HOUR: i32 = 3600;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Shape {
    Full,
    NoYear,
    NoDate,
}

fn utc(text: &str) -> i64 {
    parse_utc(text).unwrap()
}

/// What a clock in `zone` writes at an instant, in whole milliseconds.
fn stamp(utc_us: i64, zone: i32, shape: Shape) -> Stamp {
    let civil = utc_us + i64::from(zone) * 1_000_000;
    let days = civil.div_euclid(MICROS_PER_DAY) as i32;
    let (_, month, day) = time::civil_from_days(days);
    Stamp {
        date: match shape {
            Shape::Full => StampDate::Full(days),
            Shape::NoYear => StampDate::NoYear { month, day },
            Shape::NoDate => StampDate::None,
        },
        nanos_of_day: civil.rem_euclid(MICROS_PER_DAY) as u64 / 1000 * 1_000_000,
        fraction_digits: 3,
        zone: StampZone::None,
    }
}

/// A source being written: instants and clues in, pieces and anchors out.
struct Source {
    pieces: Pieces,
    anchors: AnchorSet,
    truth: Vec<(u32, Stamp, i64)>,
    zone: i32,
    shape: Shape,
    client: &'static str,
    line: u64,
}

impl Source {
    fn new(client: &'static str, zone: i32, shape: Shape) -> Source {
        Source {
            pieces: Pieces::new(),
            anchors: AnchorSet::new(),
            truth: Vec::new(),
            zone,
            shape,
            client,
            line: 0,
        }
    }

    fn say(&mut self, utc_us: i64, start: bool, kinds: &[AnchorKind]) -> u32 {
        self.line += 1;
        let stamp = stamp(utc_us, self.zone, self.shape);
        let clue = Clue {
            client: self.client,
            start: start.then_some("start"),
            ..Clue::default()
        };
        let piece = self.pieces.observe(self.line, Some(&stamp), &clue);
        for kind in kinds {
            self.anchors.push(
                piece,
                &Anchor {
                    line: self.line,
                    stamp,
                    kind: *kind,
                },
            );
        }
        self.truth.push((piece, stamp, utc_us));
        piece
    }

    /// A line at an instant.
    fn at(&mut self, text: &str, kinds: &[AnchorKind]) -> u32 {
        self.say(utc(text), false, kinds)
    }

    fn start(&mut self, text: &str) -> u32 {
        self.say(utc(text), true, &[])
    }

    /// A line of a block that arrived `late_ms` after its slot's start.
    fn block(&mut self, network: &Network, slot: i64, late_ms: i64) {
        let at = network.slot_start_us(slot) + late_ms * 1000;
        self.say(at, false, &[AnchorKind::Received { slot }]);
    }

    fn solve(&self, options: &Options<'_>) -> Vec<Solution> {
        let anchors = self.anchors.clone().into_anchors();
        solve(&inputs(self.pieces.facts(), &anchors, 0, options))
    }

    /// All lines get their true instant, or none at all.
    #[track_caller]
    fn check(&self, solutions: &[Solution]) {
        for (piece, stamp, utc_us) in &self.truth {
            let solved = utc_us_of(solutions, *piece, stamp);
            assert_eq!(
                solved.map(format_utc_short),
                Some(format_utc_short(*utc_us / 1000 * 1000)),
                "{stamp} in piece {piece}: {:?}",
                solutions[*piece as usize]
            );
        }
    }
}

fn utc_us_of(solutions: &[Solution], piece: u32, stamp: &Stamp) -> Option<i64> {
    super::utc_us(&solutions[piece as usize], stamp)
}

#[derive(Clone, Copy, Default)]
struct Options<'a> {
    host: &'a str,
    network: Option<&'a Network>,
    given_zone: Option<i32>,
    given_year: Option<i32>,
    collector: &'a str,
}

fn inputs<'a>(
    facts: &'a [PieceFacts],
    anchors: &'a std::collections::BTreeMap<u32, Vec<Anchor>>,
    first_process: u32,
    options: &Options<'a>,
) -> Vec<PieceInput<'a>> {
    facts
        .iter()
        .map(|facts| PieceInput {
            process: first_process + facts.process,
            host: options.host,
            begins: facts.begins,
            anchors: anchors.get(&facts.index).map_or(&[], Vec::as_slice),
            first: facts.first,
            last: facts.last,
            given_zone: options.given_zone.or(facts.zone_seconds),
            named_zone: None,
            zones_by_year: &facts.zones_by_year,
            given_year: options.given_year,
            network: options.network,
            network_given: false,
            by_wrapper: facts.by_wrapper,
            collector: options.collector,
            candidates: chain::networks(),
        })
        .collect()
}

fn medalla() -> &'static Network {
    Network::by_name("medalla").unwrap()
}

fn mainnet() -> &'static Network {
    Network::by_name("mainnet").unwrap()
}

#[test]
fn the_only_slot_stands_in_the_last_line() {
    for shape in [Shape::Full, Shape::NoYear] {
        for zone in [0, -7 * HOUR, 5 * HOUR + 1800, 13 * HOUR] {
            let mut source = Source::new("lighthouse", zone, shape);
            let start = mainnet().slot_start_us(6_424_000) - 40_000_000_000;
            for second in (0..40_000).step_by(10) {
                source.say(start + second * 1_000_000, second == 0, &[]);
            }
            source.block(mainnet(), 6_424_000, 2_300);
            let solutions = source.solve(&Options::default());
            assert_eq!(solutions[0].basis, Basis::Slot);
            assert_eq!(solutions[0].network.as_deref(), Some("mainnet"));
            assert_eq!(solutions[0].residual_s, Some(2.3));
            assert_eq!(solutions[0].used, [4001]);
            source.check(&solutions);
        }
    }
}

#[test]
fn the_anchor_comes_with_a_later_file() {
    // Two halves of one process in two files: the first alone is undetermined.
    let mut first = Source::new("prysm", 2 * HOUR, Shape::NoYear);
    first.start("2020-08-10T06:00:00Z");
    first.at("2020-08-10T06:00:05Z", &[]);
    let alone = first.solve(&Options {
        network: Some(medalla()),
        ..Options::default()
    });
    assert_eq!(alone[0].basis, Basis::None);
    assert_eq!(utc_us_of(&alone, 0, &first.truth[0].1), None);

    let mut second = Source::new("prysm", 2 * HOUR, Shape::NoYear);
    second.block(
        medalla(),
        medalla().slot_at_us(utc("2020-08-10T07:00:00Z")),
        1_500,
    );
    let mut union = AnchorSet::new();
    union.merge(&second.anchors, |piece| piece);
    union.merge(&first.anchors, |piece| piece);
    let anchors = union.into_anchors();
    let options = Options {
        network: Some(medalla()),
        ..Options::default()
    };
    let solutions = solve(&inputs(first.pieces.facts(), &anchors, 0, &options));
    assert_eq!(solutions[0].basis, Basis::Slot);
    first.check(&solutions);
}

#[test]
fn february_29_chooses_a_leap_year() {
    for network in [mainnet(), Network::by_name("holesky").unwrap()] {
        let mut source = Source::new("lighthouse", HOUR, Shape::NoYear);
        let slot = network.slot_at_us(utc("2024-02-29T11:00:00Z"));
        source.start("2024-02-28T22:00:00Z");
        source.block(network, slot, 900);
        source.at("2024-02-29T23:30:00Z", &[]);
        let solutions = source.solve(&Options::default());
        assert_eq!(solutions[0].year, Some(2024));
        source.check(&solutions);
    }
}

#[test]
fn december_31_begins_a_new_piece() {
    for (zone, anchor_late) in [(0, true), (0, false), (-5 * HOUR, true), (9 * HOUR, false)] {
        let mut source = Source::new("lighthouse", zone, Shape::NoYear);
        let midnight = utc("2023-01-01T00:00:00Z") - i64::from(zone) * 1_000_000;
        source.say(midnight - 7_200_000_000, true, &[]);
        source.say(midnight - 1_000, false, &[]);
        source.say(midnight, false, &[]);
        // A line of another thread lags behind the roll-over.
        source.say(midnight - 500, false, &[]);
        source.say(midnight + 86_400_000_000, false, &[]);
        let shift = if anchor_late { 3_600 } else { -3_600 };
        let slot = mainnet().slot_at_us(midnight + shift * 1_000_000);
        let mut source2 = Source::new("lighthouse", zone, Shape::NoYear);
        for (index, (_, _, at)) in source.truth.clone().into_iter().enumerate() {
            if (anchor_late && index == 4) || (!anchor_late && index == 1) {
                source2.block(mainnet(), slot, 1_000);
            }
            source2.say(at, index == 0, &[]);
        }
        let solutions = source2.solve(&Options::default());
        assert_eq!(solutions.len(), 2, "two years, one process");
        assert_eq!(
            (solutions[0].year, solutions[1].year),
            (Some(2022), Some(2023))
        );
        assert_eq!(solutions[0].basis, Basis::Slot);
        assert_eq!(solutions[1].basis, Basis::Slot);
        source2.check(&solutions);
    }
}

#[test]
fn stamps_without_date_count_midnights() {
    let sepolia = Network::by_name("sepolia").unwrap();
    for zone in [0, 2 * HOUR, -8 * HOUR, 13 * HOUR] {
        let mut source = Source::new("teku", zone, Shape::NoDate);
        let start = utc("2025-01-05T15:00:00Z");
        for minute in 0..4000 {
            let at = start + minute * 60_000_000;
            let slot = sepolia.slot_at_us(at);
            let wall = [AnchorKind::WallSlot {
                slot,
                phase_us: 4_000_000,
                bendable: false,
            }];
            let at = sepolia.slot_start_us(slot) + 4_002_000;
            // Only the middle day knows its slots.
            let known = (1_500..2_000).contains(&minute);
            source.say(at, minute == 0, if known { &wall } else { &[] });
        }
        let solutions = source.solve(&Options {
            network: Some(sepolia),
            ..Options::default()
        });
        assert!(solutions.len() >= 3);
        assert_eq!(solutions[0].basis, Basis::Slot);
        source.check(&solutions);
    }
}

#[test]
fn wrappers_that_know_their_zone_solve() {
    let mut source = Source::new("lighthouse", -7 * HOUR, Shape::NoYear);
    for minute in 0..50 {
        let at = utc("2023-05-12T17:00:00Z") + minute * 60_000_000;
        let mut wrapper = stamp(at + 1_700, 0, Shape::Full);
        wrapper.zone = StampZone::Utc;
        source.say(at, minute == 0, &[AnchorKind::Wrapper { stamp: wrapper }]);
    }
    let solutions = source.solve(&Options::default());
    assert_eq!(solutions[0].basis, Basis::Wrapper);
    assert_eq!(solutions[0].zone_seconds, Some(-7 * HOUR));
    source.check(&solutions);
}

#[test]
fn a_wrapper_without_zone_is_solved_too() {
    // journald-short around Prysm: the inner stamp has a year, the outer has none; neither a zone.
    let mut source = Source::new("prysm", 0, Shape::Full);
    let slot = medalla().slot_at_us(utc("2020-08-14T17:25:00Z"));
    let at = medalla().slot_start_us(slot) + 800_000;
    let wrapper = stamp(at, 2 * HOUR, Shape::NoYear);
    source.say(
        at,
        true,
        &[
            AnchorKind::Wrapper { stamp: wrapper },
            AnchorKind::Received { slot },
        ],
    );
    let solutions = source.solve(&Options::default());
    assert_eq!(solutions[0].zone_seconds, Some(0));
    assert_eq!(solutions[0].wrapper_zone_seconds, Some(2 * HOUR));
    assert_eq!(
        wrapper_utc_us(&solutions[0], &wrapper, None).map(|us| us / 1000),
        Some(at / 1000)
    );
}

#[test]
fn written_zones_win_and_given_ones_follow() {
    let mut source = Source::new("prysm", 3 * HOUR, Shape::Full);
    source.block(medalla(), 70_000, 700);
    let given = source.solve(&Options {
        given_zone: Some(0),
        ..Options::default()
    });
    assert_eq!(
        (given[0].zone_seconds, given[0].basis),
        (Some(0), Basis::Given)
    );
    assert_eq!(given[0].alternatives[0].zone_seconds, Some(3 * HOUR));
    assert_eq!(given[0].alternatives[0].why, "received objects");

    let mut written = source.truth[0].1;
    written.zone = StampZone::Offset(3 * HOUR);
    let anchor = Anchor {
        line: 1,
        stamp: written,
        kind: AnchorKind::Written {
            utc_us: written.utc_us().unwrap(),
        },
    };
    let solutions = solve(&[PieceInput {
        anchors: &[anchor],
        given_zone: Some(0),
        first: Some(written),
        ..PieceInput::default()
    }]);
    assert_eq!(
        (solutions[0].zone_seconds, solutions[0].basis),
        (Some(3 * HOUR), Basis::Written)
    );
    assert_eq!(super::utc_us(&solutions[0], &written), written.utc_us());
}

#[test]
fn an_initial_sync_only_bounds_the_zone() {
    // Blocks of the last days, far faster than real time.
    let mut source = Source::new("prysm", 2 * HOUR, Shape::Full);
    let now = utc("2020-08-14T10:00:00Z");
    for second in 0..3_000 {
        let slot = 1_000 + second * 20;
        source.say(
            now + second * 1_000_000,
            second == 0,
            &[AnchorKind::Received { slot }],
        );
    }
    let solutions = source.solve(&Options {
        network: Some(medalla()),
        ..Options::default()
    });
    assert_eq!(solutions[0].basis, Basis::Assumed);
    // Once it has caught up, it is solved.
    for slot in 72_000..72_200 {
        source.block(medalla(), slot, 1_200);
    }
    let solutions = source.solve(&Options {
        network: Some(medalla()),
        ..Options::default()
    });
    assert_eq!(
        (solutions[0].zone_seconds, solutions[0].basis),
        (Some(2 * HOUR), Basis::Slot)
    );
}

#[test]
fn nothing_known_is_assumed_and_says_so() {
    let mut source = Source::new("prysm", 0, Shape::Full);
    source.start("2020-08-14T10:00:00Z");
    let solutions = source.solve(&Options::default());
    assert_eq!(
        (solutions[0].zone_seconds, solutions[0].basis),
        (Some(0), Basis::Assumed)
    );
    let mut source = Source::new("lighthouse", 0, Shape::NoYear);
    source.start("2020-08-14T10:00:00Z");
    let solutions = source.solve(&Options::default());
    assert_eq!((solutions[0].year, solutions[0].basis), (None, Basis::None));
    let solutions = source.solve(&Options {
        given_year: Some(2020),
        ..Options::default()
    });
    assert_eq!(solutions[0].basis, Basis::Assumed);
    source.check(&solutions);
}

#[test]
fn two_programs_in_one_stream_are_two_processes() {
    let mut pieces = Pieces::new();
    let stamp = stamp(utc("2020-08-14T10:00:00Z"), 0, Shape::Full);
    let prysm = Clue {
        client: "prysm",
        ..Clue::default()
    };
    let geth = Clue {
        client: "geth",
        ..Clue::default()
    };
    let start = |kind| Clue {
        client: "prysm",
        start: Some(kind),
        ..Clue::default()
    };
    assert_eq!(pieces.observe(1, Some(&stamp), &start("node.start")), 0);
    assert_eq!(pieces.observe(2, Some(&stamp), &geth), 1);
    assert_eq!(pieces.observe(3, None, &Clue::default()), 1);
    assert_eq!(pieces.observe(4, Some(&stamp), &prysm), 0);
    // One start writes several kinds of start lines; the same kind again is another start.
    assert_eq!(pieces.observe(5, Some(&stamp), &start("node.version")), 0);
    assert_eq!(pieces.observe(6, Some(&stamp), &start("node.start")), 2);
    assert_eq!(pieces.facts()[2].process, 2);
}

#[test]
fn one_client_run_twice_on_a_machine_is_two_processes() {
    let mut pieces = Pieces::new();
    let of = |program, start| Clue {
        stream: "node-1",
        program,
        client: "prysm",
        start,
        wrapper: None,
    };
    assert_eq!(pieces.observe(1, None, &of("beacon", Some("start"))), 0);
    assert_eq!(pieces.observe(2, None, &of("validator", Some("start"))), 1);
    assert_eq!(pieces.observe(3, None, &of("beacon", None)), 0);
    // A line that tells no client is of the program that its wrapper names.
    let bare = Clue {
        client: "",
        ..of("validator", None)
    };
    assert_eq!(pieces.observe(4, None, &bare), 1);
    assert_eq!(pieces.observe(5, None, &of("validator", Some("start"))), 2);
    assert_eq!(pieces.observe(6, None, &of("beacon", None)), 0);
    let again = Pieces::new().resume(pieces.facts().to_vec());
    for (program, piece) in [("beacon", 0), ("validator", 2)] {
        assert_eq!(again.clone().observe(7, None, &of(program, None)), piece);
    }
}

#[test]
fn what_names_another_machine_in_every_line_makes_no_more_processes_than_fit() {
    let mut pieces = Pieces::new();
    let names: Vec<String> = (0..MOST_LANES + 500).map(|n| format!("h{n}")).collect();
    for round in 0..2 {
        for (line, name) in (1..).zip(&names) {
            let clue = Clue {
                stream: name,
                client: ["prysm", "geth"][line % 2],
                ..Clue::default()
            };
            let piece = pieces.observe(line as u64, None, &clue);
            let known = line <= MOST_LANES;
            let facts = &pieces.facts()[piece as usize];
            let said = if known { name } else { OTHERS };
            assert_eq!(facts.stream, said, "{round}");
            assert_eq!(facts.client, clue.client);
        }
    }
    assert_eq!(pieces.facts().len(), MOST_LANES + 2);
}

#[test]
fn chatter_before_a_program_speaks_is_of_its_process() {
    let mut pieces = Pieces::new();
    let prysm = Clue {
        client: "prysm",
        ..Clue::default()
    };
    assert_eq!(pieces.observe(1, None, &Clue::default()), 0);
    assert_eq!(pieces.observe(2, None, &prysm), 0);
    assert_eq!(pieces.facts()[0].client, "prysm");
}

/// Solves a file of the corpus in Prysm's quoted shape by the slots of its blocks.
fn solve_corpus(name: &str) -> Option<(Solution, u64)> {
    let path = format!(
        "{}/../../../shared/corpus/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    let Ok(text) = std::fs::read_to_string(&path) else {
        std::io::Write::write_all(
            &mut std::io::stderr(),
            format!("SKIPPED: no {path}\n").as_bytes(),
        )
        .unwrap();
        return None;
    };
    let mut pieces = Pieces::new();
    let mut anchors = AnchorSet::new();
    for (number, line) in (1u64..).zip(text.lines()) {
        let Some(time) = line.strip_prefix("time=\"").and_then(|rest| rest.get(..19)) else {
            continue;
        };
        let (civil, _) = time::parse_civil(time).unwrap();
        let stamp = super::tests::stamp(civil, 0, Shape::Full);
        let clue = Clue {
            client: "prysm",
            ..Clue::default()
        };
        let piece = pieces.observe(number, Some(&stamp), &clue);
        let slot = line
            .contains("Synced new block")
            .then(|| line.split(" slot=").nth(1)?.split(' ').next()?.parse().ok())
            .flatten();
        if let Some(slot) = slot {
            anchors.push(
                piece,
                &Anchor {
                    line: number,
                    stamp,
                    kind: AnchorKind::Received { slot },
                },
            );
        }
    }
    let anchors = anchors.into_anchors();
    let lines = anchors.values().map(|anchors| anchors.len() as u64).sum();
    let solutions = solve(&inputs(pieces.facts(), &anchors, 0, &Options::default()));
    Some((solutions[0].clone(), lines))
}

#[test]
fn a_real_node_of_medalla_logged_central_european_summer_time() {
    for name in [
        "prysm/bench-medalla-2020-10-01-attestations.log",
        "prysm/bench-medalla-2020-10-01-shutdown.log",
    ] {
        let Some((solution, anchors)) = solve_corpus(name) else {
            return;
        };
        assert!(anchors > 0, "{name}");
        assert_eq!(solution.basis, Basis::Slot, "{name} {solution:?}");
        assert_eq!(solution.zone_seconds, Some(2 * HOUR), "{name}");
        assert_eq!(solution.network.as_deref(), Some("medalla"), "{name}");
    }
    // The same machine, weeks earlier, on Altona.
    if let Some((solution, _)) = solve_corpus("prysm/bench-altona-2020-07-16-roughtime.log") {
        assert_eq!(
            (
                solution.basis,
                solution.zone_seconds,
                solution.network.as_deref()
            ),
            (Basis::Slot, Some(2 * HOUR), Some("altona"))
        );
    }
}
