//! Unaligned output (`psql -A`) whose rows do not end in a line feed: NUL between them (`-0`), NUL
//! between everything (`-0 -z`), or a separator of one's own (`-R`).
//!
//! No cell holds a NUL, so with them nothing is guessed. A separator of one's own is what stands in
//! front of the footer, if it cuts what is above into exactly the rows that the footer counts.

use super::aligned::footer;
use super::bare::{Asked, Bare, Cells, Look, cell};
use super::unaligned::{count, cut, header};
use super::vertical::{is_typed, pieces};
use crate::delimited::is_name;
use crate::sniff::COLUMNS;

/// Longest separator that is taken for one.
const SEPARATOR: usize = 8;
/// How far a footer behind separators of one's own is looked for.
const REACH: usize = 1 << 20;

/// Reads the table that begins at `start`, if one does.
pub(crate) fn read(
    text: &[u8],
    start: usize,
    asked: Option<&Asked>,
    look: &mut Look,
) -> Option<Bare> {
    let rest = &text[start..];
    match memchr::memchr2(0, b'\n', rest) {
        Some(at) if rest[at] == 0 => zeros(text, start, asked, look),
        // Only a query and the begin of a file are worth a look for a footer far away.
        _ if asked.is_some() || start == 0 => own(text, start, look),
        _ => None,
    }
}

fn columns(names: &[&[u8]]) -> Vec<String> {
    names
        .iter()
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect()
}

fn cells(row: &[u8], separator: &[u8], columns: usize) -> Option<Cells> {
    let fits = count(row, separator) + 1 == columns;
    fits.then(|| {
        cut(row, separator)
            .into_iter()
            .map(|text| cell(text, false))
            .collect()
    })
}

/// Reads rows with NUL behind them.
fn zeros(text: &[u8], start: usize, asked: Option<&Asked>, look: &mut Look) -> Option<Bare> {
    let said = asked.and_then(|asked| asked.columns.as_ref());
    let most = look.room.saturating_add(COLUMNS);
    let all: Vec<(usize, &[u8])> = pieces(text, start).take(most).collect();
    let (at, piece) = all.last()?;
    look.at(at + piece.len() - start + all.len())?;
    let (_, first) = all.first()?;
    let (names, separator) = match header(first) {
        Some((names, separator)) => (names, separator.to_vec()),
        None => (Vec::new(), Vec::new()),
    };
    // A line feed in front of the first NUL is one between rows.
    if separator.contains(&b'\n') {
        return None;
    }
    for (nth, (at, piece)) in all.iter().enumerate().skip(1) {
        let Some(counted) = footer(piece) else {
            continue;
        };
        let foot = (*at, at + piece.len() + 1);
        let rows = usize::try_from(counted).ok()?.checked_add(1)?;
        if names.len() > 1 || (names.len() == 1 && nth == rows) {
            // Rows are certain; what does not fit is damaged.
            if nth == rows {
                return Some(table(&all[..nth], &names, &separator, Some(counted), foot));
            }
            continue;
        }
        let width = nth / rows;
        if width * rows == nth && (1..=COLUMNS).contains(&width) {
            let names: Vec<&[u8]> = all[..width].iter().map(|(_, name)| *name).collect();
            if names.iter().all(|name| is_name(name)) {
                return Some(grid(&all[..nth], width, &names, width, Some(counted), foot));
            }
        }
    }
    let end = after(all.last()?);
    // Without a footer: a header and rows, or rows of the columns that were asked for.
    if names.len() > 1 && said.is_none_or(|said| said.len() == names.len()) {
        let (_, second) = all.get(1)?;
        let fits = count(second, &separator) + 1 == names.len();
        return fits.then(|| table(&all, &names, &separator, None, end));
    }
    // Or a header, and behind it rows that all begin with a value of a type.
    let width = all.iter().take_while(|(_, piece)| is_name(piece)).count();
    let firsts = || all[width..].iter().step_by(width);
    if said.is_none() && (2..=COLUMNS).contains(&width) && all.len() >= 3 * width {
        let typed = firsts().all(|(_, piece)| is_typed(piece));
        let names: Vec<&[u8]> = all[..width].iter().map(|(_, name)| *name).collect();
        return typed.then(|| {
            let whole = all.len() - all.len() % width;
            grid(
                &all[..whole],
                width,
                &names,
                width,
                None,
                after(&all[whole - 1]),
            )
        });
    }
    let said = said?;
    let asked: Vec<&[u8]> = said.iter().map(|name| name.as_bytes()).collect();
    let bars = said.len() - 1;
    if let Some(separator) = [&b"|"[..], b"\t", b",", b";"]
        .into_iter()
        .find(|separator| bars > 0 && all.iter().all(|(_, row)| count(row, separator) == bars))
    {
        let mut bare = table(&all, &asked, separator, None, end);
        // No piece is a header.
        bare.framing.clear();
        bare.rows.insert(
            0,
            (
                all[0].0,
                start + first.len() + 1,
                cells(first, separator, said.len()),
            ),
        );
        return Some(bare);
    }
    all.len().is_multiple_of(said.len()).then(|| {
        let headed = all.len() >= said.len()
            && all
                .iter()
                .zip(&asked)
                .all(|((_, piece), name)| piece == name);
        let skip = if headed { said.len() } else { 0 };
        grid(&all, said.len(), &asked, skip, None, end)
    })
}

/// The empty place behind a piece and its NUL.
fn after((at, piece): &(usize, &[u8])) -> (usize, usize) {
    let end = at + piece.len() + 1;
    (end, end)
}

/// Rows whose cells have a separator between them; the first piece is the header.
fn table(
    all: &[(usize, &[u8])],
    names: &[&[u8]],
    separator: &[u8],
    counted: Option<u64>,
    foot: (usize, usize),
) -> Bare {
    let (start, head) = all[0];
    Bare {
        columns: columns(names),
        rows: all[1..]
            .iter()
            .map(|(at, row)| (*at, at + row.len() + 1, cells(row, separator, names.len())))
            .collect(),
        framing: vec![(start, start + head.len() + 1), foot],
        end: foot.1,
        counted,
        notes: Vec::new(),
    }
}

/// Rows of so many pieces each, the header's pieces first.
fn grid(
    all: &[(usize, &[u8])],
    width: usize,
    names: &[&[u8]],
    skip: usize,
    counted: Option<u64>,
    foot: (usize, usize),
) -> Bare {
    let end = |(at, piece): &(usize, &[u8])| at + piece.len() + 1;
    let mut framing = vec![foot];
    if skip > 0 {
        framing.push((all[0].0, end(&all[skip - 1])));
    }
    Bare {
        columns: columns(names),
        rows: all[skip..]
            .chunks_exact(width)
            .map(|row| {
                let cells = row.iter().map(|(_, piece)| cell(piece, false)).collect();
                (row[0].0, end(&row[width - 1]), Some(cells))
            })
            .collect(),
        framing,
        end: foot.1,
        counted,
        notes: Vec::new(),
    }
}

/// Reads rows with a separator of one's own behind them: the shortest one in front of the footer that
/// gives the header and exactly as many rows as it counts.
fn own(text: &[u8], start: usize, look: &mut Look) -> Option<Bare> {
    let rest = &text[start..text.len().min(start + REACH)];
    // Only names can be the begin.
    super::bare::name(rest)?;
    let mut line = 0;
    let mut tried = 0;
    while line < rest.len() && tried < 64 {
        let stop = memchr::memchr(b'\n', &rest[line..]).map_or(rest.len(), |at| line + at);
        let shown = &rest[line..stop];
        look.at(shown.len() + 1)?;
        if shown.trim_ascii_end().ends_with(b")")
            && let Some(open) = memchr::memrchr(b'(', shown)
            && let Some(counted) = footer(&shown[open..])
        {
            tried += 1;
            let foot = line + open;
            let found = (1..=SEPARATOR.min(foot)).find_map(|length| {
                let record = &rest[foot - length..foot];
                separated(text, start, foot, record, counted, look)
            });
            if let Some(mut bare) = found {
                let end = start + (stop + 1).min(rest.len());
                bare.framing.push((start + foot, end));
                bare.end = end;
                return Some(bare);
            }
            if open == 0 {
                // Rows are lines.
                return None;
            }
        }
        line = stop + 1;
    }
    None
}

fn separated(
    text: &[u8],
    start: usize,
    foot: usize,
    record: &[u8],
    counted: u64,
    look: &mut Look,
) -> Option<Bare> {
    // Lines are read elsewhere, where cells with line feeds are put together.
    if matches!(record, b"\n" | b"\r\n") {
        return None;
    }
    let body = &text[start..start + foot - record.len()];
    let rows = usize::try_from(counted).ok()?;
    // Most are seen to be none by the header that they would give.
    let reach = body.len().min(COLUMNS * 64);
    let head = memchr::memmem::find(&body[..reach], record).unwrap_or(reach);
    look.at(head)?;
    header(&body[..head])?;
    look.at(body.len())?;
    if count(body, record) != rows {
        return None;
    }
    let mut pieces = cut(body, record).into_iter();
    let head = pieces.next()?;
    let (names, separator) = header(head).filter(|(names, _)| rows > 0 || names.len() > 1)?;
    if names.len() * rows > look.room || separator == record {
        return None;
    }
    let mut bare = Bare {
        columns: columns(&names),
        framing: vec![(start, start + head.len() + record.len())],
        counted: Some(counted),
        ..Bare::default()
    };
    let mut at = start + head.len() + record.len();
    for piece in pieces {
        let end = at + piece.len() + record.len();
        let cells = cells(piece, separator, names.len())?;
        bare.rows.push((at, end, Some(cells)));
        at = end;
    }
    Some(bare)
}
