//! The memory of the program.
//!
//! Columns of a block are built on one thread, written on another and freed some ten milliseconds later.
//! The system's allocator takes a seventh more time for an ingest than mimalloc, which in turn gives freed
//! pages back to the system at once and has them zeroed again for the next block: a quarter of an ingest's
//! CPU time, until it is told to wait.
//!
//! It is built without asking the system for huge pages (feature `no_thp`): each is zeroed whole, however little of
//! it is used. On a virtual machine that is given its memory when it first touches it, an ingest of 1 GiB spent 4 to
//! 11 s in the system with them and 1 s without, and a trace of a dump took two to three times as long.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Milliseconds that freed pages stay ours: also on a busy machine, a whole window of the hash table is read,
/// sorted and written in that time. With a tenth of it an ingest has thirty times the page faults, and no
/// smaller peak.
const PURGE_DELAY_MS: std::ffi::c_long = 1000;

/// `mi_option_purge_delay` of mimalloc 2; the bindings lack its name.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Tells the allocator to keep freed pages a while. To be called first in `main`.
#[allow(unsafe_code)]
pub(crate) fn keep_freed_pages() {
    // SAFETY: this only stores a number among mimalloc's options, which it may at any time.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, PURGE_DELAY_MS) }
}
