//! The data of one member of a zip archive, or of a block of 7z: decoded, and compared with the checksum
//! that the directory has of it.

use crate::bzip::Bzip2;
use crate::input::{Input, RawInput, Step};
use crate::layer::LayerFacts;
use crate::limits::Meter;
use crate::xz::Xz;
use crate::zst::Zstd;
use deflate64::InflaterManaged;
use flate2::{Crc, Decompress, FlushDecompress, Status};
use std::io;
use std::sync::Arc;

/// How a member is packed.
pub(crate) enum Method {
    Stored,
    Deflate,
    Deflate64,
    Bzip2,
    Zstd,
    Xz,
    /// LZMA without a container, with its properties: members of 7z.
    Lzma(Vec<u8>),
    /// LZMA2, the same.
    Lzma2(Vec<u8>),
}

impl Method {
    /// Returns the method of a number, if it is read here.
    pub(crate) fn of(number: u16) -> Option<Method> {
        Some(match number {
            0 => Method::Stored,
            8 => Method::Deflate,
            9 => Method::Deflate64,
            12 => Method::Bzip2,
            93 => Method::Zstd,
            95 => Method::Xz,
            _ => return None,
        })
    }
}

/// What the directory says of the decoded bytes.
pub(crate) struct Expected {
    pub(crate) bytes: u64,
    pub(crate) crc: u32,
}

enum Decoder {
    Stored,
    Deflate(Box<Decompress>),
    Deflate64(Box<InflaterManaged>),
    Bzip2(Box<Bzip2>),
    Zstd(Box<Zstd>),
    Xz(Box<Xz>),
}

/// A decoder of one member.
pub(crate) struct Unzip {
    raw: RawInput,
    decoder: Decoder,
    expected: Option<Expected>,
    crc: Crc,
    bytes: u64,
    ended: bool,
    meter: Arc<Meter>,
}

impl Unzip {
    pub(crate) fn new(
        input: Box<dyn Input>,
        method: Method,
        expected: Option<Expected>,
        meter: Arc<Meter>,
    ) -> io::Result<Unzip> {
        Ok(Unzip {
            raw: RawInput::new(input)?,
            decoder: match method {
                Method::Stored => Decoder::Stored,
                Method::Deflate => Decoder::Deflate(Box::new(Decompress::new(false))),
                Method::Deflate64 => Decoder::Deflate64(Box::new(InflaterManaged::new())),
                Method::Bzip2 => Decoder::Bzip2(Box::new(Bzip2::new())),
                Method::Zstd => Decoder::Zstd(Box::new(Zstd::new()?)),
                Method::Xz => Decoder::Xz(Box::new(Xz::new()?)),
                Method::Lzma(properties) => Decoder::Xz(Box::new(Xz::lzma(&properties)?)),
                Method::Lzma2(properties) => Decoder::Xz(Box::new(Xz::lzma2(&properties)?)),
            },
            expected,
            crc: Crc::new(),
            bytes: 0,
            ended: false,
            meter,
        })
    }

    fn step(&mut self, out: &mut [u8]) -> Step {
        match &mut self.decoder {
            Decoder::Stored => match self.raw.read_plain(out) {
                0 => Step::End,
                bytes => Step::Bytes(bytes),
            },
            Decoder::Deflate(inflate) => deflate(inflate, &mut self.raw, out),
            Decoder::Deflate64(inflate) => deflate64(inflate, &mut self.raw, out),
            Decoder::Bzip2(bzip2) => bzip2.step(&mut self.raw, out),
            Decoder::Zstd(zstd) => zstd.step(&mut self.raw, out),
            Decoder::Xz(xz) => xz.step(&mut self.raw, out),
        }
    }
}

fn deflate(inflate: &mut Decompress, raw: &mut RawInput, out: &mut [u8]) -> Step {
    loop {
        let input = raw.fill();
        let at_end = input.is_empty();
        let (consumed, written) = (inflate.total_in(), inflate.total_out());
        let result = inflate.decompress(input, out, FlushDecompress::None);
        raw.consume((inflate.total_in() - consumed) as usize);
        let bytes = (inflate.total_out() - written) as usize;
        if bytes > 0 {
            // What comes after it, the end or damage, the next call says again.
            return Step::Bytes(bytes);
        }
        match result {
            Ok(Status::StreamEnd) => return Step::End,
            Ok(_) if at_end => return Step::Truncated("its data ends early".to_owned()),
            Ok(_) => {}
            Err(_) => {
                return Step::Damaged(format!(
                    "its data is damaged near byte {} of what the archive holds of it",
                    raw.offset()
                ));
            }
        }
    }
}

fn deflate64(inflate: &mut InflaterManaged, raw: &mut RawInput, out: &mut [u8]) -> Step {
    loop {
        let input = raw.fill();
        let at_end = input.is_empty();
        let result = inflate.inflate(input, out);
        raw.consume(result.bytes_consumed);
        if result.bytes_written > 0 {
            return Step::Bytes(result.bytes_written);
        }
        let stuck = result.bytes_consumed == 0 && !at_end && !inflate.finished();
        if inflate.errored() || result.data_error || stuck {
            return Step::Damaged(format!(
                "its data is damaged near byte {} of what the archive holds of it",
                raw.offset()
            ));
        }
        if inflate.finished() {
            return Step::End;
        }
        if at_end {
            return Step::Truncated("its data ends early".to_owned());
        }
    }
}

impl Input for Unzip {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.ended || out.is_empty() {
            return Ok(0);
        }
        if let Some(what) = self.meter.tripped() {
            self.ended = true;
            return Err(io::Error::new(io::ErrorKind::InvalidData, what.to_owned()));
        }
        let (kind, what) = match self.step(out) {
            Step::Bytes(bytes) => {
                self.crc.update(&out[..bytes]);
                self.bytes += bytes as u64;
                self.meter.expanded(bytes);
                return Ok(bytes);
            }
            Step::End => match &self.expected {
                Some(expected) if expected.bytes != self.bytes => (
                    io::ErrorKind::InvalidData,
                    format!(
                        "has {} bytes where the archive says {}",
                        self.bytes, expected.bytes
                    ),
                ),
                Some(expected) if expected.crc != self.crc.sum() => (
                    io::ErrorKind::InvalidData,
                    "its checksum does not match".to_owned(),
                ),
                _ => {
                    self.ended = true;
                    return match self.raw.take_error() {
                        Some(error) => Err(error),
                        None => Ok(0),
                    };
                }
            },
            Step::Truncated(what) => (io::ErrorKind::UnexpectedEof, what),
            Step::Damaged(what) | Step::Doubt(what) => (io::ErrorKind::InvalidData, what),
        };
        self.ended = true;
        Err(match self.raw.take_error() {
            Some(error) => error,
            None => io::Error::new(kind, what),
        })
    }

    fn close(self: Box<Self>, _: bool) -> Vec<LayerFacts> {
        Vec::new()
    }
}
