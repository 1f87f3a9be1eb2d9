//! The rows of one block: the sink that turns records into columns.
//!
//! A block is parsed on any thread. What needs to know what came before (process, piece, solved time,
//! order) is left to [`crate::assemble`]; everything else is finished here.

use crate::columns::{DictBuilder, Sparse};
use case::HashRows;
use model::{
    Clue, Column, ColumnData, ColumnType, FieldValue, Level, ObsKind, ObsValue, Record, RecordSink,
    Reject, Span, Stamp, observation_kinds, write_fields_json, write_json_string,
};
use std::collections::BTreeMap;
use std::convert::Infallible;

/// Rows of one block, in line order.
pub(crate) struct BlockRows {
    /// Number of records.
    pub(crate) records: usize,
    /// What each record's line wrote as its time.
    pub(crate) stamps: Vec<Option<Stamp>>,
    /// The innermost wrapper stamp of each record; empty if no record of the block has one.
    pub(crate) wrapper_stamps: Vec<Option<Stamp>>,
    /// Level as `Level as u8`, 255 for none.
    pub(crate) levels: Vec<u8>,
    pub(crate) component: DictBuilder,
    pub(crate) message: DictBuilder,
    pub(crate) kind: DictBuilder,
    pub(crate) client: DictBuilder,
    pub(crate) format: DictBuilder,
    pub(crate) role: DictBuilder,
    pub(crate) host: DictBuilder,
    /// Which program of its machine wrote it; all null or empty where no wrapper says it.
    pub(crate) program: DictBuilder,
    pub(crate) fields: Column,
    /// This and the four below are there after [`BlockRows::finish`], as are the observations.
    pub(crate) wrapper: Column,
    pub(crate) slot: Column,
    pub(crate) epoch: Column,
    pub(crate) validator: Column,
    pub(crate) root: Column,
    pub(crate) line: Vec<i64>,
    pub(crate) lines: Vec<i64>,
    pub(crate) byte: Vec<i64>,
    pub(crate) length: Vec<i64>,
    /// Clues to the time, by record.
    pub(crate) clues: Vec<(u32, Clue)>,
    /// Versions told by start lines, by record.
    pub(crate) versions: Vec<(u32, String)>,
    /// Records that begin a process.
    pub(crate) starts: Vec<u32>,
    /// Observations by kind.
    pub(crate) observations: BTreeMap<usize, ObsRows>,
    /// Keys of sampled records, by record: how copies are recognised.
    pub(crate) samples: Vec<(u32, i64)>,
    /// Hashes in records and rejects; filled by [`crate::hashes::of_block`].
    pub(crate) hashes: HashRows,
    /// Rejects.
    pub(crate) rejects: Vec<(Span, Reject)>,
    /// Physical lines that continue a record, frame or are blank.
    pub(crate) continuation_lines: u64,
    pub(crate) framing_lines: u64,
    /// Continuation and framing lines before the last record or reject.
    pub(crate) before_last: (u64, u64),
    /// Wrapper kinds seen.
    pub(crate) wrappers: Vec<&'static str>,
    filling: Filling,
}

/// Columns of which most rows have no value, while the block is read.
struct Filling {
    wrapper: Sparse,
    slot: Sparse,
    epoch: Sparse,
    validator: Sparse,
    root: Sparse,
    /// By index of the observation kind.
    observations: Vec<Option<ObsFilling>>,
}

impl Filling {
    fn new() -> Filling {
        Filling {
            wrapper: Sparse::new("wrapper", ColumnType::Json),
            slot: Sparse::new("slot", ColumnType::I64),
            epoch: Sparse::new("epoch", ColumnType::I64),
            validator: Sparse::new("validator", ColumnType::Text),
            root: Sparse::new("root", ColumnType::Text),
            observations: Vec::new(),
        }
    }
}

/// Observations of one kind, while the block is read.
struct ObsFilling {
    record: Vec<u32>,
    slot: Sparse,
    own: Vec<Sparse>,
}

impl ObsFilling {
    fn new(kind: &ObsKind) -> ObsFilling {
        let own = kind.columns.iter().map(|column| {
            let column_type = match column.repeats {
                true => ColumnType::Dict,
                false => column.column_type,
            };
            Sparse::new(&column.name, column_type)
        });
        ObsFilling {
            record: Vec::new(),
            slot: Sparse::new("slot", ColumnType::I64),
            own: own.collect(),
        }
    }

    fn finish(self) -> ObsRows {
        let rows = self.record.len();
        ObsRows {
            slot: self.slot.finish(rows),
            own: self.own.into_iter().map(|own| own.finish(rows)).collect(),
            record: self.record,
        }
    }
}

/// How much a block holds. Neighbours hold about the same, so columns that are made as large as those
/// of the block before neither grow nor hold room for nothing until they are written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extent {
    records: usize,
    field_bytes: usize,
}

impl Extent {
    /// Of a block of so many bytes, of a source of which nothing is known.
    pub(crate) fn of_bytes(bytes: usize) -> Extent {
        Extent {
            records: bytes / 192,
            field_bytes: bytes / 2,
        }
    }
}

/// Observations of one kind.
pub(crate) struct ObsRows {
    /// The record each came from, as row of the block.
    pub(crate) record: Vec<u32>,
    pub(crate) slot: Column,
    /// The kind's own columns.
    pub(crate) own: Vec<Column>,
}

impl BlockRows {
    /// Begins; `like` is how much a block of this source is expected to hold.
    pub(crate) fn new(like: Extent) -> BlockRows {
        let lines = like.records + like.records / 8;
        let mut fields = Column::new("fields", ColumnType::Json);
        if let ColumnData::Str(values) = &mut fields.data {
            values.data.reserve(like.field_bytes + like.field_bytes / 8);
            values.offsets.reserve(lines);
        }
        BlockRows {
            records: 0,
            stamps: Vec::with_capacity(lines),
            wrapper_stamps: Vec::new(),
            levels: Vec::new(),
            component: DictBuilder::default(),
            message: DictBuilder::default(),
            kind: DictBuilder::default(),
            client: DictBuilder::default(),
            format: DictBuilder::default(),
            role: DictBuilder::default(),
            host: DictBuilder::default(),
            program: DictBuilder::default(),
            fields,
            wrapper: Column::new("wrapper", ColumnType::Json),
            slot: Column::new("slot", ColumnType::I64),
            epoch: Column::new("epoch", ColumnType::I64),
            validator: Column::new("validator", ColumnType::Text),
            root: Column::new("root", ColumnType::Text),
            line: Vec::with_capacity(lines),
            lines: Vec::with_capacity(lines),
            byte: Vec::with_capacity(lines),
            length: Vec::with_capacity(lines),
            clues: Vec::new(),
            versions: Vec::new(),
            starts: Vec::new(),
            observations: BTreeMap::new(),
            samples: Vec::new(),
            hashes: HashRows::default(),
            rejects: Vec::new(),
            continuation_lines: 0,
            framing_lines: 0,
            before_last: (0, 0),
            wrappers: Vec::new(),
            filling: Filling::new(),
        }
    }

    /// Returns how much it holds.
    pub(crate) fn extent(&self) -> Extent {
        let field_bytes = match &self.fields.data {
            ColumnData::Str(values) => values.data.len(),
            _ => 0,
        };
        Extent {
            records: self.records,
            field_bytes,
        }
    }

    /// Ends the block: columns that were filled where rows have a value become whole.
    pub(crate) fn finish(&mut self) {
        let rows = self.records;
        let filled = std::mem::replace(&mut self.filling, Filling::new());
        self.wrapper = filled.wrapper.finish(rows);
        self.slot = filled.slot.finish(rows);
        self.epoch = filled.epoch.finish(rows);
        self.validator = filled.validator.finish(rows);
        self.root = filled.root.finish(rows);
        let observed = (0..).zip(filled.observations);
        self.observations = observed
            .filter_map(|(kind, observed)| Some((kind, observed?.finish())))
            .collect();
    }

    fn push_wrappers(&mut self, record: &Record<'_>) {
        if record.wrapper.is_empty() {
            self.host.push_null();
            self.program.push_null();
            if !self.wrapper_stamps.is_empty() {
                self.wrapper_stamps.push(None);
            }
            return;
        }
        self.filling.wrapper.push_written(self.records, |out| {
            write_wrappers_json(record.wrapper, out);
        });
        for layer in record.wrapper {
            if !self.wrappers.contains(&layer.kind) {
                self.wrappers.push(layer.kind);
            }
        }
        self.host.push_opt(host_of(record));
        self.program.push_opt(program_of(record));
        let stamp = record.wrapper.iter().rev().find_map(|layer| layer.stamp);
        if stamp.is_some() || !self.wrapper_stamps.is_empty() {
            self.wrapper_stamps.resize(self.records, None);
            self.wrapper_stamps.push(stamp);
        }
    }

    fn push_observations(&mut self, record: &Record<'_>) {
        for observation in record.observations {
            let all = &mut self.filling.observations;
            if all.len() <= observation.kind {
                all.resize_with(observation.kind + 1, || None);
            }
            let rows = all[observation.kind]
                .get_or_insert_with(|| ObsFilling::new(&observation_kinds()[observation.kind]));
            let row = rows.record.len();
            rows.record.push(self.records as u32);
            if let Some(slot) = observation.slot {
                rows.slot.push(row, &ObsValue::I64(slot));
            }
            for (column, value) in rows.own.iter_mut().zip(observation.values.iter()) {
                if let Some(value) = value {
                    column.push(row, value);
                }
            }
        }
        let Some(event) = record.kind.and_then(|kind| kind.strip_prefix("lifecycle.")) else {
            return;
        };
        if event.starts_with("start") {
            self.starts.push(self.records as u32);
        }
        if let Some(version) = version_of(record) {
            let text = String::from_utf8_lossy(version);
            self.versions.push((self.records as u32, text.into_owned()));
        }
    }

    /// Promotes slot, epoch, validator and root to typed columns.
    fn push_promoted(&mut self, record: &Record<'_>) {
        let (mut slot, mut epoch, mut validator, mut root) = (None, None, None, None);
        for field in record.fields {
            match field.key {
                b"slot" | b"Slot" | b"blockSlot" => slot = slot.or_else(|| whole(field.value)),
                b"epoch" | b"Epoch" => epoch = epoch.or_else(|| whole(field.value)),
                b"pubKey" | b"pubkey" | b"validatorIndex" | b"validator" => {
                    validator = validator.or(Some(field.value.bytes()));
                }
                b"blockRoot" | b"root" | b"block" | b"BeaconBlockRoot" | b"beaconBlockRoot" => {
                    root = root.or(Some(field.value.bytes()));
                }
                _ => {}
            }
        }
        let observed = || {
            record
                .observations
                .iter()
                .find_map(|observation| observation.slot)
        };
        let filling = &mut self.filling;
        for (column, value) in [
            (&mut filling.slot, slot.or_else(observed)),
            (&mut filling.epoch, epoch),
        ] {
            if let Some(value) = value {
                column.push(self.records, &ObsValue::I64(value));
            }
        }
        for (column, value) in [
            (&mut filling.validator, validator),
            (&mut filling.root, root),
        ] {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                column.push(self.records, &ObsValue::Text(value));
            }
        }
    }
}

/// Returns the name of the machine or pod that wrappers tell, the innermost first.
fn host_of<'a>(record: &Record<'a>) -> Option<&'a [u8]> {
    record.wrapper.iter().rev().find_map(|layer| {
        ["pod", "host", "container", "service"]
            .into_iter()
            .find_map(|wanted| {
                layer
                    .facts
                    .iter()
                    .find(|(key, _)| *key == wanted)
                    .map(|(_, value)| *value)
            })
    })
}

/// Returns the name by which wrappers tell the programs of one machine apart: a beacon node and its validator are
/// one client and two processes. What the machine's own programs write is taken together.
fn program_of<'a>(record: &Record<'a>) -> Option<&'a [u8]> {
    if record.client == model::SYSTEM_CLIENT {
        return None;
    }
    record.wrapper.iter().rev().find_map(|layer| {
        ["container", "service", "unit", "identifier"]
            .into_iter()
            .find_map(|wanted| {
                let mut facts = layer.facts.iter();
                let (_, value) = facts.find(|(key, _)| *key == wanted)?;
                (wanted != "unit" || !is_shared(value)).then_some(*value)
            })
    })
}

/// Whether a unit runs whatever it is told to: a user's session, a container engine.
fn is_shared(unit: &[u8]) -> bool {
    unit.ends_with(b".scope")
        || unit.starts_with(b"user@")
        || unit.starts_with(b"session-")
        || [
            &b"docker"[..],
            b"containerd",
            b"podman",
            b"crio",
            b"kubelet",
        ]
        .iter()
        .any(|engine| {
            unit.strip_prefix(*engine)
                .is_some_and(|rest| rest == b".service")
        })
}

/// Whether a record is one that programs write when they start.
fn is_start(kind: Option<&str>) -> bool {
    kind.is_some_and(|kind| {
        kind.strip_prefix("lifecycle.")
            .is_some_and(|what| what.starts_with("start"))
    })
}

/// Returns the version that a line of a start tells: in a field, or in its message as the catalogue reads it.
fn version_of<'a>(record: &Record<'a>) -> Option<&'a [u8]> {
    if let Some(version) = record.field("version") {
        return Some(version.bytes());
    }
    let kind = model::observation_kind("lifecycle")?;
    let columns = &observation_kinds()[kind];
    let (what, detail) = (columns.column("what")?, columns.column("detail")?);
    record.observations.iter().find_map(|observation| {
        match (observation.values.get(what), observation.values.get(detail)) {
            (Some(ObsValue::Text(b"version")), Some(ObsValue::Text(version)))
                if observation.kind == kind =>
            {
                Some(*version)
            }
            _ => None,
        }
    })
}

/// Returns the stamp by which a record is dated before its wrapper's. The machine's programs are one process to the
/// solver, but each writes stamps of its own kind and zone, if any: what dates them all is their journal's.
pub(crate) fn own_stamp(record: &Record<'_>) -> Option<Stamp> {
    let by_journal = record.client == model::SYSTEM_CLIENT
        && record.wrapper.iter().any(|layer| layer.stamp.is_some());
    record.stamp.filter(|_| !by_journal)
}

/// Returns what a record tells about its process.
pub(crate) fn clue_of<'a>(record: &Record<'a>) -> crate::solve::Clue<'a> {
    let text = |bytes: Option<&'a [u8]>| {
        let text = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok());
        text.unwrap_or_default()
    };
    crate::solve::Clue {
        stream: text(host_of(record)),
        program: text(program_of(record)),
        client: record.client,
        start: record.kind.filter(|kind| is_start(Some(kind))),
        wrapper: None,
    }
}

/// Appends wrapper layers as a JSON array, outermost first (contract §4).
pub(crate) fn write_wrappers_json(layers: &[model::WrapperFact<'_>], out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, layer) in layers.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"kind\":");
        write_json_string(layer.kind.as_bytes(), out);
        if let Some(stamp) = layer.stamp {
            out.extend_from_slice(b",\"stamp\":");
            write_json_string(stamp.to_string().as_bytes(), out);
        }
        for (key, value) in layer.facts {
            out.push(b',');
            write_json_string(key.as_bytes(), out);
            out.push(b':');
            write_json_string(value, out);
        }
        out.push(b'}');
    }
    out.push(b']');
}

fn whole(value: FieldValue<'_>) -> Option<i64> {
    let text = value.bytes();
    // Slots and epochs are a few digits.
    if (1..=18).contains(&text.len()) && text.iter().all(u8::is_ascii_digit) {
        let digits = text.iter().map(|digit| i64::from(digit - b'0'));
        return Some(digits.fold(0, |number, digit| number * 10 + digit));
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

impl RecordSink for BlockRows {
    type Error = Infallible;

    fn record(&mut self, record: &Record<'_>) -> Result<(), Infallible> {
        self.before_last = (self.continuation_lines, self.framing_lines);
        self.stamps.push(own_stamp(record));
        self.push_wrappers(record);
        self.levels
            .push(record.level.map_or(255, |level: Level| level as u8));
        self.component.push_opt(record.component);
        self.message.push(record.message);
        self.kind.push_opt(record.kind.map(str::as_bytes));
        self.client.push(record.client.as_bytes());
        self.format.push(record.format.as_bytes());
        self.role.push_opt(record.role.map(str::as_bytes));
        if record.fields.is_empty() {
            self.fields.push_null();
        } else {
            self.fields
                .push_written(|out| write_fields_json(record.fields, out));
        }
        self.push_promoted(record);
        self.push_observations(record);
        if let Some(key) = crate::copies::sample(record) {
            self.samples.push((self.records as u32, key));
        }
        for clue in record.clues {
            self.clues.push((self.records as u32, *clue));
        }
        self.line.push(record.span.line as i64);
        self.lines.push(record.span.lines as i64);
        self.byte.push(record.span.byte as i64);
        self.length.push(record.span.length as i64);
        self.continuation_lines += record.span.lines.saturating_sub(1);
        self.records += 1;
        Ok(())
    }

    fn rejected(&mut self, span: Span, why: Reject) -> Result<(), Infallible> {
        self.before_last = (self.continuation_lines, self.framing_lines);
        self.rejects.push((span, why));
        Ok(())
    }

    fn continued(&mut self, span: Span, _of: u64) -> Result<(), Infallible> {
        self.continuation_lines += span.lines;
        Ok(())
    }

    fn framing(&mut self, span: Span, _what: &'static str) -> Result<(), Infallible> {
        self.framing_lines += span.lines;
        Ok(())
    }
}
