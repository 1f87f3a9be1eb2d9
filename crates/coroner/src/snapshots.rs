//! What is known of a snapshot beside its rows: whose schema it is, and its clock's zone.

use crate::info::date_of;
use crate::zones::DatabaseZone;
use crate::{Error, InfoSchema, InfoSnapshotZone, InfoZoneChange};
use case::{Manifest, Snapshot};
use chain::rollup::{SchemaTable, read_schema};
use model::Choice;
use model::time::format_offset;
use std::collections::BTreeSet;

/// There is no snapshot of that name: says which there are.
pub(crate) fn unknown(named: &str, known: &[String]) -> Error {
    let hint = match known {
        [] => "the evidence holds no database dump".to_owned(),
        known => format!("snapshots are {}", known.join(", ")),
    };
    Error::request(format!("there is no snapshot `{named}`")).with_hint(hint)
}

/// Returns what can be chosen in a case: snapshots, and their schemas where several have the same tables.
pub(crate) fn names(manifest: &Manifest) -> Vec<String> {
    let tables = manifest.snapshots.iter().flat_map(|snapshot| {
        let tables = snapshot.tables.iter();
        tables.map(|table| (&*snapshot.name, &*table.schema, &*table.name))
    });
    let mut names = Choice::names(tables);
    // A damaged dump may have no table.
    let bare = manifest.snapshots.iter().map(|snapshot| &snapshot.name);
    names.extend(
        bare.filter(|name| !names.contains(name))
            .cloned()
            .collect::<Vec<_>>(),
    );
    names
}

/// Says what each schema of a snapshot is; those that nobody knows and that have no migrations are left out.
pub(crate) fn schemas(snapshot: &Snapshot) -> Vec<InfoSchema> {
    let names: BTreeSet<&String> = snapshot.tables.iter().map(|table| &table.schema).collect();
    names
        .into_iter()
        .filter_map(|name| {
            // Cases of an older version of this program kept one version for all schemas.
            let version = match snapshot.migrations.is_empty() {
                true => snapshot.schema_version.as_ref(),
                false => snapshot.migrations.get(name),
            };
            let tables: Vec<SchemaTable<'_>> = snapshot
                .tables
                .iter()
                .filter(|table| table.schema == *name)
                .map(|table| SchemaTable {
                    name: &table.name,
                    columns: table
                        .columns
                        .iter()
                        .map(|(name, _)| name.as_str())
                        .collect(),
                    whole: !table.types_inferred,
                })
                .collect();
            match (read_schema(version.map(String::as_str), &tables), version) {
                (Some(reading), _) => Some(InfoSchema {
                    name: name.clone(),
                    version: version.cloned(),
                    about: reading.to_string(),
                    basis: reading.basis,
                    notes: reading.notes,
                }),
                (None, Some(version)) => Some(InfoSchema {
                    name: name.clone(),
                    version: Some(version.clone()),
                    about: "of a program that is not known here (by _sqlx_migrations)".to_owned(),
                    basis: "_sqlx_migrations",
                    notes: Vec::new(),
                }),
                (None, None) => None,
            }
        })
        .collect()
}

/// Says in which zone a snapshot's clock wrote, and how that became known.
pub(crate) fn zone(zone: DatabaseZone) -> InfoSnapshotZone {
    let (seconds, found) = zone.told();
    InfoSnapshotZone {
        value: seconds.map(format_offset),
        basis: match found.basis.as_str() {
            "" => "none".to_owned(),
            basis => basis.to_owned(),
        },
        by: (!found.by.is_empty()).then(|| found.by.clone()),
        residual_s: found.residual_s,
        witnesses: found.witnesses,
        rows: found.rows,
        changes: found
            .changes
            .iter()
            .map(|(day, seconds)| InfoZoneChange {
                from: date_of(*day),
                value: format_offset(*seconds),
            })
            .collect(),
    }
}
