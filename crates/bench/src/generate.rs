//! Large Prysm logs: 20 kinds of messages in the proportions of a busy node, values with the entropy
//! and the repetitions of real ones (roots shared by a slot's lines, some hundred known peers).
//!
//! Written straight into a buffer: the generator shall not be what takes the time.

use model::time::format_civil;
use std::io::{self, Write};
use testkit::{
    Rng,
    prysm::{Shape, go_duration},
};

/// The kinds of messages and their share in a thousand lines.
pub const KINDS: [(&str, u64); 20] = [
    ("Synced new block", 150),
    ("Finished applying state transition", 150),
    ("Submitted new attestations", 100),
    ("Could not receive attestation in chain service", 90),
    ("Peer connected", 80),
    ("Peer disconnected", 80),
    ("Previous epoch voting summary", 60),
    ("Attestation schedule", 60),
    ("Failed to revalidate peer", 50),
    ("Processing block batch of size", 40),
    ("Rejecting incoming block.", 40),
    ("Could not request attestation to sign at slot", 30),
    ("Response received from roughtime server", 20),
    (
        "Roughtime reports your clock is off by more than 2 seconds",
        10,
    ),
    ("Requesting parent block", 10),
    ("Saved state in DB", 8),
    ("Waiting for enough suitable peers before syncing", 8),
    ("Submitted new block", 6),
    ("Chain reorg occurred", 4),
    (
        "Fallen behind peers; reverting to initial sync to catch up",
        4,
    ),
];

const GENESIS_S: i64 = 1_596_546_008;
const SERVERS: [&str; 6] = [
    "Caesium",
    "Chainpoint-Roughtime",
    "Cloudflare-Roughtime",
    "Google-Sandbox-Roughtime",
    "int08h-Roughtime",
    "ticktock",
];

/// A value by what decides its quotes.
enum V<'a> {
    Number(i64),
    /// Printed as it is.
    Bare(&'a str),
    /// Quoted in the quoted shape if it has other characters than letters, digits, dot and dash.
    Text(&'a str),
}
use V::{Bare, Number, Text};

/// Writes one log.
pub struct LogWriter {
    rng: Rng,
    out: Printer,
    /// Kind of each thousandth.
    kinds: Vec<usize>,
    /// Milliseconds since 1970.
    now: i64,
    slot: i64,
    roots: [String; 3],
    peers: Vec<String>,
    keys: Vec<String>,
    active: i64,
}

impl LogWriter {
    /// Starts a log; the same seed and shape give the same bytes.
    ///
    /// # Panics
    /// If the shape is JSON: the peers' regular expressions read text.
    pub fn new(seed: u64, shape: Shape) -> LogWriter {
        assert!(shape != Shape::Json, "the bench compares text shapes");
        let mut rng = Rng::new(seed);
        let peers = (0..400)
            .map(|_| {
                let (host, port) = (rng.range(1, 255), rng.range(9_000, 40_000));
                let id = rng.hex(22);
                format!("/ip4/192.0.2.{host}/tcp/{port}/p2p/16Uiu2HAm{id}")
            })
            .collect();
        let keys = (0..64).map(|_| format!("0x{}", rng.hex(6))).collect();
        let share =
            |(kind, (_, share)): (usize, &(&str, u64))| std::iter::repeat_n(kind, *share as usize);
        LogWriter {
            out: Printer {
                shape,
                second: 0,
                stamp: String::new(),
                line: Vec::with_capacity(1024),
            },
            kinds: KINDS.iter().enumerate().flat_map(share).collect(),
            now: (GENESIS_S + 3_600) * 1000,
            slot: 0,
            roots: [String::new(), String::new(), String::new()],
            peers,
            keys,
            active: 30,
            rng,
        }
    }

    /// Writes whole lines until at least `bytes` are written; returns how many lines and bytes.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn write(&mut self, bytes: u64, out: &mut dyn Write) -> io::Result<(u64, u64)> {
        let (mut lines, mut written) = (0, 0);
        while written < bytes {
            self.tick();
            let kind = *self.rng.pick(&self.kinds);
            self.one(kind)?;
            self.out.line.push(b'\n');
            out.write_all(&self.out.line)?;
            written += self.out.line.len() as u64;
            lines += 1;
        }
        Ok((lines, written))
    }

    /// Some thirty lines a second.
    fn tick(&mut self) {
        self.now += self.rng.range(1, 66);
        self.out.set_second(self.now / 1000);
        let slot = (self.now / 1000 - GENESIS_S) / 12;
        if slot != self.slot {
            self.slot = slot;
            self.roots = std::array::from_fn(|_| format!("0x{}", self.rng.hex(32)));
        }
    }

    fn one(&mut self, kind: usize) -> io::Result<()> {
        let (slot, epoch) = (self.slot, self.slot / 32);
        let message = KINDS[kind].0;
        let (rng, out) = (&mut self.rng, &mut self.out);
        match kind {
            0 => {
                let block = format!("0x{}...", rng.hex(4));
                let finalized = format!("0x{}...", Rng::new(epoch as u64).hex(4));
                out.line(
                    "info",
                    "blockchain",
                    message,
                    &[
                        ("block", Text(&block)),
                        ("epoch", Number(epoch)),
                        ("finalizedEpoch", Number(epoch - 2)),
                        ("finalizedRoot", Text(&finalized)),
                        ("slot", Number(slot)),
                    ],
                )
            }
            1 => out.line(
                "info",
                "blockchain",
                message,
                &[
                    ("attestations", Number(rng.range(1, 128))),
                    ("attesterSlashings", Number(0)),
                    ("deposits", Number(rng.range(0, 17))),
                    ("proposerSlashings", Number(0)),
                    ("voluntaryExits", Number(0)),
                ],
            ),
            2 => {
                let indices = format!("[{} {}]", rng.below(40_000), rng.below(40_000));
                let source = format!("0x{}", Rng::new(epoch as u64 - 1).hex(6));
                let target = format!("0x{}", Rng::new(epoch as u64).hex(6));
                out.line(
                    "info",
                    "validator",
                    message,
                    &[
                        ("AggregatorIndices", Bare("[]")),
                        ("AttesterIndices", Bare(&indices)),
                        ("BeaconBlockRoot", Text(&self.roots[0][..14])),
                        ("CommitteeIndex", Number(rng.range(0, 14))),
                        ("Slot", Number(slot)),
                        ("SourceEpoch", Number(epoch - 1)),
                        ("SourceRoot", Text(&source)),
                        ("TargetEpoch", Number(epoch)),
                        ("TargetRoot", Text(&target)),
                    ],
                )
            }
            3 => {
                let target = format!("0x{}", Rng::new(epoch as u64).hex(6));
                let error = "could not process attestation: could not verify attestation beacon block: votes differ";
                out.line(
                    "warning",
                    "blockchain",
                    message,
                    &[
                        ("aggregationCount", Number(rng.range(1, 90))),
                        ("beaconBlockRoot", Text(&self.roots[1][..14])),
                        ("committeeIndex", Number(rng.range(0, 14))),
                        ("error", Text(error)),
                        ("slot", Number(slot)),
                        ("targetRoot", Text(&target)),
                    ],
                )
            }
            4 => {
                self.active += 1;
                let direction = if rng.permille(600) {
                    "Outbound"
                } else {
                    "Inbound"
                };
                out.line(
                    "info",
                    "p2p",
                    message,
                    &[
                        ("activePeers", Number(self.active)),
                        ("direction", Text(direction)),
                        ("multiAddr", Text(rng.pick::<String>(&self.peers))),
                    ],
                )
            }
            5 => {
                self.active = (self.active - 1).max(3);
                out.line(
                    "info",
                    "p2p",
                    message,
                    &[
                        ("activePeers", Number(self.active)),
                        ("multiAddr", Text(rng.pick::<String>(&self.peers))),
                    ],
                )
            }
            6 => {
                let distance = rng.range(1, 4);
                let balance = |rng: &mut Rng| format!("32.{:05}", rng.below(60_000));
                let (new, old) = (balance(rng), balance(rng));
                let voted = if rng.permille(900) { "true" } else { "false" };
                out.line(
                    "info",
                    "validator",
                    message,
                    &[
                        ("correctlyVotedHead", Bare(voted)),
                        ("correctlyVotedSource", Bare("true")),
                        ("correctlyVotedTarget", Bare(voted)),
                        ("epoch", Number(epoch - 1)),
                        ("inclusionDistance", Number(distance)),
                        ("inclusionSlot", Number(slot - 32 + distance)),
                        ("newBalance", Bare(&new)),
                        ("oldBalance", Bare(&old)),
                        ("pubKey", Text(rng.pick::<String>(&self.keys))),
                    ],
                )
            }
            7 => {
                let keys = format!("[{} {}]", rng.pick(&self.keys), rng.pick(&self.keys));
                out.line(
                    "info",
                    "validator",
                    message,
                    &[
                        ("attesters", Number(rng.range(1, 9))),
                        ("pubKeys", Bare(&keys)),
                        ("slot", Number(slot + rng.range(1, 32))),
                    ],
                )
            }
            8 => out.line(
                "error",
                "sync",
                message,
                &[
                    ("error", Text("i/o deadline reached")),
                    ("peer", Text(&rng.pick(&self.peers)[29..])),
                ],
            ),
            9 => {
                let root = rng.hex(4);
                let message = format!(
                    "{message} {} starting from  0x{root}... {}/{slot} - estimated time remaining {}m{}s",
                    rng.range(20, 64),
                    slot - rng.range(100, 9_000),
                    rng.range(1, 60),
                    rng.range(0, 60)
                );
                let speed = format!("{}.{}", rng.range(5, 30), rng.range(0, 10));
                out.line(
                    "info",
                    "initial-sync",
                    &message,
                    &[
                        ("blocksPerSecond", Bare(&speed)),
                        ("peers", Number(rng.range(3, 45))),
                    ],
                )
            }
            10 => {
                let at = |us: i64| format_civil(us).replace('T', " ");
                let (now, ahead) = (self.now * 1000 + rng.range(0, 1000), slot + 1200);
                let error = format!(
                    "could not process slot from the future, slot time {} +0000 UTC > current time {} +0000 UTC",
                    &at((GENESIS_S + ahead * 12) * 1_000_000)[..19],
                    at(now)
                );
                out.line(
                    "warning",
                    "sync",
                    message,
                    &[("blockSlot", Number(ahead)), ("error", Text(&error))],
                )
            }
            11 => {
                let error = format!(
                    "rpc error: code = Unknown desc = attestation slot {} not within attestation propagation range of {} to {slot} (current slot)",
                    slot + 1200,
                    slot - 32
                );
                out.line(
                    "error",
                    "validator",
                    message,
                    &[
                        ("error", Text(&error)),
                        ("pubKey", Text(rng.pick::<String>(&self.keys))),
                        ("slot", Number(slot + 1200)),
                    ],
                )
            }
            12 => {
                let delay = go_duration(rng.range(9_000_000, 400_000_000));
                let midpoint = self.now * 1000 + rng.range(0, 900_000);
                out.line(
                    "debug",
                    "roughtime",
                    message,
                    &[
                        ("Delay", Bare(&delay)),
                        ("Midpoint", Number(midpoint)),
                        ("Radius", Number(1_000_000)),
                        ("Server Name", Text(SERVERS[rng.below(6) as usize])),
                    ],
                )
            }
            13 => {
                let offset = go_duration(14_400_000_000_000 + rng.range(0, 400_000_000));
                out.line(
                    "warning",
                    "roughtime",
                    message,
                    &[("offset", Bare(&offset))],
                )
            }
            14 => out.line(
                "info",
                "sync",
                message,
                &[
                    ("currentSlot", Number(slot)),
                    ("parentRoot", Text(&self.roots[2])),
                ],
            ),
            15 => out.line(
                "info",
                "state-gen",
                message,
                &[
                    ("root", Text(&self.roots[0][2..14])),
                    ("slot", Number(slot)),
                ],
            ),
            16 => out.line(
                "info",
                "initial-sync",
                message,
                &[
                    ("required", Number(3)),
                    ("suitable", Number(rng.range(0, 3))),
                ],
            ),
            17 => out.line(
                "info",
                "validator",
                message,
                &[
                    ("blockRoot", Text(&self.roots[0][..14])),
                    ("numAttestations", Number(rng.range(1, 128))),
                    ("numDeposits", Number(rng.range(0, 17))),
                    ("pubKey", Text(rng.pick::<String>(&self.keys))),
                    ("slot", Number(slot)),
                ],
            ),
            18 => out.line(
                "debug",
                "blockchain",
                message,
                &[
                    ("newSlot", Number(slot)),
                    ("oldSlot", Number(slot - rng.range(1, 4))),
                ],
            ),
            _ => out.line(
                "info",
                "sync",
                message,
                &[
                    ("currentEpoch", Number(epoch)),
                    ("peersEpoch", Number(epoch)),
                    ("syncedEpoch", Number(epoch - rng.range(2, 40))),
                ],
            ),
        }
    }
}

struct Printer {
    shape: Shape,
    second: i64,
    stamp: String,
    line: Vec<u8>,
}

impl Printer {
    fn set_second(&mut self, second: i64) {
        if second != self.second {
            self.second = second;
            self.stamp = format_civil(second * 1_000_000)[..19].replace('T', " ");
        }
    }

    /// Prints a line over the last one; `fields` are sorted by key.
    fn line(
        &mut self,
        level: &str,
        prefix: &str,
        message: &str,
        fields: &[(&str, V<'_>)],
    ) -> io::Result<()> {
        let out = &mut self.line;
        out.clear();
        if self.shape == Shape::Terminal {
            let level = match level {
                "warning" => " WARN",
                "error" => "ERROR",
                "debug" => "DEBUG",
                _ => " INFO",
            };
            write!(out, "[{}] {level} {prefix}: {message}", self.stamp)?;
        } else {
            write!(out, "time=\"{}\" level={level} msg=", self.stamp)?;
            text(out, message);
        }
        let mut prefixed = self.shape == Shape::Terminal;
        for (key, value) in fields {
            if !prefixed && *key > "prefix" {
                out.extend_from_slice(b" prefix=");
                text(out, prefix);
                prefixed = true;
            }
            write!(out, " {key}=")?;
            match value {
                Number(number) => write!(out, "{number}")?,
                Bare(bare) => out.extend_from_slice(bare.as_bytes()),
                Text(bare) if self.shape == Shape::Terminal => {
                    out.extend_from_slice(bare.as_bytes());
                }
                Text(quoted) => text(out, quoted),
            }
        }
        if !prefixed {
            out.extend_from_slice(b" prefix=");
            text(out, prefix);
        }
        Ok(())
    }
}

fn text(out: &mut Vec<u8>, value: &str) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
    if value.bytes().all(plain) {
        out.extend_from_slice(value.as_bytes());
    } else {
        out.push(b'"');
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_there_in_about_its_share_and_the_seed_decides() {
        assert_eq!(KINDS.iter().map(|(_, share)| share).sum::<u64>(), 1000);
        for shape in [Shape::Terminal, Shape::Quoted] {
            let (mut one, mut two) = (Vec::new(), Vec::new());
            let (lines, bytes) = LogWriter::new(7, shape).write(2_000_000, &mut one).unwrap();
            LogWriter::new(7, shape).write(2_000_000, &mut two).unwrap();
            assert!(one == two);
            assert_eq!(bytes, one.len() as u64);
            let text = String::from_utf8(one).unwrap();
            assert_eq!(text.lines().count() as u64, lines);
            for (kind, share) in KINDS {
                let seen = text.matches(kind).count() as u64 * 1000 / lines;
                assert!(
                    seen.abs_diff(share) <= 5 + share / 5,
                    "{kind}: {seen} of {share}"
                );
            }
        }
    }
}
