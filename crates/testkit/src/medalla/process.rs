//! One process: its clock, what it meets, what it writes.

use super::{
    AHEAD, Block, HOUR, MINUTE, SLOT, fault, finalized_epoch, finalized_root, node::episode,
    slot_at, slot_start,
};
use crate::{
    Rng,
    prysm::{Line, Value},
};
use model::time::{MICROS_PER_SECOND as SECOND, format_civil, format_offset, format_utc};
use serde_json::json;

const VERSION: &str = "Prysm/v1.0.0-alpha.20/4e2e3c9a5b1d07f68c1f4a92b3d5e6071829304f. Built at: 2020-08-10 18:02:11+00:00";

/// A line and the true time at which it was written.
pub(super) struct Written {
    pub(super) at: i64,
    pub(super) line: Line,
}

/// A slot clock: offsets measured from roughtime servers, each valid until the next.
#[derive(Clone)]
pub(super) struct Clock {
    /// True time of a measurement and the offset found, in nanoseconds.
    measured: Vec<(i64, i64)>,
}

impl Clock {
    /// `wrong` is when the offset was first found wrong; a process that starts later and within the
    /// fault finds it at its start. A wrong one is measured every minute, a right one every hour.
    pub(super) fn new(
        rng: &mut Rng,
        wrong: Option<i64>,
        tick: i64,
        from: i64,
        name: &str,
    ) -> Clock {
        let (_, fault_to) = fault();
        let mut measured = vec![(from - HOUR, rng.range(-31_000_000, 12_000_000))];
        if let Some(first) = wrong {
            let mut at = first.max(from + 2 * SECOND);
            let tick = if at == first { tick } else { at / SECOND % 60 };
            while at < fault_to && from < fault_to {
                // The sixth server is a day ahead: a sixth of that, and the others' small errors.
                let ns = match (at == first, name) {
                    (true, "prysm-1") if tick == 52 => 14_400_028_854_657,
                    _ => 14_400_000_000_000 + rng.range(11_000_000, 349_000_000),
                };
                measured.push((at, ns));
                at = at - at.rem_euclid(MINUTE) + MINUTE + tick * SECOND + rng.range(0, 400_000);
            }
            if measured.len() > 1 {
                measured.push((at, rng.range(-31_000_000, 12_000_000)));
            }
        }
        Clock { measured }
    }

    /// The offset in force at a true time, in microseconds.
    fn offset(&self, time: i64) -> i64 {
        let after = self.measured.partition_point(|(at, _)| *at <= time);
        self.measured[after.saturating_sub(1)].1 / 1000
    }

    /// What the process takes the time for.
    fn now(&self, time: i64) -> i64 {
        time + self.offset(time)
    }

    /// The wrong measurements within a process's life.
    fn reports(&self, from: i64, to: i64) -> Vec<(i64, i64)> {
        let wrong = |(at, ns): &&(i64, i64)| *ns > 2_000_000_000 && (from..to).contains(at);
        self.measured.iter().filter(wrong).copied().collect()
    }
}

pub(super) struct Process {
    pub(super) rng: Rng,
    pub(super) clock: Clock,
    pub(super) from: i64,
    pub(super) to: i64,
    /// Whether its start is in the log.
    pub(super) started: bool,
    /// Whether it ends without a word.
    pub(super) killed: bool,
    /// Seconds east of UTC and the zone's name, as its machine is set.
    pub(super) zone: (i32, &'static str),
    pub(super) lines: Vec<Written>,
}

impl Process {
    fn write(&mut self, at: i64, line: Line) {
        if (self.from..self.to).contains(&at) {
            self.lines.push(Written { at, line });
        }
    }

    pub(super) fn truth(&self, role: &str) -> serde_json::Value {
        let reports = self.clock.reports(self.from, self.to);
        let skew = reports.first().map(|(first, _)| {
            let ends = self.clock.measured.last().map_or(self.to, |(at, _)| *at);
            let offsets: Vec<i64> = reports.iter().map(|(_, ns)| *ns).collect();
            episode(*first, ends.min(self.to), &offsets)
        });
        json!({
            "role": role,
            "from": format_utc(self.from),
            "to": format_utc(self.to),
            "start_is_logged": self.started,
            "slot_clock_skew": skew,
        })
    }

    fn report_clock(&mut self) {
        for (at, ns) in self.clock.reports(self.from, self.to) {
            let message = "Roughtime reports your clock is off by more than 2 seconds";
            let line =
                Line::new("warning", "roughtime", message).value("offset", Value::Duration(ns));
            self.write(at, line);
        }
    }

    fn finish(&mut self) {
        self.report_clock();
        self.lines.sort_by_key(|written| written.at);
    }

    pub(super) fn beacon(&mut self, blocks: &[Block]) {
        if self.started {
            self.start_beacon();
        }
        // A node that starts first syncs; blocks before that come in batches.
        let follows = if self.started {
            self.from + 95 * SECOND
        } else {
            self.from
        };
        for block in blocks {
            let at = block.sent + self.rng.range(180_000, 1_700_000);
            if self.rng.permille(12) {
                continue;
            }
            if at >= follows {
                self.receive(block, at);
            }
        }
        self.peers();
        if !self.killed && self.to < super::utc("2020-08-14T18:30:00Z") {
            let line = Line::new("info", "node", "Got interrupt, shutting down...");
            self.write(self.to - 900_000, line);
            let line = Line::new("info", "node", "Stopping beacon node");
            self.write(self.to - 600_000, line);
        }
        self.finish();
    }

    fn receive(&mut self, block: &Block, at: i64) {
        let now = self.clock.now(at);
        let starts = slot_start(block.slot);
        if now + 500_000 < starts {
            let error = format!(
                "could not process slot from the future, slot time {} > current time {}",
                go_time(starts, false, self.zone),
                go_time(now, true, self.zone)
            );
            let line = Line::new("warning", "sync", "Rejecting incoming block.")
                .number("blockSlot", block.slot)
                .text("error", error);
            self.write(at, line);
            return;
        }
        let finalized = finalized_epoch(at);
        let line = Line::new("info", "blockchain", "Synced new block")
            .text("block", format!("0x{}...", &block.root[..8]))
            .number("epoch", block.slot / 32)
            .number("finalizedEpoch", finalized)
            .text(
                "finalizedRoot",
                format!("0x{}...", finalized_root(finalized)),
            )
            .number("slot", block.slot);
        self.write(at, line);
        let slashings = i64::from(self.rng.permille(8));
        let line = Line::new("info", "blockchain", "Finished applying state transition")
            .number("attestations", block.attestations)
            .number("attesterSlashings", slashings)
            .number("deposits", self.rng.range(0, 3))
            .number("proposerSlashings", 0)
            .number("voluntaryExits", 0);
        let late = self.rng.range(20_000, 260_000);
        self.write(at + late, line);
    }

    fn start_beacon(&mut self) {
        let at = self.from;
        let line =
            Line::new("info", "node", "Checking DB").text("database-path", "/data/beaconchaindata");
        self.write(at + 210_000, line);
        let line = Line::new("info", "node", "Starting beacon node").text("version", VERSION);
        self.write(at + 1_430_000, line);
        let line =
            Line::new("info", "rpc", "RPC-API listening on port").text("address", "127.0.0.1:4000");
        self.write(at + 1_460_000, line);
        for (late, suitable) in [(4, 0), (9, 1), (14, 2)] {
            let line = Line::new(
                "info",
                "initial-sync",
                "Waiting for enough suitable peers before syncing",
            )
            .number("required", 3)
            .number("suitable", suitable);
            self.write(at + late * SECOND, line);
        }
        // Its own idea of the current slot stands after the slash.
        let mut late = 21 * SECOND;
        let behind = slot_at(at) - 200;
        for batch in 0..4 {
            let current = slot_at(self.clock.now(at + late));
            let size = self.rng.range(18, 34);
            let root = self.rng.hex(4);
            let message = format!(
                "Processing block batch of size {size} starting from  0x{root}... {}/{current} - estimated time remaining {}s",
                behind + batch * 50,
                (4 - batch) * 16
            );
            let line = Line::new("info", "initial-sync", message)
                .value("blocksPerSecond", Value::Text("2.9".to_owned()))
                .number("peers", 3 + batch);
            self.write(at + late, line);
            late += 15 * SECOND + self.rng.range(0, SECOND);
        }
        let message = format!("Synced up to slot {}", slot_at(at + late));
        self.write(at + late, Line::new("info", "initial-sync", message));
    }

    fn peers(&mut self) {
        let mut at = self.from + self.rng.range(0, 90 * SECOND);
        let mut active = 31;
        while at < self.to {
            let peer = format!(
                "/ip4/192.0.2.{}/tcp/{}/p2p/16Uiu2HAm{}",
                self.rng.range(1, 255),
                self.rng.range(9_000, 40_000),
                self.rng.hex(22)
            );
            let line = if self.rng.permille(500) && active > 24 {
                active -= 1;
                Line::new("info", "p2p", "Peer disconnected")
            } else {
                active += 1;
                let direction = if self.rng.permille(600) {
                    "Outbound"
                } else {
                    "Inbound"
                };
                Line::new("info", "p2p", "Peer connected").text("direction", direction)
            };
            let line = line.number("activePeers", active).text("multiAddr", peer);
            self.write(at, line);
            at += self.rng.range(30, 300) * SECOND + self.rng.range(0, SECOND);
        }
        let mut at = self.from + self.rng.range(0, 600 * SECOND);
        while at < self.to {
            let peer = format!("16Uiu2HAm{}", self.rng.hex(22));
            let line = Line::new("error", "sync", "Failed to revalidate peer")
                .text("error", "i/o deadline reached")
                .text("peer", peer);
            self.write(at, line);
            at += self.rng.range(240, 1_500) * SECOND;
        }
    }

    /// A validator attests once per key and epoch, at the slot its own clock names.
    pub(super) fn validator(&mut self, keys: i64, beacon: &Clock) {
        let pub_keys: Vec<String> = (0..keys)
            .map(|_| format!("0x{}", self.rng.hex(6)))
            .collect();
        let indices: Vec<i64> = (0..keys).map(|_| self.rng.range(100, 20_000)).collect();
        let duty: Vec<i64> = (0..keys).map(|_| self.rng.range(0, 32)).collect();
        let mut slot = slot_at(self.from);
        while slot_start(slot) < self.to {
            // The slot that its clock shows at the start of this true slot.
            let start = slot_start(slot) + 30_000;
            let shown = slot_at(self.clock.now(start) + 60_000);
            for key in 0..keys as usize {
                if (shown + 7 * (shown / 32)).rem_euclid(32) == duty[key] {
                    self.attest(start, shown, &pub_keys[key], indices[key], beacon);
                }
            }
            if shown % 32 == 0 {
                self.epoch(start, shown / 32 - 1, &pub_keys);
            }
            slot += 1;
        }
        self.finish();
    }

    fn attest(&mut self, start: i64, slot: i64, key: &str, index: i64, beacon: &Clock) {
        let asked = start + SLOT / 3 + self.rng.range(5_000, 90_000);
        let current = slot_at(beacon.now(asked));
        if (slot - current).abs() >= AHEAD - 1 {
            let low = current - 32;
            let error = format!(
                "rpc error: code = Unknown desc = attestation slot {slot} not within attestation propagation range of {low} to {current} (current slot)"
            );
            let line = Line::new(
                "error",
                "validator",
                "Could not request attestation to sign at slot",
            )
            .text("error", error)
            .text("pubKey", key)
            .number("slot", slot);
            self.write(asked, line);
            return;
        }
        let source = finalized_epoch(start) + 1;
        let root = |rng: &mut Rng| format!("0x{}", rng.hex(6));
        let line = Line::new("info", "validator", "Submitted new attestations")
            .value("AggregatorIndices", Value::List(Vec::new()))
            .value("AttesterIndices", Value::List(vec![index]))
            .text("BeaconBlockRoot", root(&mut self.rng))
            .number("CommitteeIndex", index % 12)
            .number("Slot", slot)
            .number("SourceEpoch", source)
            .text(
                "SourceRoot",
                format!("0x{}", Rng::new(source as u64).hex(6)),
            )
            .number("TargetEpoch", slot / 32)
            .text("TargetRoot", root(&mut self.rng));
        // Printed at the next slot with work.
        let late = SLOT - 20_000 + self.rng.range(0, 9_000);
        self.write(start + late, line);
    }

    fn epoch(&mut self, at: i64, epoch: i64, pub_keys: &[String]) {
        for (index, key) in pub_keys.iter().enumerate() {
            let voted = finalized_epoch(at) + 3 >= epoch;
            let word = |yes: bool| if yes { "true" } else { "false" }.to_owned();
            let line = Line::new("info", "validator", "Previous epoch voting summary")
                .value("correctlyVotedHead", Value::Text(word(voted)))
                .value("correctlyVotedSource", Value::Text(word(voted)))
                .value("correctlyVotedTarget", Value::Text(word(voted)))
                .number("epoch", epoch)
                .text(
                    "inclusionDistance",
                    if voted { "1" } else { "18446744073709551615" },
                )
                .text(
                    "inclusionSlot",
                    if voted {
                        (epoch * 32 + index as i64 + 1).to_string()
                    } else {
                        "18446744073709551615".to_owned()
                    },
                )
                .text("newBalance", format!("32.{:05}", self.rng.below(40_000)))
                .text("oldBalance", format!("32.{:05}", self.rng.below(40_000)))
                .text("pubKey", key.as_str());
            self.write(at + 40_000 + index as i64 * 300, line);
        }
    }
}

/// A `time.Time` as Go prints one in its machine's zone; the current time has its fraction.
fn go_time(us: i64, fraction: bool, (zone, name): (i32, &str)) -> String {
    let text = format_civil(us + i64::from(zone) * SECOND).replace('T', " ");
    let text = match fraction {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text[..19],
    };
    let offset = format_offset(zone).replace(':', "");
    format!("{text} {offset} {name}")
}
