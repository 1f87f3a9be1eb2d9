//! Log shippers and stores: Filebeat, Elasticsearch, fluentd, fluent-bit, Vector, Loki, stern's JSON, and
//! the journal's. Their keys differ from version to version and with every setting, so one table says
//! which keys mean what, and a few marks tell a shipper's object from a program's own.

use super::object::{self, Kind, Value};
use super::{Found, Range, Way, orchestrator};
use crate::engine::json;
use crate::scan::{epoch_stamp, full_stamp, kibana_stamp};
use memchr::memchr;
use model::Stamp;

/// Names of facts, in the order in which layers give them whatever the order of keys.
const FACTS: [&str; 14] = [
    "pod",
    "namespace",
    "container",
    "host",
    "unit",
    "service",
    "identifier",
    "pid",
    "stream",
    "file",
    "index",
    "tag",
    "author",
    "channel",
];

/// Which fact a key tells, and how well: 0 is best.
pub(super) fn fact_of(path: &[u8]) -> Option<(&'static str, u8)> {
    Some(match path {
        b"kubernetes.pod_name" | b"kubernetes.pod.name" | b"podName" | b"k8s.pod.name" => {
            ("pod", 0)
        }
        b"pod" | b"pod_name" | b"k8s_pod_name" => ("pod", 1),
        b"kubernetes.namespace_name"
        | b"kubernetes.namespace"
        | b"kubernetes.pod_namespace"
        | b"kubernetes.namespace.name"
        | b"k8s.namespace.name" => ("namespace", 0),
        b"namespace" | b"namespace_name" => ("namespace", 1),
        b"kubernetes.container_name"
        | b"kubernetes.container.name"
        | b"containerName"
        | b"k8s.container.name" => ("container", 0),
        b"container"
        | b"container_name"
        | b"container.name"
        | b"docker.container.name"
        | b"CONTAINER_NAME" => ("container", 1),
        b"kubernetes.host"
        | b"kubernetes.node.name"
        | b"kubernetes.pod_node_name"
        | b"nodeName"
        | b"k8s.node.name"
        | b"_HOSTNAME" => ("host", 0),
        b"host.name" | b"host.hostname" | b"host" | b"hostname" | b"node_name" | b"Host" => {
            ("host", 1)
        }
        b"agent.hostname" | b"agent.name" | b"beat.hostname" | b"beat.name" | b"instance" => {
            ("host", 2)
        }
        b"_SYSTEMD_UNIT" | b"systemd.unit" => ("unit", 0),
        b"unit" | b"UNIT" | b"_SYSTEMD_USER_UNIT" => ("unit", 1),
        b"service.name"
        | b"label.com.docker.compose.service"
        | b"container.labels.com_docker_compose_service"
        | b"compose_service" => ("service", 0),
        b"service" | b"service_name" | b"Service" => ("service", 1),
        b"app" | b"job" => ("service", 2),
        b"SYSLOG_IDENTIFIER" | b"appname" => ("identifier", 0),
        b"_COMM" | b"process.name" => ("identifier", 1),
        b"_PID" | b"process.pid" => ("pid", 0),
        b"SYSLOG_PID" => ("pid", 1),
        b"stream" => ("stream", 0),
        b"log.file.path" => ("file", 0),
        b"file" | b"filename" | b"source" => ("file", 1),
        b"_index" => ("index", 0),
        b"tag" | b"fluentd_tag" | b"CONTAINER_TAG" => ("tag", 0),
        b"author" | b"author.name" => ("author", 0),
        b"channel" | b"channel.name" => ("channel", 0),
        _ => return None,
    })
}

/// What an object has told so far.
#[derive(Default)]
pub(crate) struct Told {
    facts: [Option<(u8, Value)>; FACTS.len()],
    payload: Option<(u8, Value)>,
    stamp: Option<(u8, Value)>,
    source: Option<Value>,
    /// The journal's.
    priority: Option<Value>,
    level: bool,
    journal: bool,
    elastic: bool,
    vector: bool,
    kubernetes: bool,
    stern: bool,
    labels: bool,
    fluent: bool,
    partial: bool,
}

fn better(slot: &mut Option<(u8, Value)>, rank: u8, value: Value) {
    if slot.is_none_or(|(other, _)| rank < other) {
        *slot = Some((rank, value));
    }
}

impl Told {
    /// Keeps a value whose key tells a fact, and better than what is known.
    pub(crate) fn fact(&mut self, key: &[u8], value: Value) {
        if let Some((name, rank)) = fact_of(key)
            && matches!(value.kind, Kind::Text | Kind::Plain | Kind::Number)
            && let Some(slot) = FACTS.iter().position(|known| *known == name)
        {
            better(&mut self.facts[slot], rank, value);
        }
    }

    /// Calls `f` with every fact, in order.
    pub(crate) fn facts(&self, f: &mut dyn FnMut(&'static str, Value)) {
        for (name, slot) in FACTS.iter().zip(&self.facts) {
            if let Some((_, value)) = slot {
                f(name, *value);
            }
        }
    }

    /// Keeps facts, stamp and whether the line was cut.
    pub(crate) fn take_facts(&self, text: &[u8], found: &mut Found, out: &mut Vec<u8>) {
        self.facts(&mut |name, value| keep_fact(name, value, text, found, out));
        kubernetes_file(text, found, out);
        found.stamp = self.stamp.and_then(|(_, value)| stamp_of(text, value));
        found.partial = self.partial;
        if let Some(priority) = self.priority {
            found.priority = Range {
                from: priority.from,
                to: priority.to,
                out: false,
            };
        }
    }

    /// Takes all that was told as a layer of this kind.
    pub(crate) fn take(
        &self,
        kind: &'static str,
        text: &[u8],
        found: &mut Found,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some((_, value)) = self.payload else {
            return false;
        };
        found.kind = kind;
        self.take_facts(text, found, out);
        payload(text, value, found, out)
    }

    /// Keeps what a member says, if it says something.
    pub(crate) fn member(&mut self, text: &[u8], path: &[u8], value: Value) {
        if path == b"_source" {
            self.source = Some(value);
            self.elastic = true;
            return;
        }
        let path = path.strip_prefix(b"_source.").unwrap_or(path);
        let (path, label) = match path.strip_prefix(b"labels.") {
            Some(inner) => (inner, true),
            None => (path, false),
        };
        self.fact(path, value);
        let on = value.of(text);
        match path {
            _ if label => self.labels = true,
            b"log" if value.kind == Kind::Text => better(&mut self.payload, 0, value),
            b"message" if matches!(value.kind, Kind::Text | Kind::Object) => {
                better(&mut self.payload, 1, value);
            }
            b"line" if value.kind == Kind::Text => better(&mut self.payload, 2, value),
            b"MESSAGE" => better(&mut self.payload, 0, value),
            b"event.original" | b"log.original" if value.kind == Kind::Text => {
                better(&mut self.payload, 3, value);
            }
            b"time" | b"SYSLOG_TIMESTAMP" => better(&mut self.stamp, 0, value),
            b"timestamp" | b"_SOURCE_REALTIME_TIMESTAMP" => better(&mut self.stamp, 1, value),
            b"@timestamp" | b"__REALTIME_TIMESTAMP" => {
                self.journal |= path[0] == b'_';
                better(&mut self.stamp, 2, value);
            }
            b"date" => {
                self.fluent = true;
                better(&mut self.stamp, 3, value);
            }
            b"__CURSOR" => self.journal = true,
            b"PRIORITY" => self.priority = Some(value),
            b"CONTAINER_PARTIAL_MESSAGE" => self.partial |= on == b"true",
            b"_LINE_BREAK" => self.partial |= on == b"line-max",
            b"_partial" => self.partial |= on == b"true",
            b"logtag" => {
                self.fluent = true;
                self.partial |= on.first() == Some(&b'P');
            }
            b"stream" => self.fluent |= matches!(on, b"stdout" | b"stderr"),
            b"source_type" => self.vector = true,
            b"podName" | b"containerName" => self.stern = true,
            b"kubernetes" => self.kubernetes = true,
            b"log.file.path" | b"log.offset" | b"agent.type" | b"agent.version" | b"input.type"
            | b"prospector.type" | b"beat.version" | b"@version" => self.elastic = true,
            b"level" | b"lvl" | b"severity" | b"log.level" => self.level = true,
            _ => {}
        }
    }

    fn knows(&self, name: &str) -> bool {
        let slot = FACTS.iter().position(|known| *known == name);
        slot.is_some_and(|slot| self.facts[slot].is_some())
    }

    /// The kind of the layer, if it is one.
    fn kind(&self) -> Option<&'static str> {
        let payload = self.payload.map(|(rank, value)| (rank, value.kind));
        if self.journal {
            return payload.map(|_| "journald-json");
        }
        if self.source.is_some() {
            return Some("elastic");
        }
        let (rank, kind) = payload?;
        // A program's own record, perhaps with its pod beside it.
        if self.level && !(rank == 0 && (self.fluent || self.kubernetes)) {
            return None;
        }
        if self.vector {
            Some("vector")
        } else if self.stern || (kind == Kind::Object && self.knows("pod")) {
            Some("stern")
        } else if kind == Kind::Object {
            None
        } else if self.elastic {
            Some("elastic")
        } else if rank == 2 {
            (self.labels || self.knows("stream")).then_some("loki")
        } else if self.knows("pod") && self.knows("container") && !self.kubernetes {
            Some("stern")
        } else if self.kubernetes && self.stamp.is_some_and(|(rank, _)| rank == 2) {
            Some("elastic")
        } else if self.fluent || self.kubernetes {
            Some("fluentd")
        } else {
            None
        }
    }

    /// Fills in the layer; `object` is where the object itself lies.
    fn fill(
        &self,
        text: &[u8],
        object: (usize, usize),
        found: &mut Found,
        out: &mut Vec<u8>,
    ) -> bool {
        self.take_facts(text, found, out);
        // Elasticsearch may hold the fields of a program's own JSON instead of its line.
        let parsed = self.level && self.payload.is_none_or(|(rank, _)| rank > 0);
        match (self.source, self.payload) {
            (Some(source), payload) if parsed || payload.is_none() => {
                found.text = Range {
                    from: source.from,
                    to: source.to,
                    out: false,
                };
                true
            }
            (_, Some((_, value))) => payload(text, value, found, out),
            _ => {
                found.text = Range {
                    from: object.0,
                    to: object.1,
                    out: false,
                };
                true
            }
        }
    }
}

/// Keeps a member's value as a fact, decoded if it has escapes.
pub(crate) fn keep_fact(
    name: &'static str,
    value: Value,
    text: &[u8],
    found: &mut Found,
    out: &mut Vec<u8>,
) {
    let raw = value.of(text);
    if value.kind != Kind::Text || memchr(b'\\', raw).is_none() {
        found.fact(name, value.from, value.to);
        return;
    }
    let from = out.len();
    if unescape(raw, out) {
        let to = out.len();
        found.fact_at(
            name,
            Range {
                from,
                to,
                out: true,
            },
        );
    } else {
        out.truncate(from);
    }
}

/// A file name of Kubernetes tells pod, namespace and container.
pub(super) fn kubernetes_file(text: &[u8], found: &mut Found, out: &[u8]) {
    if found.has("pod") {
        return;
    }
    for name in ["file", "tag"] {
        let Some((_, range)) = found.facts.iter().find(|(known, _)| *known == name) else {
            continue;
        };
        let range = *range;
        if let Some(parts) = orchestrator::file_name_parts(range.of(text, out)) {
            for (name, (from, to)) in ["pod", "namespace", "container"].into_iter().zip(parts) {
                if !found.has(name) {
                    found.fact_at(
                        name,
                        Range {
                            from: range.from + from,
                            to: range.from + to,
                            out: range.out,
                        },
                    );
                }
            }
            return;
        }
    }
}

/// Appends a JSON string's content, decoded; `false` if an escape is none.
pub(crate) fn unescape(raw: &[u8], out: &mut Vec<u8>) -> bool {
    let mut at = 0;
    while let Some(next) = memchr(b'\\', &raw[at..]) {
        out.extend_from_slice(&raw[at..at + next]);
        let (length, ok) = json::escape(&raw[at + next..], out);
        if !ok {
            return false;
        }
        at += next + length;
    }
    out.extend_from_slice(&raw[at..]);
    true
}

/// Makes a payload of a value: text is decoded, its last line feed goes; an object stays as it is; the
/// journal's arrays are bytes or several texts, its `null` a message that was left out.
pub(crate) fn payload(text: &[u8], value: Value, found: &mut Found, out: &mut Vec<u8>) -> bool {
    let raw = value.of(text);
    let start = out.len();
    match value.kind {
        Kind::Plain => {
            let whole = raw.strip_suffix(b"\n").unwrap_or(raw);
            found.text = Range {
                from: value.from,
                to: value.from + whole.len(),
                out: false,
            };
            return true;
        }
        Kind::Object | Kind::Number => {
            found.text = Range {
                from: value.from,
                to: value.to,
                out: false,
            };
            return true;
        }
        Kind::Word => {
            found.omitted = raw == b"null";
        }
        Kind::Array => {
            if !array(raw, 0, out) {
                return false;
            }
        }
        Kind::Text if memchr(b'\\', raw).is_none() => {
            found.text = Range {
                from: value.from,
                to: value.to,
                out: false,
            };
            return true;
        }
        Kind::Text => {
            if !unescape(raw, out) {
                return false;
            }
        }
    }
    found.decoded(start, out);
    true
}

/// Appends an array of byte values, or of such arrays and strings, a line each.
fn array(raw: &[u8], depth: u8, out: &mut Vec<u8>) -> bool {
    let mut at = object::blanks(raw, 1);
    let mut first = true;
    while raw.get(at).is_some_and(|c| *c != b']') {
        let Some(value) = object::value(raw, at) else {
            return false;
        };
        let text = value.of(raw);
        match value.kind {
            Kind::Number => {
                let byte = std::str::from_utf8(text)
                    .ok()
                    .and_then(|text| text.parse().ok());
                let Some(byte) = byte else { return false };
                out.push(byte);
            }
            Kind::Text | Kind::Array => {
                if !first {
                    out.push(b'\n');
                }
                let fine = match value.kind {
                    Kind::Text => unescape(text, out),
                    _ => depth == 0 && array(text, 1, out),
                };
                if !fine {
                    return false;
                }
            }
            _ => return false,
        }
        first = false;
        at = object::blanks(raw, value.to + usize::from(value.kind == Kind::Text));
        if raw.get(at) == Some(&b',') {
            at = object::blanks(raw, at + 1);
        }
    }
    true
}

/// Reads a shipper's time: RFC 3339, Kibana's own form, or a count since 1970 in any unit.
pub(crate) fn stamp_of(text: &[u8], value: Value) -> Option<Stamp> {
    time_of(value.of(text))
}

/// The same, of a bare text.
pub(crate) fn time_of(raw: &[u8]) -> Option<Stamp> {
    match full_stamp(raw, 0) {
        Some((stamp, end)) if end == raw.len() => Some(stamp),
        _ => epoch_stamp(raw).or_else(|| kibana_stamp(raw)),
    }
}

/// A shipper's object that is the whole text.
pub(crate) fn object(text: &[u8], _: Way, found: &mut Found, out: &mut Vec<u8>) -> bool {
    object::may_wrap(text) && ship(text, 0, None, found, out)
}

/// Reads the object at `at` of a document, behind its context; `known` is the layer's kind if the object
/// tells none. An object without a payload is its own.
pub(crate) fn walk_ship(
    text: &[u8],
    at: usize,
    known: &'static str,
    found: &mut Found,
    out: &mut Vec<u8>,
) -> bool {
    let mut told = Told::default();
    let end = object::walk(text, at, &mut |path, value| told.member(text, path, value));
    let Some(end) = end else { return false };
    found.kind = told.kind().unwrap_or(known);
    told.fill(text, (at, end), found, out)
}

/// Reads the object at `at`, which runs to the end of the text; `known` is the layer's kind if it is known
/// without looking.
pub(crate) fn ship(
    text: &[u8],
    at: usize,
    known: Option<&'static str>,
    found: &mut Found,
    out: &mut Vec<u8>,
) -> bool {
    let mut told = Told::default();
    let end = object::walk(text, at, &mut |path, value| told.member(text, path, value));
    let Some(end) = end.filter(|end| text[*end..].trim_ascii().is_empty()) else {
        return false;
    };
    let Some(kind) = told.kind().or(known) else {
        return false;
    };
    found.kind = known.unwrap_or(kind);
    told.fill(text, (at, end), found, out)
}
