//! Bytes: walking, decoding, archives, encodings, hashing, offsets.
//!
//! This crate turns the paths a person names into decoded byte streams, the *sources*: it walks
//! folders, opens files, takes off gzip, zstd, bzip2, xz and lz4 and opens tar, zip and 7z archives by their
//! magic bytes, nested as they come ([`Streams`]), hashes what passes, and cuts a stream into blocks
//! whose borders depend on the content alone ([`Blocks`]). Everything streams in bounded memory; what
//! hostile evidence may cost is in [`Limits`].
//!
//! It must never know what a line means (that is `formats` and `dumps`) nor where records go (that
//! is `case`): it hands on bytes and says where they lay.

mod ahead;
mod blocks;
mod bzip;
mod content;
mod gzip;
mod input;
mod layer;
mod limits;
mod lz4;
mod parts;
mod reader;
mod seven;
mod seven_list;
mod sparse;
mod streams;
mod tar;
mod unzip;
mod walk;
mod whole;
mod xz;
mod zip;
mod zst;

pub use blocks::{BLOCK_SIZE, Blocks, LINE_LIMIT, Piece};
pub use content::Content;
pub use limits::Limits;
pub use model::{OffsetMap, Utf16Reader};
pub use reader::{Container, ContainerKind, Digest256, SourceFacts, SourceReader, Status, open_at};
pub use streams::{
    ArchiveFacts, INSIDE, Stream, Streams, file_of, hash_file, open_member, open_source,
};
pub use walk::{EvidenceError, Found, STDIN, walk};
