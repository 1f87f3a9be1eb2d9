//! Names of a case's tables and the folders they live in.

use std::fmt;
use std::str::FromStr;

/// A table of a case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TableId {
    /// What programs said: `records/`.
    Records,
    /// What could not be read: `rejects/`.
    Rejects,
    /// What records mean, by kind: `obs/<kind>/`.
    Obs(String),
    /// Records that another source of the same process has too: `duplicates/runs/`.
    Duplicates,
    /// A sample of what records say, by which copies are recognised: `duplicates/keys/`.
    Keys,
    /// Where hashes stand in log lines and table rows: `hashes/`.
    Hashes,
    /// A database table: `tables/<snapshot>/<schema>/<table>/`.
    Table {
        /// The snapshot's name.
        snapshot: String,
        /// Schema in the database.
        schema: String,
        /// Table name in the database.
        table: String,
    },
}

impl TableId {
    /// Whether rows are ordered by time or hash (and not by their place in a database table).
    pub(crate) fn is_timed(&self) -> bool {
        !matches!(self, TableId::Table { .. })
    }

    /// Returns the stem of the table's segment files.
    pub(crate) fn stem(&self) -> String {
        match self {
            TableId::Records => "records".to_owned(),
            TableId::Rejects => "rejects".to_owned(),
            TableId::Obs(kind) => escape(kind),
            TableId::Duplicates => "duplicates".to_owned(),
            TableId::Keys => "keys".to_owned(),
            TableId::Hashes => "hashes".to_owned(),
            TableId::Table { table, .. } => escape(table),
        }
    }
}

/// The folder relative to the case, always with `/`: names from evidence are escaped so that none can
/// leave the case folder.
impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TableId::Records => f.write_str("records"),
            TableId::Rejects => f.write_str("rejects"),
            TableId::Obs(kind) => write!(f, "obs/{}", escape(kind)),
            TableId::Duplicates => f.write_str("duplicates/runs"),
            TableId::Keys => f.write_str("duplicates/keys"),
            TableId::Hashes => f.write_str("hashes"),
            TableId::Table {
                snapshot,
                schema,
                table,
            } => write!(
                f,
                "tables/{}/{}/{}",
                escape(snapshot),
                escape(schema),
                escape(table)
            ),
        }
    }
}

/// The text is not the folder of a table.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a case table")]
pub struct TableIdError(String);

impl FromStr for TableId {
    type Err = TableIdError;

    fn from_str(text: &str) -> Result<TableId, TableIdError> {
        let parts: Option<Vec<String>> = text.split('/').map(unescape).collect();
        let parts = parts.ok_or_else(|| TableIdError(text.to_owned()))?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        Ok(match parts.as_slice() {
            ["records"] => TableId::Records,
            ["rejects"] => TableId::Rejects,
            ["obs", kind] => TableId::Obs((*kind).to_owned()),
            ["duplicates", "runs"] => TableId::Duplicates,
            ["duplicates", "keys"] => TableId::Keys,
            ["hashes"] => TableId::Hashes,
            ["tables", snapshot, schema, table] => TableId::Table {
                snapshot: (*snapshot).to_owned(),
                schema: (*schema).to_owned(),
                table: (*table).to_owned(),
            },
            _ => return Err(TableIdError(text.to_owned())),
        })
    }
}

impl serde::Serialize for TableId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for TableId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<TableId, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Escapes a name into one path component.
fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for (index, byte) in name.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric()
            || byte == b'_'
            || byte == b'-'
            || (byte == b'.' && index > 0);
        if plain {
            escaped.push(byte as char);
        } else {
            escaped.push_str(&format!("%{byte:02x}"));
        }
    }
    if escaped.is_empty() {
        escaped.push('%');
    }
    escaped
}

/// Undoes [`escape`].
fn unescape(component: &str) -> Option<String> {
    if component == "%" {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(component.len());
    let mut rest = component.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%' {
            let hex = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_evidence_stay_inside() {
        for name in [
            "eth_txs",
            "../../etc",
            "..",
            "",
            ".hidden",
            "ünïcode",
            "a/b",
            "100%",
            "a b",
        ] {
            let table = TableId::Table {
                snapshot: name.to_owned(),
                schema: "public".to_owned(),
                table: name.to_owned(),
            };
            let folder = table.to_string();
            assert_eq!(folder.split('/').count(), 4, "{folder}");
            assert!(
                folder.split('/').all(|part| !part.starts_with('.')),
                "{folder}"
            );
            assert_eq!(folder.parse(), Ok(table));
        }
        assert!("elsewhere".parse::<TableId>().is_err());
        assert!("obs/%zz".parse::<TableId>().is_err());
    }
}
