//! 7z: the list of members at the end of the file, and blocks of members packed together.
//!
//! Read here, with the decoders that are there anyway, because a library unpacks the list of members before
//! anybody can say how much memory that may take. What nothing but 7-Zip itself packs text by (PPMd, filters,
//! encryption) is named with what to do.
//! Layout: `7zFormat.txt` in <https://www.7-zip.org/sdk.html>.

use crate::input::{Input, Nothing};
use crate::layer::LayerFacts;
use crate::limits::Meter;
use crate::seven_list::{Broken, Coder, Folder, List, ListedMember, Reader};
use crate::tar::Entry;
use crate::unzip::{Method, Unzip};
use crate::zip::{Window, bytes_at};
use flate2::Crc;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const MAGIC: &[u8] = b"7z\xbc\xaf\x27\x1c";

/// Bytes before the packed data.
const START: u64 = 32;

/// The longest list of members that is read, packed and unpacked.
const LIST_BYTES: u64 = 16 << 20;

/// The most memory a decoder may take, as for xz.
const DICTIONARY_BYTES: u64 = 256 << 20;

/// Whether a stream begins like a 7z archive.
pub(crate) fn is_seven(head: &[u8]) -> bool {
    head.starts_with(MAGIC)
}

/// A 7z archive in a file.
pub(crate) struct Seven {
    file: Arc<File>,
    length: u64,
    meter: Arc<Meter>,
    folders: Vec<Folder>,
    members: std::vec::IntoIter<ListedMember>,
    /// What is wrong with the list itself, to be told first.
    trouble: Option<String>,
    shared: Arc<Mutex<Shared>>,
    /// The folder that `shared` reads, and the place of its next member.
    folder: Option<(usize, u64)>,
}

/// The folder that is being unpacked: its members lie one after the other.
struct Shared {
    unpack: Option<Unzip>,
    /// Counts members: a reader of an earlier one reads nothing more.
    member: u64,
    /// Unpacked bytes so far.
    at: u64,
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Seven {
    /// Reads the list of members.
    pub(crate) fn open(file: File, length: u64, meter: Arc<Meter>) -> Seven {
        let mut seven = Seven {
            file: Arc::new(file),
            length,
            meter,
            folders: Vec::new(),
            members: Vec::new().into_iter(),
            trouble: None,
            shared: Arc::new(Mutex::new(Shared {
                unpack: None,
                member: 0,
                at: 0,
            })),
            folder: None,
        };
        match seven.list() {
            Ok(list) => {
                seven.folders = list.folders;
                seven.members = list.members.into_iter();
            }
            Err(Broken(what)) => {
                seven.trouble = Some(format!(
                    "the 7z archive's list of members {what}: nothing of it was read"
                ));
            }
        }
        seven
    }

    fn list(&self) -> Result<List, Broken> {
        let start = bytes_at(&self.file, 0, START as usize);
        let mut fields = Reader::new(start.get(12..).unwrap_or_default());
        let (offset, bytes, crc) = (fields.u64()?, fields.u64()?, fields.u32()?);
        if bytes == 0 {
            return Ok(List::default());
        }
        let at = START.checked_add(offset).ok_or_else(Broken::cut)?;
        if at.checked_add(bytes).is_none_or(|end| end > self.length) {
            return Err(Broken::cut());
        }
        let most = self.meter.limits.members.saturating_add(1);
        let mut header = self.packed_list(at, bytes)?;
        if sum(&header) != crc {
            return Err(Broken("has another checksum than it should".to_owned()));
        }
        // The list may be packed itself, more than once.
        for _ in 0..self.meter.limits.depth {
            let Some(folder) = List::packed(&header)? else {
                return List::read(&header, most as usize);
            };
            if folder.bytes > LIST_BYTES {
                return Err(too_long());
            }
            let mut unpack = self
                .unpack(&folder)
                .map_err(|what| Broken(format!("cannot be unpacked, it {what}")))?;
            let mut out = vec![0; folder.bytes as usize];
            let mut filled = 0;
            while filled < out.len() {
                match unpack.read(&mut out[filled..]) {
                    Ok(0) => return Err(Broken::cut()),
                    Ok(bytes) => filled += bytes,
                    Err(error) => return Err(Broken(format!("is damaged: {error}"))),
                }
            }
            if folder.crc.is_some_and(|crc| crc != sum(&out)) {
                return Err(Broken("has another checksum than it should".to_owned()));
            }
            header = out;
        }
        Err(too_long())
    }

    fn packed_list(&self, at: u64, bytes: u64) -> Result<Vec<u8>, Broken> {
        if bytes > LIST_BYTES {
            return Err(too_long());
        }
        let header = bytes_at(&self.file, at, bytes as usize);
        match header.len() as u64 == bytes {
            true => Ok(header),
            false => Err(Broken::cut()),
        }
    }

    /// Begins to unpack a folder; says in words why not.
    fn unpack(&self, folder: &Folder) -> Result<Unzip, String> {
        let [coder] = &folder.coders[..] else {
            return Err("is packed through several filters, which is not read here: unpack it and name what comes out".to_owned());
        };
        let method = method(coder)?;
        let at = START.saturating_add(folder.at).min(self.length);
        let end = at.saturating_add(folder.packed);
        let window = Window {
            file: Arc::clone(&self.file),
            at,
            end: end.min(self.length),
            cut: end > self.length,
            meter: Arc::clone(&self.meter),
        };
        Unzip::new(Box::new(window), method, None, Arc::clone(&self.meter))
            .map_err(|error| format!("cannot be unpacked: {error}"))
    }

    /// Returns the next member.
    pub(crate) fn next(&mut self) -> Option<Entry> {
        if let Some(what) = self.trouble.take() {
            return Some(Entry::Trouble(what));
        }
        let member = self.members.next()?;
        let name = member.name;
        if let Some(what) = member.refused {
            let what = format!("is {what}, which is never followed or made: it was not read");
            return Some(Entry::Skipped { name, what });
        }
        let Some((index, from)) = member.place else {
            return Some(Entry::File {
                name,
                bytes: 0,
                input: Box::new(Nothing),
            });
        };
        let shared = Arc::clone(&self.shared);
        let mut state = lock(&shared);
        state.member += 1;
        if self.folder.is_none_or(|(folder, _)| folder != index) {
            self.folder = Some((index, 0));
            state.at = 0;
            match self.unpack(&self.folders[index]) {
                Ok(unpack) => state.unpack = Some(unpack),
                Err(what) => {
                    state.unpack = None;
                    return Some(Entry::Skipped { name, what });
                }
            }
        }
        if let Err(what) = state.pass(from) {
            return Some(Entry::Skipped { name, what });
        }
        Some(Entry::File {
            name,
            bytes: member.bytes,
            input: Box::new(Member {
                member: state.member,
                shared: Arc::clone(&self.shared),
                left: member.bytes,
                crc: member.crc.map(|crc| (crc, Crc::new())),
            }),
        })
    }
}

fn too_long() -> Broken {
    Broken(format!(
        "is longer than {} MiB (limit of memory)",
        LIST_BYTES >> 20
    ))
}

fn sum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Returns how a coder's data is unpacked, or why it is not.
fn method(coder: &Coder) -> Result<Method, String> {
    let dictionary = match (&coder.id[..], &coder.properties[..]) {
        ([0x03, 0x01, 0x01], [_, size @ ..]) if size.len() == 4 => {
            u64::from(u32::from_le_bytes([size[0], size[1], size[2], size[3]]))
        }
        ([0x21], [size @ 0..=39]) => u64::from(2 | size & 1) << (size / 2 + 11),
        ([0x21], [40]) => u64::from(u32::MAX),
        _ => 0,
    };
    if dictionary > DICTIONARY_BYTES {
        return Err(format!(
            "wants more than {} MiB of memory to be unpacked (limit of memory): unpack it yourself if you trust it",
            DICTIONARY_BYTES >> 20
        ));
    }
    let name = match &coder.id[..] {
        [0x00] => return Ok(Method::Stored),
        [0x03, 0x01, 0x01] if dictionary > 0 => {
            return Ok(Method::Lzma(coder.properties.clone()));
        }
        [0x21] if dictionary > 0 => return Ok(Method::Lzma2(coder.properties.clone())),
        [0x04, 0x01, 0x08] => return Ok(Method::Deflate),
        [0x04, 0x01, 0x09] => return Ok(Method::Deflate64),
        [0x04, 0x02, 0x02] => return Ok(Method::Bzip2),
        [0x04, 0xf7, 0x11, 0x01] => return Ok(Method::Zstd),
        [0x06, 0xf1, 0x07, 0x01] => {
            return Err(
                "is encrypted: unpack it with its password and name what comes out".to_owned(),
            );
        }
        [0x03, 0x04, 0x01] => "PPMd".to_owned(),
        id => id.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    Err(format!(
        "is packed by 7z method {name}, which is not read here: unpack it and name what comes out"
    ))
}

impl Shared {
    /// Goes on to a place in what is unpacked; says why that cannot be.
    fn pass(&mut self, to: u64) -> Result<(), String> {
        let mut scratch = [0; 16 * 1024];
        while self.at < to {
            let want =
                usize::try_from(to - self.at).map_or(scratch.len(), |left| left.min(scratch.len()));
            let read = match &mut self.unpack {
                Some(unpack) => unpack.read(&mut scratch[..want]),
                None => Ok(0),
            };
            match read {
                Ok(0) => {
                    self.unpack = None;
                    break;
                }
                Ok(bytes) => self.at += bytes as u64,
                Err(_) => self.unpack = None,
            }
        }
        match self.unpack {
            Some(_) => Ok(()),
            None => Err(format!(
                "lies behind the end of what could be unpacked of its block, {} bytes in: it was not read",
                self.at
            )),
        }
    }
}

/// The reader of one member.
struct Member {
    shared: Arc<Mutex<Shared>>,
    member: u64,
    left: u64,
    crc: Option<(u32, Crc)>,
}

impl Input for Member {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut state = lock(&self.shared);
        if state.member != self.member || out.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            let wrong = self.crc.take().is_some_and(|(crc, read)| crc != read.sum());
            return match wrong {
                true => Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "its checksum does not match",
                )),
                false => Ok(0),
            };
        }
        let want = usize::try_from(self.left).map_or(out.len(), |left| left.min(out.len()));
        let read = match &mut state.unpack {
            Some(unpack) => unpack.read(&mut out[..want]),
            None => Ok(0),
        };
        let bytes = match read {
            Err(error) => {
                (self.left, self.crc) = (0, None);
                state.unpack = None;
                return Err(error);
            }
            Ok(0) => {
                let missing = std::mem::take(&mut self.left);
                (state.unpack, self.crc) = (None, None);
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("its block ends here, {missing} bytes before this member does"),
                ));
            }
            Ok(bytes) => bytes,
        };
        state.at += bytes as u64;
        self.left -= bytes as u64;
        if let Some((_, crc)) = &mut self.crc {
            crc.update(&out[..bytes]);
        }
        Ok(bytes)
    }

    fn close(self: Box<Self>, _: bool) -> Vec<LayerFacts> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wants_too_much_memory_or_is_unknown_is_named() {
        let says = |id: &[u8], properties: &[u8]| {
            let coder = Coder {
                id: id.to_vec(),
                properties: properties.to_vec(),
            };
            method(&coder).err().unwrap_or_default()
        };
        // LZMA2: 256 MiB, then 384 MiB and 4 GiB; LZMA: 256 MiB, then a byte more.
        assert_eq!(says(&[0x21], &[32]), "");
        assert!(says(&[0x21], &[33]).contains("limit of memory"));
        assert!(says(&[0x21], &[40]).contains("limit of memory"));
        assert!(says(&[0x21], &[41]).contains("method 21"));
        assert_eq!(says(&[3, 1, 1], &[0x5d, 0, 0, 0, 0x10]), "");
        assert!(says(&[3, 1, 1], &[0x5d, 1, 0, 0, 0x10]).contains("limit of memory"));
        assert!(says(&[3, 1, 1], &[]).contains("method 030101"));
        assert!(says(&[3, 4, 1], &[]).contains("PPMd"));
        assert!(says(&[6, 0xf1, 7, 1], &[]).contains("is encrypted"));
    }
}
