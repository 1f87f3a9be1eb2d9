//! Expanded output without alignment (`psql -x -A`): `name|value` for each cell, an empty line between
//! two rows; or with other separators, NUL among them.
//!
//! Nothing is escaped, so the names say where cells end: a row is read if each of them stands exactly
//! once, in order, where a cell may begin. A cell that holds what looks like the begin of another one
//! makes its row damaged, never wrong.

use super::bare::{Asked, Bare, Cells, Look, cell, is_part, name};
use super::{known, query, session};
use crate::delimited::is_name;
use crate::infer::Inference;
use crate::sniff::COLUMNS;
use model::ColumnType;
use std::collections::HashSet;

/// How far the first row is looked at for its names.
const BLOCK: usize = 256 << 10;
/// What looking at a line costs, beside its bytes.
const LINE_COST: usize = 16;
/// Longest separator that is taken for one.
const SEPARATOR: usize = 8;
/// Separators that are believed where no query and no known table speaks for the text.
const USUAL: [&[u8]; 5] = [b"|", b"\t", b"\0", b";", b","];

/// How a text is written.
#[derive(Clone, Debug, PartialEq)]
struct Form {
    names: Vec<Vec<u8>>,
    field: Vec<u8>,
    record: &'static [u8],
}

/// Reads the table that begins at `start`, if one does.
pub(crate) fn read(
    text: &[u8],
    start: usize,
    asked: Option<&Asked>,
    look: &mut Look,
) -> Option<Bare> {
    name(&text[start..])?;
    let zeros = look.zeros;
    let reach = &text[start..text.len().min(start + BLOCK)];
    let mut found = |byte: u8| {
        let at = memchr::memchr(byte, reach);
        look.at(at.unwrap_or(reach.len())).and(at)
    };
    let line = found(b'\n');
    let zeros = zeros && found(0).is_some();
    let crlf = line.is_some_and(|at| at > 0 && reach[at - 1] == b'\r');
    let lines: &'static [u8] = if crlf { b"\r\n" } else { b"\n" };
    let ways = [Some(lines), zeros.then_some(&b"\0"[..])];
    ways.into_iter().flatten().find_map(|record| {
        let form = form(text, start, record, asked, look)?;
        Some(match form.field == form.record {
            true => flat(text, start, &form, look.room),
            false => Walk::new(text, &form).rows(start, look),
        })
    })
}

/// Lines, and where what stands behind an empty one begins.
type Lines<'t> = (Vec<&'t [u8]>, Option<usize>);

/// The lines of the row at the front, its record separators taken off, as far as they may be looked at.
fn block<'t>(text: &'t [u8], start: usize, record: &[u8], look: &mut Look) -> Option<Lines<'t>> {
    let reach = &text[..text.len().min(start + BLOCK)];
    let mut lines = Vec::new();
    let mut from = start;
    while lines.len() < 4 * COLUMNS {
        let at = memchr::memmem::find(&reach[from..], record);
        let line = &reach[from..at.map_or(reach.len(), |at| from + at)];
        look.at(line.len() + LINE_COST)?;
        lines.push(line);
        let Some(at) = at else { break };
        from += at + record.len();
        if reach[from..].starts_with(record) {
            return Some((lines, Some(from + record.len())));
        }
    }
    Some((lines, None))
}

/// Finds names and separators.
fn form(
    text: &[u8],
    start: usize,
    record: &'static [u8],
    asked: Option<&Asked>,
    look: &mut Look,
) -> Option<Form> {
    let said = asked.and_then(|asked| asked.columns.as_ref());
    if let Some(first) = said.and_then(|said| said.first())
        && !text[start..].starts_with(first.as_bytes())
    {
        return None;
    }
    let (mut lines, mut behind) = block(text, start, record, look)?;
    if record == b"\0" && name(lines[0]).is_some_and(|name| name.len() == lines[0].len()) {
        return flat_form(text, start, said, look);
    }
    // Cells with empty lines cut the first row: what is asked for may stand behind them.
    while let (Some(names), Some(next)) = (said, behind)
        && lines.len() < names.len()
        && next - start < BLOCK
    {
        let (more, further) = block(text, next, record, look)?;
        lines.extend(more);
        behind = further;
    }
    let named = |line: &[u8], nth: usize| -> Option<Vec<u8>> {
        match said {
            Some(names) => {
                let name = names.get(nth)?.as_bytes();
                let parted = line.get(name.len()).is_some_and(|b| !is_part(*b));
                (line.starts_with(name) && parted).then(|| name.to_vec())
            }
            None => name(line).map(<[u8]>::to_vec),
        }
    };
    let mut found: Vec<(Vec<u8>, &[u8])> = Vec::new();
    for line in &lines {
        if let Some(name) = named(line, found.len()) {
            let rest = &line[name.len()..];
            found.push((name, rest));
        }
    }
    if said.is_some_and(|names| names.len() != found.len()) || found.is_empty() {
        return None;
    }
    let field = field(found.iter().map(|(_, rest)| *rest))?;
    let mut names: Vec<Vec<u8>> = found
        .into_iter()
        .filter(|(_, rest)| rest.starts_with(&field))
        .map(|(name, _)| name)
        .collect();
    let first = [names.first()?.as_slice(), &field].concat();
    if !text[start..].starts_with(&first) || names.len() > COLUMNS {
        return None;
    }
    if said.is_none() {
        // What is a name in this row only is a line of some cell.
        let again = behind.filter(|next| text[*next..].starts_with(&first));
        if let Some(next) = again {
            let (lines, _) = block(text, next, record, look)?;
            let second: Vec<&[u8]> = lines
                .iter()
                .filter_map(|line| name(line).filter(|name| line[name.len()..].starts_with(&field)))
                .collect();
            let mut rest = names.iter();
            match second.iter().all(|name| rest.any(|own| own == name)) {
                true => names = second.iter().map(|name| name.to_vec()).collect(),
                false => names.retain(|name| second.contains(&name.as_slice())),
            }
        }
        let usual = USUAL.contains(&field.as_slice());
        let known = known::table_of(&texts(&names)).is_some();
        let repeated = again.is_some() && names.len() > 1;
        let zero = field == b"\0" || record == b"\0";
        let sure = known || (usual && (repeated || (asked.is_some() && (names.len() > 1 || zero))));
        if !sure {
            return None;
        }
    }
    Some(Form {
        names,
        field,
        record,
    })
}

fn texts(names: &[Vec<u8>]) -> Vec<String> {
    names
        .iter()
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect()
}

/// What stands between names and values: the shortest run of other characters that any name has behind
/// it. It is the separator, unless all values begin with the same sign: then it is the usual one.
fn field<'t>(rests: impl Iterator<Item = &'t [u8]>) -> Option<Vec<u8>> {
    let mut runs = rests
        .map(|rest| {
            let length = rest.iter().position(|b| is_part(*b)).unwrap_or(rest.len());
            &rest[..length]
        })
        .filter(|run| !run.is_empty());
    // Lines of cells have words in front, too; what the first name has behind it is the separator's begin.
    let first = runs.next()?;
    let run = runs
        .filter(|run| run[0] == first[0])
        .fold(first, |shortest, run| {
            if run.len() < shortest.len() {
                run
            } else {
                shortest
            }
        });
    if run[0] == 0 {
        return Some(vec![0]);
    }
    if run[0] == b'|' && !run.iter().all(|b| *b == b'|') {
        return Some(vec![b'|']);
    }
    (run.len() <= SEPARATOR && run != b" " && !run.contains(&b'\n')).then(|| run.to_vec())
}

struct Walk<'t, 'f> {
    text: &'t [u8],
    form: &'f Form,
    crlf: bool,
    names: HashSet<&'f [u8]>,
}

/// What follows a row.
enum Next {
    Row(usize),
    End(usize),
}

impl<'t, 'f> Walk<'t, 'f> {
    fn new(text: &'t [u8], form: &'f Form) -> Walk<'t, 'f> {
        Walk {
            text,
            form,
            crlf: form.record == b"\r\n",
            names: form.names.iter().map(Vec::as_slice).collect(),
        }
    }

    fn rows(&self, start: usize, look: &mut Look) -> Bare {
        let mut bare = Bare {
            columns: texts(&self.form.names),
            end: start,
            ..Bare::default()
        };
        let mut held = 0;
        let mut at = start;
        loop {
            let (cells, cut, next) = self.row(at, &mut bare.notes, look);
            let end = match next {
                Next::Row(next) => next,
                Next::End(end) => end,
            };
            // What began in the middle of a cell has not all names: whose text it is nobody can say.
            if cut
                && let Some((_, _, before)) = bare.rows.last_mut()
                && before.as_ref().is_some_and(|cells| !ends_typed(cells))
            {
                *before = None;
            }
            held += self.form.names.len();
            bare.rows.push((at, end, cells));
            bare.end = end;
            match next {
                Next::Row(next) if held < look.room => at = next,
                _ => return bare,
            }
        }
    }

    /// Whether the n-th name stands here.
    fn is_name_at(&self, at: usize, nth: usize) -> bool {
        let names = &self.form.names;
        let rest = &self.text[at..];
        names.get(nth).is_some_and(|name| {
            rest.starts_with(name) && rest[name.len()..].starts_with(&self.form.field)
        })
    }

    /// Whether any name stands here, of this table or perhaps of another one.
    fn name_at(&self, at: usize) -> Option<(&'t [u8], bool)> {
        let rest = &self.text[at..];
        let near = &rest[..rest.len().min(64 + self.form.field.len())];
        let length = memchr::memmem::find(near, &self.form.field)?;
        let name = &rest[..length];
        let own = self.names.contains(name);
        (own || is_name(name)).then_some((name, own))
    }

    /// Reads the row at a place: its cells, if they can be told; whether names are missing; what follows.
    fn row(
        &self,
        start: usize,
        notes: &mut Vec<String>,
        look: &mut Look,
    ) -> (Option<Cells>, bool, Next) {
        let record = self.form.record;
        let lines = record != b"\0";
        let last = self.form.names.len() - 1;
        let width = |nth: usize| self.form.names[nth].len() + self.form.field.len();
        let mut cells = Vec::with_capacity(last + 1);
        let mut unsure = false;
        let mut from = start + width(0);
        let mut at = from;
        // Where the first empty line of the last cell stands, if it is one.
        let mut blank: Option<usize> = None;
        let (stop, next) = loop {
            let Some(found) = memchr::memmem::find(&self.text[at..], record) else {
                break (self.text.len(), Next::End(self.text.len()));
            };
            let stop = at + found;
            let behind = stop + record.len();
            let nth = cells.len();
            let doubled = self.text[behind..].starts_with(record);
            if doubled && self.is_name_at(behind + record.len(), 0) {
                break (stop, Next::Row(behind + record.len()));
            }
            if behind == self.text.len() {
                break (stop, Next::End(behind));
            }
            if self.is_name_at(behind, nth + 1) {
                cells.push(cell(&self.text[from..stop], self.crlf));
                from = behind + width(nth + 1);
                at = from;
                continue;
            }
            at = behind;
            match self.name_at(behind) {
                Some((_, true)) => unsure = true,
                _ if !lines => break (stop, Next::End(behind)),
                // Another table, or a line of the last cell that looks like one.
                Some((_, false)) if nth == last && blank.is_none() => {
                    let typed = is_typed(&self.text[from..stop]);
                    let other = typed || form(self.text, behind, record, None, look).is_some();
                    unsure |= !other;
                    break (stop, Next::End(behind));
                }
                _ if lines && self.is_said(behind) => break (stop, Next::End(behind)),
                _ if doubled && nth == last && blank.is_none() => {
                    if is_typed(&self.text[from..stop]) {
                        break (stop, Next::End(behind));
                    }
                    blank = Some(stop);
                }
                _ => {}
            }
        };
        let (mut stop, mut next) = (stop, next);
        if let (Some(blank), Next::End(_)) = (blank, &next) {
            if !self.text[blank..stop].trim_ascii().is_empty() {
                notes.push("the last cell of the last row is taken to end at an empty line".into());
            }
            stop = blank;
            next = Next::End(blank + record.len());
        }
        let missing = cells.len() < last;
        cells.push(cell(&self.text[from..stop], self.crlf));
        ((!missing && !unsure).then_some(cells), missing, next)
    }

    /// Whether a line is psql's own, or a prompt.
    fn is_said(&self, at: usize) -> bool {
        let rest = &self.text[at..];
        let line = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
        query::prompt(line).is_some() || session::is_said(line.trim_ascii())
    }
}

/// Whether a text is a value of a type that has no line feeds.
pub(super) fn is_typed(text: &[u8]) -> bool {
    let mut inference = Inference::default();
    inference.see(text);
    !text.is_empty() && inference.column_type() != ColumnType::Text
}

fn ends_typed(cells: &Cells) -> bool {
    cells
        .last()
        .is_some_and(|cell| cell.as_deref().is_some_and(is_typed))
}

/// Pieces between NULs, with their places; what stands behind the last NUL is none.
pub(crate) fn pieces(text: &[u8], start: usize) -> impl Iterator<Item = (usize, &[u8])> {
    let mut from = start;
    memchr::memchr_iter(0, &text[start..]).map(move |at| {
        let piece = (from, &text[from..start + at]);
        from = start + at + 1;
        piece
    })
}

/// Names of rows that have NUL between everything: pairs up to an empty piece where a name should be.
fn flat_form(
    text: &[u8],
    start: usize,
    said: Option<&Vec<String>>,
    look: &mut Look,
) -> Option<Form> {
    let mut names: Vec<Vec<u8>> = Vec::new();
    let mut again = false;
    let mut nth = 0;
    for (_, piece) in pieces(text, start) {
        nth += 1;
        look.at(piece.len() + 1)?;
        if nth % 2 == 0 {
            continue;
        }
        if piece.is_empty() {
            nth = 0;
            again = true;
            continue;
        }
        if again {
            // The second row begins as the first did.
            again = names.first().is_some_and(|name| name == piece);
            break;
        }
        if !is_name(piece) || names.len() >= COLUMNS {
            break;
        }
        names.push(piece.to_vec());
    }
    let sure = match said {
        Some(said) => *said == texts(&names),
        None => (again && names.len() > 1) || known::table_of(&texts(&names)).is_some(),
    };
    (sure && !names.is_empty()).then_some(Form {
        names,
        field: vec![0],
        record: b"\0",
    })
}

/// Reads rows that have NUL between everything.
fn flat(text: &[u8], start: usize, form: &Form, room: usize) -> Bare {
    let names = &form.names;
    let mut bare = Bare {
        columns: texts(names),
        end: start,
        ..Bare::default()
    };
    let mut cells = Vec::new();
    let mut row = start;
    let mut is_name = true;
    let mut held = 0;
    for (at, piece) in pieces(text, start) {
        let end = at + piece.len() + 1;
        if is_name {
            if cells.len() == names.len() && piece.is_empty() && bare.end == at {
                // Between two rows; it belongs to the one above.
                if let Some((_, stop, _)) = bare.rows.last_mut() {
                    *stop = end;
                }
                bare.end = end;
                cells = Vec::new();
                row = end;
                if held >= room {
                    break;
                }
                continue;
            }
            if names.get(cells.len()).is_none_or(|name| name != piece) {
                break;
            }
        } else {
            cells.push(cell(piece, false));
            if cells.len() == names.len() {
                held += cells.len();
                bare.rows.push((row, end, Some(cells.clone())));
                bare.end = end;
            }
        }
        is_name = !is_name;
    }
    if bare.rows.is_empty() || (row == bare.end && !cells.is_empty() && cells.len() < names.len()) {
        let end = memchr::memrchr(0, &text[row..]).map_or(text.len(), |at| row + at + 1);
        bare.rows.push((row, end, None));
        bare.end = end;
    }
    bare
}
