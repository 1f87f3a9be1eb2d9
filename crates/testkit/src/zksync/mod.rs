//! `samples/zksync-2023`: a rollup's database, tickets and a house keeper's log of September 2023.
//!
//! What the incident's source tells (hashes, ids, times: see the sample's README) is written as told;
//! everything around it is made up from a seed.

mod house_keeper;
pub mod postgres;
mod schema;
mod tickets;

use crate::{Rng, Sample};
use model::time::{MICROS_PER_SECOND as SECOND, parse_utc};
use postgres::{Table, timestamp};
use schema::*;

/// The withdrawal whose way to L1 the incident's source follows.
pub const L2_TX: &str = "0x0bbbcf153f17ec0e1f12d698bbc64f9d242bc1cd1312dd5f34febf0e6cb6601a";
const CONTRACT: &str = "0x5e3e5f6ef0e21f0cf5b4c3acd3cf29740b1cbbd8";
const COMMIT_HASH: &str = "0x0b01e199877faef52b95477119f53bf546a2915bc903132331f41542e58da53d";
const TOLD_BATCH: i64 = 7670;
const TOLD_MINIBLOCK: i64 = 15841;
const FIRST_BATCH: i64 = 7514;
/// Batches between a batch's commit and its proof, and its execution: with the two shared commits of
/// [`shares_commit`] these put proof and execution of batch 7670 on the ids that are told.
const PROOF_LAG: i64 = 25;
const EXECUTE_LAG: i64 = 26;
const BOOTLOADER: &str = "0100038581be3d0e201b3cc45d151ef5cc59eb3a0f146ad44f0f72abf00b594c";
const DEFAULT_AA: &str = "0100038dc66b69be75ec31653c64cb931678299b9b659472772b2550b703f41c";

fn utc(text: &str) -> i64 {
    parse_utc(text).expect("a constant time")
}

/// Whether a batch waits for the next one and shares its commit transaction.
fn shares_commit(batch: i64) -> bool {
    match batch {
        7670..=7697 => matches!(batch, 7683 | 7696),
        // The newest waits: sealed and not committed.
        7716 => true,
        _ => batch % 23 == 5,
    }
}

/// One L1 transaction of the rollup, in order of being saved.
struct Send {
    kind: &'static str,
    batches: Vec<i64>,
    saved: i64,
}

struct World {
    rng: Rng,
    now: i64,
    batches: Table,
    miniblocks: Table,
    logs: Table,
    transactions: Table,
    txs: Table,
    history: Table,
    jobs: Table,
    /// Number and time of sealing of each batch.
    sealed: Vec<(i64, i64)>,
}

/// Makes the sample.
pub fn sample() -> Sample {
    let mut world = World {
        rng: Rng::new(15841),
        now: utc("2023-09-18T09:30:04Z"),
        batches: Table::new("l1_batches", L1_BATCHES, "number"),
        miniblocks: Table::new("miniblocks", MINIBLOCKS, "number"),
        logs: Table::new(
            "l2_to_l1_logs",
            L2_TO_L1_LOGS,
            "miniblock_number, log_index_in_miniblock",
        ),
        transactions: Table::new("transactions", TRANSACTIONS, "hash"),
        txs: Table::new("eth_txs", ETH_TXS, "id"),
        history: Table::new("eth_txs_history", ETH_TXS_HISTORY, "id"),
        jobs: Table::new("prover_jobs", PROVER_JOBS, "id"),
        sealed: Vec::new(),
    };
    world.chain();
    world.settle();
    world.prove();

    let mut sample = Sample {
        name: "zksync-2023",
        files: Vec::new(),
    };
    sample.add("input/ticket-1204.txt", world.ticket());
    sample.add("input/ticket-1204-web.txt", world.glued_ticket());
    let tables = [
        migrations(),
        world.batches,
        world.miniblocks,
        world.logs,
        world.transactions,
        world.txs,
        world.history,
        world.jobs,
    ];
    let key = Rng::new(1).hex(31);
    sample.add(
        "input/zksync_local.sql.gz",
        postgres::plain_dump(&key, &tables, FOREIGN_KEYS),
    );
    sample.add(
        "input/prover_jobs.main-node.txt",
        tickets::prover_jobs_table(&tickets::MAIN_NODE_JOBS),
    );
    sample.add(
        "input/prover_jobs.extension-node.txt",
        tickets::prover_jobs_table(&tickets::EXTENSION_NODE_JOBS),
    );
    let log = house_keeper::log();
    let line_of = |text: &str| {
        log.lines()
            .position(|line| line.contains(text))
            .map(|at| at + 1)
    };
    sample.add_json(
        "expected/house_keeper.json",
        &serde_json::json!({
            "about": "What the generator wrote; not read back by a parser.",
            "lines": log.lines().count(),
            "starts": ["2023-09-08T12:43:43.561336Z", "2023-09-08T13:03:14.201964Z", "2023-09-08T13:35:41.106518Z"],
            "first_empty_retry_line": line_of("server.prover.requeued_jobs0"),
            "requeued": [{
                "line": line_of("re-queuing prover job"),
                "at": "2023-09-08T14:00:44.990770Z",
                "id": 1149,
                "attempts": 2,
            }],
        }),
    );
    sample.add("input/house_keeper.log", log);
    sample
}

fn bytea(hex: &str) -> String {
    format!("\\x{}", hex.trim_start_matches("0x"))
}

fn migrations() -> Table {
    let mut rng = Rng::new(2);
    let mut table = Table::new("_sqlx_migrations", MIGRATIONS, "version");
    for (version, description) in [
        (20_211_026_134_308_i64, "init"),
        (20_220_815_114_827, "blocks to l1 batches"),
        (20_230_323_155_436, "base system contracts"),
        (20_230_713_110_513, "rename last batch columns"),
        (20_230_801_091_107, "prover protocol version"),
        (20_230_814_114_515, "prover jobs fri"),
        (20_230_817_101_508, "recreate prover jobs index"),
    ] {
        let installed = utc("2023-08-21T09:14:02Z") + rng.range(0, 3 * SECOND);
        table.push(&[
            ("version", version.to_string()),
            ("description", description.to_owned()),
            ("installed_on", format!("{}+00", timestamp(installed))),
            ("success", "t".to_owned()),
            ("checksum", bytea(&rng.hex(48))),
            ("execution_time", rng.range(900_000, 60_000_000).to_string()),
        ]);
    }
    table
}

impl World {
    /// Batches, miniblocks, transactions and logs, up to `now`.
    fn chain(&mut self) {
        // The number of miniblocks per batch is drawn first, so that 15841 is the second of 7670's.
        let counts: Vec<i64> = (FIRST_BATCH..FIRST_BATCH + 400)
            .map(|batch| match batch {
                TOLD_BATCH => 3,
                _ => self.rng.range(2, 4),
            })
            .collect();
        let before: i64 = counts[..(TOLD_BATCH - FIRST_BATCH) as usize].iter().sum();
        let mut miniblock = TOLD_MINIBLOCK - 1 - before;
        // Likewise the time: batch 7670 was sealed at 03:36:21, a quarter of an hour before its
        // commit was seen as final.
        let gaps: Vec<i64> = counts
            .iter()
            .map(|_| self.rng.range(270, 690) * SECOND)
            .collect();
        let before: i64 = gaps[..=(TOLD_BATCH - FIRST_BATCH) as usize].iter().sum();
        let mut at = utc("2023-09-18T03:36:21.402117Z") - before;
        for (index, (&count, &gap)) in counts.iter().zip(&gaps).enumerate() {
            let batch = FIRST_BATCH + index as i64;
            let start = at;
            at += gap;
            let sealed = at <= self.now;
            let (mut l1_count, mut l2_count, mut in_batch) = (0, 0, 0);
            for part in 0..count {
                let time = start + gap * (part + 1) / (count + 1) + self.rng.range(0, 900_000);
                if time > self.now {
                    break;
                }
                // The last of a batch is made up by the node and has no transaction.
                let txs = match (part + 1 == count, miniblock) {
                    (true, _) => 0,
                    (_, TOLD_MINIBLOCK) => 1,
                    _ => self.rng.range(1, 3),
                };
                let mut l1 = 0;
                for index in 0..txs {
                    let told = miniblock == TOLD_MINIBLOCK;
                    let priority = !told && self.rng.permille(80);
                    l1 += i64::from(priority);
                    self.transaction(
                        sealed.then_some(batch),
                        miniblock,
                        index,
                        in_batch,
                        time,
                        priority,
                    );
                    in_batch += 1;
                }
                l1_count += l1;
                l2_count += txs - l1;
                let hash = self.rng.hex(32);
                self.miniblocks.push(&[
                    ("number", miniblock.to_string()),
                    ("timestamp", (time / SECOND).to_string()),
                    ("hash", bytea(&hash)),
                    ("l1_tx_count", l1.to_string()),
                    ("l2_tx_count", (txs - l1).to_string()),
                    ("base_fee_per_gas", "250000000".to_owned()),
                    ("gas_per_pubdata_limit", "800".to_owned()),
                    ("created_at", timestamp(time)),
                    ("updated_at", timestamp(time)),
                    (
                        "l1_gas_price",
                        self.rng.range(9_000_000_000, 24_000_000_000).to_string(),
                    ),
                    ("l2_fair_gas_price", "250000000".to_owned()),
                    ("bootloader_code_hash", bytea(BOOTLOADER)),
                    ("default_aa_code_hash", bytea(DEFAULT_AA)),
                    ("protocol_version", "15".to_owned()),
                ]);
                if sealed {
                    let last = self.miniblocks.rows.len() - 1;
                    self.miniblocks.rows[last][1] = Some(batch.to_string());
                }
                miniblock += 1;
            }
            if !sealed {
                break;
            }
            self.batch(batch, start, at, l1_count, l2_count);
            self.sealed.push((batch, at));
        }
    }

    fn transaction(
        &mut self,
        batch: Option<i64>,
        miniblock: i64,
        index: i64,
        in_batch: i64,
        time: i64,
        priority: bool,
    ) {
        let told = miniblock == TOLD_MINIBLOCK;
        let hash = if told {
            L2_TX.trim_start_matches("0x").to_owned()
        } else {
            self.rng.hex(32)
        };
        let withdrawal = told || self.rng.permille(350);
        let failed = !told && self.rng.permille(60);
        let mut row = vec![
            ("hash", bytea(&hash)),
            ("is_priority", if priority { "t" } else { "f" }.to_owned()),
            ("initiator_address", bytea(&self.rng.hex(20))),
            ("nonce", self.rng.below(900).to_string()),
            (
                "data",
                format!(
                    r#"{{"value": "0x0", "calldata": "0x{}", "contractAddress": "0x{}", "factoryDeps": null}}"#,
                    if withdrawal { "51cff8d9" } else { "a9059cbb" },
                    if withdrawal {
                        "000000000000000000000000000000000000800a".to_owned()
                    } else {
                        self.rng.hex(20)
                    },
                ),
            ),
            (
                "received_at",
                timestamp(time - self.rng.range(200_000, 4 * SECOND)),
            ),
            ("index_in_block", index.to_string()),
            ("gas_limit", self.rng.range(400_000, 9_000_000).to_string()),
            ("gas_per_pubdata_limit", "50000".to_owned()),
            ("tx_format", if priority { "255" } else { "113" }.to_owned()),
            ("created_at", timestamp(time - 150_000)),
            ("updated_at", timestamp(time)),
            (
                "execution_info",
                r#"{"gas_used": 184223, "contracts_used": 9}"#.to_owned(),
            ),
            ("in_mempool", "f".to_owned()),
            // More than 64 bits, as amounts in wei are.
            ("value", format!("{}000000000000000000", self.rng.below(40))),
            ("max_fee_per_gas", "250000000".to_owned()),
            ("max_priority_fee_per_gas", "0".to_owned()),
            ("effective_gas_price", "250000000".to_owned()),
            ("miniblock_number", miniblock.to_string()),
            ("l1_batch_tx_index", in_batch.to_string()),
            ("refunded_gas", self.rng.range(10_000, 300_000).to_string()),
        ];
        if let Some(batch) = batch {
            row.push(("l1_batch_number", batch.to_string()));
        }
        if failed {
            row.push((
                "error",
                "execution reverted: \"amount\\fee\"\n\tat line 2 – übrig".to_owned(),
            ));
        }
        self.transactions.push(&row);
        if !withdrawal || failed {
            return;
        }
        let in_miniblock = self
            .logs
            .rows
            .iter()
            .rev()
            .take_while(|row| row[0].as_deref() == Some(&miniblock.to_string()))
            .count();
        let value = self.rng.hex(32);
        self.logs.push(&[
            ("miniblock_number", miniblock.to_string()),
            ("log_index_in_miniblock", in_miniblock.to_string()),
            ("log_index_in_tx", "0".to_owned()),
            ("tx_hash", bytea(&hash)),
            ("shard_id", "0".to_owned()),
            ("is_service", "t".to_owned()),
            ("tx_index_in_miniblock", index.to_string()),
            ("tx_index_in_l1_batch", in_batch.to_string()),
            ("sender", bytea("0000000000000000000000000000000000008008")),
            ("key", bytea(&format!("{:064x}", 0x800a))),
            ("value", bytea(&value)),
            ("created_at", timestamp(time)),
            ("updated_at", timestamp(time)),
        ]);
    }

    fn batch(&mut self, number: i64, start: i64, sealed: i64, l1: i64, l2: i64) {
        let hash = self.rng.hex(32);
        let parent = match self.batches.rows.len() {
            0 => bytea(&self.rng.hex(32)),
            rows => self
                .batches
                .get(rows - 1, "hash")
                .expect("every batch has one")
                .to_owned(),
        };
        let hashes: Vec<String> = (0..5).map(|_| bytea(&self.rng.hex(32))).collect();
        let created = sealed + self.rng.range(20_000, 400_000);
        self.batches.push(&[
            ("number", number.to_string()),
            ("timestamp", (start / SECOND + 1).to_string()),
            ("is_finished", "t".to_owned()),
            ("l1_tx_count", l1.to_string()),
            ("l2_tx_count", l2.to_string()),
            (
                "fee_account_address",
                bytea(&"52908400098527886e0f7030069857d2e4169ee7"[..40]),
            ),
            ("bloom", bytea(&"0".repeat(512))),
            (
                "priority_ops_onchain_data",
                if l1 == 0 {
                    "{}".to_owned()
                } else {
                    format!("{{\"\\\\x{}\"}}", self.rng.hex(40))
                },
            ),
            ("hash", bytea(&hash)),
            ("parent_hash", parent),
            ("commitment", hashes[0].clone()),
            ("created_at", timestamp(created)),
            ("updated_at", timestamp(created + 2_104_311)),
            ("merkle_root_hash", bytea(&hash)),
            ("l2_to_l1_logs", "{}".to_owned()),
            ("l2_to_l1_messages", "{}".to_owned()),
            ("predicted_commit_gas_cost", "241880".to_owned()),
            ("predicted_prove_gas_cost", "1073001".to_owned()),
            ("predicted_execute_gas_cost", "187532".to_owned()),
            (
                "initial_bootloader_heap_content",
                "[[1, \"0x64\"], [2, \"0x0\"]]".to_owned(),
            ),
            ("used_contract_hashes", "[]".to_owned()),
            ("l2_l1_merkle_root", hashes[1].clone()),
            ("rollup_last_leaf_index", (number * 31 + 4_011).to_string()),
            ("zkporter_is_available", "f".to_owned()),
            ("bootloader_code_hash", bytea(BOOTLOADER)),
            ("default_aa_code_hash", bytea(DEFAULT_AA)),
            ("base_fee_per_gas", "250000000".to_owned()),
            ("gas_per_pubdata_limit", "800".to_owned()),
            ("aux_data_hash", hashes[2].clone()),
            ("pass_through_data_hash", hashes[3].clone()),
            ("meta_parameters_hash", hashes[4].clone()),
            ("skip_proof", "f".to_owned()),
            (
                "l1_gas_price",
                self.rng.range(9_000_000_000, 24_000_000_000).to_string(),
            ),
            ("l2_fair_gas_price", "250000000".to_owned()),
            ("protocol_version", "15".to_owned()),
        ]);
    }

    /// The L1 transactions in order of being saved.
    fn sends(&mut self) -> Vec<Send> {
        let mut sends = Vec::new();
        for (number, sealed) in self.sealed.clone() {
            let saved = sealed + self.rng.range(31, 58) * SECOND;
            if !shares_commit(number) {
                let mut batches = vec![number];
                if shares_commit(number - 1) && number > FIRST_BATCH {
                    batches.insert(0, number - 1);
                }
                sends.push(Send {
                    kind: "CommitBlocks",
                    batches,
                    saved,
                });
            }
            for (kind, lag, wait) in [
                ("PublishProofBlocksOnchain", PROOF_LAG, 62),
                ("ExecuteBlocks", EXECUTE_LAG, 71),
            ] {
                sends.push(Send {
                    kind,
                    batches: vec![number - lag],
                    saved: saved + wait * SECOND + self.rng.range(0, SECOND),
                });
            }
        }
        sends.retain(|send| send.saved <= self.now);
        sends
    }

    /// `eth_txs`, `eth_txs_history` and the batches' links to them.
    fn settle(&mut self) {
        let sends = self.sends();
        let told = sends
            .iter()
            .position(|send| send.kind == "CommitBlocks" && send.batches == [TOLD_BATCH])
            .expect("the told batch was committed");
        // Attempts are drawn first: the told history row has a told number too.
        let attempts: Vec<usize> = (0..sends.len())
            .map(|index| match (index == told, self.rng.below(100)) {
                (true, _) | (_, 0..=91) => 1,
                (_, 92..=97) => 2,
                _ => 3,
            })
            .collect();
        let before: usize = attempts[..told].iter().sum();
        let mut history_id = 43_194 - before as i64;
        let mut l1_block = 9_700_000;
        for (index, send) in sends.iter().enumerate() {
            let id = 41_073 + index as i64 - told as i64;
            let is_told = index == told;
            let newest = index + 1 == sends.len();
            // In flight for long: the last commit, bid up twice, is what the chain waits for.
            let stuck = sends[index..]
                .iter()
                .filter(|send| send.kind == "CommitBlocks")
                .count()
                == 1
                && send.kind == "CommitBlocks";
            let tries = if newest {
                0
            } else if stuck {
                3
            } else {
                attempts[index]
            };
            let mut confirmed = None;
            let mut sent = send.saved + self.rng.range(2, 6) * SECOND + self.rng.range(0, SECOND);
            l1_block += self.rng.range(8, 15);
            let mined = tries.saturating_sub(1 + usize::from(tries == 3));
            for attempt in 0..tries {
                let hash = if is_told {
                    COMMIT_HASH.to_owned()
                } else {
                    format!("0x{}", self.rng.hex(32))
                };
                let fee = 14 + 2 * attempt as i64;
                let mut row = vec![
                    ("id", history_id.to_string()),
                    ("eth_tx_id", id.to_string()),
                    ("tx_hash", hash),
                    ("created_at", timestamp(sent)),
                    (
                        "base_fee_per_gas",
                        format!("{fee}{:09}", self.rng.below(1_000_000_000)),
                    ),
                    ("priority_fee_per_gas", "1000000000".to_owned()),
                    ("signed_raw_tx", bytea(&format!("02f8{}", self.rng.hex(28)))),
                    (
                        "sent_at_block",
                        (l1_block + 30 * attempt as i64).to_string(),
                    ),
                    ("sent_at", timestamp(sent + 41_287)),
                ];
                // Seen as final some 13 minutes after the last attempt was sent.
                let wait = (tries - 1 - attempt) as i64 * 360 + self.rng.range(730, 860);
                let seen = match is_told {
                    true => utc("2023-09-18T03:50:19.059576Z"),
                    false => sent + wait * SECOND + self.rng.range(0, SECOND),
                };
                let final_now = attempt == mined && seen <= self.now && !stuck;
                if final_now {
                    row.push(("confirmed_at", timestamp(seen)));
                    confirmed = Some(history_id);
                }
                row.push((
                    "updated_at",
                    timestamp(if final_now { seen } else { sent + 41_287 }),
                ));
                self.history.push(&row);
                history_id += 1;
                sent += 360 * SECOND + self.rng.range(0, 20 * SECOND);
            }
            let mut row = vec![
                ("id", id.to_string()),
                ("nonce", (id + 18).to_string()),
                ("raw_tx", bytea(&self.rng.hex(36))),
                ("contract_address", CONTRACT.to_owned()),
                ("tx_type", send.kind.to_owned()),
                ("created_at", timestamp(send.saved)),
                ("updated_at", timestamp(send.saved)),
                ("has_failed", "f".to_owned()),
                ("predicted_gas_cost", "262000".to_owned()),
            ];
            if let Some(confirmed) = confirmed {
                row.push(("confirmed_eth_tx_history_id", confirmed.to_string()));
                row.push(("gas_used", self.rng.range(170_000, 260_000).to_string()));
                row.push(("tx_status", "Done".to_owned()));
            }
            self.txs.push(&row);
            let column = match send.kind {
                "CommitBlocks" => "eth_commit_tx_id",
                "ExecuteBlocks" => "eth_execute_tx_id",
                _ => "eth_prove_tx_id",
            };
            let at = L1_BATCHES
                .iter()
                .position(|(name, _)| *name == column)
                .expect("it is a column");
            for batch in &send.batches {
                if let Some(row) = usize::try_from(batch - FIRST_BATCH).ok()
                    && row < self.batches.rows.len()
                {
                    self.batches.rows[row][at] = Some(id.to_string());
                }
            }
        }
    }

    /// `prover_jobs` of the newest batches.
    fn prove(&mut self) {
        let (newest, _) = *self.sealed.last().expect("there are batches");
        for (number, sealed) in self.sealed.clone() {
            if number + 40 < newest {
                continue;
            }
            let created = sealed + self.rng.range(5, 30) * SECOND + self.rng.range(0, SECOND);
            let started = created + self.rng.range(600, 3_900) * SECOND;
            let taken = self.rng.range(1_700, 2_500);
            let status = if started + taken * SECOND <= self.now {
                "successful"
            } else if started <= self.now {
                "in_gpu_proof"
            } else {
                "queued"
            };
            let mut row = vec![
                ("id", (number + 5_120).to_string()),
                ("l1_batch_number", number.to_string()),
                ("circuit_type", "Scheduler".to_owned()),
                ("prover_input", bytea("")),
                ("status", status.to_owned()),
                ("created_at", timestamp(created)),
                ("aggregation_round", "3".to_owned()),
                ("sequence_number", "0".to_owned()),
                (
                    "circuit_input_blob_url",
                    format!("prover_jobs/{number}_0_Scheduler_3.bin"),
                ),
                ("is_blob_cleaned", "f".to_owned()),
                ("protocol_version", "15".to_owned()),
                ("attempts", i64::from(status != "queued").to_string()),
            ];
            let mut updated = created;
            if status != "queued" {
                row.push(("processing_started_at", timestamp(started)));
                updated = started;
            }
            let mut time = "00:00:00".to_owned();
            if status == "successful" {
                time = format!(
                    "00:{:02}:{:02}.{}",
                    taken / 60,
                    taken % 60,
                    1 + self.rng.below(9)
                );
                updated = started + taken * SECOND;
                row.push(("result", bytea(&self.rng.hex(24))));
                row.push(("proccesed_by", "10.0.3.7".to_owned()));
            }
            row.push(("time_taken", time));
            row.push(("updated_at", timestamp(updated)));
            self.jobs.push(&row);
        }
    }
}
