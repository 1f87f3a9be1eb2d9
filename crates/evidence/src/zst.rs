//! zstd, RFC 8878: any number of frames and skippable frames; and the form that OpenTelemetry's collector
//! writes its files in, where the length of each frame stands before it (four bytes, the highest first).
//!
//! The decoder is fed exactly what it asks for, so that one call decodes at most one block: a call
//! that fails reports nothing of what it had decoded before.

use crate::input::{RawInput, Step};
use std::io;
use zstd::stream::raw::{DParameter, Decoder, Operation};

/// The largest window accepted: 128 MiB, what `zstd` itself accepts without `--long`.
const WINDOW_LOG_MAX: u32 = 27;

/// Bytes of a frame that say how long its header is.
const FRAME_START: usize = 5;

pub(crate) struct Zstd {
    decoder: Decoder<'static>,
    wanted: usize,
    /// Whether lengths stand between the frames.
    prefixed: bool,
    /// Bytes of such a length that are still to be passed over.
    prefix: u8,
    ended: bool,
}

/// Bytes of the length before a frame.
const PREFIX: u8 = 4;

/// Whether these bytes begin a frame or a skippable frame.
pub(crate) fn is_frame(head: &[u8]) -> bool {
    head.starts_with(b"\x28\xb5\x2f\xfd") || matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// Whether these bytes begin a frame with its length before it: that of a frame, and no magic of anything else.
pub(crate) fn is_prefixed(head: &[u8]) -> bool {
    let Some((length, frame)) = head.split_first_chunk::<4>() else {
        return false;
    };
    frame.starts_with(b"\x28\xb5\x2f\xfd") && (9..1 << 30).contains(&u32::from_be_bytes(*length))
}

/// Returns how much the frame that begins here holds, if it says so.
pub(crate) fn told_length(head: &[u8]) -> Option<u64> {
    zstd::zstd_safe::get_frame_content_size(head).unwrap_or_default()
}

impl Zstd {
    pub(crate) fn new() -> io::Result<Zstd> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
        Ok(Zstd {
            decoder,
            wanted: FRAME_START,
            prefixed: false,
            prefix: 0,
            ended: false,
        })
    }

    /// Frames with lengths before them.
    pub(crate) fn new_prefixed() -> io::Result<Zstd> {
        Ok(Zstd {
            prefixed: true,
            prefix: PREFIX,
            ..Zstd::new()?
        })
    }

    pub(crate) fn step(&mut self, raw: &mut RawInput, out: &mut [u8]) -> Step {
        if self.ended {
            return Step::End;
        }
        loop {
            if self.prefix > 0 && raw.byte().is_some() {
                self.prefix -= 1;
                continue;
            }
            let input = raw.fill();
            let at_end = input.is_empty();
            if self.wanted == 0 {
                // Between frames.
                if at_end {
                    self.ended = true;
                    return Step::End;
                }
                self.wanted = FRAME_START;
                self.prefix = if self.prefixed { PREFIX } else { 0 };
                if let Err(error) = self.decoder.reinit() {
                    self.ended = true;
                    return Step::Damaged(format!("zstd cannot start the next frame: {error}"));
                }
                continue;
            }
            let input = &input[..input.len().min(self.wanted)];
            match self.decoder.run_on_buffers(input, out) {
                Ok(status) => {
                    raw.consume(status.bytes_read);
                    self.wanted = status.remaining;
                    if status.bytes_written > 0 {
                        return Step::Bytes(status.bytes_written);
                    }
                    if at_end && status.remaining > 0 {
                        self.ended = true;
                        return Step::Truncated(format!(
                            "zstd data ends early, at container byte {}",
                            raw.offset()
                        ));
                    }
                }
                Err(error) => {
                    self.ended = true;
                    return Step::Damaged(format!(
                        "zstd data is damaged near container byte {}: {error}",
                        raw.offset()
                    ));
                }
            }
        }
    }
}
