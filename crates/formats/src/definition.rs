//! Definition files: from TOML to a checked [`Definition`], or an error that names file and key.

use crate::definition_keyed::{read_dialect, read_regex};
use crate::engine::json::{DialectSpec, Syntax};
use crate::engine::regex::RegexSpec;
use crate::engine::{Engine, Manner, lodestar};
use crate::meaning::value::{Holes, Name, ValueSpec};
use crate::meaning::{Cases, ClueSpec, MessageSpec, Says, ValueAt, WhenSpec};
use crate::pattern::Pattern;
use model::{ColumnType, Level};
use toml::{Table, Value};

/// Why a definition file can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("format `{file}`: {key}: {what}")]
pub struct DefinitionError {
    /// The file's stem: the format's name.
    pub file: String,
    /// The key in the file, for example `message[3].observe.clock_samples.offset_s`.
    pub key: String,
    /// What is wrong there.
    pub what: String,
}

/// A sample line and what it must become.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// One or more physical lines.
    pub(crate) line: String,
    /// Expected parts of the record.
    pub(crate) record: Table,
    /// Expected observations: kind to columns, or to a list of such.
    pub(crate) observe: Table,
    /// Expected clues, if stated.
    pub(crate) clues: Option<Vec<String>>,
    /// Whether the format must not claim the line.
    pub(crate) reject: bool,
}

/// A checked definition file.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) source: String,
    pub(crate) client: String,
    pub(crate) engines: Vec<Engine>,
    /// Printed level to severity, beside the names everybody uses.
    pub(crate) levels: Vec<(String, Level)>,
    pub(crate) manner: Manner,
    /// Whether the format reads lines of any program: it is asked when nobody else claims a line.
    pub(crate) generic: bool,
    /// How the format writes JSON and logfmt.
    pub(crate) dialects: Vec<DialectSpec>,
    /// Expressions of the engine `regex`.
    pub(crate) regexes: Vec<RegexSpec>,
    /// Beginnings of targets (tracing, components of JSON) the format claims, `""` for a line without
    /// one; empty: all.
    pub(crate) targets: Vec<String>,
    /// Beginnings of modules the format claims where a line of its text names one; empty: all.
    pub(crate) modules: Vec<String>,
    /// Threads and loggers (log4j's file form) that this program alone has; `…*` is a beginning. If a
    /// format lists any, it claims a line of that form only by them or by a message of its catalogue.
    pub(crate) threads: Vec<String>,
    pub(crate) loggers: Vec<String>,
    /// Programs of the machine by their identifiers in its journal (engine `journal`), and words of identifiers
    /// and units that are left to clients.
    pub(crate) programs: Vec<String>,
    pub(crate) left: Vec<String>,
    /// Text of which a panic must hold some to be claimed.
    pub(crate) panics: Vec<String>,
    /// Component to role.
    pub(crate) roles: Vec<(String, String)>,
    pub(crate) messages: Vec<MessageSpec>,
    /// What a field means whatever the message: asked where the catalogue does not know the message, or
    /// does not look at its fields.
    pub(crate) otherwise: Cases,
    pub(crate) samples: Vec<Sample>,
}

/// Reads one definition file.
pub(crate) fn read(name: &str, text: &str) -> Result<Definition, DefinitionError> {
    let at = At {
        file: name,
        key: String::new(),
    };
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error
            .span()
            .map_or(0, |span| text[..span.start].matches('\n').count() + 1);
        at.error(format!("line {line}: {}", error.message()))
    })?;
    at.only(
        &table,
        &[
            "title",
            "source",
            "client",
            "engines",
            "levels",
            "component_keys",
            "spaced_keys",
            "generic",
            "json",
            "logfmt",
            "regex",
            "targets",
            "modules",
            "threads",
            "loggers",
            "programs",
            "left_to_clients",
            "banners",
            "segments",
            "otherwise",
            "panics",
            "roles",
            "message",
            "sample",
        ],
    )?;
    let engines = at
        .texts(&table, "engines")?
        .iter()
        .map(|engine| {
            Engine::by_name(engine).ok_or_else(|| {
                let known: Vec<_> = Engine::ALL.iter().map(|engine| engine.name()).collect();
                at.key("engines").error(format!(
                    "unknown engine `{engine}` (engines: {})",
                    known.join(", ")
                ))
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    if engines.is_empty() {
        return Err(at.key("engines").error("at least one engine is needed"));
    }
    let mut dialects = Vec::new();
    for (name, syntax) in [("json", Syntax::Json), ("logfmt", Syntax::Logfmt)] {
        for (index, dialect) in at.tables(&table, name)?.into_iter().enumerate() {
            let at = at.key(&format!("{name}[{index}]"));
            dialects.push(read_dialect(&at, dialect, syntax)?);
        }
    }
    let mut regexes = Vec::new();
    for (index, regex) in at.tables(&table, "regex")?.into_iter().enumerate() {
        regexes.push(read_regex(&at.key(&format!("regex[{index}]")), regex)?);
    }
    for (name, engine) in [
        ("json", Engine::Json),
        ("logfmt", Engine::Logfmt),
        ("regex", Engine::Regex),
    ] {
        if table.contains_key(name) != engines.contains(&engine) {
            return Err(at
                .key(name)
                .error(format!("the engine `{name}` and [[{name}]] come together")));
        }
    }
    let generic = at.truth(&table, "generic")?;
    let mut definition = Definition {
        name: name.to_owned(),
        title: at.text(&table, "title")?,
        source: at.text(&table, "source")?,
        client: match table.get("client") {
            // Of no client: such lines go with the process that speaks around them.
            Some(Value::String(client)) if client.is_empty() => String::new(),
            None if generic => String::new(),
            _ => at.text(&table, "client")?,
        },
        engines,
        levels: at.levels(&table)?,
        generic,
        dialects,
        regexes,
        manner: Manner {
            component_keys: at.texts(&table, "component_keys")?,
            spaced_keys: at.texts(&table, "spaced_keys")?,
            banners: at.texts(&table, "banners")?,
            segments: lodestar::beginnings(&at.texts(&table, "segments")?),
            ..Manner::default()
        }
        .indexed(),
        targets: at.texts(&table, "targets")?,
        modules: at.texts(&table, "modules")?,
        threads: at.names(&table, "threads")?,
        loggers: at.names(&table, "loggers")?,
        programs: at.names(&table, "programs")?,
        left: at.names(&table, "left_to_clients")?,
        panics: at.texts(&table, "panics")?,
        roles: at.pairs(&table, "roles")?,
        messages: Vec::new(),
        otherwise: read_when(&at, &table, "otherwise", None)?,
        samples: Vec::new(),
    };
    if let Some(index) = definition
        .otherwise
        .iter()
        .position(|case| case.kind.is_none())
    {
        return Err(at
            .key(&format!("otherwise[{index}].kind"))
            .error("is missing"));
    }
    for (index, message) in at.tables(&table, "message")?.into_iter().enumerate() {
        let at = at.key(&format!("message[{index}]"));
        definition.messages.push(read_message(&at, message)?);
    }
    for (index, sample) in at.tables(&table, "sample")?.into_iter().enumerate() {
        let at = at.key(&format!("sample[{index}]"));
        definition.samples.push(read_sample(&at, sample)?);
    }
    if !definition.samples.iter().any(|sample| !sample.reject) {
        return Err(at
            .key("sample")
            .error("no sample, no format: add a line it reads"));
    }
    if !definition.samples.iter().any(|sample| sample.reject) {
        return Err(at
            .key("sample")
            .error("add a line that must be rejected (reject = true)"));
    }
    Ok(definition)
}

fn read_message(at: &At<'_>, table: &Table) -> Result<MessageSpec, DefinitionError> {
    at.only(
        table,
        &[
            "text", "pattern", "by", "kind", "role", "printed", "observe", "clue", "when",
        ],
    )?;
    let (text, pattern) = match (table.get("text"), table.get("pattern")) {
        (Some(_), None) => (Some(at.text(table, "text")?), None),
        (None, Some(_)) => {
            let pattern = Pattern::new(&at.text(table, "pattern")?)
                .map_err(|what| at.key("pattern").error(what))?;
            (None, Some(pattern))
        }
        _ => return Err(at.error("exactly one of `text` and `pattern` is needed")),
    };
    let kind = at.text(table, "kind")?;
    if !kind.contains('.') {
        return Err(at.key("kind").error(format!("`{kind}` is no `area.name`")));
    }
    let when = read_when(at, table, "when", pattern.as_ref())?;
    let holes = Holes {
        own: pattern.as_ref(),
        message: None,
    };
    let spec = MessageSpec {
        kind,
        by: at.texts(table, "by")?,
        printed: table
            .get("printed")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        role: table
            .get("role")
            .map(|_| at.text(table, "role"))
            .transpose()?,
        says: read_says(at, table, holes)?,
        when,
        text,
        pattern,
    };
    if spec.printed && spec.printed_word().is_none() {
        return Err(at
            .key("printed")
            .error("a line that is printed must begin with a whole word"));
    }
    Ok(spec)
}

fn read_when(
    at: &At<'_>,
    table: &Table,
    key: &str,
    message: Option<&Pattern>,
) -> Result<Cases, DefinitionError> {
    let mut when = Cases::default();
    for (index, case) in at.tables(table, key)?.into_iter().enumerate() {
        let at = at.key(&format!("{key}[{index}]"));
        at.only(
            case,
            &["field", "pattern", "also", "kind", "observe", "clue"],
        )?;
        // Without a pattern it is enough that the field is there.
        let pattern = match case.get("pattern") {
            None => None,
            Some(_) => Some(
                Pattern::new(&at.text(case, "pattern")?)
                    .map_err(|what| at.key("pattern").error(what))?,
            ),
        };
        let holes = Holes {
            own: pattern.as_ref(),
            message,
        };
        let spec = WhenSpec {
            kind: case
                .get("kind")
                .map(|_| at.text(case, "kind"))
                .transpose()?,
            also: match case.get("also") {
                None => false,
                Some(Value::Boolean(also)) => *also,
                Some(_) => return Err(at.key("also").error("must be true or false")),
            },
            says: read_says(&at, case, holes)?,
            pattern,
        };
        when.add(Name::new(&at.text(case, "field")?), spec);
    }
    Ok(when)
}

fn read_says(at: &At<'_>, table: &Table, holes: Holes<'_>) -> Result<Says, DefinitionError> {
    let mut says = Says::default();
    read_observe(at, table, holes, &mut says)?;
    read_clues(at, table, holes, &mut says)?;
    Ok(says)
}

fn read_observe(
    at: &At<'_>,
    table: &Table,
    holes: Holes<'_>,
    says: &mut Says,
) -> Result<(), DefinitionError> {
    let at = at.key("observe");
    let Some(observe) = table.get("observe") else {
        return Ok(());
    };
    let observe = observe
        .as_table()
        .ok_or_else(|| at.error("must be a table"))?;
    for (kind_name, value) in observe {
        let at = at.key(kind_name);
        let kind = model::observation_kind(kind_name)
            .ok_or_else(|| at.error("no such observation kind (model/observations.toml)"))?;
        let rows: Vec<&Table> = match value {
            Value::Table(row) => vec![row],
            Value::Array(rows) => rows
                .iter()
                .map(|row| row.as_table().ok_or_else(|| at.error("must hold tables")))
                .collect::<Result<_, _>>()?,
            _ => return Err(at.error("must be a table or a list of tables")),
        };
        for row in rows {
            read_row(&at, kind, row, holes, says)?;
        }
    }
    Ok(())
}

fn read_row(
    at: &At<'_>,
    kind: usize,
    row: &Table,
    holes: Holes<'_>,
    says: &mut Says,
) -> Result<(), DefinitionError> {
    let columns = &model::observation_kinds()[kind].columns;
    let mut slot = None;
    let mut values = Vec::new();
    for (column, value) in row {
        let at = at.key(column);
        if column == "slot" {
            slot = Some(ValueSpec::read(value, ColumnType::I64, holes).map_err(|e| at.error(e))?);
            continue;
        }
        let index = columns
            .iter()
            .position(|other| other.name == *column)
            .ok_or_else(|| {
                let known: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
                at.error(format!(
                    "no such column (columns: slot, {})",
                    known.join(", ")
                ))
            })?;
        let value = ValueSpec::read(value, columns[index].column_type, holes)
            .map_err(|what| at.error(what))?;
        values.push((index, value));
    }
    says.add_observation(kind, slot, values);
    Ok(())
}

fn read_clues(
    at: &At<'_>,
    table: &Table,
    holes: Holes<'_>,
    says: &mut Says,
) -> Result<(), DefinitionError> {
    let at = at.key("clue");
    let Some(clue) = table.get("clue") else {
        return Ok(());
    };
    let clue = clue.as_table().ok_or_else(|| at.error("must be a table"))?;
    at.only(
        clue,
        &[
            "received_slot",
            "wall_slot",
            "phase_s",
            "bendable",
            "absolute",
            "network",
            "fork_digest",
            "genesis",
        ],
    )?;
    let mut value = |key: &str, column| -> Result<Option<ValueAt>, DefinitionError> {
        let value = clue.get(key);
        let value = value.map(|value| ValueSpec::read(value, column, holes));
        let value = value.transpose().map_err(|what| at.key(key).error(what))?;
        Ok(value.map(|value| says.value(value)))
    };
    let received = value("received_slot", ColumnType::I64)?.map(ClueSpec::Received);
    let wall = match value("wall_slot", ColumnType::I64)? {
        None => None,
        Some(slot) => Some(ClueSpec::Wall {
            slot,
            bendable: at.truth(clue, "bendable")?,
            phase_s: value("phase_s", ColumnType::F64)?,
        }),
    };
    let clues = [
        received,
        wall,
        value("absolute", ColumnType::I64)?.map(ClueSpec::Absolute),
        value("network", ColumnType::Text)?.map(ClueSpec::Network),
        value("fork_digest", ColumnType::Text)?.map(ClueSpec::ForkDigest),
        value("genesis", ColumnType::I64)?.map(ClueSpec::Genesis),
    ];
    for clue in clues.into_iter().flatten() {
        says.add_clue(clue);
    }
    Ok(())
}

fn read_sample(at: &At<'_>, table: &Table) -> Result<Sample, DefinitionError> {
    at.only(table, &["line", "record", "observe", "clues", "reject"])?;
    let part = |key: &str| -> Result<Table, DefinitionError> {
        match table.get(key) {
            None => Ok(Table::new()),
            Some(Value::Table(part)) => Ok(part.clone()),
            Some(_) => Err(at.key(key).error("must be a table")),
        }
    };
    let sample = Sample {
        line: at.text(table, "line")?,
        record: part("record")?,
        observe: part("observe")?,
        clues: table
            .get("clues")
            .map(|_| at.texts(table, "clues"))
            .transpose()?,
        reject: table
            .get("reject")
            .and_then(Value::as_bool)
            .unwrap_or(false),
    };
    if sample.reject == table.contains_key("record") {
        return Err(at.error("a sample has either `record` or `reject = true`"));
    }
    Ok(sample)
}

/// A place in a definition file, for errors.
pub(crate) struct At<'a> {
    file: &'a str,
    key: String,
}

impl<'a> At<'a> {
    pub(crate) fn key(&self, key: &str) -> At<'a> {
        At {
            file: self.file,
            key: if self.key.is_empty() {
                key.to_owned()
            } else {
                format!("{}.{key}", self.key)
            },
        }
    }

    pub(crate) fn error(&self, what: impl Into<String>) -> DefinitionError {
        DefinitionError {
            file: self.file.to_owned(),
            key: if self.key.is_empty() {
                "(top)".to_owned()
            } else {
                self.key.clone()
            },
            what: what.into(),
        }
    }

    pub(crate) fn only(&self, table: &Table, known: &[&str]) -> Result<(), DefinitionError> {
        match table.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(self
                .key(key)
                .error(format!("unknown key (keys: {})", known.join(", ")))),
            None => Ok(()),
        }
    }

    pub(crate) fn text(&self, table: &Table, key: &str) -> Result<String, DefinitionError> {
        match table.get(key) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
            Some(_) => Err(self.key(key).error("must be text that is not empty")),
            None => Err(self.key(key).error("is missing")),
        }
    }

    pub(crate) fn truth(&self, table: &Table, key: &str) -> Result<bool, DefinitionError> {
        match table.get(key) {
            None => Ok(false),
            Some(Value::Boolean(truth)) => Ok(*truth),
            Some(_) => Err(self.key(key).error("must be true or false")),
        }
    }

    pub(crate) fn texts(&self, table: &Table, key: &str) -> Result<Vec<String>, DefinitionError> {
        let Some(value) = table.get(key) else {
            return Ok(Vec::new());
        };
        value
            .as_array()
            .and_then(|values| {
                values
                    .iter()
                    .map(|value| value.as_str().map(str::to_owned))
                    .collect()
            })
            .ok_or_else(|| self.key(key).error("must be a list of texts"))
    }

    /// Names, or beginnings of them: `name*`.
    pub(crate) fn names(&self, table: &Table, key: &str) -> Result<Vec<String>, DefinitionError> {
        let names = self.texts(table, key)?;
        match names
            .iter()
            .find(|name| name.trim_end_matches('*').is_empty())
        {
            Some(name) => Err(self.key(key).error(format!("`{name}` is no name"))),
            None => Ok(names),
        }
    }

    pub(crate) fn pairs(
        &self,
        table: &Table,
        key: &str,
    ) -> Result<Vec<(String, String)>, DefinitionError> {
        let Some(value) = table.get(key) else {
            return Ok(Vec::new());
        };
        value
            .as_table()
            .and_then(|pairs| {
                pairs
                    .iter()
                    .map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                    .collect()
            })
            .ok_or_else(|| self.key(key).error("must be a table of texts"))
    }

    pub(crate) fn levels(&self, table: &Table) -> Result<Vec<(String, Level)>, DefinitionError> {
        let pairs = self.pairs(table, "levels")?.into_iter();
        pairs
            .map(|(printed, level)| {
                let level = Level::from_name(&level).ok_or_else(|| {
                    self.key("levels")
                        .key(&printed)
                        .error(format!("`{level}` is no level"))
                })?;
                Ok((printed, level))
            })
            .collect()
    }

    pub(crate) fn tables<'t>(
        &self,
        table: &'t Table,
        key: &str,
    ) -> Result<Vec<&'t Table>, DefinitionError> {
        let Some(value) = table.get(key) else {
            return Ok(Vec::new());
        };
        value
            .as_array()
            .and_then(|values| values.iter().map(Value::as_table).collect())
            .ok_or_else(|| self.key(key).error(format!("must be written as [[{key}]]")))
    }
}
