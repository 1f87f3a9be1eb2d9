//! Answers of APIs: one answer or a stream of them (JSON lines, arrays, whole pages), bare or in the
//! envelopes that JSON-RPC (`result`), the Beacon API (`data`) and block explorers (`items`) put
//! around them.
//!
//! Values of arrays and lines are read one by one, so a file may be of any size. Envelopes are
//! framing; what is no known answer is a located reject, a call that failed among them.

use std::borrow::Cow;

use super::cell::Cell;
use super::collect::{Named, Reading};
use super::json::{Fault, Member, Members};
use super::shapes::{Answer, answer_of};
use super::stream::{Found, Stream, located, within};
use crate::facts::{DumpError, Trouble};
use crate::input::Input;
use crate::rows::Place;

/// Envelopes are opened so deep.
const ENVELOPES: u32 = 4;
/// Most members of an object that may be an answer.
const MEMBERS: usize = 4096;
/// Most objects of a file's begin that are looked at to recognise it.
const LOOKED_AT: usize = 32;

/// Whether a file that begins so holds answers. Its first objects may be calls that failed.
pub(crate) fn sniff(head: &[u8]) -> bool {
    let mut rest = head;
    for _ in 0..LOOKED_AT {
        let blanks = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b'[' | b',' | b']');
        let at = rest.iter().position(|b| !blanks(b));
        let Some(object) = at.map(|at| &rest[at..]).filter(|text| text[0] == b'{') else {
            return false;
        };
        match recognise(object, 0) {
            Recognised::Answer => return true,
            Recognised::Failed => {}
            Recognised::Other => return false,
        }
        match super::json::value_end(object) {
            Ok(end) => rest = &object[end..],
            Err(_) => return false,
        }
    }
    false
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recognised {
    Answer,
    /// An envelope that says that there is no answer.
    Failed,
    Other,
}

/// Looks at an object that may be cut.
fn recognise(object: &[u8], level: u32) -> Recognised {
    let members: Vec<Member<'_>> = Members::new(object)
        .take(MEMBERS)
        .map_while(Result::ok)
        .collect();
    if answer_of(&members).is_some() {
        return Recognised::Answer;
    }
    let Some(inner) = envelope(&members).filter(|_| level < ENVELOPES) else {
        return Recognised::Other;
    };
    match inner.value.first() {
        Some(b'{') if *inner.key() != *b"error" => recognise(inner.value, level + 1),
        Some(b'[') => {
            let first = Members::new(inner.value).next();
            match first.and_then(Result::ok) {
                Some(element) if element.value.first() == Some(&b'{') => {
                    recognise(element.value, level + 1)
                }
                _ => Recognised::Other,
            }
        }
        _ if members.iter().any(|member| *member.key() == *b"jsonrpc") => Recognised::Failed,
        _ => Recognised::Other,
    }
}

/// Returns the member that holds what an envelope is around: with `result` or `error` it is
/// JSON-RPC's.
fn envelope<'m, 't>(members: &'m [Member<'t>]) -> Option<&'m Member<'t>> {
    let find = |name: &str| {
        members
            .iter()
            .find(|member| *member.key() == *name.as_bytes())
    };
    let filled = |name| find(name).filter(|member| member.value != b"null");
    filled("result")
        .or_else(|| filled("error").filter(|_| find("jsonrpc").is_some()))
        .or_else(|| find("result"))
        .or_else(|| find("items").filter(|member| member.value.first() == Some(&b'[')))
        .or_else(|| find("data").filter(|member| matches!(member.value.first(), Some(b'{' | b'['))))
}

/// Reads a document of answers.
pub(crate) fn walk(input: &mut Input<'_>, out: &mut Reading<'_>) -> Result<(), DumpError> {
    let mut stream = Stream::new(input)?;
    let mut depth = 0u32;
    while let Some(byte) = stream.peek()? {
        match byte {
            b'[' => {
                depth = depth.saturating_add(1);
                stream.take(1);
            }
            b']' if depth > 0 => {
                depth -= 1;
                stream.take(1);
            }
            b',' if depth > 0 => stream.take(1),
            b'{' => object_at_front(&mut stream, out)?,
            _ => {
                let what = "no object of JSON begins here".to_owned();
                out.reject(stream.bad_line(Trouble::Damaged, what)?)?;
            }
        }
    }
    if depth > 0 {
        let what = "the document ends before its array does".to_owned();
        out.reject(located(Trouble::Truncated, stream.place(0), 0, 1, what))?;
    }
    Ok(())
}

fn object_at_front(stream: &mut Stream<'_, '_>, out: &mut Reading<'_>) -> Result<(), DumpError> {
    match stream.value()? {
        Found::Value(length) => {
            let place = stream.place(length);
            object(&stream.window()[..length], place, &[], 0, out)?;
            stream.take(length);
            Ok(())
        }
        Found::Wrong(fault @ Fault::Cut) => {
            let rest = stream.bad_rest(Trouble::Truncated, fault.what())?;
            out.reject(rest)
        }
        Found::Wrong(fault) => {
            let line = stream.bad_line(Trouble::Damaged, fault.what())?;
            out.reject(line)
        }
        Found::Long => {
            let what = "one JSON object of more than 64 MiB: what follows is not read; \
                        write its items one per line, as with jq -c '.[]'";
            let rest = stream.bad_rest(Trouble::Unsupported, what.to_owned())?;
            out.reject(rest)
        }
    }
}

/// Reads an object: an answer, or an envelope around some. `beside` are columns that envelopes add.
fn object(
    text: &[u8],
    place: Place,
    beside: &[Named<'_>],
    level: u32,
    out: &mut Reading<'_>,
) -> Result<(), DumpError> {
    let mut members = Vec::new();
    for member in Members::new(text) {
        match member {
            Ok(member) if members.len() < MEMBERS => members.push(member),
            Ok(_) => break,
            Err(fault) => return refuse(text, place, Trouble::Damaged, fault.what(), out),
        }
    }
    if let Some(answer) = answer_of(&members) {
        return match cells(answer, &members, beside) {
            Ok(cells) => out.row(&answer.shape, &cells, place),
            Err(what) => out.broken(&answer.shape, place, lines_of(text), what),
        };
    }
    let inner = envelope(&members).filter(|_| level < ENVELOPES);
    let Some(inner) = inner else {
        let what = "a JSON object that is no answer this version knows";
        return refuse(text, place, Trouble::Other, what.to_owned(), out);
    };
    if *inner.key() == *b"error" {
        let what = format!(
            "the API answered with an error: {}",
            crate::rows::shown(inner.value)
        );
        return refuse(text, place, Trouble::Other, what, out);
    }
    let inside = within(place, text, inner.at, inner.value.len());
    let beside = match siblings(inner, &members) {
        Ok(beside) => beside,
        Err(what) => return refuse(text, place, Trouble::Damaged, what, out),
    };
    match inner.value.first() {
        Some(b'{') => object(inner.value, inside, &beside, level + 1, out),
        Some(b'[') => elements(inner.value, inside, &beside, level + 1, out),
        _ => {
            let what = format!(
                "an answer without a result: {}",
                crate::rows::shown(inner.value)
            );
            refuse(text, place, Trouble::Other, what, out)
        }
    }
}

/// Reads the elements of an array inside an envelope.
fn elements(
    text: &[u8],
    place: Place,
    beside: &[Named<'_>],
    level: u32,
    out: &mut Reading<'_>,
) -> Result<(), DumpError> {
    let (mut line, mut counted) = (place.line, 0);
    for element in Members::new(text) {
        let Ok(element) = element else {
            // The scan has found the text to be whole.
            break;
        };
        line += memchr::memchr_iter(b'\n', &text[counted..element.at]).count() as u64;
        counted = element.at;
        let inside = Place {
            line,
            byte: place.byte + element.at as u64,
            length: element.value.len() as u64,
        };
        match element.value.first() {
            Some(b'{') => object(element.value, inside, beside, level, out)?,
            _ => {
                let what = "an element that is no object".to_owned();
                refuse(element.value, inside, Trouble::Other, what, out)?;
            }
        }
    }
    Ok(())
}

/// How many lines a text touches that has no line feed at its end.
pub(crate) fn lines_of(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64 + 1
}

fn refuse(
    text: &[u8],
    place: Place,
    trouble: Trouble,
    what: String,
    out: &mut Reading<'_>,
) -> Result<(), DumpError> {
    out.reject(located(trouble, place, place.length, lines_of(text), what))
}

/// What an envelope says beside its content: the call's id in JSON-RPC (it may be all that tells which
/// call this answers), what the Beacon API says of the state.
fn siblings<'t>(inner: &Member<'t>, members: &[Member<'t>]) -> Result<Vec<Named<'t>>, String> {
    let mut beside = Vec::new();
    let rpc = *inner.key() == *b"result";
    let data = *inner.key() == *b"data";
    for member in members {
        let key = member.key();
        let scalar = !matches!(member.value.first(), Some(b'{' | b'['));
        if rpc && *key == *b"id" && scalar {
            beside.push((Cow::Borrowed("rpc_id"), Cell::of_json(member.value)?));
        } else if data && scalar {
            beside.push((name(&key), Cell::of_json(member.value)?));
        }
    }
    Ok(beside)
}

fn name(key: &[u8]) -> Cow<'static, str> {
    Cow::Owned(String::from_utf8_lossy(key).into_owned())
}

/// Turns members into columns.
fn cells<'t>(
    answer: &Answer,
    members: &[Member<'t>],
    beside: &[Named<'t>],
) -> Result<Vec<Named<'t>>, String> {
    let mut cells = Vec::with_capacity(members.len() + beside.len());
    for member in members {
        let key = member.key();
        let column = name(&key);
        if answer.nested.contains(&column.as_ref()) && member.value.first() == Some(&b'{') {
            for inside in Members::new(member.value) {
                let inside = inside.map_err(Fault::what)?;
                let part = String::from_utf8_lossy(&inside.key()).into_owned();
                let cell = Cell::of_json(inside.value).map_err(|what| format!("{part}: {what}"))?;
                cells.push((Cow::Owned(format!("{column}_{part}")), cell));
            }
        } else {
            let cell = Cell::of_json(member.value).map_err(|what| format!("{column}: {what}"))?;
            cells.push((column, cell));
        }
    }
    cells.extend(beside.iter().cloned());
    Ok(cells)
}
