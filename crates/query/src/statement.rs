//! One SQL statement, read and judged before anything runs: it may only read.

use crate::error::QueryError;
use datafusion::common::{DataFusionError, TableReference};
use datafusion::sql::parser::{DFParser, Statement as EngineStatement};
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, ExactNumberInfo, Expr, Ident, ObjectName, OrderByKind, OrderByOptions,
    Statement as SqlStatement, Value, visit_expressions_mut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;

/// A statement that only reads.
pub(crate) enum Parsed {
    /// Run by the engine.
    Query(Box<EngineStatement>),
    /// `SHOW TABLES`, answered from the list of tables.
    ShowTables,
    /// `DESCRIBE table`.
    Describe(TableReference),
}

/// Reads exactly one statement that only reads.
///
/// # Errors
/// [`QueryError::Syntax`], [`QueryError::Statements`] or [`QueryError::Refused`].
pub(crate) fn parse(sql: &str) -> Result<Parsed, QueryError> {
    let mut statements = DFParser::parse_sql(sql).map_err(|error| match error.find_root() {
        DataFusionError::SQL(..) => QueryError::from_engine(error),
        other => QueryError::Syntax {
            message: other.strip_backtrace(),
        },
    })?;
    let (Some(statement), None) = (statements.pop_front(), statements.front()) else {
        return Err(QueryError::Statements {
            found: placeless_count(sql),
        });
    };
    let refused = |statement: &dyn fmt::Display| {
        let text = statement.to_string();
        let words: Vec<&str> = text.split_whitespace().take(2).collect();
        QueryError::Refused {
            what: words.join(" "),
        }
    };
    match &statement {
        EngineStatement::Statement(sql) => match sql.as_ref() {
            SqlStatement::Query(_) => {}
            SqlStatement::Explain {
                statement: inner, ..
            } if matches!(inner.as_ref(), SqlStatement::Query(_)) => {}
            SqlStatement::ShowTables { .. } => return Ok(Parsed::ShowTables),
            SqlStatement::ExplainTable { table_name, .. } => {
                return Ok(Parsed::Describe(reference(table_name)));
            }
            _ => return Err(refused(&statement)),
        },
        EngineStatement::Explain(explain) => match explain.statement.as_ref() {
            EngineStatement::Statement(inner)
                if matches!(inner.as_ref(), SqlStatement::Query(_)) => {}
            _ => return Err(refused(&statement)),
        },
        _ => return Err(refused(&statement)),
    }
    let mut statement = statement;
    keep_digits(&mut statement);
    Ok(Parsed::Query(Box::new(statement)))
}

/// Makes decimals of whole numbers that 64 bits do not hold: the engine makes floats of them, which have 15 digits.
fn keep_digits(statement: &mut EngineStatement) {
    let sql = match statement {
        EngineStatement::Statement(sql) => sql,
        EngineStatement::Explain(explain) => return keep_digits(&mut explain.statement),
        _ => return,
    };
    let _ = visit_expressions_mut(sql.as_mut(), |expr| {
        if let Expr::Value(written) = expr
            && let Value::Number(digits, _) = &written.value
            && digits.bytes().all(|digit| digit.is_ascii_digit())
            && digits.parse::<u64>().is_err()
            && digits.len() <= DECIMAL_DIGITS
        {
            let precision = ExactNumberInfo::PrecisionAndScale(digits.len() as u64, 0);
            let text = Value::SingleQuotedString(digits.clone());
            *expr = Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new(Expr::Value(text.with_span(written.span))),
                data_type: DataType::Decimal(precision),
                format: None,
                array: false,
            };
        }
        ControlFlow::<()>::Continue(())
    });
}

/// Most digits of a decimal.
const DECIMAL_DIGITS: usize = 76;

fn placeless_count(sql: &str) -> usize {
    DFParser::parse_sql(sql).map_or(0, |statements| statements.len())
}

fn reference(name: &ObjectName) -> TableReference {
    let part = |ident: &Ident| match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    };
    let parts: Vec<String> = name
        .0
        .iter()
        .filter_map(|part| part.as_ident())
        .map(part)
        .collect();
    match parts.as_slice() {
        [table] => TableReference::bare(table.as_str()),
        [schema, table] => TableReference::partial(schema.as_str(), table.as_str()),
        [catalog, schema, table] => {
            TableReference::full(catalog.as_str(), schema.as_str(), table.as_str())
        }
        _ => TableReference::bare(name.to_string()),
    }
}

impl Parsed {
    /// Returns the tables that the statement reads, without those of its WITH clauses.
    pub(crate) fn references(&self) -> Result<Vec<TableReference>, QueryError> {
        match self {
            Parsed::ShowTables => Ok(Vec::new()),
            Parsed::Describe(table) => Ok(vec![table.clone()]),
            Parsed::Query(statement) => resolve_table_references(statement, true)
                .map(|(tables, _)| tables)
                .map_err(QueryError::from_engine),
        }
    }

    /// Returns the names of [`Parsed::references`].
    pub(crate) fn tables(&self) -> Result<Vec<String>, QueryError> {
        Ok(self.references()?.iter().map(ToString::to_string).collect())
    }

    /// Returns the keys of the outermost ORDER BY; `None` if there is none.
    pub(crate) fn order(&self) -> Option<Vec<OrderKey>> {
        let Parsed::Query(statement) = self else {
            return None;
        };
        let EngineStatement::Statement(sql) = statement.as_ref() else {
            return None;
        };
        let SqlStatement::Query(query) = sql.as_ref() else {
            return None;
        };
        let OrderByKind::Expressions(keys) = &query.order_by.as_ref()?.kind else {
            return None;
        };
        let key = |expr: &Expr, options: &OrderByOptions| OrderKey {
            column: match expr {
                Expr::CompoundIdentifier(parts) => parts.last().map(|part| part.value.clone()),
                Expr::Identifier(ident) => Some(ident.value.clone()),
                _ => None,
            }
            .unwrap_or_else(|| expr.to_string()),
            descending: options.asc == Some(false),
            nulls_first: options.nulls_first,
        };
        Some(keys.iter().map(|by| key(&by.expr, &by.options)).collect())
    }
}

/// One key of an order, as the header says it and as the SQL does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OrderKey {
    column: String,
    descending: bool,
    nulls_first: Option<bool>,
}

impl OrderKey {
    /// Reads `column [asc|desc] [nulls first|last]`.
    pub(crate) fn from_words(text: &str) -> Option<OrderKey> {
        let mut words = text.split_whitespace();
        let mut key = OrderKey {
            column: words.next()?.to_owned(),
            descending: false,
            nulls_first: None,
        };
        while let Some(word) = words.next() {
            match word.to_ascii_lowercase().as_str() {
                "asc" => {}
                "desc" => key.descending = true,
                "nulls" => {
                    key.nulls_first = Some(match words.next()?.to_ascii_lowercase().as_str() {
                        "first" => true,
                        "last" => false,
                        _ => return None,
                    });
                }
                _ => return None,
            }
        }
        Some(key)
    }
}

impl fmt::Display for OrderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.column)?;
        if self.descending {
            f.write_str(" desc")?;
        }
        match self.nulls_first {
            Some(true) => f.write_str(" nulls first"),
            Some(false) => f.write_str(" nulls last"),
            None => Ok(()),
        }
    }
}

/// Returns the named parameters of a statement without `$`, each with the line of its first use.
///
/// # Errors
/// Line and message where the text is not even made of SQL's tokens.
pub(crate) fn placeholders(sql: &str) -> Result<Vec<(String, u64)>, (u64, String)> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize_with_location()
        .map_err(|error| (error.location.line.max(1), error.message.clone()))?;
    let mut found: Vec<(String, u64)> = Vec::new();
    for token in tokens {
        if let Token::Placeholder(name) = &token.token {
            let name = name.trim_start_matches('$');
            if !found.iter().any(|(known, _)| known == name) {
                found.push((name.to_owned(), token.span.start.line));
            }
        }
    }
    Ok(found)
}

/// Returns the line that a message of the SQL reader names (`… at Line: 3, Column: 5`).
pub(crate) fn line_of(message: &str) -> Option<u64> {
    let (_, rest) = message.split_once("Line: ")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// The words of a statement: what it may name.
pub(crate) struct Words {
    words: BTreeSet<String>,
    /// `*` or NATURAL: columns are meant that no word names.
    names_all: bool,
}

impl Words {
    /// Whether the statement may mean a column.
    pub(crate) fn may_name(&self, column: &str) -> bool {
        self.names_all || self.words.contains(&column.to_lowercase())
    }
}

/// Returns the words of a statement.
///
/// # Errors
/// [`QueryError::Syntax`] if the text is not made of SQL's tokens.
pub(crate) fn words(sql: &str) -> Result<Words, QueryError> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize()
        .map_err(|error| QueryError::Syntax {
            message: error.to_string(),
        })?;
    let tokens: Vec<&Token> = tokens
        .iter()
        .filter(|token| !matches!(token, Token::Whitespace(_)))
        .collect();
    let mut words = Words {
        words: BTreeSet::new(),
        names_all: false,
    };
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Word(word) => {
                words.words.insert(word.value.to_lowercase());
            }
            // COUNT(*) names no column. A product is taken for a wildcard: that costs time, no truth.
            Token::Mul => {
                let before = at.checked_sub(1).map(|before| tokens[before]);
                let is_count = matches!(
                    (before, tokens.get(at + 1)),
                    (Some(Token::LParen), Some(Token::RParen))
                );
                words.names_all |= !is_count;
            }
            _ => {}
        }
    }
    words.names_all |= words.words.contains("natural") || words.words.contains("table");
    Ok(words)
}
