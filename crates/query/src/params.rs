//! Parameters: `$name` in the SQL, a type and perhaps a default in the header, a value when asked.

use crate::error::QueryError;
use datafusion::common::ScalarValue;
use std::collections::BTreeMap;
use std::fmt;

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamType {
    /// Whole number.
    Integer,
    /// Number.
    Real,
    /// Text.
    Text,
    /// `true` or `false`.
    Boolean,
    /// RFC 3339 with a zone.
    Timestamp,
}

impl ParamType {
    /// Reads the word that headers use.
    pub fn from_word(word: &str) -> Option<ParamType> {
        Some(match word {
            "integer" => ParamType::Integer,
            "real" => ParamType::Real,
            "text" => ParamType::Text,
            "boolean" => ParamType::Boolean,
            "timestamp" => ParamType::Timestamp,
            _ => return None,
        })
    }

    /// Returns the word that headers use.
    pub fn word(self) -> &'static str {
        match self {
            ParamType::Integer => "integer",
            ParamType::Real => "real",
            ParamType::Text => "text",
            ParamType::Boolean => "boolean",
            ParamType::Timestamp => "timestamp",
        }
    }

    /// Reads a value of this type.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(self, text: &str) -> Result<ParamValue, String> {
        match self {
            ParamType::Integer => text.parse().ok().map(ParamValue::Integer),
            ParamType::Real => text
                .parse()
                .ok()
                .filter(|value: &f64| value.is_finite())
                .map(ParamValue::Real),
            ParamType::Text => Some(ParamValue::Text(text.to_owned())),
            ParamType::Boolean => match text {
                "true" => Some(ParamValue::Boolean(true)),
                "false" => Some(ParamValue::Boolean(false)),
                _ => None,
            },
            // A time without a zone is not guessed at here: the caller knows --tz.
            ParamType::Timestamp => model::time::parse_utc(text).map(ParamValue::Timestamp),
        }
        .ok_or_else(|| match self {
            ParamType::Timestamp => {
                format!("`{text}` is no time with a zone, such as 2020-08-14T17:31:02Z")
            }
            _ => format!("`{text}` is not of type {}", self.word()),
        })
    }
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamValue {
    /// Whole number.
    Integer(i64),
    /// Number.
    Real(f64),
    /// Text.
    Text(String),
    /// Truth.
    Boolean(bool),
    /// Microseconds since 1970 UTC.
    Timestamp(i64),
}

impl ParamValue {
    pub(crate) fn to_scalar(&self) -> ScalarValue {
        match self {
            ParamValue::Integer(value) => ScalarValue::Int64(Some(*value)),
            ParamValue::Real(value) => ScalarValue::Float64(Some(*value)),
            ParamValue::Text(value) => ScalarValue::Utf8(Some(value.clone())),
            ParamValue::Boolean(value) => ScalarValue::Boolean(Some(*value)),
            ParamValue::Timestamp(us) => {
                ScalarValue::TimestampMicrosecond(Some(*us), Some("UTC".into()))
            }
        }
    }

    /// Returns the value of a parameter whose type nobody has declared: a whole number, a number,
    /// `true` or `false`, a time with a zone, else text.
    pub fn guess(text: &str) -> ParamValue {
        [
            ParamType::Integer,
            ParamType::Real,
            ParamType::Boolean,
            ParamType::Timestamp,
        ]
        .into_iter()
        .find_map(|param_type| param_type.parse(text).ok())
        .unwrap_or_else(|| ParamValue::Text(text.to_owned()))
    }
}

impl fmt::Display for ParamValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParamValue::Integer(value) => write!(f, "{value}"),
            ParamValue::Real(value) => write!(f, "{value}"),
            ParamValue::Text(value) => write!(f, "{value}"),
            ParamValue::Boolean(value) => write!(f, "{value}"),
            ParamValue::Timestamp(us) => write!(f, "{}", model::time::format_utc_short(*us)),
        }
    }
}

/// The values of a question's parameters, by name without `$`.
pub type Params = BTreeMap<String, ParamValue>;

/// A declared parameter of a named query.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Name without `$`.
    pub name: String,
    /// Type.
    pub param_type: ParamType,
    /// Value where none is given; a parameter without one must be given.
    pub default: Option<ParamValue>,
}

/// Turns what was typed (`k=v`) into the values of the declared parameters.
///
/// # Errors
/// [`QueryError::Param`] for an unknown, missing or unreadable one.
pub(crate) fn bind(declared: &[Param], given: &[(String, String)]) -> Result<Params, QueryError> {
    let wrong = |name: &str, what: String| QueryError::Param {
        name: name.to_owned(),
        what,
    };
    let mut values = Params::new();
    for (name, text) in given {
        let Some(param) = declared.iter().find(|param| param.name == *name) else {
            let known: Vec<&str> = declared.iter().map(|param| param.name.as_str()).collect();
            let known = if known.is_empty() {
                "the query takes none".to_owned()
            } else {
                format!("the query takes {}", known.join(", "))
            };
            return Err(wrong(name, format!("unknown; {known}")));
        };
        let value = param
            .param_type
            .parse(text)
            .map_err(|what| wrong(name, what))?;
        if values.insert(name.clone(), value).is_some() {
            return Err(wrong(name, "given twice".to_owned()));
        }
    }
    for param in declared {
        if values.contains_key(&param.name) {
            continue;
        }
        let Some(default) = &param.default else {
            let what = format!("missing, of type {}", param.param_type.word());
            return Err(wrong(&param.name, what));
        };
        values.insert(param.name.clone(), default.clone());
    }
    Ok(values)
}
