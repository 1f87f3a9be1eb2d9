//! `samples/medalla-2020`: ten Prysm nodes through the roughtime incident of 14 August 2020.
//!
//! The model is physical: there is true time; a process's stamp clock is true time in its zone; its
//! slot clock is true time plus its roughtime offset. Blocks travel from proposers, whose clocks may be
//! ahead, to nodes, whose clocks decide what they make of them. The truth in `expected/` is the
//! simulator's own, not what a parser read back.

mod node;
mod process;

use crate::{Rng, Sample};
use model::time::{MICROS_PER_SECOND as SECOND, format_utc, parse_utc};
use node::NODES;
use serde_json::json;

/// Genesis of Medalla, in microseconds.
pub const GENESIS: i64 = 1_596_546_008 * SECOND;
const SLOT: i64 = 12 * SECOND;
/// Four hours in slots.
const AHEAD: i64 = 1200;
const HOUR: i64 = 3600 * SECOND;
const MINUTE: i64 = 60 * SECOND;

fn utc(text: &str) -> i64 {
    parse_utc(text).expect("a constant time")
}

/// From when on the sixth time server answers with tomorrow, and until when.
fn fault() -> (i64, i64) {
    (utc("2020-08-14T17:29:40Z"), utc("2020-08-14T18:43:50Z"))
}

/// Start of a slot, in true time.
fn slot_start(slot: i64) -> i64 {
    GENESIS + slot * SLOT
}

/// The slot at a time.
fn slot_at(time: i64) -> i64 {
    (time - GENESIS).div_euclid(SLOT)
}

/// A block as the network sees it.
#[derive(Clone, Debug)]
struct Block {
    slot: i64,
    /// When its proposer let it go, in true time.
    sent: i64,
    root: String,
    attestations: i64,
}

/// The finalized epoch that a node shows at a time: two behind, until it stays at 2289.
fn finalized_epoch(time: i64) -> i64 {
    (slot_at(time) / 32 - 2).min(2289)
}

/// Root of a finalized epoch, the same on every node.
fn finalized_root(epoch: i64) -> String {
    Rng::new(epoch as u64 ^ 0x2289).hex(4)
}

/// All blocks of the incident, in order of being sent.
fn blocks(rng: &mut Rng) -> Vec<Block> {
    let (fault_from, fault_to) = fault();
    let mut blocks = Vec::new();
    for slot in slot_at(utc("2020-08-14T16:30:00Z"))..slot_at(utc("2020-08-14T19:46:00Z")) {
        let start = slot_start(slot);
        // The share of Prysm's validators whose clock is ahead rises within six minutes and falls
        // within the one minute after which an offset over 2 s is measured again.
        let ahead = if start < fault_from {
            0.0
        } else if start < fault_to {
            ((start - fault_from) as f64 / (6 * MINUTE) as f64).min(1.0)
        } else {
            (1.0 - (start - fault_to) as f64 / MINUTE as f64).max(0.0)
        };
        let recovered: f64 = if start > fault_to { 0.55 } else { 0.80 };
        let honest = recovered.min(0.80 - 0.49 * ahead);
        for (slot, probability) in [(slot, honest), (slot + AHEAD, 0.46 * ahead)] {
            if rng.permille((probability * 1000.0) as u64) {
                blocks.push(Block {
                    slot,
                    sent: start + rng.range(250_000, 1_900_000),
                    root: rng.hex(32),
                    attestations: rng.range(4, 70),
                });
            }
        }
    }
    blocks.sort_by_key(|block| block.sent);
    blocks
}

/// Makes the sample.
pub fn sample() -> Sample {
    let mut rng = Rng::new(20_200_814);
    let blocks = blocks(&mut rng);
    let mut sample = Sample {
        name: "medalla-2020",
        files: Vec::new(),
    };
    let mut nodes = Vec::new();
    for node in NODES {
        nodes.push(node.run(&mut Rng::new(rng.bits()), &blocks, &mut sample));
    }
    let (from, to) = fault();
    sample.add_json(
        "expected/truth.json",
        &json!({
            "about": "What the simulator knows; nothing here was read back by a parser. Times are true UTC.",
            "network": "medalla",
            "genesis_time_s": GENESIS / SECOND,
            "fault": {"from": format_utc(from), "to": format_utc(to), "server_ahead_s": 86_400, "servers": 6},
            "offset_s": 14_400,
            "slots_ahead": AHEAD,
            "nodes": nodes,
        }),
    );
    sample
}
