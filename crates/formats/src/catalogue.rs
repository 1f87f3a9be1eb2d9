//! All definitions, compiled: who claims a line, and what a message means.

use crate::claim::{Claim, Names, Tier};
use crate::definition::{self, Definition, DefinitionError, Sample};
use crate::document::Document;
use crate::engine::journal::Writers;
use crate::engine::json::{Dialect, Keys, Scan, Syntax};
use crate::engine::{ENGINE_VERSION, ENGINES_OF_PAIRS, Engine, Head};
use crate::meaning::MessageSpec;
use crate::parser::Parser;
use crate::pattern::{Captures, NO_CAPTURES};
use crate::printed::Printed;
use crate::scan::first_word;
use crate::table::Table;
use crate::targets::{Beginnings, Targets};
use model::Level;
use std::sync::LazyLock;

/// `(stem, text)` of the embedded definition files.
const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// What a format is, for people: the row of the verb `formats`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// The definition file's stem.
    pub name: String,
    /// One line.
    pub title: String,
    /// Which programs and versions it was made from.
    pub source: String,
    /// The client its records belong to.
    pub client: String,
    /// The engines that read it.
    pub engines: Vec<&'static str>,
    /// Roles it can tell, sorted.
    pub roles: Vec<String>,
    /// How many messages its catalogue knows.
    pub messages: usize,
    /// How many samples prove it.
    pub samples: usize,
}

/// A definition with its look-up tables.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) definition: Definition,
    exact: Table<u32>,
    /// Lists of patterns by their literal first word.
    by_word: Table<u32>,
    lists: Vec<Vec<u32>>,
    /// Patterns whose first word holds a hole.
    anywhere: Vec<u32>,
    /// Roles by the whole name of a component.
    roles: Table<u32>,
    /// Levels by the words they are printed as: the format's own, and what programs of all kinds print.
    levels: Table<Option<Level>>,
    /// Those of paths, in the definition's order, by what such paths begin with.
    role_paths: Beginnings<u32>,
    pub(crate) targets: Targets,
    pub(crate) threads: Names,
    pub(crate) loggers: Names,
}

impl Compiled {
    fn new(definition: Definition) -> Result<Compiled, DefinitionError> {
        let mut exact = Table::default();
        let mut by_word = Table::default();
        let mut lists: Vec<Vec<u32>> = Vec::new();
        let mut anywhere = Vec::new();
        for (index, message) in definition.messages.iter().enumerate() {
            if let Some(text) = &message.text {
                if exact.add(text.as_bytes(), index as u32).is_some() {
                    return Err(DefinitionError {
                        file: definition.name.clone(),
                        key: format!("message[{index}].text"),
                        what: format!("`{text}` is in the catalogue twice"),
                    });
                }
            } else if let Some(pattern) = &message.pattern {
                let head = pattern.literal_head();
                let word = first_word(head);
                if word.len() < head.len() {
                    let next = lists.len() as u32;
                    match by_word.add(word, next) {
                        Some(list) => lists[list as usize].push(index as u32),
                        None => lists.push(vec![index as u32]),
                    }
                } else {
                    anywhere.push(index as u32);
                }
            }
        }
        let mut roles = Table::default();
        let mut role_paths = Beginnings::default();
        for (index, (name, _)) in definition.roles.iter().enumerate() {
            roles.add(name.as_bytes(), index as u32);
            if let Some(path) = name.strip_suffix("::") {
                role_paths.add(path.as_bytes(), index as u32);
            }
        }
        Ok(Compiled {
            roles,
            role_paths,
            targets: Targets::new(&definition.targets),
            threads: Names::new(&definition.threads),
            loggers: Names::new(&definition.loggers),
            levels: levels(&definition.levels),
            definition,
            exact,
            by_word,
            lists,
            anywhere,
        })
    }

    /// Whether the catalogue says anything about a message.
    pub(crate) fn knows(&self, message: &[u8]) -> bool {
        self.message(message, &mut { NO_CAPTURES }).is_some()
    }

    /// Finds what the catalogue says about a message; `captures` become what a pattern's holes took.
    #[inline(always)]
    pub(crate) fn message(&self, message: &[u8], captures: &mut Captures) -> Option<&MessageSpec> {
        if self.definition.messages.is_empty() {
            return None;
        }
        if let Some(index) = self.exact.get(message) {
            return Some(&self.definition.messages[index as usize]);
        }
        self.message_with_holes(message, captures)
    }

    #[inline(never)]
    fn message_with_holes(&self, message: &[u8], captures: &mut Captures) -> Option<&MessageSpec> {
        let list = self.by_word.get(first_word(message));
        let list = list.map_or(&[][..], |list| &self.lists[list as usize]);
        for index in list.iter().chain(&self.anywhere) {
            let spec = &self.definition.messages[*index as usize];
            let pattern = spec.pattern.as_ref().expect("only patterns are indexed so");
            if pattern.may_match(message) && pattern.matches(message, captures) {
                return Some(spec);
            }
        }
        None
    }

    /// Severity of a printed level.
    #[inline(always)]
    pub(crate) fn level(&self, raw: &[u8]) -> Option<Level> {
        match self.levels.get(raw) {
            Some(known) => known,
            None => common_level(raw),
        }
    }

    /// Role of a program, by its component; a name that ends in `::` stands for all that is below it.
    #[inline]
    pub(crate) fn role(&self, component: Option<&[u8]>) -> Option<&str> {
        let roles = &self.definition.roles;
        let component = component.filter(|_| !roles.is_empty())?;
        let whole = self.roles.get(component);
        let path = self
            .role_paths
            .of(component)
            .find(|(path, _)| matches!(&component[*path..], [] | [b':', b':', ..]))
            .map(|(_, index)| *index);
        // The first in the definition's order.
        let index = whole.into_iter().chain(path).min()?;
        Some(roles[index as usize].1.as_str())
    }
}

/// All definitions, compiled.
///
/// ```
/// let catalogue = formats::Catalogue::builtin();
/// let names: Vec<_> = catalogue.formats().iter().map(|format| format.name.as_str()).collect();
/// assert!(names.contains(&"prysm") && names.contains(&"zksync"));
/// ```
#[derive(Debug)]
pub struct Catalogue {
    pub(crate) compiled: Vec<Compiled>,
    formats: Vec<Format>,
    /// How many of the others' samples each format claims: the fewer, the more specific.
    pub(crate) breadth: Vec<u32>,
    /// Formats by engine and [`Tier`], in catalogue order.
    pub(crate) by_engine: [[Vec<u16>; 2]; Engine::ALL.len()],
    /// Whether a format leaves the rival of its engine no line without a target.
    pub(crate) settles: Vec<bool>,
    /// The JSON dialects of all formats, and the keys they ask for.
    pub(crate) dialects: Vec<Dialect>,
    /// Their numbers by syntax, and by whether they are asked last.
    asked: [[Vec<u16>; 2]; 2],
    pub(crate) keys: Keys,
    /// Users' expressions: the format, and which of its own.
    pub(crate) regexes: Vec<(u16, u16)>,
    /// Lines that programs print past their loggers.
    pub(crate) printed: Printed,
    /// Whether anybody is asked last, and whether of those anybody reads text by its shape.
    pub(crate) has_generic: bool,
    pub(crate) generic_text: bool,
    /// The same of pairs.
    pub(crate) generic_pairs: bool,
    /// Who writes into a machine's journal, if a format reads such lines.
    pub(crate) writers: Option<Writers>,
    parser_version: String,
}

impl Catalogue {
    /// Returns the formats that are part of this program.
    pub fn builtin() -> &'static Catalogue {
        static BUILTIN: LazyLock<Catalogue> = LazyLock::new(|| {
            Catalogue::with_overlay(&[]).expect("embedded definitions are tested")
        });
        &BUILTIN
    }

    /// Returns the formats of this program with a user's own: `(stem, TOML text)` each. A file with
    /// the name of an embedded one replaces it.
    ///
    /// # Errors
    /// A [`DefinitionError`] that names file and key.
    pub fn with_overlay(files: &[(String, String)]) -> Result<Catalogue, DefinitionError> {
        Catalogue::choose(files, |_| true)
    }

    /// Returns a catalogue in which only one format may claim lines; without any if there is none of that
    /// name.
    ///
    /// # Errors
    /// As [`Catalogue::with_overlay`].
    pub fn only(name: &str, files: &[(String, String)]) -> Result<Catalogue, DefinitionError> {
        Catalogue::choose(files, |stem| stem == name)
    }

    fn choose(
        files: &[(String, String)],
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Catalogue, DefinitionError> {
        let mut texts: Vec<(&str, &str)> = EMBEDDED.to_vec();
        for (stem, text) in files {
            match texts.iter_mut().find(|(name, _)| name == stem) {
                Some(entry) => entry.1 = text,
                None => texts.push((stem, text)),
            }
        }
        texts.retain(|(name, _)| wanted(name));
        texts.sort_by_key(|(name, _)| *name);
        let mut compiled = Vec::new();
        let mut hash = Fnv::default();
        hash.add(&ENGINE_VERSION.to_le_bytes());
        for (name, text) in texts {
            hash.add(name.as_bytes());
            hash.add(text.as_bytes());
            compiled.push(Compiled::new(definition::read(name, text)?)?);
        }
        Ok(Catalogue::new(compiled, hash.0))
    }

    fn new(compiled: Vec<Compiled>, hash: u64) -> Catalogue {
        let formats = compiled
            .iter()
            .map(|compiled| {
                let definition = &compiled.definition;
                let said = definition
                    .messages
                    .iter()
                    .filter_map(|message| message.role.clone());
                let mut roles: Vec<String> = definition
                    .roles
                    .iter()
                    .map(|(_, role)| role.clone())
                    .chain(said)
                    .collect();
                roles.sort();
                roles.dedup();
                Format {
                    name: definition.name.clone(),
                    title: definition.title.clone(),
                    source: definition.source.clone(),
                    client: definition.client.clone(),
                    engines: definition
                        .engines
                        .iter()
                        .map(|engine| engine.name())
                        .collect(),
                    roles,
                    messages: definition.messages.len(),
                    samples: definition.samples.len(),
                }
            })
            .collect();
        let mut by_engine: [[Vec<u16>; 2]; Engine::ALL.len()] = Default::default();
        for (index, compiled) in compiled.iter().enumerate() {
            for engine in &compiled.definition.engines {
                let tier = match compiled.definition.generic {
                    true => Tier::Generic,
                    false => Tier::Specific,
                };
                by_engine[*engine as usize][tier as usize].push(index as u16);
            }
        }
        let mut keys = Keys::default();
        let mut dialects = Vec::new();
        let mut regexes = Vec::new();
        for (index, compiled) in compiled.iter().enumerate() {
            let definition = &compiled.definition;
            for spec in &definition.dialects {
                dialects.push(Dialect::new(spec, index as u16, definition, &mut keys));
            }
            for (number, _) in definition.regexes.iter().enumerate() {
                regexes.push((index as u16, number as u16));
            }
        }
        for dialect in &mut dialects {
            dialect.index(&keys);
        }
        let mut asked: [[Vec<u16>; 2]; 2] = Default::default();
        for (number, dialect) in dialects.iter().enumerate() {
            asked[dialect.syntax as usize][usize::from(dialect.generic)].push(number as u16);
        }
        let journal = compiled
            .iter()
            .position(|one| one.definition.engines.contains(&Engine::Journal));
        let writers = journal.map(|format| {
            let definition = &compiled[format].definition;
            let others = compiled.iter().map(|one| one.definition.client.as_str());
            let clients = others.filter(|name| !name.is_empty() && *name != definition.client);
            let (programs, left) = (&definition.programs, &definition.left);
            Writers::new(format as u16, programs, left, clients)
        });
        let generic = || compiled.iter().filter(|one| one.definition.generic);
        let keyed = [Engine::Json, Engine::Logfmt, Engine::Regex];
        let mut catalogue = Catalogue {
            has_generic: generic().next().is_some(),
            generic_text: generic().any(|one| {
                let mut engines = one.definition.engines.iter();
                engines.any(|engine| !keyed.contains(engine))
            }),
            generic_pairs: generic().any(|one| {
                let mut engines = one.definition.engines.iter();
                engines.any(|engine| ENGINES_OF_PAIRS.contains(engine))
            }),
            printed: Printed::new(&compiled),
            writers,
            compiled,
            formats,
            breadth: Vec::new(),
            by_engine,
            settles: Vec::new(),
            dialects,
            asked,
            keys,
            regexes,
            parser_version: format!("{:012x}", hash & 0xffff_ffff_ffff),
        };
        catalogue.breadth = catalogue.breadths();
        catalogue.settles = catalogue.settling();
        catalogue
    }

    /// Which formats leave the rival of their engine no line without a target: whoever claims such lines by it is
    /// broader. Of two that claim a line by its shape the narrower has it, so the other needs not be asked.
    fn settling(&self) -> Vec<bool> {
        let specific = |engine: Engine| &self.by_engine[engine as usize][Tier::Specific as usize];
        let breadth = |format: &u16| self.breadth[usize::from(*format)];
        let needs_target = |format: &&u16| {
            let one = &self.compiled[usize::from(**format)];
            !one.definition.targets.is_empty() && !one.targets.none
        };
        let mut settling = vec![false; self.compiled.len()];
        for engine in Engine::ALL {
            let Some(rival) = engine.rival() else {
                continue;
            };
            let others = specific(rival)
                .iter()
                .filter(|format| !needs_target(format));
            let narrowest = others.map(breadth).min();
            for format in specific(*engine) {
                let narrower = narrowest.is_none_or(|other| breadth(format) < other);
                settling[usize::from(*format)] |= narrower;
            }
        }
        settling
    }

    /// The dialects of a syntax that are asked in a tier.
    #[inline]
    pub(crate) fn asked(&self, syntax: Syntax, tier: Tier) -> &[u16] {
        &self.asked[syntax as usize][usize::from(tier == Tier::Generic)]
    }

    /// How many of the others' samples each format claims.
    fn breadths(&self) -> Vec<u32> {
        let mut breadths = vec![0; self.compiled.len()];
        for (owner, compiled) in self.compiled.iter().enumerate() {
            for sample in compiled.definition.samples.iter() {
                if sample.reject {
                    continue;
                }
                for index in self.claiming(sample) {
                    breadths[index] += u32::from(index != owner);
                }
            }
        }
        breadths
    }

    /// The first line of a sample, its colours off.
    fn first_line(sample: &Sample) -> Vec<u8> {
        let line = sample.line.lines().next().unwrap_or("");
        let mut plain = Vec::new();
        crate::colours::strip_colours(line.as_bytes(), &mut plain);
        plain
    }

    /// The formats that claim the first line of a sample, if it is not wrapped.
    fn claiming(&self, sample: &Sample) -> Vec<usize> {
        let plain = Catalogue::first_line(sample);
        let mut scan = Scan::default();
        let mut claiming = Vec::new();
        for tier in [Tier::Specific, Tier::Generic] {
            self.scan(&plain, &mut scan, tier);
            self.offers(&plain, &scan, tier, |_, _, format, head| {
                // Panics are claimed by their whole text, see `panic_owner`: no two formats own one.
                if !is_panic(head) {
                    claiming.push(usize::from(format));
                }
            });
        }
        claiming.sort_unstable();
        claiming.dedup();
        claiming
    }

    /// Returns what the formats are, sorted by name.
    pub fn formats(&self) -> &[Format] {
        &self.formats
    }

    /// Returns 12 hex digits over definitions and engines: evidence parsed under another version may
    /// hold other records.
    pub fn parser_version(&self) -> &str {
        &self.parser_version
    }

    /// Says whether a source that begins with these bytes (some 64 KiB, or all) is a document: one whose
    /// entries are not lines. It is then read with [`Parser::parse_document`].
    pub fn document(&self, start: &[u8]) -> Option<Document> {
        Document::recognise(start)
    }

    /// Returns a parser: cheap to make, one per thread.
    pub fn parser(&self) -> Parser<'_> {
        Parser::new(self)
    }

    /// Returns the samples that are records, as `(format, lines)`.
    pub fn sample_lines(&self) -> Vec<(&str, &str)> {
        let all = self.compiled.iter().flat_map(|compiled| {
            let name = compiled.definition.name.as_str();
            let samples = compiled.definition.samples.iter();
            samples
                .filter(|sample| !sample.reject)
                .map(move |sample| (name, sample.line.as_str()))
        });
        all.collect()
    }

    /// Returns the lines among the samples that two formats claim with equal right, as
    /// `(line, names)`: a catalogue should have none.
    pub fn contested_samples(&self) -> Vec<(String, Vec<String>)> {
        let mut contested = Vec::new();
        for owner in &self.compiled {
            for sample in owner
                .definition
                .samples
                .iter()
                .filter(|sample| !sample.reject)
            {
                let plain = Catalogue::first_line(sample);
                let mut scan = Scan::default();
                let claim = [Tier::Specific, Tier::Generic].map(|tier| {
                    self.scan(&plain, &mut scan, tier);
                    self.claim(&plain, &scan, tier, &mut Head::default())
                });
                if let [Claim::Several, _] | [Claim::Nobody, Claim::Several] = claim {
                    let names = self.claiming(sample).into_iter();
                    let names = names.map(|index| self.formats[index].name.clone());
                    contested.push((sample.line.clone(), names.collect()));
                }
            }
        }
        contested
    }
}

/// Levels as programs of all kinds print them, in any case.
const LEVELS: [(&str, Level); 11] = [
    ("info", Level::Info),
    ("warn", Level::Warn),
    ("warning", Level::Warn),
    ("error", Level::Error),
    ("debug", Level::Debug),
    ("trace", Level::Trace),
    ("fatal", Level::Fatal),
    ("panic", Level::Fatal),
    ("crit", Level::Crit),
    ("critical", Level::Crit),
    ("notice", Level::Notice),
];

/// A table of a format's own levels and of the common ones in the cases in which nearly all programs print them.
fn levels(own: &[(String, Level)]) -> Table<Option<Level>> {
    let mut table = Table::default();
    for (printed, level) in own {
        table.add(printed.as_bytes(), Some(*level));
    }
    for (printed, level) in LEVELS {
        let (first, rest) = printed.split_at(1);
        let capitals = printed.to_ascii_uppercase();
        let capital = first.to_ascii_uppercase() + rest;
        for printed in [printed, &capitals, &capital] {
            table.add(printed.as_bytes(), Some(level));
        }
    }
    table
}

/// The level of a word that no table has.
#[cold]
fn common_level(raw: &[u8]) -> Option<Level> {
    let mut common = LEVELS.iter();
    let known = common.find(|(printed, _)| raw.eq_ignore_ascii_case(printed.as_bytes()));
    known.map(|(_, level)| *level)
}

/// Whether the head is one of a panic.
pub(crate) fn is_panic(head: &Head) -> bool {
    head.shape.is_panic()
}

struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(&[0xff]) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_known_in_any_case_and_own_ones_as_they_are_printed() {
        let own = [
            ("warn".to_owned(), Level::Error),
            ("Verbose mode".to_owned(), Level::Trace),
        ];
        let table = levels(&own);
        for (printed, level) in [
            ("warn", Some(Level::Error)),
            ("WARN", Some(Level::Warn)),
            ("Verbose mode", Some(Level::Trace)),
            ("Info", Some(Level::Info)),
            ("CRITICAL", Some(Level::Crit)),
            ("Critical", Some(Level::Crit)),
        ] {
            assert_eq!(table.get(printed.as_bytes()).flatten(), level, "{printed}");
        }
        for (printed, level) in [
            ("wArN", Some(Level::Warn)),
            ("cRITICAL", Some(Level::Crit)),
            ("warns", None),
            ("", None),
        ] {
            assert_eq!(table.get(printed.as_bytes()), None, "{printed}");
            assert_eq!(common_level(printed.as_bytes()), level, "{printed}");
        }
    }

    /// What is true of the formats of this program; a user's own may be as narrow, and then both are asked.
    #[test]
    fn formats_of_one_client_leave_their_rivals_nothing() {
        let catalogue = Catalogue::builtin();
        let formats = catalogue.formats.iter().zip(&catalogue.settles);
        let names: Vec<&str> = formats
            .filter_map(|(format, settles)| settles.then_some(format.name.as_str()))
            .collect();
        assert_eq!(names, ["grandine", "lighthouse"]);
    }
}
