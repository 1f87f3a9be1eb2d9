//! Wrappers: what runtimes, collectors and people put around a line. Peeled layer by layer, by the
//! bytes of the line alone; what a layer said is kept.

use crate::scan::{full_stamp, is_key_byte, year_less_stamp};
use memchr::{memchr, memchr2};
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

    fn part(self, from: usize, to: usize) -> Place {
        Place {
            from: self.from + from as u32,
            to: self.from + to as u32,
            ..self
        }
    }
}

/// The most layers that are peeled.
pub(crate) const MAX_LAYERS: usize = 4;
const MAX_FACTS: usize = 3;

/// One layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layer {
    pub(crate) kind: &'static str,
    pub(crate) stamp: Option<Stamp>,
    facts: [(&'static str, Place); MAX_FACTS],
    facts_len: u8,
}

impl Layer {
    const EMPTY: Layer = Layer {
        kind: "",
        stamp: None,
        facts: [(
            "",
            Place {
                from: 0,
                to: 0,
                decoded: false,
            },
        ); MAX_FACTS],
        facts_len: 0,
    };

    fn new(kind: &'static str, stamp: Option<Stamp>) -> Layer {
        Layer {
            kind,
            stamp,
            ..Layer::EMPTY
        }
    }

    fn fact(&mut self, name: &'static str, place: Place) {
        self.facts[usize::from(self.facts_len)] = (name, place);
        self.facts_len += 1;
    }

    pub(crate) fn facts(&self) -> &[(&'static str, Place)] {
        &self.facts[..usize::from(self.facts_len)]
    }
}

/// A line without its wrapping. Reused from line to line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peeled {
    /// Outermost first.
    pub(crate) layers: Vec<Layer>,
    /// What is left.
    pub(crate) text: Place,
    /// The runtime cut the line here (docker, 16 KiB): the rest comes with the next one.
    pub(crate) partial: bool,
}

impl Peeled {
    fn push(&mut self, layer: Layer) -> bool {
        let free = self.layers.len() < MAX_LAYERS;
        if free {
            self.layers.push(layer);
        }
        free
    }

    /// Whether two lines come through the same wrapping: kinds and facts, not stamps.
    pub(crate) fn same_way(
        &self,
        own: (&[u8], &[u8]),
        other: &Peeled,
        others: (&[u8], &[u8]),
    ) -> bool {
        self.layers.len() == other.layers.len()
            && self.layers.iter().zip(&other.layers).all(|(a, b)| {
                a.kind == b.kind
                    && a.facts().len() == b.facts().len()
                    && a.facts()
                        .iter()
                        .zip(b.facts())
                        .all(|((_, a), (_, b))| a.of(own.0, own.1) == b.of(others.0, others.1))
            })
    }
}

/// Takes one layer of wrapping off, if there is one. Decoded text is appended to `decoded`.
pub(crate) fn peel(peeled: &mut Peeled, block: &[u8], decoded: &mut Vec<u8>) -> bool {
    let before = peeled.layers.len();
    if before == MAX_LAYERS {
        return false;
    }
    let text = peeled.text.of(block, decoded);
    match text.first() {
        Some(b'{') if text.starts_with(b"{\"log\":\"") => docker(peeled, block, decoded),
        Some(b'>') => quote_mark(peeled, text),
        Some(b'[') => kurtosis(peeled, text, 0),
        Some(b' ') => {
            let blanks = text.iter().take(8).take_while(|c| **c == b' ').count();
            if text.get(blanks) == Some(&b'[') {
                kurtosis(peeled, text, blanks);
            }
        }
        Some(c) if c.is_ascii_alphabetic() || *c >= 0x80 || c.is_ascii_digit() => {
            journal(peeled, text);
            if peeled.layers.len() == before {
                compose(peeled, text);
            }
        }
        _ => {}
    }
    peeled.layers.len() > before
}

/// `{"log":"…\n","stream":"stdout","time":"…Z"}`: docker's json-file driver.
fn docker(peeled: &mut Peeled, block: &[u8], decoded: &mut Vec<u8>) {
    let place = peeled.text;
    let start = decoded.len();
    let found = {
        let text: Vec<u8>;
        // The payload of a decoded layer lies in the buffer that decoding appends to.
        let text: &[u8] = if place.decoded {
            text = place.of(block, decoded).to_vec();
            &text
        } else {
            place.of(block, &[])
        };
        docker_parts(text, decoded)
    };
    let Some((stream, attrs, stamp)) = found else {
        decoded.truncate(start);
        return;
    };
    let mut layer = Layer::new("docker-json-file", Some(stamp));
    layer.fact("stream", place.part(stream.0, stream.1));
    if let Some((from, to)) = attrs {
        layer.fact("attrs", place.part(from, to));
    }
    let whole = decoded.last() == Some(&b'\n');
    if whole {
        decoded.pop();
        if decoded.len() > start && decoded.last() == Some(&b'\r') {
            decoded.pop();
        }
    }
    peeled.push(layer);
    peeled.partial = !whole;
    peeled.text = Place {
        from: start as u32,
        to: decoded.len() as u32,
        decoded: true,
    };
}

type DockerParts = ((usize, usize), Option<(usize, usize)>, Stamp);

fn docker_parts(text: &[u8], decoded: &mut Vec<u8>) -> Option<DockerParts> {
    let text = text.trim_ascii_end();
    let mut at = 8;
    loop {
        let next = at + memchr2(b'"', b'\\', text.get(at..)?)?;
        decoded.extend_from_slice(&text[at..next]);
        if text[next] == b'"' {
            at = next + 1;
            break;
        }
        let (length, ok) = crate::engine::json::escape(&text[next..], decoded);
        if !ok {
            return None;
        }
        at = next + length;
    }
    if !text[at..].starts_with(b",\"stream\":\"") {
        return None;
    }
    let from = at + 11;
    let to = from + memchr(b'"', &text[from..])?;
    at = to + 1;
    let mut attrs = None;
    if text[at..].starts_with(b",\"attrs\":") {
        let end = crate::engine::json::token(text, at + 9)?;
        attrs = Some((at + 9, end));
        at = end;
    }
    if !text[at..].starts_with(b",\"time\":\"") {
        return None;
    }
    let (stamp, end) = full_stamp(text, at + 9)?;
    (&text[end..] == b"\"}").then_some(((from, to), attrs, stamp))
}

/// `Aug 14 10:52:08 host ident[pid]: …`: journald's short output, month names in any language.
fn journal(peeled: &mut Peeled, text: &[u8]) {
    // Cheap no for the many lines that begin with a letter: a blank, then a digit or blank.
    let Some(blank) = memchr(b' ', &text[..text.len().min(14)]) else {
        return;
    };
    if !matches!(text.get(blank + 1), Some(b' ' | b'0'..=b'9')) {
        return;
    }
    let Some((stamp, end)) = year_less_stamp(text) else {
        return;
    };
    let word = |at: usize| -> Option<(usize, usize)> {
        if text.get(at) != Some(&b' ') {
            return None;
        }
        let from = at + 1;
        let length = text[from..]
            .iter()
            .take(256)
            .position(|c| matches!(c, b' ' | b':'))
            .filter(|length| *length > 0)?;
        Some((from, from + length))
    };
    let Some(host) = word(end).filter(|(_, to)| text[*to] == b' ') else {
        return;
    };
    let Some(ident) = word(host.1).filter(|(_, to)| text[*to] == b':') else {
        return;
    };
    if !matches!(text.get(ident.1 + 1), None | Some(b' ')) {
        return;
    }
    let mut layer = Layer::new("journald-short", Some(stamp));
    layer.fact("host", peeled.text.part(host.0, host.1));
    let name = &text[ident.0..ident.1];
    let pid = name
        .strip_suffix(b"]")
        .and_then(|name| Some((memchr(b'[', name)?, name.len())))
        .filter(|(open, end)| name[open + 1..*end].iter().all(u8::is_ascii_digit));
    match pid {
        Some((open, end)) => {
            layer.fact("identifier", peeled.text.part(ident.0, ident.0 + open));
            layer.fact("pid", peeled.text.part(ident.0 + open + 1, ident.0 + end));
        }
        None => layer.fact("identifier", peeled.text.part(ident.0, ident.1)),
    }
    if peeled.push(layer) {
        peeled.text = peeled.text.part((ident.1 + 2).min(text.len()), text.len());
    }
}

/// `prysm_1  | …`: docker compose.
fn compose(peeled: &mut Peeled, text: &[u8]) {
    let name = text
        .iter()
        .take(64)
        .take_while(|c| is_key_byte(**c) && **c != b'/')
        .count();
    if name == 0 || text.get(name) != Some(&b' ') {
        return;
    }
    let blanks = text[name..]
        .iter()
        .take(64)
        .take_while(|c| **c == b' ')
        .count();
    let bar = name + blanks;
    if text.get(bar) != Some(&b'|') || !matches!(text.get(bar + 1), None | Some(b' ')) {
        return;
    }
    let mut layer = Layer::new("docker-compose", None);
    layer.fact("service", peeled.text.part(0, name));
    if peeled.push(layer) {
        peeled.text = peeled.text.part((bar + 2).min(text.len()), text.len());
    }
}

/// `[cl-1-prysm-geth] …`: kurtosis. The name has a dash and begins with a letter, so that stamps and
/// lists are no names.
fn kurtosis(peeled: &mut Peeled, text: &[u8], at: usize) {
    if !text.get(at + 1).is_some_and(u8::is_ascii_lowercase) {
        return;
    }
    let name = text[at + 1..]
        .iter()
        .take(64)
        .take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || **c == b'-')
        .count();
    let end = at + 1 + name;
    if text.get(end) != Some(&b']')
        || !matches!(text.get(end + 1), None | Some(b' '))
        || !text[at + 1..end].contains(&b'-')
    {
        return;
    }
    let mut layer = Layer::new("kurtosis", None);
    layer.fact("service", peeled.text.part(at + 1, end));
    if peeled.push(layer) {
        peeled.text = peeled.text.part((end + 2).min(text.len()), text.len());
    }
}

/// `> …`: quoted in a chat. A Go test log's `helpers.go:199: ` after it goes as well.
fn quote_mark(peeled: &mut Peeled, text: &[u8]) {
    if text.get(1) != Some(&b' ') {
        return;
    }
    let mut at = 2;
    let blanks = text[at..]
        .iter()
        .take(16)
        .take_while(|c| **c == b' ')
        .count();
    let rest = &text[at + blanks..];
    let word = &rest[..rest.len().min(64)];
    if let Some(blank) = memchr(b' ', word)
        && word[..blank].ends_with(b":")
        && memchr::memmem::find(&word[..blank], b".go:").is_some()
    {
        at += blanks + blank + 1;
    }
    if peeled.push(Layer::new("chat-paste", None)) {
        peeled.text = peeled.text.part(at, text.len());
    }
}
