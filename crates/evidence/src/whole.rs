//! Several files that are one source: the folder that `pg_dump -Fd` writes, and the tar of `pg_dump -Ft`.
//!
//! Apart, their files say nothing: one of them tells what the others hold. The folder is read as the tar
//! of its files, the table of contents first, with owner and time left out: the same bytes wherever the
//! folder was copied to, so its digest is that of its content.

use crate::tar::BLOCK;
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file that tells what the others hold, and how it begins.
pub(crate) const CONTENTS: &str = "toc.dat";
/// The same, where somebody has packed the folder file by file. The files of tables need no such care:
/// `pg_dump` itself names them so.
pub(crate) const PACKED_CONTENTS: &str = "toc.dat.gz";
/// Longest table of contents that is unpacked here.
const CONTENTS_LIMIT: u64 = 256 << 20;
const MAGIC: &[u8] = b"PGDMP";
/// Two empty blocks end a tar.
const END: u64 = 2 * BLOCK as u64;

/// Whether a tar that begins like this is one source: the archive of a database, not of files.
pub(crate) fn is_whole_tar(head: &[u8]) -> bool {
    let name = head.split(|&byte| byte == 0).next().unwrap_or_default();
    name == CONTENTS.as_bytes()
        && head
            .get(BLOCK..)
            .is_some_and(|data| data.starts_with(MAGIC))
}

/// Whether a folder is one source.
pub(crate) fn is_whole_folder(path: &Path) -> bool {
    [CONTENTS, PACKED_CONTENTS].iter().any(|name| {
        let contents = path.join(name);
        contents.is_file()
            && File::open(contents).is_ok_and(|file| is_contents(file, *name == PACKED_CONTENTS))
    })
}

/// Whether a file begins as a table of contents.
pub(crate) fn is_contents(file: impl Read, packed: bool) -> bool {
    let mut head = [0; MAGIC.len()];
    let read = match packed {
        true => MultiGzDecoder::new(file).read_exact(&mut head),
        false => { file }.read_exact(&mut head),
    };
    read.is_ok() && head == *MAGIC
}

/// Whether a file of such a folder belongs to it: `toc.dat`, `3508.dat.gz`, `blobs.toc`, `blob_7.dat`.
pub(crate) fn belongs(name: &[u8]) -> bool {
    let name = [&b".gz"[..], b".lz4", b".zst"]
        .iter()
        .find_map(|ending| name.strip_suffix(*ending))
        .unwrap_or(name);
    name.len() < 100
        && (name == CONTENTS.as_bytes()
            || (name.starts_with(b"blob") && (name.ends_with(b".toc") || name.ends_with(b".dat")))
            || name
                .strip_suffix(b".dat")
                .is_some_and(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)))
}

/// Where a file of such a folder lies.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Path(PathBuf),
    /// In a file that holds several, from this byte on.
    Spooled(Arc<File>, u64),
    Bytes(Arc<Vec<u8>>),
}

impl Place {
    /// Opens it at a byte.
    fn open(self, at: u64) -> io::Result<Opened> {
        Ok(match self {
            Place::Path(path) => {
                let mut file = File::open(&path)?;
                file.seek(SeekFrom::Start(at))?;
                Opened::Path(file, path)
            }
            Place::Spooled(file, from) => Opened::Spooled(file, from + at),
            Place::Bytes(bytes) => Opened::Bytes(bytes, at as usize),
        })
    }

    /// Reads it from its begin, at most so many bytes.
    pub(crate) fn reader(self, length: u64) -> io::Result<impl Read + Send> {
        Ok(self.open(0)?.take(length))
    }
}

/// A file that is being read.
enum Opened {
    Path(File, PathBuf),
    Spooled(Arc<File>, u64),
    Bytes(Arc<Vec<u8>>, usize),
}

impl Read for Opened {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Opened::Path(file, _) => file.read(out),
            Opened::Spooled(file, at) => {
                let read = file.read_at(out, *at)?;
                *at += read as u64;
                Ok(read)
            }
            Opened::Bytes(bytes, at) => {
                let read = (&bytes[(*at).min(bytes.len())..]).read(out)?;
                *at += read;
                Ok(read)
            }
        }
    }
}

/// A stretch of the tar.
enum Stretch {
    Header(Box<[u8; BLOCK]>),
    File(Place),
    Zeros,
}

/// Such a folder as a tar.
pub(crate) struct Folder {
    /// Stretches with their lengths, those still to come last to first.
    ahead: Vec<(Stretch, u64)>,
    /// The file that is open, and what is left of it.
    open: Option<(Opened, u64)>,
    length: u64,
}

/// A file of such a folder: its name, where it lies, its bytes.
pub(crate) type Part = (Vec<u8>, Place, u64);

impl Folder {
    pub(crate) fn open(path: &Path) -> io::Result<Folder> {
        let mut files: Vec<Part> = Vec::new();
        for entry in path.read_dir()? {
            let entry = entry?;
            let meta = entry.path().metadata()?;
            let name = entry.file_name();
            if meta.is_file() && belongs(name.as_bytes()) {
                let name = name.as_bytes().to_vec();
                files.push((name, Place::Path(entry.path()), meta.len()));
            }
        }
        Folder::of(files)
    }

    /// Makes one of files that lie anywhere.
    pub(crate) fn of(mut files: Vec<Part>) -> io::Result<Folder> {
        let has_contents = files.iter().any(|(name, ..)| name == CONTENTS.as_bytes());
        if !has_contents {
            for (name, place, length) in &mut files {
                if name == PACKED_CONTENTS.as_bytes() {
                    let packed = place.clone().reader(*length)?;
                    let mut contents = Vec::new();
                    MultiGzDecoder::new(packed)
                        .take(CONTENTS_LIMIT)
                        .read_to_end(&mut contents)?;
                    *name = CONTENTS.into();
                    *length = contents.len() as u64;
                    *place = Place::Bytes(Arc::new(contents));
                }
            }
        }
        files.sort_by(|a, b| a.0.cmp(&b.0));
        files.sort_by_key(|(name, ..)| name != CONTENTS.as_bytes());
        let mut ahead = Vec::new();
        for (name, place, length) in files {
            ahead.push((Stretch::Header(header(&name, length)), BLOCK as u64));
            ahead.push((Stretch::File(place), length));
            let padding = length.next_multiple_of(BLOCK as u64) - length;
            ahead.push((Stretch::Zeros, padding));
        }
        ahead.push((Stretch::Zeros, END));
        ahead.reverse();
        let length = ahead.iter().map(|(_, length)| length).sum();
        Ok(Folder {
            ahead,
            open: None,
            length,
        })
    }

    /// Bytes of the tar.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Passes over the first bytes of the tar without reading them.
    pub(crate) fn skip(&mut self, mut bytes: u64) -> io::Result<()> {
        while bytes > 0 {
            let Some((stretch, length)) = self.ahead.pop() else {
                return Ok(());
            };
            if bytes >= length {
                bytes -= length;
                continue;
            }
            match stretch {
                Stretch::File(place) => {
                    self.open = Some((place.open(bytes)?, length - bytes));
                }
                Stretch::Zeros => self.ahead.push((Stretch::Zeros, length - bytes)),
                // The rest of a header: its front is cut off.
                Stretch::Header(block) => {
                    let mut rest = Box::new([0; BLOCK]);
                    rest[..(length - bytes) as usize]
                        .copy_from_slice(&block[BLOCK - (length - bytes) as usize..]);
                    self.ahead.push((Stretch::Header(rest), length - bytes));
                }
            }
            return Ok(());
        }
        Ok(())
    }
}

impl Read for Folder {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if out.is_empty() {
                return Ok(0);
            }
            if let Some((file, left)) = &mut self.open {
                if *left == 0 {
                    self.open = None;
                    continue;
                }
                let most = usize::try_from(*left).unwrap_or(usize::MAX).min(out.len());
                let read = file.read(&mut out[..most])?;
                if read == 0 {
                    let what = match file {
                        Opened::Path(_, path) => path.display().to_string(),
                        _ => "the temporary file".to_owned(),
                    };
                    let what = format!("{what} became shorter while it was read");
                    return Err(io::Error::other(what));
                }
                *left -= read as u64;
                return Ok(read);
            }
            let Some((stretch, length)) = self.ahead.pop() else {
                return Ok(0);
            };
            match stretch {
                _ if length == 0 => {}
                Stretch::File(place) => self.open = Some((place.open(0)?, length)),
                Stretch::Zeros => {
                    let used = out.len().min(length as usize);
                    out[..used].fill(0);
                    self.ahead.push((Stretch::Zeros, length - used as u64));
                    return Ok(used);
                }
                Stretch::Header(mut block) => {
                    let used = out.len().min(length as usize);
                    out[..used].copy_from_slice(&block[..used]);
                    block.copy_within(used.., 0);
                    self.ahead
                        .push((Stretch::Header(block), length - used as u64));
                    return Ok(used);
                }
            }
        }
    }
}

/// A header of a plain file.
fn header(name: &[u8], bytes: u64) -> Box<[u8; BLOCK]> {
    let mut block = Box::new([0; BLOCK]);
    block[..name.len()].copy_from_slice(name);
    block[100..108].copy_from_slice(b"0000644\0");
    block[108..116].copy_from_slice(b"0000000\0");
    block[116..124].copy_from_slice(b"0000000\0");
    match bytes {
        0..0o100_000_000_000 => {
            block[124..136].copy_from_slice(format!("{bytes:011o}\0").as_bytes());
        }
        // Too long for octal digits: a binary number, marked by the first bit.
        _ => {
            block[124] = 0x80;
            block[128..136].copy_from_slice(&bytes.to_be_bytes());
        }
    }
    block[136..148].copy_from_slice(b"00000000000\0");
    block[148..156].fill(b' ');
    block[156] = b'0';
    block[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_the_tar_of_its_own_files() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &[u8]| std::fs::write(folder.path().join(name), text).unwrap();
        write("12.dat.gz", b"twelve");
        write("9.dat", &[b'x'; 1000]);
        write("README", b"not of the dump");
        assert!(!is_whole_folder(folder.path()));
        write("toc.dat", b"PGDMP and so on");
        assert!(is_whole_folder(folder.path()));
        let mut tar = Vec::new();
        let mut opened = Folder::open(folder.path()).unwrap();
        let length = opened.length();
        opened.read_to_end(&mut tar).unwrap();
        assert_eq!(tar.len() as u64, length);
        assert!(is_whole_tar(&tar) && crate::tar::is_tar(&tar));
        assert_eq!(length, (512 + 512) + (512 + 512) + (512 + 1024) + 1024);
        // Packed file by file, it is the same tar.
        let packed = tempfile::tempdir().unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, b"PGDMP and so on").unwrap();
        std::fs::write(packed.path().join("toc.dat.gz"), gzip.finish().unwrap()).unwrap();
        assert!(is_whole_folder(packed.path()));
        for name in ["12.dat.gz", "9.dat"] {
            std::fs::copy(folder.path().join(name), packed.path().join(name)).unwrap();
        }
        let mut again = Vec::new();
        Folder::open(packed.path())
            .unwrap()
            .read_to_end(&mut again)
            .unwrap();
        assert!(again == tar);
        for name in ["12.dat.gz", "9.dat"] {
            assert!(memchr::memmem::find(&tar, name.as_bytes()).is_some());
        }
        assert!(memchr::memmem::find(&tar, b"README").is_none());
        for from in [0, 1, 511, 512, 600, 1024, 2048, 2049, 3000, tar.len() - 1] {
            let mut rest = Vec::new();
            let mut opened = Folder::open(folder.path()).unwrap();
            opened.skip(from as u64).unwrap();
            opened.read_to_end(&mut rest).unwrap();
            assert!(rest == tar[from..], "{from}");
        }
    }
}
