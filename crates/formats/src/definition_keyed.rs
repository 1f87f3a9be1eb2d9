//! Definition files: `[[json]]`, `[[logfmt]]` and `[[regex]]`, what the engines of these names are told.

use crate::definition::{At, DefinitionError};
use crate::engine::json::{DialectSpec, Syntax};
use crate::engine::regex::RegexSpec;
use toml::Table;

pub(crate) fn read_regex(at: &At<'_>, table: &Table) -> Result<RegexSpec, DefinitionError> {
    at.only(table, &["pattern", "stamp_format"])?;
    let pattern = at.text(table, "pattern")?;
    let format = table
        .get("stamp_format")
        .map(|_| at.text(table, "stamp_format"))
        .transpose()?;
    RegexSpec::new(&pattern, format.as_deref()).map_err(|what| at.error(what))
}

pub(crate) fn read_dialect(
    at: &At<'_>,
    table: &Table,
    syntax: Syntax,
) -> Result<DialectSpec, DefinitionError> {
    at.only(
        table,
        &[
            "stamp",
            "level",
            "message",
            "component",
            "optional",
            "keys",
            "absent",
            "level_words",
            "levels",
            "lift",
            "rename",
        ],
    )?;
    let spec = DialectSpec {
        syntax,
        stamp: at.texts(table, "stamp")?,
        level: at.texts(table, "level")?,
        message: at.texts(table, "message")?,
        component: at.texts(table, "component")?,
        optional: at.texts(table, "optional")?,
        keys: at.texts(table, "keys")?,
        absent: at.texts(table, "absent")?,
        level_words: at.texts(table, "level_words")?,
        levels: at.levels(table)?,
        lift: at.texts(table, "lift")?,
        rename: at.pairs(table, "rename")?,
    };
    if let Some(name) = spec
        .optional
        .iter()
        .find(|name| !matches!(name.as_str(), "stamp" | "level" | "message"))
    {
        return Err(at
            .key("optional")
            .error(format!("`{name}` is none of `stamp`, `level`, `message`")));
    }
    let sure = |name: &str, words: &[String]| {
        !words.is_empty() && !spec.optional.iter().any(|optional| optional == name)
    };
    let sure = [
        sure("stamp", &spec.stamp),
        sure("level", &spec.level),
        sure("message", &spec.message),
    ];
    if sure.iter().filter(|sure| **sure).count() + spec.keys.len() < 2 {
        return Err(at.error(
            "at least two things must be there: of stamp, level, message (not optional), and keys",
        ));
    }
    if spec.keys.len() > 32 {
        return Err(at.key("keys").error("more than 32 keys"));
    }
    Ok(spec)
}
