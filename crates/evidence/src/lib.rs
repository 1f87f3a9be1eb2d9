//! Bytes: walking, decoding, hashing, offsets.
