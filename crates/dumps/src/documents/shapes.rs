//! What answers of APIs look like: which members an object must have to be one, and what its columns
//! mean. Columns keep the API's own names.
//!
//! Sources: zkSync Era's JSON-RPC (`zks_…`), its block explorer's API, the Beacon API, Lighthouse's
//! additions to it (`validator_inclusion`), Prysm's `v1alpha1/validators/participation`.

use super::cell::Hint;
use super::json::Member;

/// A table that documents may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape<'s> {
    pub(crate) schema: &'s str,
    pub(crate) table: &'s str,
    /// Columns that are there even if no row has them.
    pub(crate) columns: &'s [&'s str],
    /// The key, if no value of it comes twice.
    pub(crate) key: &'s [&'s str],
    pub(crate) hints: &'s [(&'s str, Hint)],
}

impl Shape<'_> {
    /// A table in `public`: documents do not know of schemas.
    pub(crate) const fn named(table: &str) -> Shape<'_> {
        Shape {
            schema: "public",
            table,
            columns: &[],
            key: &[],
            hints: &[],
        }
    }

    /// What is known of a column.
    pub(crate) fn hint(&self, column: &str) -> Hint {
        self.hints
            .iter()
            .find(|(name, _)| *name == column)
            .map_or(Hint::None, |(_, hint)| *hint)
    }
}

/// What a member's value must begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Any,
    Text,
    Number,
    Object,
}

impl Is {
    fn fits(self, value: &[u8]) -> bool {
        match self {
            Is::Any => true,
            Is::Text => value.first() == Some(&b'"'),
            Is::Number => value.first().is_some_and(u8::is_ascii_digit),
            Is::Object => value.first() == Some(&b'{'),
        }
    }
}

/// An answer of an API.
pub(crate) struct Answer {
    pub(crate) shape: Shape<'static>,
    /// Members it must have.
    signs: &'static [(&'static str, Is)],
    /// Members it must not have.
    without: &'static [&'static str],
    /// Members that are objects whose members are columns, under both names.
    pub(crate) nested: &'static [&'static str],
}

const L1_HASHES: [(&str, Hint); 30] = [
    ("rootHash", Hint::Bytes),
    ("commitTxHash", Hint::Bytes),
    ("proveTxHash", Hint::Bytes),
    ("executeTxHash", Hint::Bytes),
    ("precommitTxHash", Hint::Bytes),
    ("committedAt", Hint::Time),
    ("provenAt", Hint::Time),
    ("executedAt", Hint::Time),
    ("precommittedAt", Hint::Time),
    ("commitment", Hint::Bytes),
    ("commitTxFinality", Hint::Text),
    ("proveTxFinality", Hint::Text),
    ("executeTxFinality", Hint::Text),
    ("precommitTxFinality", Hint::Text),
    ("commitChainId", Hint::Quantity),
    ("proveChainId", Hint::Quantity),
    ("executeChainId", Hint::Quantity),
    ("precommitChainId", Hint::Quantity),
    ("l1GasPrice", Hint::Quantity),
    ("l2FairGasPrice", Hint::Quantity),
    ("fairPubdataPrice", Hint::Quantity),
    ("operatorAddress", Hint::Bytes),
    ("protocolVersion", Hint::Text),
    ("status", Hint::Text),
    ("baseSystemContractsHashes_bootloader", Hint::Bytes),
    ("baseSystemContractsHashes_default_aa", Hint::Bytes),
    ("baseSystemContractsHashes_evm_emulator", Hint::Bytes),
    ("number", Hint::Quantity),
    ("timestamp", Hint::None),
    ("rpc_id", Hint::None),
];

const TRANSACTION: [(&str, Hint); 34] = [
    ("hash", Hint::Bytes),
    ("blockHash", Hint::Bytes),
    ("blockNumber", Hint::Quantity),
    ("transactionHash", Hint::Bytes),
    ("transactionIndex", Hint::Quantity),
    ("from", Hint::Bytes),
    ("to", Hint::Bytes),
    ("initiatorAddress", Hint::Bytes),
    ("contractAddress", Hint::Bytes),
    ("root", Hint::Bytes),
    ("data", Hint::Bytes),
    ("input", Hint::Bytes),
    ("logsBloom", Hint::Bytes),
    ("l1BatchNumber", Hint::Quantity),
    ("l1BatchTxIndex", Hint::Quantity),
    ("fee", Hint::Quantity),
    ("value", Hint::Quantity),
    ("nonce", Hint::Quantity),
    ("gas", Hint::Quantity),
    ("gasUsed", Hint::Quantity),
    ("cumulativeGasUsed", Hint::Quantity),
    ("gasPrice", Hint::Quantity),
    ("effectiveGasPrice", Hint::Quantity),
    ("gasPerPubdata", Hint::Quantity),
    ("receivedAt", Hint::Time),
    ("commitTxHash", Hint::Bytes),
    ("proveTxHash", Hint::Bytes),
    ("executeTxHash", Hint::Bytes),
    ("ethCommitTxHash", Hint::Bytes),
    ("ethProveTxHash", Hint::Bytes),
    ("ethExecuteTxHash", Hint::Bytes),
    ("ethPrecommitTxHash", Hint::Bytes),
    ("logs", Hint::Json),
    ("l2ToL1Logs", Hint::Json),
];

const EXPLORER_BLOCK: [(&str, Hint); 8] = [
    ("number", Hint::Quantity),
    ("hash", Hint::Bytes),
    ("timestamp", Hint::Time),
    ("gasUsed", Hint::Quantity),
    ("l1BatchNumber", Hint::Quantity),
    ("isL1BatchSealed", Hint::Bool),
    ("status", Hint::Text),
    ("baseFeePerGas", Hint::Quantity),
];

const CHECKPOINTS: [(&str, Hint); 8] = [
    ("previous_justified_epoch", Hint::Quantity),
    ("previous_justified_root", Hint::Bytes),
    ("current_justified_epoch", Hint::Quantity),
    ("current_justified_root", Hint::Bytes),
    ("finalized_epoch", Hint::Quantity),
    ("finalized_root", Hint::Bytes),
    ("execution_optimistic", Hint::Bool),
    ("finalized", Hint::Bool),
];

const GENESIS: [(&str, Hint); 3] = [
    ("genesis_time", Hint::Quantity),
    ("genesis_validators_root", Hint::Bytes),
    ("genesis_fork_version", Hint::Bytes),
];

/// All answers that are known, the more particular first.
pub(crate) static ANSWERS: [Answer; 14] = [
    Answer {
        shape: Shape {
            key: &["number"],
            hints: &L1_HASHES,
            ..Shape::named("zks_getBlockDetails")
        },
        signs: &[
            ("number", Is::Number),
            ("l1BatchNumber", Is::Number),
            ("timestamp", Is::Number),
            ("l1TxCount", Is::Any),
            ("rootHash", Is::Any),
            ("commitTxHash", Is::Any),
        ],
        without: &[],
        nested: &["baseSystemContractsHashes"],
    },
    Answer {
        shape: Shape {
            key: &["number"],
            hints: &L1_HASHES,
            ..Shape::named("zks_getL1BatchDetails")
        },
        signs: &[
            ("number", Is::Number),
            ("timestamp", Is::Number),
            ("l1TxCount", Is::Any),
            ("rootHash", Is::Any),
            ("commitTxHash", Is::Any),
        ],
        without: &["l1BatchNumber"],
        nested: &["baseSystemContractsHashes"],
    },
    Answer {
        shape: Shape {
            key: &["number"],
            hints: &L1_HASHES,
            ..Shape::named("explorer_batches")
        },
        signs: &[
            ("number", Is::Number),
            ("timestamp", Is::Text),
            ("rootHash", Is::Any),
            ("l1TxCount", Is::Any),
            ("l2TxCount", Is::Any),
            ("status", Is::Any),
        ],
        without: &["hash", "l1BatchNumber"],
        nested: &[],
    },
    Answer {
        shape: Shape {
            key: &["number"],
            hints: &EXPLORER_BLOCK,
            ..Shape::named("explorer_blocks")
        },
        signs: &[
            ("number", Is::Number),
            ("timestamp", Is::Text),
            ("hash", Is::Any),
            ("l1BatchNumber", Is::Any),
            ("isL1BatchSealed", Is::Any),
        ],
        without: &[],
        nested: &[],
    },
    Answer {
        shape: Shape {
            key: &["hash"],
            hints: &TRANSACTION,
            ..Shape::named("explorer_transactions")
        },
        signs: &[
            ("hash", Is::Text),
            ("blockNumber", Is::Any),
            ("isL1Originated", Is::Any),
            ("receivedAt", Is::Any),
            ("from", Is::Any),
        ],
        without: &["initiatorAddress"],
        nested: &[],
    },
    Answer {
        shape: Shape {
            hints: &TRANSACTION,
            ..Shape::named("zks_getTransactionDetails")
        },
        signs: &[
            ("isL1Originated", Is::Any),
            ("initiatorAddress", Is::Text),
            ("receivedAt", Is::Any),
            ("status", Is::Text),
        ],
        without: &["hash"],
        nested: &[],
    },
    Answer {
        shape: Shape {
            hints: &TRANSACTION,
            ..Shape::named("zks_getL2ToL1LogProof")
        },
        signs: &[("proof", Is::Any), ("id", Is::Number), ("root", Is::Text)],
        without: &["jsonrpc", "result"],
        nested: &[],
    },
    Answer {
        shape: Shape {
            key: &["transactionHash"],
            hints: &TRANSACTION,
            ..Shape::named("eth_getTransactionReceipt")
        },
        signs: &[
            ("transactionHash", Is::Text),
            ("blockNumber", Is::Any),
            ("cumulativeGasUsed", Is::Any),
            ("gasUsed", Is::Any),
        ],
        without: &[],
        nested: &[],
    },
    Answer {
        shape: Shape {
            key: &["hash"],
            hints: &TRANSACTION,
            ..Shape::named("eth_getTransactionByHash")
        },
        signs: &[
            ("hash", Is::Text),
            ("blockNumber", Is::Any),
            ("nonce", Is::Any),
            ("input", Is::Text),
        ],
        without: &["isError", "confirmations"],
        nested: &[],
    },
    Answer {
        shape: Shape {
            hints: &CHECKPOINTS,
            ..Shape::named("finality_checkpoints")
        },
        signs: &[
            ("previous_justified", Is::Object),
            ("current_justified", Is::Object),
            ("finalized", Is::Object),
        ],
        without: &[],
        nested: &["previous_justified", "current_justified", "finalized"],
    },
    Answer {
        shape: Shape {
            hints: &GENESIS,
            ..Shape::named("genesis")
        },
        signs: &[
            ("genesis_time", Is::Any),
            ("genesis_validators_root", Is::Text),
            ("genesis_fork_version", Is::Text),
        ],
        without: &[],
        nested: &[],
    },
    Answer {
        shape: Shape {
            key: &["epoch"],
            ..Shape::named("prysm_participation")
        },
        signs: &[("epoch", Is::Any), ("participation", Is::Object)],
        without: &[],
        nested: &["participation"],
    },
    Answer {
        shape: Shape::named("validator_inclusion_global"),
        signs: &[
            ("current_epoch_active_gwei", Is::Any),
            ("previous_epoch_target_attesting_gwei", Is::Any),
        ],
        without: &[],
        nested: &[],
    },
    Answer {
        shape: Shape::named("validator_inclusion"),
        signs: &[
            ("is_slashed", Is::Any),
            ("is_previous_epoch_target_attester", Is::Any),
        ],
        without: &[],
        nested: &[],
    },
];

/// Says which answer an object is, by its members.
pub(crate) fn answer_of(members: &[Member<'_>]) -> Option<&'static Answer> {
    let find = |name: &str| {
        members
            .iter()
            .find(|member| *member.key() == *name.as_bytes())
    };
    ANSWERS.iter().find(|answer| {
        answer
            .signs
            .iter()
            .all(|(name, is)| find(name).is_some_and(|member| is.fits(member.value)))
            && !answer.without.iter().any(|name| find(name).is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::json::Members;

    #[test]
    fn an_answer_is_told_by_its_members() {
        for (text, table) in [
            (
                r#"{"number":1,"timestamp":2,"l1TxCount":0,"rootHash":null,"commitTxHash":null,"l1BatchNumber":0}"#,
                Some("zks_getBlockDetails"),
            ),
            (
                r#"{"number":1,"timestamp":2,"l1TxCount":0,"rootHash":null,"commitTxHash":null}"#,
                Some("zks_getL1BatchDetails"),
            ),
            (
                r#"{"number":1,"timestamp":"2022-11-21T18:16:51.000Z","l1TxCount":0,"l2TxCount":1,"rootHash":"0x","status":"verified"}"#,
                Some("explorer_batches"),
            ),
            (
                r#"{"timestamp":"2024-04-15T17:42:40Z","level":"INFO","number":1}"#,
                None,
            ),
            (r#"{"hash":"0x","status":"ok"}"#, None),
        ] {
            let members: Vec<_> = Members::new(text.as_bytes()).map(Result::unwrap).collect();
            let found = answer_of(&members).map(|answer| answer.shape.table);
            assert_eq!(found, table, "{text}");
        }
    }
}
