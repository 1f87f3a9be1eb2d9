//! A query file: the header that the program reads, then SQL that a colleague can read.

use crate::error::QueryError;
use crate::params::{self, Param, ParamType, Params};
use crate::statement::{self, OrderKey};

/// A named query, its header checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// `<area>/<name>`, as its path under `queries/`.
    pub name: String,
    /// One line.
    pub title: String,
    /// What it answers and how to read it.
    pub about: String,
    /// Tables it reads: `records`, `obs.<kind>` or a database's.
    pub needs: Vec<String>,
    /// Its parameters.
    pub params: Vec<Param>,
    /// The order of its rows, in words of SQL.
    pub order: String,
    /// The whole file: the header is comments, so this is the SQL as well.
    pub sql: String,
    /// Where it comes from.
    pub file: String,
}

impl Query {
    /// Reads a query file.
    ///
    /// # Errors
    /// [`QueryError::Header`], with file and line, if the header lacks a key or has an unknown one,
    /// if parameters or tables are used but not declared or the other way round, if the SQL is
    /// none or more than one statement, or does not end in the order that the header states.
    pub fn parse(name: &str, file: &str, text: &str) -> Result<Query, QueryError> {
        Reader { file, text }.query(name)
    }

    /// Turns what was typed (`name`, `value`) into the values of the query's parameters.
    ///
    /// # Errors
    /// [`QueryError::Param`] for an unknown, missing or unreadable one.
    pub fn bind(&self, given: &[(String, String)]) -> Result<Params, QueryError> {
        params::bind(&self.params, given)
    }
}

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
}

/// A header line with what continues it.
struct Entry<'a> {
    line: u64,
    key: &'a str,
    value: String,
}

impl<'a> Reader<'a> {
    fn wrong(&self, line: u64, message: impl Into<String>) -> QueryError {
        QueryError::Header {
            file: self.file.to_owned(),
            line,
            message: message.into(),
        }
    }

    fn entries(&self) -> Result<(Vec<Entry<'a>>, u64), QueryError> {
        let mut entries: Vec<Entry<'a>> = Vec::new();
        let mut number = 0;
        for line in self.text.lines() {
            number += 1;
            let Some(comment) = line.strip_prefix("--") else {
                break;
            };
            if comment.starts_with("   ") {
                let Some(last) = entries.last_mut() else {
                    return Err(self.wrong(number, "continues nothing"));
                };
                last.value.push(' ');
                last.value.push_str(comment.trim());
                continue;
            }
            let Some((key, value)) = comment.split_once(':') else {
                return Err(self.wrong(number, "expected `-- key: value`"));
            };
            entries.push(Entry {
                line: number,
                key: key.trim(),
                value: value.trim().to_owned(),
            });
        }
        Ok((entries, number.max(1)))
    }

    fn query(&self, name: &str) -> Result<Query, QueryError> {
        let (entries, body_line) = self.entries()?;
        let mut query = Query {
            name: name.to_owned(),
            title: String::new(),
            about: String::new(),
            needs: Vec::new(),
            params: Vec::new(),
            order: String::new(),
            sql: self.text.to_owned(),
            file: self.file.to_owned(),
        };
        let mut order_line = body_line;
        let mut needs_line = body_line;
        for entry in &entries {
            if entry.value.is_empty() {
                return Err(self.wrong(entry.line, format!("`{}` is empty", entry.key)));
            }
            let single = match entry.key {
                "title" => Some(&mut query.title),
                "about" => Some(&mut query.about),
                "order" => {
                    order_line = entry.line;
                    Some(&mut query.order)
                }
                "needs" => {
                    needs_line = entry.line;
                    let tables = entry.value.split(',').map(|table| table.trim().to_owned());
                    query.needs.extend(tables);
                    None
                }
                "param" => {
                    query.params.push(self.param(entry, &query.params)?);
                    None
                }
                unknown => {
                    let message = format!(
                        "unknown key `{unknown}`; keys are title, about, needs, param, order"
                    );
                    return Err(self.wrong(entry.line, message));
                }
            };
            if let Some(value) = single {
                if !value.is_empty() {
                    return Err(self.wrong(entry.line, format!("`{}` stands twice", entry.key)));
                }
                value.clone_from(&entry.value);
            }
        }
        for (key, missing) in [
            ("title", query.title.is_empty()),
            ("about", query.about.is_empty()),
            ("needs", query.needs.is_empty()),
            ("order", query.order.is_empty()),
        ] {
            if missing {
                return Err(self.wrong(body_line, format!("the header lacks `{key}`")));
            }
        }
        self.check_params(&query, &entries)?;
        self.check_statement(&query, order_line, needs_line, body_line)?;
        Ok(query)
    }

    fn param(&self, entry: &Entry<'_>, before: &[Param]) -> Result<Param, QueryError> {
        let (declared, default) = match entry.value.split_once('=') {
            Some((declared, default)) => (declared.trim(), Some(default.trim())),
            None => (entry.value.as_str(), None),
        };
        let words: Vec<&str> = declared.split_whitespace().collect();
        let [name, type_word] = words.as_slice() else {
            return Err(self.wrong(entry.line, "expected `param: name type [= default]`"));
        };
        let Some(param_type) = ParamType::from_word(type_word) else {
            let message = format!(
                "unknown type `{type_word}`; types are integer, real, text, boolean, timestamp"
            );
            return Err(self.wrong(entry.line, message));
        };
        if before.iter().any(|param| param.name == *name) {
            return Err(self.wrong(entry.line, format!("`{name}` is declared twice")));
        }
        let default = default
            .map(|text| param_type.parse(text.trim_matches('\'')))
            .transpose()
            .map_err(|what| self.wrong(entry.line, what))?;
        Ok(Param {
            name: (*name).to_owned(),
            param_type,
            default,
        })
    }

    fn check_params(&self, query: &Query, entries: &[Entry<'_>]) -> Result<(), QueryError> {
        let used = statement::placeholders(self.text)
            .map_err(|(line, message)| self.wrong(line, message))?;
        for (name, line) in &used {
            if !query.params.iter().any(|param| param.name == *name) {
                return Err(self.wrong(*line, format!("`${name}` is not declared as `param`")));
            }
        }
        for entry in entries.iter().filter(|entry| entry.key == "param") {
            let name = entry.value.split_whitespace().next().unwrap_or_default();
            if !used.iter().any(|(used, _)| used == name) {
                return Err(self.wrong(entry.line, format!("`{name}` is declared but not used")));
            }
        }
        Ok(())
    }

    fn check_statement(
        &self,
        query: &Query,
        order_line: u64,
        needs_line: u64,
        body_line: u64,
    ) -> Result<(), QueryError> {
        let parsed = statement::parse(self.text).map_err(|error| match error {
            QueryError::Syntax { message } => {
                let line = statement::line_of(&message).unwrap_or(body_line);
                self.wrong(line, message)
            }
            other => self.wrong(body_line, other.to_string()),
        })?;
        let used = parsed
            .tables()
            .map_err(|e| self.wrong(body_line, e.to_string()))?;
        for table in &used {
            if !query.needs.contains(table) {
                let message = format!("the SQL reads `{table}`, which `needs` does not list");
                return Err(self.wrong(needs_line, message));
            }
        }
        for table in &query.needs {
            if !used.contains(table) {
                let message = format!("`needs` lists `{table}`, which the SQL does not read");
                return Err(self.wrong(needs_line, message));
            }
        }
        let stated = query.order.split(',').map(OrderKey::from_words);
        let stated: Option<Vec<OrderKey>> = stated.collect();
        let Some(stated) = stated else {
            let message = "expected `order: column [desc] [nulls first|last], …`";
            return Err(self.wrong(order_line, message));
        };
        let Some(written) = parsed.order() else {
            return Err(self.wrong(body_line, "the SQL does not end in ORDER BY"));
        };
        if stated != written {
            let written: Vec<String> = written.iter().map(ToString::to_string).collect();
            let message = format!(
                "`order` says `{}`, the SQL's ORDER BY `{}`",
                query.order,
                written.join(", ")
            );
            return Err(self.wrong(order_line, message));
        }
        Ok(())
    }
}
