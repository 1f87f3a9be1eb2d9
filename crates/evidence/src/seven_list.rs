//! The list of members of a 7z archive: what is packed where, and which stretch of it is whose.
//!
//! A pure reader of bytes that are here as a whole; counts are believed only as far as the bytes that
//! must stand behind them, so that a short list cannot claim much memory.

/// What is wrong with a list, as the rest of a sentence that begins with it.
#[derive(Debug)]
pub(crate) struct Broken(pub(crate) String);

impl Broken {
    pub(crate) fn cut() -> Broken {
        Broken("is cut or damaged".to_owned())
    }

    fn too_many() -> Broken {
        Broken(format!("has more than {THINGS} entries (limit of memory)"))
    }
}

type Result<T> = std::result::Result<T, Broken>;

/// More coders than one folder ever has.
const CODERS: u64 = 8;

/// More members, or blocks of them, than are kept in memory; [`Limits`](crate::Limits) end long before.
const THINGS: usize = 1 << 18;

const END: u8 = 0x00;
const HEADER: u8 = 0x01;
const ARCHIVE_PROPERTIES: u8 = 0x02;
const MAIN_STREAMS: u8 = 0x04;
const FILES: u8 = 0x05;
const PACKED: u8 = 0x06;
const FOLDERS: u8 = 0x07;
const SUBSTREAMS: u8 = 0x08;
const SIZE: u8 = 0x09;
const SUMS: u8 = 0x0a;
const FOLDER: u8 = 0x0b;
const UNPACKED_SIZE: u8 = 0x0c;
const STREAMS_IN_FOLDER: u8 = 0x0d;
const EMPTY_STREAMS: u8 = 0x0e;
const EMPTY_FILES: u8 = 0x0f;
const NAMES: u8 = 0x11;
const ATTRIBUTES: u8 = 0x15;
const PACKED_HEADER: u8 = 0x17;

/// One step of unpacking.
#[derive(Clone, Debug)]
pub(crate) struct Coder {
    pub(crate) id: Vec<u8>,
    pub(crate) properties: Vec<u8>,
}

/// Members packed together.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    pub(crate) coders: Vec<Coder>,
    /// Where its data begins, behind the archive's first 32 bytes, and its length.
    pub(crate) at: u64,
    pub(crate) packed: u64,
    /// Bytes that come out.
    pub(crate) bytes: u64,
    pub(crate) crc: Option<u32>,
    /// Sizes of the coders' outputs; the packed streams it has.
    outputs: u64,
    main_output: usize,
    inputs: u64,
}

/// A member as the list has it.
#[derive(Debug)]
pub(crate) struct ListedMember {
    pub(crate) name: Vec<u8>,
    /// What it is, if that is never read.
    pub(crate) refused: Option<&'static str>,
    /// Its folder, and where in what comes out it begins; `None` for an empty one.
    pub(crate) place: Option<(usize, u64)>,
    pub(crate) bytes: u64,
    pub(crate) crc: Option<u32>,
}

#[derive(Debug, Default)]
pub(crate) struct List {
    pub(crate) folders: Vec<Folder>,
    pub(crate) members: Vec<ListedMember>,
}

/// A stretch of a folder that is one member's.
struct Substream {
    folder: usize,
    at: u64,
    bytes: u64,
    crc: Option<u32>,
}

impl List {
    /// Returns how the list is packed; `None` if it is not.
    pub(crate) fn packed(header: &[u8]) -> Result<Option<Folder>> {
        let mut reader = Reader::new(header);
        if reader.byte()? != PACKED_HEADER {
            return Ok(None);
        }
        let (folders, _) = streams(&mut reader)?;
        folders.into_iter().next().map(Some).ok_or_else(Broken::cut)
    }

    /// Reads a list; of more than `most` members only those before.
    pub(crate) fn read(header: &[u8], most: usize) -> Result<List> {
        let mut reader = Reader::new(header);
        if reader.byte()? != HEADER {
            return Err(Broken::cut());
        }
        let (mut folders, mut substreams, mut members) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            match reader.byte()? {
                END => break,
                ARCHIVE_PROPERTIES => loop {
                    if reader.byte()? == END {
                        break;
                    }
                    let bytes = reader.number()?;
                    reader.take(bytes)?;
                },
                MAIN_STREAMS => (folders, substreams) = streams(&mut reader)?,
                FILES => members = files(&mut reader, &substreams, most)?,
                _ => return Err(Broken::cut()),
            }
        }
        Ok(List { folders, members })
    }
}

fn streams(reader: &mut Reader<'_>) -> Result<(Vec<Folder>, Vec<Substream>)> {
    let (mut packed, mut at) = (Vec::new(), 0);
    let mut folders: Vec<Folder> = Vec::new();
    let mut substreams = None;
    loop {
        match reader.byte()? {
            END => break,
            PACKED => (at, packed) = packed_streams(reader)?,
            FOLDERS => folders = read_folders(reader)?,
            SUBSTREAMS => {
                place(&mut folders, &packed, at)?;
                substreams = Some(read_substreams(reader, &folders)?);
            }
            _ => return Err(Broken::cut()),
        }
    }
    place(&mut folders, &packed, at)?;
    let substreams = substreams.unwrap_or_else(|| {
        let whole = |(folder, of): (usize, &Folder)| Substream {
            folder,
            at: 0,
            bytes: of.bytes,
            crc: of.crc,
        };
        folders.iter().enumerate().map(whole).collect()
    });
    Ok((folders, substreams))
}

/// Says of every folder where its data lies: packed streams lie one after the other, in the folders' order.
fn place(folders: &mut [Folder], packed: &[u64], mut at: u64) -> Result<()> {
    let mut next = packed.iter();
    for folder in folders {
        folder.at = at;
        folder.packed = 0;
        for _ in 0..folder.inputs {
            let bytes = *next.next().ok_or_else(Broken::cut)?;
            folder.packed = folder.packed.saturating_add(bytes);
        }
        at = at.saturating_add(folder.packed);
    }
    Ok(())
}

fn packed_streams(reader: &mut Reader<'_>) -> Result<(u64, Vec<u64>)> {
    let at = reader.number()?;
    let count = reader.count()?;
    let mut sizes = Vec::new();
    loop {
        match reader.byte()? {
            END => break,
            SIZE => {
                for _ in 0..count {
                    sizes.push(reader.number()?);
                }
            }
            SUMS => drop(reader.sums(count)?),
            _ => return Err(Broken::cut()),
        }
    }
    Ok((at, sizes))
}

fn read_folders(reader: &mut Reader<'_>) -> Result<Vec<Folder>> {
    if reader.byte()? != FOLDER {
        return Err(Broken::cut());
    }
    let count = reader.count()?;
    reader.not_external()?;
    let mut folders = Vec::new();
    for _ in 0..count {
        folders.push(folder(reader)?);
    }
    loop {
        match reader.byte()? {
            END => break,
            UNPACKED_SIZE => {
                for folder in &mut folders {
                    for output in 0..folder.outputs {
                        let bytes = reader.number()?;
                        if output as usize == folder.main_output {
                            folder.bytes = bytes;
                        }
                    }
                }
            }
            SUMS => {
                let sums = reader.sums(count)?;
                for (folder, crc) in folders.iter_mut().zip(sums) {
                    folder.crc = crc;
                }
            }
            _ => return Err(Broken::cut()),
        }
    }
    Ok(folders)
}

fn folder(reader: &mut Reader<'_>) -> Result<Folder> {
    let count = reader.number()?;
    if count == 0 || count > CODERS {
        return Err(Broken::cut());
    }
    let mut coders = Vec::new();
    let (mut inputs, mut outputs) = (0u64, 0u64);
    for _ in 0..count {
        let flags = reader.byte()?;
        let id = reader.take(u64::from(flags & 0xf))?.to_vec();
        let (mut ins, mut outs) = (1, 1);
        if flags & 0x10 != 0 {
            (ins, outs) = (reader.number()?, reader.number()?);
        }
        if ins > CODERS || outs > CODERS {
            return Err(Broken::cut());
        }
        (inputs, outputs) = (inputs + ins, outputs + outs);
        let mut properties = Vec::new();
        if flags & 0x20 != 0 {
            let bytes = reader.number()?;
            properties = reader.take(bytes)?.to_vec();
        }
        coders.push(Coder { id, properties });
    }
    // Outputs that another coder takes in; the one that is left is the folder's.
    let bound = outputs.saturating_sub(1);
    let mut taken = Vec::new();
    for _ in 0..bound {
        reader.number()?;
        taken.push(reader.number()?);
    }
    let packed = inputs.checked_sub(bound).ok_or_else(Broken::cut)?;
    if packed > 1 {
        for _ in 0..packed {
            reader.number()?;
        }
    }
    let main_output = (0..outputs).find(|output| !taken.contains(output));
    Ok(Folder {
        coders,
        at: 0,
        packed: 0,
        bytes: 0,
        crc: None,
        outputs,
        main_output: main_output.unwrap_or(0) as usize,
        inputs: packed,
    })
}

fn read_substreams(reader: &mut Reader<'_>, folders: &[Folder]) -> Result<Vec<Substream>> {
    let mut counts = vec![1; folders.len()];
    let mut kind = reader.byte()?;
    if kind == STREAMS_IN_FOLDER {
        for count in &mut counts {
            *count = reader.number()?;
        }
        kind = reader.byte()?;
    }
    // All but the last of a folder have their size here.
    let sizes = kind == SIZE;
    let mut substreams = Vec::new();
    for (index, (folder, count)) in folders.iter().zip(&counts).enumerate() {
        let mut at = 0u64;
        for number in 0..*count {
            let last = number + 1 == *count;
            let bytes = match last {
                true => folder.bytes.checked_sub(at).ok_or_else(Broken::cut)?,
                false if sizes => reader.number()?,
                false => return Err(Broken::cut()),
            };
            if substreams.len() == THINGS {
                return Err(Broken::too_many());
            }
            substreams.push(Substream {
                folder: index,
                at,
                bytes,
                crc: folder.crc.filter(|_| *count == 1),
            });
            at = at.checked_add(bytes).ok_or_else(Broken::cut)?;
        }
    }
    if sizes {
        kind = reader.byte()?;
    }
    while kind != END {
        if kind != SUMS {
            return Err(Broken::cut());
        }
        let missing: Vec<&mut Substream> = substreams
            .iter_mut()
            .filter(|substream| substream.crc.is_none())
            .collect();
        let sums = reader.sums(missing.len())?;
        for (substream, crc) in missing.into_iter().zip(sums) {
            substream.crc = crc;
        }
        kind = reader.byte()?;
    }
    Ok(substreams)
}

fn files(
    reader: &mut Reader<'_>,
    substreams: &[Substream],
    most: usize,
) -> Result<Vec<ListedMember>> {
    let count = reader.count()?;
    let mut empty = Vec::new();
    let mut files = Vec::new();
    let mut names: &[u8] = &[];
    let mut attributes: Vec<Option<u32>> = Vec::new();
    loop {
        let kind = reader.byte()?;
        if kind == END {
            break;
        }
        let bytes = reader.number()?;
        let mut body = Reader::new(reader.take(bytes)?);
        match kind {
            EMPTY_STREAMS => empty = body.bits(count)?,
            EMPTY_FILES => {
                files = body.bits(empty.iter().filter(|empty| **empty).count())?;
            }
            NAMES => {
                body.not_external()?;
                names = body.0;
            }
            ATTRIBUTES => {
                let defined = body.defined(count)?;
                body.not_external()?;
                for defined in defined {
                    attributes.push(if defined { Some(body.u32()?) } else { None });
                }
            }
            _ => {}
        }
    }
    let mut names = names
        .chunks_exact(2)
        .map(|two| u16::from_le_bytes([two[0], two[1]]));
    let (mut substreams, mut files) = (substreams.iter(), files.into_iter());
    let mut members = Vec::new();
    for index in 0..count.min(most) {
        let mut letters: Vec<u16> = Vec::new();
        loop {
            match names.next().ok_or_else(Broken::cut)? {
                0 => break,
                letter => letters.push(letter),
            }
        }
        let attributes = attributes.get(index).copied().flatten();
        let substream = match empty.get(index) {
            Some(true) => {
                let is_file = files.next().unwrap_or(false);
                if !is_file {
                    continue; // A folder.
                }
                None
            }
            _ => Some(substreams.next().ok_or_else(Broken::cut)?),
        };
        members.push(ListedMember {
            name: String::from_utf16_lossy(&letters).into_bytes(),
            refused: attributes.and_then(refused),
            place: substream.map(|substream| (substream.folder, substream.at)),
            bytes: substream.map_or(0, |substream| substream.bytes),
            crc: substream.and_then(|substream| substream.crc),
        });
    }
    Ok(members)
}

/// Unix keeps a file's mode in the upper half of its attributes.
fn refused(attributes: u32) -> Option<&'static str> {
    if attributes & 0x8000 == 0 {
        return None;
    }
    crate::zip::special(attributes >> 16)
}

/// Takes numbers off a list.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    fn take(&mut self, bytes: u64) -> Result<&'a [u8]> {
        let bytes = usize::try_from(bytes).map_err(|_| Broken::cut())?;
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or_else(Broken::cut)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes(bytes.try_into().expect("four bytes")))
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        let bytes = self.take(8)?;
        Ok(u64::from_le_bytes(bytes.try_into().expect("eight bytes")))
    }

    /// Reads a number: the first byte's leading ones say how many follow, lowest first; its other bits stand
    /// above them.
    fn number(&mut self) -> Result<u64> {
        let first = self.byte()?;
        let more = first.leading_ones();
        let mut value = 0;
        for (index, byte) in self.take(u64::from(more))?.iter().enumerate() {
            value |= u64::from(*byte) << (8 * index);
        }
        if more < 7 {
            value |= (u64::from(first) & (0x7f >> more)) << (8 * more);
        }
        Ok(value)
    }

    /// Reads a count of things of which each takes at least a bit of what follows.
    fn count(&mut self) -> Result<usize> {
        let count = self.number()?;
        if count > self.0.len() as u64 * 8 {
            return Err(Broken::cut());
        }
        match usize::try_from(count) {
            Ok(count) if count <= THINGS => Ok(count),
            _ => Err(Broken::too_many()),
        }
    }

    fn bits(&mut self, count: usize) -> Result<Vec<bool>> {
        let bytes = self.take(count.div_ceil(8) as u64)?;
        Ok((0..count)
            .map(|bit| bytes[bit / 8] & (0x80 >> (bit % 8)) != 0)
            .collect())
    }

    /// Reads for which things something is said: all, or those of a bit.
    fn defined(&mut self, count: usize) -> Result<Vec<bool>> {
        match self.byte()? {
            0 => self.bits(count),
            _ => Ok(vec![true; count]),
        }
    }

    fn sums(&mut self, count: usize) -> Result<Vec<Option<u32>>> {
        let defined = self.defined(count)?;
        let mut sums = Vec::new();
        for defined in defined {
            sums.push(if defined { Some(self.u32()?) } else { None });
        }
        Ok(sums)
    }

    /// Refuses what stands in a stream of its own: nobody writes that.
    fn not_external(&mut self) -> Result<()> {
        match self.byte()? {
            0 => Ok(()),
            _ => Err(Broken::cut()),
        }
    }
}
