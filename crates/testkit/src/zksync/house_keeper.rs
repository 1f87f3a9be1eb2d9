//! The server's log of 8 September 2023: three runs, of which only the last may requeue jobs.
//!
//! Told by the incident's source: the first start with its periodic jobs, the empty retry at
//! 13:13:17 with a timeout of 2700 s and one attempt, the requeued job 1149 at 14:00:44 after the
//! limits were raised. The lines between are ours.

use super::utc;
use crate::Rng;
use model::time::{MICROS_PER_SECOND as SECOND, format_utc};

const PERIODIC: [(&str, i64); 13] = [
    ("GcsBlobCleaner", 60_000),
    ("WitnessGeneratorStatsReporter", 10_000),
    ("GpuProverQueueMonitor", 10_000),
    ("ProverStatsReporter", 5_000),
    ("WaitingToQueuedWitnessJobMover", 30_000),
    ("ProverJobRetryManager", 300_000),
    ("L1BatchMetricsReporter", 10_000),
    ("FriProverJobRetryManager", 30_000),
    ("WaitingToQueuedFriWitnessJobMover", 40_000),
    ("SchedulerCircuitQueuer", 40_000),
    ("FriProverStatsReporter", 30_000),
    ("FriWitnessGeneratorJobRetryManager", 30_000),
    ("WitnessGeneratorJobRetryManager", 300_000),
];

struct Log {
    rng: Rng,
    lines: Vec<(i64, String)>,
    batch: i64,
    miniblock: i64,
    eth_tx: i64,
}

impl Log {
    fn info(&mut self, at: i64, target: &str, message: &str) {
        self.lines
            .push((at, format!("{}  INFO {target}: {message}", format_utc(at))));
    }

    fn start(&mut self, first: i64, jobs: i64) {
        self.info(
            first,
            "zksync_core",
            "Starting the components: [HttpApi, WsApi, ExplorerApi, Tree, EthWatcher, EthTxAggregator, EthTxManager, DataFetcher, StateKeeper, WitnessGenerator(None, BasicCircuits), WitnessGenerator(None, LeafAggregation), WitnessGenerator(None, NodeAggregation), WitnessGenerator(None, Scheduler), Housekeeper]",
        );
        self.info(first + 1_204_118, "zksync_core::state_keeper::keeper", &format!("Starting state keeper. Next l1 batch to seal: L1BatchNumber({}), Next miniblock to seal: MiniblockNumber({})", self.batch, self.miniblock));
        for (index, (name, frequency)) in PERIODIC.iter().enumerate() {
            // Threads start side by side, so that stamps are not in the order of the lines.
            let jitter = [8, 8, 16, 37, 48, 50, 30, 171, 281, 293, 296, 300, 294][index];
            self.info(
                jobs + jitter,
                "zksync_core::house_keeper::periodic_job",
                &format!("Starting periodic job: {name} with frequency: {frequency} ms"),
            );
        }
    }

    /// The chain's own lines from `from` to `to`.
    fn life(&mut self, from: i64, to: i64) {
        let mut at = from;
        while at < to {
            let txs = self.rng.range(1, 9);
            let (reads, writes) = (self.rng.range(80, 900), self.rng.range(20, 300));
            let (batch, miniblock) = (self.batch, self.miniblock);
            self.info(at, "zksync_core::state_keeper::io::seal_logic", &format!("Sealing miniblock {miniblock} (L1 batch {batch}) with {txs} ({txs} L2 + 0 L1) txs, {} events, {reads} reads, {writes} writes", txs * 4));
            self.miniblock += 1;
            if self.rng.permille(300) {
                self.info(at + 911_204, "zksync_core::state_keeper::io::seal_logic", &format!("Sealing L1 batch {batch} with {} ({} L2 + 0 L1) txs, {} l2_l1_logs, {} events, {reads} reads ({} deduped), {writes} writes ({} deduped)", txs * 3, txs * 3, txs, txs * 12, reads / 2, writes / 2));
                self.info(
                    at + 3_400_187,
                    "zksync_core::metadata_calculator::updater",
                    &format!("L1 batches #{batch}..={batch} processed in tree"),
                );
                let id = self.eth_tx;
                self.info(at + 6_118_402, "zksync_core::eth_sender::aggregator", &format!("eth_tx with ID {id} for op commit was saved for L1 batches L1BatchNumber({batch})..=L1BatchNumber({batch})"));
                let hash = self.rng.hex(32);
                let gas = self.rng.range(170_000, 250_000);
                let seen = at + self.rng.range(700, 900) * SECOND;
                if seen < to {
                    self.info(seen, "zksync_core::eth_sender::eth_tx_manager", &format!("eth_tx {id} with hash 0x{hash} for CommitBlocks is confirmed. Gas spent: {gas:?}"));
                }
                self.eth_tx += 1;
                self.batch += 1;
            }
            if self.rng.permille(120) {
                self.info(
                    at + 1_000_412,
                    "zksync_core::eth_sender::opside_send_plug::manage_proof_plug",
                    &format!(
                        "sequence_batch_info.block_number == 0 at batch:{}",
                        681 + self.batch - 1151
                    ),
                );
            }
            if self.rng.permille(25) {
                let line = format!(
                    "{}  WARN zksync_core::api_server::web3::backend_jsonrpc::error: internal error: connection closed before message completed: file=\"core/bin/zksync_core/src/api_server/web3/backend_jsonrpc/error.rs\" line=46 column=5",
                    format_utc(at + 204_117)
                );
                self.lines.push((at + 204_117, line));
            }
            at += self.rng.range(9, 38) * SECOND + self.rng.range(0, SECOND);
        }
    }
}

pub(super) fn log() -> String {
    let mut log = Log {
        rng: Rng::new(1149),
        lines: Vec::new(),
        batch: 1151,
        miniblock: 2_416,
        eth_tx: 3_207,
    };
    let retry = "zksync_core::house_keeper::prover_job_retry_manager";

    // First run, as configured: nothing may be retried, and nothing says so.
    log.start(
        utc("2023-09-08T12:43:43.561336Z"),
        utc("2023-09-08T12:43:47.244Z"),
    );
    log.life(utc("2023-09-08T12:43:49Z"), utc("2023-09-08T13:03:06Z"));
    let mut runs = vec![std::mem::take(&mut log.lines)];

    // Second run, with three more lines built in: the limits in force.
    log.start(
        utc("2023-09-08T13:03:14.201964Z"),
        utc("2023-09-08T13:03:17.988Z"),
    );
    log.life(utc("2023-09-08T13:03:19Z"), utc("2023-09-08T13:33:18Z"));
    for tick in 0..6 {
        // The third is the one that is told.
        let at = utc("2023-09-08T13:03:17.988849Z") + tick * 300 * SECOND;
        for (late, text) in [
            (0, "server.prover.requeued_jobs0"),
            (15, "server.prover.self.processing_timeout2700"),
            (24, "server.prover.self.max_attempts1"),
        ] {
            log.info(at + late, retry, text);
        }
    }
    runs.push(std::mem::take(&mut log.lines));

    // Third run: PROVER_NON_GPU_MAX_ATTEMPTS=5, PROVER_NON_GPU_GENERATION_TIMEOUT_IN_SECS=3600.
    log.start(
        utc("2023-09-08T13:35:41.106518Z"),
        utc("2023-09-08T13:35:44.985Z"),
    );
    log.life(utc("2023-09-08T13:35:46Z"), utc("2023-09-08T14:09:40Z"));
    log.info(
        utc("2023-09-08T14:00:44.990770Z"),
        retry,
        "re-queuing prover job StuckProverJobs { id: 1149, status: \"queued\", attempts: 2 }",
    );
    runs.push(log.lines);

    let mut out = String::new();
    for mut run in runs {
        // Sorted to the millisecond: within one, threads write in any order.
        run.sort_by_key(|(at, _)| at.div_euclid(1000));
        for (_, line) in run {
            out.push_str(&line);
            out.push('\n');
        }
    }
    out
}
