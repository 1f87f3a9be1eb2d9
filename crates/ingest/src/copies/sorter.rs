//! Sorting more than memory holds: sorted runs in temporary files, merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;

/// Something of a fixed size that can be sorted and written down.
pub(crate) trait Item: Copy + Ord {
    /// Its size when written.
    type Bytes: AsRef<[u8]> + AsMut<[u8]>;

    /// Room for it.
    const EMPTY: Self::Bytes;

    /// Writes it down.
    fn to_bytes(&self) -> Self::Bytes;

    /// Reads what [`Item::to_bytes`] wrote.
    fn from_bytes(bytes: &Self::Bytes) -> Self;
}

/// Items held in memory before they become a file.
const HELD: usize = 1 << 20;

/// Takes items in any order and gives them back sorted; memory is bounded whatever their number.
pub(crate) struct Sorter<'f, T> {
    items: Vec<T>,
    held: usize,
    /// Sorted files; removed when the sorter goes.
    files: Vec<PathBuf>,
    fresh: &'f dyn Fn() -> io::Result<PathBuf>,
}

impl<'f, T: Item> Sorter<'f, T> {
    /// Begins; `fresh` gives paths for temporary files.
    pub(crate) fn new(fresh: &'f dyn Fn() -> io::Result<PathBuf>) -> Sorter<'f, T> {
        Sorter::holding(HELD, fresh)
    }

    pub(crate) fn holding(held: usize, fresh: &'f dyn Fn() -> io::Result<PathBuf>) -> Self {
        Sorter {
            items: Vec::new(),
            held,
            files: Vec::new(),
            fresh,
        }
    }

    pub(crate) fn push(&mut self, item: T) -> io::Result<()> {
        if self.items.len() >= self.held {
            self.spill()?;
        }
        self.items.push(item);
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        self.items.sort_unstable();
        let path = (self.fresh)()?;
        let mut file = BufWriter::with_capacity(1 << 16, File::create(&path)?);
        self.files.push(path);
        for item in self.items.drain(..) {
            file.write_all(item.to_bytes().as_ref())?;
        }
        file.flush()
    }

    /// Passes all items to `f`, smallest first.
    pub(crate) fn sorted(mut self, f: &mut dyn FnMut(T) -> io::Result<()>) -> io::Result<()> {
        self.items.sort_unstable();
        let mut files = Vec::with_capacity(self.files.len());
        for path in &self.files {
            files.push(BufReader::with_capacity(1 << 16, File::open(path)?));
        }
        let mut held = std::mem::take(&mut self.items).into_iter();
        let last = files.len();
        // One item of each file, and of memory.
        let mut heads: BinaryHeap<Reverse<(T, usize)>> = BinaryHeap::new();
        for (at, file) in files.iter_mut().enumerate() {
            heads.extend(next::<T>(file)?.map(|item| Reverse((item, at))));
        }
        heads.extend(held.next().map(|item| Reverse((item, last))));
        while let Some(Reverse((item, at))) = heads.pop() {
            f(item)?;
            let following = match files.get_mut(at) {
                Some(file) => next::<T>(file)?,
                None => held.next(),
            };
            heads.extend(following.map(|item| Reverse((item, at))));
        }
        Ok(())
    }
}

impl<T> Drop for Sorter<'_, T> {
    fn drop(&mut self) {
        for path in &self.files {
            // The transaction's folder goes as a whole; this only frees the disk sooner.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn next<T: Item>(file: &mut impl Read) -> io::Result<Option<T>> {
    let mut bytes = T::EMPTY;
    match file.read_exact(bytes.as_mut()) {
        Ok(()) => Ok(Some(T::from_bytes(&bytes))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Item for u64 {
        type Bytes = [u8; 8];
        const EMPTY: [u8; 8] = [0; 8];

        fn to_bytes(&self) -> [u8; 8] {
            self.to_le_bytes()
        }

        fn from_bytes(bytes: &[u8; 8]) -> u64 {
            u64::from_le_bytes(*bytes)
        }
    }

    #[test]
    fn what_goes_in_comes_out_sorted_and_no_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let count = std::cell::Cell::new(0);
        let fresh = || {
            count.set(count.get() + 1);
            Ok(folder.path().join(count.get().to_string()))
        };
        for (items, held) in [(0u64, 4), (3, 4), (4, 4), (1000, 7)] {
            let mut sorter = Sorter::holding(held, &fresh);
            for n in 0..items {
                sorter.push(n.wrapping_mul(0x9E37_79B9) % 97).unwrap();
            }
            let mut out = Vec::new();
            sorter
                .sorted(&mut |item| {
                    out.push(item);
                    Ok(())
                })
                .unwrap();
            let mut expected: Vec<u64> = (0..items)
                .map(|n| n.wrapping_mul(0x9E37_79B9) % 97)
                .collect();
            expected.sort_unstable();
            assert_eq!(out, expected);
            assert_eq!(folder.path().read_dir().unwrap().count(), 0);
        }
    }
}
