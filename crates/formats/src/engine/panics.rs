//! How programs die: panics of Go and Rust, crashes of Java, .NET, Node and Nim. They bypass every formatter
//! and have no stamp.
//!
//! Any program of the language dies like this, so a definition says which text (a module path, a crate's
//! folder) makes a crash its own; the record is claimed only if its whole text holds some of it.

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

/// `thread 'main' panicked at …`; since 2025 with the thread's number, `thread 'main' (7) panicked at`.
pub(crate) fn rust(line: &[u8]) -> Option<Head> {
    let rest = line.strip_prefix(b"thread '")?;
    let at = memmem::find(rest, b" panicked at ")?;
    let name = match rest[..at].strip_suffix(b")") {
        None => &rest[..at],
        Some(numbered) => {
            let open = memchr::memrchr(b'(', numbered)?;
            let number = &numbered[open + 1..];
            if number.is_empty() || !number.iter().all(u8::is_ascii_digit) {
                return None;
            }
            numbered[..open].strip_suffix(b" ")?
        }
    };
    name.ends_with(b"'").then(|| head(Shape::RustPanic))
}

/// `Exception in thread "main" java.lang.…`
pub(crate) fn java(line: &[u8]) -> Option<Head> {
    line.starts_with(b"Exception in thread \"")
        .then(|| head(Shape::JavaCrash))
}

/// `Unhandled exception. System.…`
pub(crate) fn dotnet(line: &[u8]) -> Option<Head> {
    (line.starts_with(b"Unhandled exception. ") || line.starts_with(b"Unhandled Exception: "))
        .then(|| head(Shape::DotnetCrash))
}

/// `<--- Last few GCs --->` and `FATAL ERROR: …` of V8, `node:internal/…:1` of an error nobody caught.
pub(crate) fn node(line: &[u8]) -> Option<Head> {
    let starts = [
        &b"<--- Last few GCs --->"[..],
        b"FATAL ERROR: ",
        b"node:internal/",
    ];
    starts
        .iter()
        .any(|start| line.starts_with(start))
        .then(|| head(Shape::NodeCrash))
}

/// `Traceback (most recent call last, using override)` (a colon after it is Python's), `SIGSEGV: Illegal …`.
pub(crate) fn nim(line: &[u8]) -> Option<Head> {
    let traceback = line.starts_with(b"Traceback (most recent call last") && line.ends_with(b")");
    (traceback || line.starts_with(b"SIGSEGV: Illegal storage access."))
        .then(|| head(Shape::NimCrash))
}

/// Whether a line goes on with what a dying Nim program says: `/path/module.nim(123) name`, what was raised.
pub(crate) fn is_nim_text(text: &[u8]) -> bool {
    [
        &b"[[reraised from:"[..],
        b"]]",
        b"Error: unhandled exception: ",
        b"SIGSEGV: ",
        b"No stack traceback available",
    ]
    .iter()
    .any(|start| text.starts_with(start))
        || memmem::find(&text[..text.len().min(1024)], b".nim(").is_some()
}

/// Whether a line goes on with what V8 or Node says when it dies.
pub(crate) fn is_node_text(text: &[u8]) -> bool {
    let numbered = text.iter().take_while(|c| c.is_ascii_digit()).count();
    numbered > 0 && text[numbered..].starts_with(b": 0x")
        || [
            &b"<--- "[..],
            b"FATAL ERROR: ",
            b"[",
            b" ",
            b"\t",
            b"==== ",
            b"Error: ",
            b"Node.js v",
            b"node:internal/",
        ]
        .iter()
        .any(|start| text.starts_with(start))
}
