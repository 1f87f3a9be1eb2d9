//! Bytes: walking, decoding, hashing, offsets.
//!
//! This crate turns the paths a person names into decoded byte streams: it walks folders, opens
//! files, unpacks gzip and zstd by their magic bytes, hashes what passes, and cuts the stream into
//! blocks whose borders depend on the content alone. Everything streams in bounded memory.
//!
//! It must never know what a line means (that is `formats` and `dumps`) nor where records go (that
//! is `case`): it hands on bytes and says where they lay.
//!
//! Not here yet: archives (tar, zip), xz and bzip2, UTF-16. They are recognised and named by
//! [`Content::sniff`], so that nothing is misread in silence.

mod blocks;
mod container;
mod content;
mod gzip;
mod reader;
mod walk;
mod zst;

pub use blocks::{BLOCK_SIZE, Blocks, LINE_LIMIT, Piece};
pub use content::Content;
pub use reader::{Container, ContainerKind, Digest256, SourceFacts, SourceReader, Status};
pub use walk::{EvidenceError, Found, STDIN, walk};
