//! Data of an archive, unpacked: what fails is an early end with a reason, never an error.

use std::cell::RefCell;
use std::io::{self, BufReader, Read};
use std::rc::Rc;

use super::toc::Compression;
use super::zlib::Zlib;

/// Largest window of zstd that is followed, 128 MiB: what `zstd --long` makes without a number.
const ZSTD_WINDOW_LOG: u32 = 27;

/// Why unpacking ended early.
pub(super) type Failure = Rc<RefCell<Option<String>>>;

/// Unpacks; `file` is whether the data are a file of their own.
pub(super) fn unpack<'r>(
    packed: impl Read + 'r,
    compression: Compression,
    file: bool,
) -> io::Result<Box<dyn Read + 'r>> {
    let packed = BufReader::with_capacity(1 << 16, packed);
    Ok(match compression {
        Compression::None => Box::new(packed),
        Compression::Gzip if file => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
        Compression::Gzip => Box::new(Zlib::new(packed)),
        Compression::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(packed)),
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(packed)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            Box::new(decoder)
        }
    })
}

/// A reader whose errors are an early end; the reason is kept.
pub(super) struct Lenient<R> {
    inner: R,
    failure: Failure,
    read: u64,
}

impl<R: Read> Lenient<R> {
    pub(super) fn new(inner: R, failure: &Failure) -> Lenient<R> {
        Lenient {
            inner,
            failure: Rc::clone(failure),
            read: 0,
        }
    }
}

impl<R: Read> Read for Lenient<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.failure.borrow().is_some() {
            return Ok(0);
        }
        match self.inner.read(buffer) {
            Ok(read) => {
                self.read += read as u64;
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let at = self.read;
                let what = format!("unpacking fails behind byte {at} of the table's data: {error}");
                *self.failure.borrow_mut() = Some(what);
                Ok(0)
            }
        }
    }
}
