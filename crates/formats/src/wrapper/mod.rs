//! Wrappers: what runtimes, collectors and people put around a line. Peeled layer by layer, by the
//! bytes of the line alone; what a layer said is kept.
//!
//! A peeler is a function that looks at a text's beginning and either says where the payload lies, with
//! the layer's stamp and facts, or refuses: strict, cheap, in one pass. The table [`peelers`] names them
//! by first byte. Layers nest in any order up to [`MAX_LAYERS`]. Some shapes are so plain (`pod container
//! line`, `12:line`) that they could be anything: such *weak* layers count only if a record turns up
//! inside, or if the line follows a record that came the same way.
//!
//! # Facts
//!
//! The same thing has the same name in every wrapper. What each gives, where it was written:
//!
//! | kind | pod | namespace | container | host | unit | service | identifier, pid | stream | file | index | others |
//! |---|---|---|---|---|---|---|---|---|---|---|---|
//! | `docker-json-file` | | | | | | | | x | | | attrs |
//! | `docker-timestamps` | | | | | | | | | | | attrs (`--details`) |
//! | `cri` | | | | | | | | x | | | |
//! | `kubectl-prefix` | x | | x | | | | | | | | |
//! | `kubectl-timestamps` | | | | | | | | | | | |
//! | `stern` | x | x | x | x | | | | | | | |
//! | `kubetail` | x | | x | | | | | | | | |
//! | `docker-compose`, `kurtosis` | | | | | | x | | | | | |
//! | `journald-short` | | | | x | x (`with-unit`) | | x | | | | |
//! | `journald-json`, `journald-export` | | | x | x | x | | x | x | | | |
//! | `syslog-3164`, `syslog-5424` | | | | x | | | x | | | | |
//! | `fluentd` | x | x | x | x | | | | x | x | | tag |
//! | `elastic`, `vector`, `otel`, `loki`, `kibana-csv`, `datadog-csv` | x | x | x | x | x | x | x | x | x | x | |
//! | `chat-paste` | | | | | | | | | x (`grep`) | | author, channel |
//!
//! `host` is the machine (a Kubernetes node too), `pod` as written with its hash, `service` a compose or
//! Kurtosis service or an application's service name. A file name of Kubernetes
//! (`<pod>_<namespace>_<container>-<id>.log`) gives its three parts unless they are told anyway.

pub(crate) mod journal;
pub(crate) mod object;
mod orchestrator;
pub(crate) mod paste;
mod runtime;
mod shipped_text;
pub(crate) mod shipper;
mod syslog;

use crate::engine::json::logfmt;
use model::Stamp;

/// A stretch of the block, or of the line's own decoded text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) from: u32,
    pub(crate) to: u32,
    /// In the decoded text instead of the block.
    pub(crate) decoded: bool,
}

impl Place {
    #[inline]
    pub(crate) fn of<'a>(self, block: &'a [u8], decoded: &'a [u8]) -> &'a [u8] {
        let text = if self.decoded { decoded } else { block };
        &text[self.from as usize..self.to as usize]
    }
}

/// The most layers that are peeled.
pub(crate) const MAX_LAYERS: usize = 6;
/// The most facts that are kept of all layers together.
pub(crate) const MAX_FACTS: usize = 32;

/// One layer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Layer {
    pub(crate) kind: &'static str,
    pub(crate) stamp: Option<Stamp>,
    /// Its facts among those of the line.
    pub(crate) facts: (u8, u8),
    pub(crate) weak: bool,
    /// Blanks that were all there was to it.
    pub(crate) indent: u8,
    /// What was inside it.
    pub(crate) text: Place,
    /// The number by which the journal or syslog told how grave the line is, if it did.
    pub(crate) priority: Place,
}

/// Lets a peeler see what is known of a line before it looks at its text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Way {
    /// The kind of the layer outside, "" if there is none.
    pub(crate) outer: &'static str,
    /// The line follows a record that came through so many layers.
    pub(crate) after: Option<u8>,
    /// Whether there were weak ones among them, which therefore were right, and what `stern` had found.
    pub(crate) follows: bool,
    pub(crate) namespaced: bool,
    /// The blanks before that line.
    pub(crate) indent: u8,
}

/// What a peeler finds: ranges of the text, or of the buffer it decodes into.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) kind: &'static str,
    pub(crate) stamp: Option<Stamp>,
    pub(crate) weak: bool,
    pub(crate) indent: u8,
    /// The runtime cut the line here: the rest comes with the next one of its stream.
    pub(crate) partial: bool,
    /// The collector had a message and left it out.
    pub(crate) omitted: bool,
    /// The payload.
    pub(crate) text: Range,
    pub(crate) facts: Vec<(&'static str, Range)>,
    /// See [`Layer::priority`]. No fact: the lines of one stack trace may differ in it.
    pub(crate) priority: Range,
}

/// A stretch of a peeler's text, or of its output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) out: bool,
}

impl Range {
    pub(crate) fn of<'a>(self, text: &'a [u8], out: &'a [u8]) -> &'a [u8] {
        let bytes = if self.out { out } else { text };
        &bytes[self.from..self.to]
    }
}

impl Found {
    pub(crate) fn clear(&mut self) {
        // In its place: most peelers say no, and what was written and moved is waited for.
        self.facts.clear();
        self.kind = "";
        self.stamp = None;
        (self.weak, self.partial, self.omitted) = (false, false, false);
        self.indent = 0;
        (self.text, self.priority) = (Range::default(), Range::default());
    }

    /// Keeps a stretch of the text as a fact, unless it is empty.
    pub(crate) fn fact(&mut self, name: &'static str, from: usize, to: usize) {
        self.fact_at(
            name,
            Range {
                from,
                to,
                out: false,
            },
        );
    }

    pub(crate) fn fact_at(&mut self, name: &'static str, range: Range) {
        if range.from < range.to && self.facts.len() < MAX_FACTS {
            self.facts.push((name, range));
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.facts.iter().any(|(known, _)| *known == name)
    }

    /// Says that the payload is what was decoded from `start` on, without the line's own end.
    pub(crate) fn decoded(&mut self, start: usize, out: &mut Vec<u8>) {
        if out.len() > start && out.last() == Some(&b'\n') {
            out.pop();
            if out.len() > start && out.last() == Some(&b'\r') {
                out.pop();
            }
        }
        self.text = Range {
            from: start,
            to: out.len(),
            out: true,
        };
    }

    /// Says what the layer is and that its payload is the text from `at` on.
    pub(crate) fn rest(
        &mut self,
        kind: &'static str,
        stamp: Option<Stamp>,
        text: &[u8],
        at: usize,
    ) -> bool {
        self.kind = kind;
        self.stamp = stamp;
        self.text = Range {
            from: at.min(text.len()),
            to: text.len(),
            out: false,
        };
        true
    }
}

/// Looks at a text; fills in what it found (and may append decoded text) or says no.
pub(crate) type Peeler = fn(&[u8], Way, &mut Found, &mut Vec<u8>) -> bool;

/// Returns the peelers of texts that begin like this one; the first that finds its own takes it.
#[inline]
fn peelers(text: &[u8]) -> &'static [Peeler] {
    let Some(first) = text.first() else {
        return &[];
    };
    match first {
        b'{' => &[runtime::docker_json, shipper::object],
        b'[' => &[
            orchestrator::kubectl_prefix,
            orchestrator::kurtosis,
            orchestrator::kubetail,
            shipped_text::fluent_bit_stdout,
            journal::monotonic,
            paste::lost_escapes,
        ],
        b'0'..=b'9' => &[
            runtime::cri,
            orchestrator::kubetail_columns,
            runtime::timestamps,
            journal::iso,
            shipped_text::fluentd,
            shipped_text::loki_text,
            journal::unix,
            syslog::octet_counted,
            shipped_text::grafana_text,
            orchestrator::compose,
            paste::line_number,
            orchestrator::stern,
            paste::lost_escapes,
        ],
        b'<' => &[syslog::with_priority],
        b'>' => &[paste::quote_mark],
        b'`' => &[paste::backticks],
        b' ' => &[
            orchestrator::indented_kurtosis,
            paste::line_number,
            paste::indented,
        ],
        b'_' | b'-' => &[orchestrator::compose],
        0x1e => &[journal::sequence],
        // What all others put there has a blank or a colon before the first `=`.
        b'a'..=b'z' | b'A'..=b'Z' if logfmt::begins(text) => &[
            shipped_text::fluent_bit_file,
            runtime::details,
            paste::lost_escapes,
        ],
        b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => &[
            journal::short,
            journal::full,
            orchestrator::compose,
            shipped_text::fluent_bit_file,
            journal::server_sent,
            runtime::details,
            orchestrator::stern,
            paste::file_and_line,
            paste::lost_escapes,
        ],
        b'\\' => &[paste::lost_escapes],
        b'.' | b'/' => &[paste::file_and_line],
        _ => &[],
    }
}

/// A quick no for texts that begin with `key=`: whether one of the few peelers of such may find its own.
#[inline]
pub(crate) fn may_be_around_pairs(text: &[u8]) -> bool {
    text.ends_with(b"}]") || paste::may_have_lost_escapes(text) || runtime::may_be_details(text)
}

/// What a line is that frames evidence and says nothing itself: markers of the journal, headers and
/// status lines of tools.
pub(crate) fn framing(text: &[u8]) -> Option<&'static str> {
    match text.first()? {
        b'-' | b'+' => {
            let dashed = |text: &[u8]| text.starts_with(b"-- ") && text.ends_with(b" --");
            if dashed(text) {
                return Some("journal marker");
            }
            let status = matches!(text.get(1), Some(b' '))
                && text.len() < 512
                && memchr::memmem::find(text, " › ".as_bytes()).is_some();
            status.then_some("stern status line")
        }
        b'`' => {
            let rest = text.strip_prefix(b"```")?;
            let word = rest.iter().all(u8::is_ascii_alphanumeric);
            (word && rest.len() <= 16).then_some("code fence")
        }
        b'T' => (text.starts_with(b"TIMESTAMP ") && text.trim_ascii_end().ends_with(b"MESSAGE"))
            .then_some("column header"),
        b'W' => (text.starts_with(b"Will tail ") && text.ends_with(b" logs..."))
            .then_some("kubetail header"),
        b'a'..=b'z' | b'0'..=b'9' | b'_' => {
            // `web-1 exited with code 0`, which docker compose writes for itself.
            let name = orchestrator::name_end(text, 0);
            let said = text[name..].starts_with(b" exited with code ");
            let whole = text.len() <= 160 && text.last()?.is_ascii_digit();
            (said && whole && name > 0).then_some("compose status line")
        }
        _ => None,
    }
}

/// A line without its wrapping. Reused from line to line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peeled {
    /// Outermost first.
    pub(crate) layers: Vec<Layer>,
    /// Facts of all layers.
    pub(crate) facts: Vec<(&'static str, Place)>,
    /// What is left.
    pub(crate) text: Place,
    /// The number of the layer that cut the line here (docker, 16 KiB), counted from 1 at the outermost;
    /// 0 if none did. The rest comes with a later line of the same way.
    pub(crate) partial: u8,
    /// The collector had a message and left it out.
    pub(crate) omitted: bool,
    found: Found,
    scratch: Vec<u8>,
}

impl Peeled {
    pub(crate) fn clear(&mut self) {
        self.layers.clear();
        self.facts.clear();
        self.partial = 0;
        self.omitted = false;
    }

    pub(crate) fn facts_of(&self, layer: &Layer) -> &[(&'static str, Place)] {
        &self.facts[usize::from(layer.facts.0)..usize::from(layer.facts.1)]
    }

    #[inline]
    pub(crate) fn is_weak(&self) -> bool {
        self.layers.iter().any(|layer| layer.weak)
    }

    /// What a line that follows this one may know.
    #[inline]
    pub(crate) fn way(&self) -> Way {
        if self.layers.is_empty() {
            return Way {
                after: Some(0),
                ..Way::default()
            };
        }
        self.way_of_layers()
    }

    fn way_of_layers(&self) -> Way {
        let stern = self.layers.iter().find(|layer| layer.kind == "stern");
        Way {
            outer: "",
            after: Some(self.layers.len() as u8),
            follows: self.is_weak(),
            namespaced: stern.is_some_and(|layer| {
                self.facts_of(layer)
                    .iter()
                    .any(|(name, _)| *name == "namespace")
            }),
            indent: self
                .layers
                .iter()
                .fold(0, |most, layer| most.max(layer.indent)),
        }
    }

    /// Takes back all layers but the outermost `count`; `outside` are the texts outside each layer.
    pub(crate) fn take_back(&mut self, count: usize, outside: &[Place]) {
        if let Some(layer) = self.layers.get(count) {
            self.facts.truncate(usize::from(layer.facts.0));
            self.layers.truncate(count);
            self.text = outside[count];
            if usize::from(self.partial) > count {
                self.partial = 0;
            }
        }
    }

    /// Whether two lines come through the same wrapping: kinds and facts, not stamps.
    pub(crate) fn same_way(
        &self,
        own: (&[u8], &[u8]),
        other: &Peeled,
        others: (&[u8], &[u8]),
    ) -> bool {
        self.layers.len() == other.layers.len()
            && self.same_outer(self.layers.len(), own, other, others)
    }

    /// The same, of the outermost layers alone.
    pub(crate) fn same_outer(
        &self,
        count: usize,
        own: (&[u8], &[u8]),
        other: &Peeled,
        others: (&[u8], &[u8]),
    ) -> bool {
        self.same_kinds(count, other)
            && self.layers[..count]
                .iter()
                .zip(&other.layers)
                .all(|(a, b)| {
                    let (mine, theirs) = (self.facts_of(a), other.facts_of(b));
                    mine.len() == theirs.len()
                        && mine.iter().zip(theirs).all(|((name, a), (other, b))| {
                            name == other && a.of(own.0, own.1) == b.of(others.0, others.1)
                        })
                })
    }

    /// Whether the outermost layers are of the same kinds.
    pub(crate) fn same_kinds(&self, count: usize, other: &Peeled) -> bool {
        other.layers.len() >= count
            && self.layers[..count]
                .iter()
                .zip(&other.layers)
                .all(|(a, b)| a.kind == b.kind)
    }
}

/// Takes one layer of wrapping off, if there is one. Decoded text is appended to `decoded`.
pub(crate) fn peel(peeled: &mut Peeled, block: &[u8], decoded: &mut Vec<u8>, mut way: Way) -> bool {
    if peeled.layers.len() == MAX_LAYERS {
        return false;
    }
    let place = peeled.text;
    let candidates = peelers(place.of(block, decoded));
    if candidates.is_empty() {
        return false;
    }
    way.outer = peeled.layers.last().map_or("", |layer| layer.kind);
    // They stay where they are: moving them takes longer than most peelers do.
    let Peeled { found, scratch, .. } = peeled;
    let start = decoded.len();
    let mut taken = false;
    for peeler in candidates {
        found.clear();
        // The payload of a decoded layer lies in the buffer that decoding appends to.
        taken = if place.decoded {
            scratch.clear();
            peeler(place.of(block, decoded), way, found, scratch)
        } else {
            let taken = peeler(place.of(block, &[]), way, found, decoded);
            if !taken {
                decoded.truncate(start);
            }
            taken
        };
        if taken {
            break;
        }
    }
    if taken {
        let mut shift = 0;
        if place.decoded {
            shift = start;
            decoded.extend_from_slice(scratch);
        }
        let placed = |range: Range| {
            let base = if range.out {
                shift
            } else {
                place.from as usize
            };
            Place {
                from: (base + range.from) as u32,
                to: (base + range.to) as u32,
                decoded: range.out || place.decoded,
            }
        };
        let from = peeled.facts.len();
        let room = MAX_FACTS - from.min(MAX_FACTS);
        let facts = found.facts.iter().take(room);
        peeled
            .facts
            .extend(facts.map(|(name, range)| (*name, placed(*range))));
        peeled.layers.push(Layer {
            kind: found.kind,
            stamp: found.stamp,
            facts: (from as u8, peeled.facts.len() as u8),
            weak: found.weak,
            indent: found.indent,
            text: Place::default(),
            priority: placed(found.priority),
        });
        peeled.text = placed(found.text);
        if found.partial && peeled.partial == 0 {
            peeled.partial = peeled.layers.len() as u8;
        }
        peeled.omitted |= found.omitted;
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4096, ..ProptestConfig::default() })]

        /// Nobody who is not asked about pairs would have taken one.
        #[test]
        fn pairs_are_of_few_wrappers(
            key in "[a-zA-Z][a-z0-9_./@-]{0,5}=",
            words in prop::collection::vec(
                prop::sample::select(vec![
                    "x", "=", " ", ":", "12:", ".log:", " | ", "a-b ", "Aug 14 10:52:08 ", "host id[7]: ", ",b=c ", "[34m",
                    ": [1704164645.1, {\"log\":\"x\"}]", "2020-08-14 10:52:08 ", "2024-01-02T03:04:05.123456789Z ", "data: {",
                ]),
                0..6,
            ),
            follows: bool,
        ) {
            let text = key + &words.concat();
            let text = text.as_bytes();
            let way = Way { follows, ..Way::default() };
            let asked = peelers(text);
            // Those of any text that begins with a letter.
            for peeler in peelers(b"x") {
                let taken = peeler(text, way, &mut Found::default(), &mut Vec::new());
                let is_asked = asked.iter().any(|one| std::ptr::fn_addr_eq(*one, *peeler));
                let is_told = is_asked && may_be_around_pairs(text);
                prop_assert!(is_told || !taken, "{}", String::from_utf8_lossy(text));
            }
        }
    }
}
