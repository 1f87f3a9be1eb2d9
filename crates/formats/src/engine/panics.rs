//! Panics of Go and Rust programs: they bypass every formatter and have no stamp.
//!
//! Any Go or Rust program panics like this, so a definition says which text (a module path, a crate's
//! folder) makes a panic its own; the record is claimed only if its whole text holds some of it.

use super::{Head, Shape};
use memchr::memmem;

fn head(shape: Shape) -> Head {
    Head {
        shape,
        stamp: None,
        level: (0, 0),
        component: (0, 0),
        spans: (0, 0),
        body: 0,
    }
}

/// `panic: …`, `fatal error: …`, `goroutine 1 [running]:` at the start of a stack dump.
pub(crate) fn go(line: &[u8]) -> Option<Head> {
    (line.starts_with(b"panic: ") || line.starts_with(b"fatal error: ") || is_goroutine(line))
        .then(|| head(Shape::GoPanic))
}

/// `goroutine 1 [running]:`
pub(crate) fn is_goroutine(line: &[u8]) -> bool {
    line.strip_prefix(b"goroutine ").is_some_and(|rest| {
        let digits = rest.iter().take_while(|c| c.is_ascii_digit()).count();
        digits > 0 && rest[digits..].starts_with(b" [") && rest.ends_with(b":")
    })
}

/// `thread 'main' panicked at …`
pub(crate) fn rust(line: &[u8]) -> Option<Head> {
    let rest = line.strip_prefix(b"thread '")?;
    memmem::find(rest, b"' panicked at ").map(|_| head(Shape::RustPanic))
}
