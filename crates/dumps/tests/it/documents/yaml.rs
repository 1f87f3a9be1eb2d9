//! Teku's and Prysm's records of one validator.

use dumps::{DumpKind, DumpStatus, Naming, Want};

use super::{read_every_way, rows};
use crate::common::{naming, read_all, read_want};

const TEKU: &str = "---\ngenesisValidatorsRoot: \"0x04700007fabc8282644aed6d1c7c9e21d38a03a0c4ba193f3afe428824b3a673\"\nlastSignedBlockSlot: 98765\nlastSignedAttestationSourceEpoch: 3085\nlastSignedAttestationTargetEpoch: null\n";

#[test]
fn teku_with_the_key_of_its_file_name() {
    assert_eq!(dumps::sniff(TEKU.as_bytes()), Some(DumpKind::SlashingYaml));
    let key = "a03cbcdd4fc531f41aa3fb35d8b1323ae54a08028a792d16f4437545bcfc79580e54e2372458f6ecbe0e3f3480be2d56";
    let want = Want::all(Naming {
        file: key.to_owned(),
        ..naming()
    });
    let (facts, kept) = read_want(TEKU.as_bytes(), &want);
    assert_eq!(facts.status, DumpStatus::Complete);
    let columns = [
        "pubkey",
        "lastSignedBlockSlot",
        "lastSignedAttestationSourceEpoch",
        "lastSignedAttestationTargetEpoch",
    ];
    assert_eq!(
        rows(&kept, "teku_slashing_protection", &columns),
        [format!("0x{key} 98765 3085 NULL")]
    );
    let (facts, _) = read_every_way(TEKU.as_bytes());
    assert!(facts.tables[0].notes[0].contains("file's name"));
}

#[test]
fn the_root_is_absent_in_old_files() {
    let text = "lastSignedBlockSlot: 0\r\nlastSignedAttestationSourceEpoch: 0\r\nlastSignedAttestationTargetEpoch: 0";
    let (_, kept) = read_every_way(text.as_bytes());
    let columns = ["genesisValidatorsRoot", "lastSignedBlockSlot"];
    assert_eq!(
        rows(&kept, "teku_slashing_protection", &columns),
        ["NULL 0"]
    );
}

#[test]
fn prysm_and_a_line_that_is_none() {
    let text = "latestSignedBlockSlot: 7\n# by hand\nlastSignedAttestationSourceEpoch: 1\n- what\nlastSignedAttestationTargetEpoch: 2\n";
    let (facts, kept) = read_all(text.as_bytes());
    assert_eq!(facts.status, DumpStatus::Damaged);
    assert_eq!((kept.rejects.len(), kept.rejects[0].line), (1, 4));
    assert_eq!(
        rows(
            &kept,
            "prysm_slashing_protection",
            &["latestSignedBlockSlot"]
        ),
        ["7"]
    );
}
