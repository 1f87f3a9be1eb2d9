//! Processes and their pieces: what was solved of year, day and zone, and from which clues.

use model::Stamp;
use std::collections::BTreeMap;

/// A stretch of one process with one year, zone and day count.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Piece {
    /// Counted per source from 0.
    pub index: u32,
    /// The process, as counted within its source.
    pub process: u32,
    /// First line.
    pub first_line: u64,
    /// Last line.
    pub last_line: u64,
    /// Which of the source's interleaved streams (a pod, a host); "" if it has one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stream: String,
    /// Which program of it, as its wrapper names it (container, unit, identifier); "" if it does not.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub program: String,
    /// The client.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client: String,
    /// Its zone by the named zone that the user gave, in seconds east of UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_zone_seconds: Option<i32>,
    /// The same by year, where neither the lines nor the user say it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub given_zones_by_year: Vec<(i32, i32)>,
    /// Why it is a piece of its own.
    pub begins: String,
    /// First stamp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Stamp>,
    /// Last stamp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Stamp>,
    /// Seconds east of UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone_seconds: Option<i32>,
    /// Year of the first record, where lines write none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub year: Option<i32>,
    /// Days since 1970 of the first record, where lines write no date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<i32>,
    /// How that became known.
    pub basis: String,
    /// How well it fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub residual_s: Option<f64>,
    /// What fits as well.
    pub alternatives: Vec<Alternative>,
    /// Zone of the wrapper's stamps, where they write none, in seconds east of UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrapper_zone_seconds: Option<i32>,
    /// Year of the wrapper's stamps, where they write none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrapper_year: Option<i32>,
    /// Day of the wrapper's stamps, where they write no date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrapper_day: Option<i32>,
    /// Whether the program writes no stamps: all of this is about the wrapper's.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub by_wrapper: bool,
    /// Genesis in Unix seconds, seconds per slot and slots per epoch, where stamps stand in slots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot_clock: Option<[i64; 3]>,
    /// The network whose slots fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Lines that decided, at most eight.
    pub used: Vec<u64>,
    /// The clues, bounded, enough to solve again.
    pub anchors: Vec<Anchor>,
}

/// Another reading of a piece.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Alternative {
    /// Seconds east of UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone_seconds: Option<i32>,
    /// Year.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub year: Option<i32>,
    /// Days since 1970, where lines write no date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<i32>,
    /// The network it supposes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Why it is possible.
    pub why: String,
    /// How well it fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub residual_s: Option<f64>,
}

/// A clue to a piece's year, zone or day.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Anchor {
    /// The line that holds it.
    pub line: u64,
    /// What the line wrote.
    pub stamp: Stamp,
    /// What it says about time.
    #[serde(flatten)]
    pub kind: AnchorKind,
}

/// What a clue says about time.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AnchorKind {
    /// The line writes its zone.
    Written {
        /// The instant.
        utc_us: i64,
    },
    /// A wrapper around the line has a stamp.
    Wrapper {
        /// The wrapper's stamp.
        wrapper: Stamp,
    },
    /// An object of a slot was received: not before the slot's start.
    Received {
        /// The slot.
        slot: i64,
    },
    /// The node's own idea of the current slot.
    WallSlot {
        /// The slot.
        slot: i64,
        /// Microseconds into it.
        phase_us: i64,
        /// Whether the client can bend its slot clock.
        bendable: bool,
    },
    /// The node itself says by how much its slot clock is ahead of true time.
    Skew {
        /// The difference in microseconds.
        offset_us: i64,
    },
    /// A field holds an absolute time close to now.
    WrittenElsewhere {
        /// The instant.
        utc_us: i64,
    },
    /// The node says that it is catching up.
    Syncing,
}

/// One run of one program.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Process {
    /// Number within its source, so that it does not depend on the order of ingest.
    pub number: u32,
    /// Digest of the source.
    pub source: String,
    /// The node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The client.
    pub client: String,
    /// Beacon, validator, server, prover …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The client's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The network it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The network that its lines name, and where; "" if it is none that anybody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said_network: Option<(String, u64)>,
    /// First line.
    pub first_line: u64,
    /// Last line.
    pub last_line: u64,
    /// What wrappers call it: pod, host, container … each with the names seen.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, Vec<String>>,
    /// Machines that its first lines say it is connected to, and the lines; see
    /// [`Process::beacon_endpoints`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<(String, u64)>,
    /// Whether it begins with a line that programs write when they start.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub started: bool,
    /// The process of the file before that goes on here, in a rotated set: digest of the source, number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continues: Option<(String, u32)>,
}

impl Process {
    /// Returns the beacon nodes that a validator says it is connected to, and the lines. Nothing for other
    /// roles: whom they name is somebody else.
    pub fn beacon_endpoints(&self) -> &[(String, u64)] {
        match self.role.as_deref() {
            Some("validator") => &self.endpoints,
            _ => &[],
        }
    }
}
