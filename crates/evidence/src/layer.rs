//! One layer of compression over another input, and how many of them lie on one another.

use crate::bzip::{self, Bzip2};
use crate::gzip::{self, Gzip};
use crate::input::{Input, RawInput, Step};
use crate::limits::Meter;
use crate::lz4::{self, Lz4};
use crate::reader::{Container, ContainerKind, Status};
use crate::xz::{self, Xz};
use crate::zst::{self, Zstd};
use std::io;
use std::sync::Arc;

/// What is known of a layer when it is closed.
#[derive(Debug)]
pub(crate) struct LayerFacts {
    pub(crate) container: Container,
    pub(crate) status: Status,
    /// Each with the count of the layer's decoded bytes before it.
    pub(crate) problems: Vec<(u64, String)>,
}

enum Decoder {
    Gzip(Box<Gzip>),
    Zstd(Box<Zstd>),
    Bzip2(Box<Bzip2>),
    Xz(Box<Xz>),
    Lz4(Box<Lz4>),
}

impl Decoder {
    /// Chooses by the first bytes, never by a name.
    fn sniff(head: &[u8]) -> io::Result<Option<(Decoder, ContainerKind)>> {
        Ok(Some(if head.starts_with(gzip::MAGIC) {
            (Decoder::Gzip(Box::new(Gzip::new())), ContainerKind::Gzip)
        } else if zst::is_frame(head) {
            (Decoder::Zstd(Box::new(Zstd::new()?)), ContainerKind::Zstd)
        } else if zst::is_prefixed(head) {
            let zstd = Zstd::new_prefixed()?;
            (Decoder::Zstd(Box::new(zstd)), ContainerKind::Zstd)
        } else if is_bzip2(head) {
            (Decoder::Bzip2(Box::new(Bzip2::new())), ContainerKind::Bzip2)
        } else if head.starts_with(xz::MAGIC) {
            (Decoder::Xz(Box::new(Xz::new()?)), ContainerKind::Xz)
        } else if lz4::is_frame(head) {
            (Decoder::Lz4(Box::new(Lz4::new())), ContainerKind::Lz4)
        } else {
            return Ok(None);
        }))
    }
}

/// `BZh`, a level, and the mark of a block or of the end: three letters alone may begin a text.
fn is_bzip2(head: &[u8]) -> bool {
    head.starts_with(bzip::MAGIC)
        && matches!(head.get(3), Some(b'1'..=b'9'))
        && (head.get(4..8) == Some(b"\x31\x41\x59\x26")
            || head.get(4..8) == Some(b"\x17\x72\x45\x38"))
}

/// A decoder at work.
pub(crate) struct Layer {
    raw: RawInput,
    decoder: Decoder,
    kind: ContainerKind,
    meter: Arc<Meter>,
    decoded: u64,
    ended: bool,
    status: Status,
    problems: Vec<(u64, String)>,
}

/// A stream without compression around it any more.
pub(crate) struct Peeled {
    pub(crate) raw: RawInput,
    /// What was peeled off, the outermost first.
    pub(crate) kinds: Vec<ContainerKind>,
    /// How many bytes are left when it is peeled off, if there is but one layer and it says so.
    pub(crate) told: Option<u64>,
    /// Whether there is more to peel than may be.
    pub(crate) too_deep: bool,
}

/// Takes off every layer of compression, `depth` of them being there already.
pub(crate) fn peel(input: Box<dyn Input>, depth: usize, meter: &Arc<Meter>) -> io::Result<Peeled> {
    let mut raw = RawInput::new(input)?;
    let mut kinds = Vec::new();
    let mut told = None;
    while let Some((decoder, kind)) = Decoder::sniff(raw.window())? {
        if depth + kinds.len() >= meter.limits.depth {
            return Ok(Peeled {
                raw,
                kinds,
                told: None,
                too_deep: true,
            });
        }
        kinds.push(kind);
        told = match kind {
            ContainerKind::Zstd if kinds.len() == 1 => zst::told_length(raw.window()),
            ContainerKind::Lz4 if kinds.len() == 1 => lz4::told_length(raw.window()),
            _ => None,
        };
        raw.hash();
        let layer = Layer {
            raw,
            decoder,
            kind,
            meter: Arc::clone(meter),
            decoded: 0,
            ended: false,
            status: Status::Unfinished,
            problems: Vec::new(),
        };
        raw = RawInput::new(Box::new(layer))?;
    }
    Ok(Peeled {
        raw,
        kinds,
        told,
        too_deep: false,
    })
}

impl Input for Layer {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        while !self.ended {
            if let Some(what) = self.meter.tripped() {
                let what = what.to_owned();
                self.end(Status::Damaged, Some(what));
                break;
            }
            let step = match &mut self.decoder {
                Decoder::Gzip(gzip) => gzip.step(&mut self.raw, out),
                Decoder::Zstd(zstd) => zstd.step(&mut self.raw, out),
                Decoder::Bzip2(bzip2) => bzip2.step(&mut self.raw, out),
                Decoder::Xz(xz) => xz.step(&mut self.raw, out),
                Decoder::Lz4(lz4) => lz4.step(&mut self.raw, out),
            };
            match step {
                Step::Bytes(bytes) => {
                    self.decoded += bytes as u64;
                    self.meter.expanded(bytes);
                    return Ok(bytes);
                }
                Step::Doubt(what) => {
                    self.problems.push((self.decoded, what));
                    self.status = Status::Damaged;
                }
                Step::End => self.end(Status::Complete, None),
                Step::Truncated(what) => self.end(Status::Truncated, Some(what)),
                Step::Damaged(what) => self.end(Status::Damaged, Some(what)),
            }
        }
        Ok(0)
    }

    fn close(mut self: Box<Self>, whole: bool) -> Vec<LayerFacts> {
        if whole && self.ended {
            self.raw.drain();
        }
        let Layer {
            raw,
            kind,
            status,
            problems,
            ..
        } = *self;
        let (bytes, sha256, mut facts) = raw.close(whole);
        facts.extend(sha256.map(|sha256| LayerFacts {
            container: Container {
                kind,
                bytes,
                sha256,
            },
            status,
            problems,
        }));
        facts
    }
}

impl Layer {
    fn end(&mut self, status: Status, what: Option<String>) {
        self.ended = true;
        let (status, what) = match self.raw.take_error() {
            Some(error) => told(&error),
            None => (status, what),
        };
        if self.status != Status::Damaged {
            self.status = status;
        }
        self.problems.extend(what.map(|what| (self.decoded, what)));
    }
}

/// Returns what an input's error means for the source over it.
pub(crate) fn told(error: &io::Error) -> (Status, Option<String>) {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => (Status::Truncated, Some(error.to_string())),
        io::ErrorKind::InvalidData => (Status::Damaged, Some(error.to_string())),
        _ => (Status::Damaged, Some(format!("cannot read on: {error}"))),
    }
}
