//! chaind keeps a beacon chain in PostgreSQL: its tables come through a plain dump with their types.

use model::ColumnType;

use super::rows;
use crate::common::read_all;

#[test]
fn tables_of_chaind_come_through_a_plain_dump() {
    let root = "\\\\x".to_owned() + &"5f".repeat(32);
    let text = format!(
        "--\n-- PostgreSQL database dump\n--\n\n\
CREATE TABLE public.t_blocks (\n    f_slot bigint NOT NULL,\n    f_proposer_index bigint NOT NULL,\n    f_root bytea NOT NULL,\n    f_canonical boolean\n);\n\n\
CREATE TABLE public.t_epoch_summaries (\n    f_epoch bigint NOT NULL,\n    f_active_balance bigint NOT NULL,\n    f_attesting_balance bigint NOT NULL,\n    f_target_correct_balance bigint\n);\n\n\
CREATE TABLE public.t_attester_slashings (\n    f_inclusion_slot bigint NOT NULL,\n    f_attestation_1_indices bigint[] NOT NULL,\n    f_attestation_1_beacon_block_root bytea NOT NULL\n);\n\n\
COPY public.t_attester_slashings (f_inclusion_slot, f_attestation_1_indices, f_attestation_1_beacon_block_root) FROM stdin;\n654\t{{7,19,20}}\t{root}\n\\.\n\n\
COPY public.t_blocks (f_slot, f_proposer_index, f_root, f_canonical) FROM stdin;\n6424000\t11\t{root}\tt\n6424001\t12\t{root}\tf\n6424002\t13\t{root}\t\\N\n\\.\n\n\
COPY public.t_epoch_summaries (f_epoch, f_active_balance, f_attesting_balance, f_target_correct_balance) FROM stdin;\n200751\t18008000000000000\t7635392000000000\t\\N\n\\.\n\n\
ALTER TABLE ONLY public.t_epoch_summaries\n    ADD CONSTRAINT t_epoch_summaries_pkey PRIMARY KEY (f_epoch);\n\n--\n-- PostgreSQL database dump complete\n--\n"
    );
    let (facts, kept) = read_all(text.as_bytes());
    let blocks = rows(
        &kept,
        "t_blocks",
        &["f_slot", "f_proposer_index", "f_canonical"],
    );
    assert_eq!(
        blocks,
        ["6424000 11 true", "6424001 12 false", "6424002 13 NULL"]
    );
    let epochs = ["f_epoch", "f_active_balance", "f_target_correct_balance"];
    assert_eq!(
        rows(&kept, "t_epoch_summaries", &epochs),
        ["200751 18008000000000000 NULL"]
    );
    let slashings = ["f_inclusion_slot", "f_attestation_1_indices"];
    assert_eq!(
        rows(&kept, "t_attester_slashings", &slashings),
        ["654 {7,19,20}"]
    );
    let info = |name: &str| &facts.table(None, name).unwrap().info;
    assert_eq!(info("t_epoch_summaries").primary_key, ["f_epoch"]);
    assert_eq!(info("t_blocks").columns[2].1, ColumnType::Bytes);
    assert!(!info("t_blocks").types_inferred);
}
