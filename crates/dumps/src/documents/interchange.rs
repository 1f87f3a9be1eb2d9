//! The slashing protection interchange format (EIP-3076): one JSON object with `metadata` and, per
//! validator, what it has signed. It becomes the tables `metadata`, `validators`, `signed_blocks` and
//! `signed_attestations`, the messages with their validator and the chain's `genesis_validators_root`.
//!
//! A complete file of a large operator has gigabytes in one line, so it is read message by message.
//! Members may come in any order: what is said behind the messages it belongs to is [`Learned`] in a
//! first reading.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::api::lines_of;
use super::cell::{Cell, Hint};
use super::collect::{Named, Reading};
use super::json::{self, Fault, Members};
use super::shapes::Shape;
use super::stream::{Found, Stream, located};
use crate::facts::{DumpError, Located, Trouble};
use crate::input::Input;
use crate::rows::Place;

const METADATA: Shape<'static> = Shape {
    columns: &["interchange_format_version", "genesis_validators_root"],
    hints: &[
        ("interchange_format_version", Hint::Text),
        ("genesis_validators_root", Hint::Bytes),
    ],
    ..Shape::named("metadata")
};
const VALIDATORS: Shape<'static> = Shape {
    columns: &["pubkey", "signed_blocks", "signed_attestations"],
    hints: &[
        ("pubkey", Hint::Bytes),
        ("signed_blocks", Hint::Quantity),
        ("signed_attestations", Hint::Quantity),
    ],
    ..Shape::named("validators")
};
const BLOCKS: Shape<'static> = Shape {
    columns: &["pubkey", "slot", "signing_root", "genesis_validators_root"],
    hints: &SIGNED,
    ..Shape::named("signed_blocks")
};
const ATTESTATIONS: Shape<'static> = Shape {
    columns: &[
        "pubkey",
        "source_epoch",
        "target_epoch",
        "signing_root",
        "genesis_validators_root",
    ],
    hints: &SIGNED,
    ..Shape::named("signed_attestations")
};
const SIGNED: [(&str, Hint); 6] = [
    ("pubkey", Hint::Bytes),
    ("slot", Hint::Quantity),
    ("source_epoch", Hint::Quantity),
    ("target_epoch", Hint::Quantity),
    ("signing_root", Hint::Bytes),
    ("genesis_validators_root", Hint::Bytes),
];

/// Late keys are remembered for so many validators.
const LATE: usize = 1 << 20;

/// Whether a file begins as an interchange file does.
pub(crate) fn sniff(head: &[u8]) -> bool {
    let start = head.trim_ascii_start();
    Members::new(start)
        .take(3)
        .map_while(Result::ok)
        .any(|member| {
            let has = |object: &[u8], names: &[&[u8]]| {
                Members::new(object)
                    .take(8)
                    .map_while(Result::ok)
                    .any(|inside| names.contains(&inside.key().as_ref()))
            };
            match member.key().as_ref() {
                b"metadata" => has(member.value, &[b"interchange_format_version"]),
                b"data" if member.value.first() == Some(&b'[') => {
                    let first = Members::new(member.value).next();
                    first.and_then(Result::ok).is_some_and(|first| {
                        has(first.value, &[b"signed_blocks", b"signed_attestations"])
                    })
                }
                _ => false,
            }
        })
}

/// What a first reading learns that rows need before the file says it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Learned {
    root: Option<Vec<u8>>,
    /// Keys of validators that come behind what they signed, by the validator's number in the file.
    late: BTreeMap<u64, Vec<u8>>,
}

/// Why the reading of the document stops.
enum Stop {
    Failed(DumpError),
    /// What follows cannot be read.
    Lost(Trouble, String),
}

impl From<DumpError> for Stop {
    fn from(error: DumpError) -> Stop {
        Stop::Failed(error)
    }
}

fn cut() -> Stop {
    Stop::Lost(Trouble::Truncated, Fault::Cut.what())
}

/// Reads an interchange file.
pub(crate) fn walk(
    input: &mut Input<'_>,
    learned: &mut Learned,
    out: &mut Reading<'_>,
) -> Result<(), DumpError> {
    let mut walk = Walk {
        stream: Stream::new(input)?,
        learned,
        out,
        validators: 0,
    };
    for shape in [METADATA, VALIDATORS, BLOCKS, ATTESTATIONS] {
        walk.out.expect(&shape);
    }
    match walk.document() {
        Ok(()) => Ok(()),
        Err(Stop::Failed(error)) => Err(error),
        Err(Stop::Lost(trouble, what)) => {
            let rest = walk.stream.bad_rest(trouble, what)?;
            walk.out.reject(rest)
        }
    }
}

struct Walk<'w, 'i, 'r, 's> {
    stream: Stream<'i, 'r>,
    learned: &'w mut Learned,
    out: &'w mut Reading<'s>,
    validators: u64,
}

impl Walk<'_, '_, '_, '_> {
    fn document(&mut self) -> Result<(), Stop> {
        self.open(b'{')?;
        while let Some(key) = self.key()? {
            match key.as_slice() {
                b"metadata" => self.metadata()?,
                b"data" if self.stream.peek()? == Some(b'[') => self.data()?,
                _ => self.stranger(&key)?,
            }
        }
        if self.stream.peek()?.is_some() {
            let what = "the document has ended, but more follows".to_owned();
            return Err(Stop::Lost(Trouble::Damaged, what));
        }
        Ok(())
    }

    fn open(&mut self, bracket: u8) -> Result<(), Stop> {
        match self.stream.peek()? {
            Some(byte) if byte == bracket => {
                self.stream.take(1);
                Ok(())
            }
            Some(_) => Err(lost("something else than the format has")),
            None => Err(cut()),
        }
    }

    /// Reads the next key of an object; `None` at its end.
    fn key(&mut self) -> Result<Option<Vec<u8>>, Stop> {
        let mut byte = self.stream.peek()?.ok_or_else(cut)?;
        if byte == b',' {
            self.stream.take(1);
            byte = self.stream.peek()?.ok_or_else(cut)?;
        }
        match byte {
            b'}' => {
                self.stream.take(1);
                return Ok(None);
            }
            b'"' => {}
            _ => return Err(lost("a key of JSON is missing")),
        }
        let length = self.value()?;
        let key = json::text(&self.stream.window()[..length]).map(Cow::into_owned);
        self.stream.take(length);
        self.open(b':')?;
        self.stream.peek()?.ok_or_else(cut)?;
        Ok(key)
    }

    /// Whether an array has another element.
    fn element(&mut self) -> Result<bool, Stop> {
        let mut byte = self.stream.peek()?.ok_or_else(cut)?;
        if byte == b',' {
            self.stream.take(1);
            byte = self.stream.peek()?.ok_or_else(cut)?;
        }
        if byte == b']' {
            self.stream.take(1);
        }
        Ok(byte != b']')
    }

    fn value(&mut self) -> Result<usize, Stop> {
        match self.stream.value()? {
            Found::Value(length) => Ok(length),
            Found::Wrong(Fault::Cut) => Err(cut()),
            Found::Wrong(fault) => Err(Stop::Lost(Trouble::Damaged, fault.what())),
            Found::Long => Err(lost("one value of more than 64 MiB")),
        }
    }

    /// A member that the format does not have: it is no row, but must not vanish.
    fn stranger(&mut self, key: &[u8]) -> Result<(), Stop> {
        let length = self.value()?;
        let what = format!(
            "a member the format does not have: {}",
            crate::rows::shown(key)
        );
        self.refuse(length, Trouble::Other, what)
    }

    fn refuse(&mut self, length: usize, trouble: Trouble, what: String) -> Result<(), Stop> {
        let place = self.stream.place(length);
        let text = &self.stream.window()[..length];
        let located: Located = located(trouble, place, place.length, lines_of(text), what);
        self.stream.take(length);
        Ok(self.out.reject(located)?)
    }

    fn metadata(&mut self) -> Result<(), Stop> {
        let length = self.value()?;
        let place = self.stream.place(length);
        let text = &self.stream.window()[..length];
        match cells_of(text, &[]) {
            Ok(cells) => {
                for (name, cell) in &cells {
                    if let (true, Cell::Text(root)) = (name == "genesis_validators_root", cell)
                        && self.learned.root.is_none()
                    {
                        self.learned.root = Some(root.to_vec());
                    }
                }
                self.out.row(&METADATA, &cells, place)?;
            }
            Err(what) => self.out.broken(&METADATA, place, lines_of(text), what)?,
        }
        self.stream.take(length);
        Ok(())
    }

    fn data(&mut self) -> Result<(), Stop> {
        self.stream.take(1);
        while self.element()? {
            match self.stream.peek()? {
                Some(b'{') => {
                    self.stream.take(1);
                    self.validator()?;
                    self.validators += 1;
                }
                _ => {
                    let length = self.value()?;
                    let what = "a validator that is no object".to_owned();
                    self.refuse(length, Trouble::Damaged, what)?;
                }
            }
        }
        Ok(())
    }

    fn validator(&mut self) -> Result<(), Stop> {
        let mut pubkey = self.learned.late.get(&self.validators).cloned();
        let mut stands_at: Option<Place> = None;
        let mut counts = [0i64; 2];
        while let Some(key) = self.key()? {
            let opens = self.stream.peek()?.ok_or_else(cut)?;
            match (key.as_slice(), opens) {
                (b"pubkey", b'"') if stands_at.is_none() => {
                    let length = self.value()?;
                    stands_at = Some(self.stream.place(length));
                    let text = json::text(&self.stream.window()[..length]);
                    pubkey = text.map(Cow::into_owned);
                    self.stream.take(length);
                    if counts != [0, 0]
                        && let Some(pubkey) = &pubkey
                        && self.learned.late.len() < LATE
                    {
                        self.learned.late.insert(self.validators, pubkey.clone());
                    }
                }
                (b"signed_blocks", b'[') => {
                    counts[0] += self.signed(&BLOCKS, pubkey.as_deref())?;
                }
                (b"signed_attestations", b'[') => {
                    counts[1] += self.signed(&ATTESTATIONS, pubkey.as_deref())?;
                }
                _ => self.stranger(&key)?,
            }
        }
        match (stands_at, &pubkey) {
            (Some(place), Some(pubkey)) => {
                let row = [
                    named("pubkey", Cell::Text(Cow::Borrowed(pubkey))),
                    named("signed_blocks", Cell::Int(counts[0])),
                    named("signed_attestations", Cell::Int(counts[1])),
                ];
                self.out.row(&VALIDATORS, &row, place)?;
            }
            _ => {
                let what = "a validator without pubkey ends here".to_owned();
                let place = self.stream.place(0);
                self.out.broken(&VALIDATORS, place, 1, what)?;
            }
        }
        Ok(())
    }

    /// Reads what a validator has signed; returns how many messages there are.
    fn signed(&mut self, shape: &Shape<'_>, pubkey: Option<&[u8]>) -> Result<i64, Stop> {
        self.stream.take(1);
        let mut count = 0;
        while self.element()? {
            count += 1;
            let length = self.value()?;
            let place = self.stream.place(length);
            let text = |value| Cell::Text(Cow::Borrowed(value));
            let root = self.learned.root.as_deref();
            let beside = [
                named("pubkey", pubkey.map_or(Cell::Null, text)),
                named("genesis_validators_root", root.map_or(Cell::Null, text)),
            ];
            let message = &self.stream.window()[..length];
            match cells_of(message, &beside) {
                Ok(cells) => self.out.row(shape, &cells, place)?,
                Err(what) => self.out.broken(shape, place, lines_of(message), what)?,
            }
            self.stream.take(length);
        }
        Ok(count)
    }
}

fn lost(what: &str) -> Stop {
    let what = format!("{what}: what follows is not read");
    Stop::Lost(Trouble::Damaged, what)
}

fn named<'a>(name: &'a str, cell: Cell<'a>) -> Named<'a> {
    (Cow::Borrowed(name), cell)
}

/// Reads a flat object into cells; `beside` frames it: its first cell comes first, the others last.
fn cells_of<'t>(text: &'t [u8], beside: &[Named<'t>]) -> Result<Vec<Named<'t>>, String> {
    if text.first() != Some(&b'{') {
        return Err(format!("{} is no object", crate::rows::shown(text)));
    }
    let mut cells = Vec::with_capacity(6);
    cells.extend(beside.first().cloned());
    for member in Members::new(text) {
        let member = member.map_err(Fault::what)?;
        let name = match member.key() {
            Cow::Borrowed(key) => String::from_utf8_lossy(key),
            Cow::Owned(key) => Cow::Owned(String::from_utf8_lossy(&key).into_owned()),
        };
        let cell = Cell::of_json(member.value).map_err(|what| format!("{name}: {what}"))?;
        cells.push((name, cell));
    }
    cells.extend(beside.iter().skip(1).cloned());
    Ok(cells)
}
