//! Members of an archive that may be the folder of one database: put aside as they pass, since the file
//! that tells what the others hold may come last.

use crate::input::Input;
use crate::whole::{CONTENTS, Folder, PACKED_CONTENTS, Part, Place, belongs, is_contents};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;

/// A member that was put aside.
struct Aside {
    /// Its name as people see it.
    name: String,
    part: Part,
}

/// What was put aside, by folder.
#[derive(Default)]
pub(crate) struct Parts {
    file: Option<Arc<File>>,
    written: u64,
    folders: BTreeMap<Vec<u8>, Vec<Aside>>,
    /// Members of folders that were none of a database, the first last.
    loose: Vec<Aside>,
}

/// What comes of members that were put aside.
pub(crate) enum Joined {
    /// A folder of a database: its name in the archive, and its bytes.
    Whole(Vec<u8>, Folder),
    /// A member like any other: its name as people see it, and its bytes.
    Member(String, Box<dyn Read + Send>, u64),
}

/// A member's folder and its name there.
fn split(name: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memrchr(b'/', name) {
        Some(at) => (&name[..at], &name[at + 1..]),
        None => (b"", name),
    }
}

/// Whether a member may belong to the folder of a database.
pub(crate) fn may_belong(name: &[u8]) -> bool {
    belongs(split(name).1)
}

impl Parts {
    /// Puts a member aside; returns what is wrong with it. Not all of it is kept then.
    pub(crate) fn put(
        &mut self,
        name: &[u8],
        shown: String,
        mut input: Box<dyn Input>,
        limit: u64,
    ) -> io::Result<Option<String>> {
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => Arc::clone(self.file.insert(Arc::new(tempfile::tempfile()?))),
        };
        let from = self.written;
        let mut buffer = vec![0; 128 << 10];
        let trouble = loop {
            match input.read(&mut buffer) {
                Ok(0) => break None,
                Ok(read) if self.written + read as u64 > limit => {
                    break Some(format!(
                        "is cut: parts of a database's folder in an archive are put into a temporary file \
                         of at most {limit} bytes: unpack it and name the folder"
                    ));
                }
                Ok(read) => {
                    (&*file).write_all(&buffer[..read])?;
                    self.written += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Some(error.to_string()),
            }
        };
        let (folder, base) = split(name);
        let part = (
            base.to_vec(),
            Place::Spooled(file, from),
            self.written - from,
        );
        let asides = self.folders.entry(folder.to_vec()).or_default();
        // tar appends a newer state of a file under the same name: the last one counts.
        asides.retain(|aside| aside.part.0 != part.0);
        asides.push(Aside { name: shown, part });
        Ok(trouble)
    }

    /// Takes the next source out of what was put aside.
    pub(crate) fn take(&mut self) -> Option<io::Result<Joined>> {
        if let Some(Aside { name, part }) = self.loose.pop() {
            let (_, place, length) = part;
            let opened = place.reader(length);
            return Some(opened.map(|reader| Joined::Member(name, Box::new(reader), length)));
        }
        let (folder, asides) = self.folders.pop_first()?;
        let whole = asides.iter().any(|aside| {
            let (name, place, length) = &aside.part;
            let packed = name == PACKED_CONTENTS.as_bytes();
            (packed || name == CONTENTS.as_bytes())
                && place
                    .clone()
                    .reader(*length)
                    .is_ok_and(|reader| is_contents(reader, packed))
        });
        if !whole {
            self.loose = asides;
            self.loose.reverse();
            return self.take();
        }
        let parts = asides.into_iter().map(|aside| aside.part).collect();
        let name = match folder.is_empty() {
            true => CONTENTS.into(),
            false => folder,
        };
        Some(Folder::of(parts).map(|folder| Joined::Whole(name, folder)))
    }
}
