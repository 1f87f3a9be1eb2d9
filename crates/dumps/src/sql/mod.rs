//! As much SQL as a dump needs: where a statement ends, and what CREATE TABLE, CREATE TYPE,
//! ALTER TABLE, COPY, INSERT and SET say. Everything else is framing.

mod literal;
mod split;
mod tokens;

pub(crate) use literal::{Fault, Quoting, values};
pub(crate) use split::Splitter;
pub(crate) use tokens::{Name, Token, Tokens};

use crate::encoding::TextEncoding;
use crate::sniff::COLUMNS;

/// A statement that means something to a dump reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    CreateTable {
        name: Name,
        /// Names and SQL types.
        columns: Vec<(String, String)>,
        primary_key: Vec<String>,
        /// Tables that columns are inherited from.
        parents: Vec<Name>,
        /// Columns that are computed: a dump does not hold their values.
        generated: Vec<String>,
        /// Whether it is partitioned: then its rows lie in other tables.
        partitioned: bool,
    },
    /// `ALTER TABLE parent ATTACH PARTITION child`, `ALTER TABLE child INHERIT parent`.
    Attach {
        parent: Name,
        child: Name,
    },
    CreateDomain {
        name: Name,
        base: String,
    },
    CreateDatabase(String),
    PrimaryKey {
        table: Name,
        columns: Vec<String>,
    },
    Copy {
        table: Name,
        columns: Option<Vec<String>>,
        /// Whether the rows come in COPY's own text format.
        text_format: bool,
    },
    /// `COPY … TO`, or from a file: no rows follow.
    CopyElsewhere,
    Set {
        name: String,
        value: Vec<String>,
    },
    /// Holds rows, in a form that is not understood.
    Unread,
    Framing,
}

/// Words that a statement in a dump may begin with.
const STARTS: [&str; 40] = [
    "abort",
    "alter",
    "analyze",
    "begin",
    "call",
    "close",
    "cluster",
    "comment",
    "commit",
    "copy",
    "create",
    "deallocate",
    "declare",
    "delete",
    "discard",
    "do",
    "drop",
    "end",
    "explain",
    "fetch",
    "grant",
    "import",
    "insert",
    "listen",
    "load",
    "lock",
    "notify",
    "prepare",
    "reassign",
    "refresh",
    "reindex",
    "reset",
    "revoke",
    "rollback",
    "savepoint",
    "security",
    "select",
    "set",
    "start",
    "truncate",
];
const MORE_STARTS: [&str; 6] = ["update", "vacuum", "with", "values", "table", "merge"];

/// Whether a line looks like the begin of a statement.
pub(crate) fn starts_statement(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    if matches!(line.first(), Some(b';' | b'(')) || line.starts_with(b"/*") {
        return true;
    }
    let n = line
        .iter()
        .position(|b| !b.is_ascii_alphabetic())
        .unwrap_or(line.len());
    // "Select a file: …" is prose; SQL goes on after a blank, a bracket or the line's end.
    if n == 0
        || n > 12
        || !matches!(
            line.get(n),
            None | Some(b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(')
        )
    {
        return false;
    }
    let word = String::from_utf8_lossy(&line[..n]).to_lowercase();
    STARTS.contains(&word.as_str()) || MORE_STARTS.contains(&word.as_str())
}

/// What an INSERT begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InsertHead {
    /// Lists of values follow, from this offset on.
    Values {
        table: Name,
        columns: Option<Vec<String>>,
        length: usize,
    },
    /// `DEFAULT VALUES`: a row of a table without columns, as far as a dump writes it.
    DefaultValues { table: Name },
    /// Something else follows, a query for example.
    Other { table: Option<Name> },
}

/// Reads the begin of an INSERT; `None` if the window may have to be larger.
pub(crate) fn insert_head(window: &[u8], encoding: TextEncoding) -> Option<InsertHead> {
    let mut tokens = Tokens::encoded(window, encoding);
    let other = |table: Option<Name>| Some(InsertHead::Other { table });
    if !tokens.eat("insert") || !tokens.eat("into") {
        return other(None);
    }
    let Some(table) = tokens.qualified() else {
        return other(None);
    };
    let mut ahead = tokens.clone();
    let columns = match ahead.eat_mark('(') {
        true => match tokens.names_in_parentheses() {
            Some(names) => Some(names),
            None => return other(Some(table)),
        },
        false => None,
    };
    if tokens.eat("overriding") {
        let _ = tokens.eat("system") || tokens.eat("user");
        tokens.eat("value");
    }
    if tokens.eat("default") && tokens.eat("values") {
        return Some(InsertHead::DefaultValues { table });
    }
    if !tokens.eat("values") {
        return other(Some(table));
    }
    let rest = tokens.rest().trim_ascii_start();
    (!rest.is_empty()).then(|| InsertHead::Values {
        table,
        columns,
        length: window.len() - rest.len(),
    })
}

/// Reads a statement. What is not understood is framing.
pub(crate) fn parse(statement: &[u8], encoding: TextEncoding) -> Statement {
    parse_known(statement, encoding).unwrap_or(Statement::Framing)
}

fn parse_known(statement: &[u8], encoding: TextEncoding) -> Option<Statement> {
    let mut tokens = Tokens::encoded(statement, encoding);
    match tokens.next()?.name()?.as_str() {
        "create" => create(tokens),
        "alter" => alter(tokens),
        "copy" => copy(tokens),
        "insert" => Some(Statement::Unread),
        "set" => set(tokens),
        "select" => set_config(tokens),
        _ => None,
    }
}

fn set(mut tokens: Tokens<'_>) -> Option<Statement> {
    let _ = tokens.eat("session") || tokens.eat("local");
    let name = tokens.next()?.name()?;
    if !tokens.eat_mark('=') && !tokens.eat("to") {
        return None;
    }
    let value = tokens
        .filter_map(|token| match token {
            Token::Word(text) | Token::Quoted(text) | Token::Text(text) => Some(text),
            Token::Mark(_) => None,
        })
        .collect();
    Some(Statement::Set { name, value })
}

/// `SELECT pg_catalog.set_config('search_path', '', false);`
fn set_config(mut tokens: Tokens<'_>) -> Option<Statement> {
    if tokens.qualified()?.name != "set_config" || !tokens.eat_mark('(') {
        return None;
    }
    let Some(Token::Text(name)) = tokens.next() else {
        return None;
    };
    tokens.eat_mark(',');
    let Some(Token::Text(value)) = tokens.next() else {
        return None;
    };
    Some(Statement::Set {
        name,
        value: vec![value],
    })
}

fn copy(mut tokens: Tokens<'_>) -> Option<Statement> {
    let table = tokens.qualified()?;
    let mut ahead = tokens.clone();
    let columns = if ahead.eat_mark('(') {
        // More columns than a table can have: the rows are there, but not for us.
        match tokens.names_in_parentheses() {
            Some(names) => Some(names),
            None => {
                return Some(Statement::Copy {
                    table,
                    columns: Some(Vec::new()),
                    text_format: false,
                });
            }
        }
    } else {
        None
    };
    if !tokens.eat("from") || !tokens.eat("stdin") {
        return Some(Statement::CopyElsewhere);
    }
    Some(Statement::Copy {
        table,
        columns,
        text_format: tokens.next().is_none_or(|token| token == Token::Mark(';')),
    })
}

fn create(mut tokens: Tokens<'_>) -> Option<Statement> {
    while tokens.eat("unlogged")
        || tokens.eat("global")
        || tokens.eat("local")
        || tokens.eat("foreign")
        || tokens.eat("temporary")
        || tokens.eat("temp")
    {}
    match tokens.next()?.name()?.as_str() {
        "table" => create_table(tokens),
        "domain" => {
            let name = tokens.qualified()?;
            tokens.eat("as");
            let base = sql_type(&mut tokens);
            Some(Statement::CreateDomain { name, base })
        }
        "database" => Some(Statement::CreateDatabase(tokens.next()?.name()?)),
        _ => None,
    }
}

fn if_not_exists(tokens: &mut Tokens<'_>) {
    let mut ahead = tokens.clone();
    if ahead.eat("if") && (ahead.eat("exists") || (ahead.eat("not") && ahead.eat("exists"))) {
        *tokens = ahead;
    }
}

/// Words that end a column's type.
const AFTER_TYPE: [&str; 14] = [
    "default",
    "not",
    "null",
    "constraint",
    "collate",
    "primary",
    "unique",
    "references",
    "check",
    "generated",
    "compression",
    "storage",
    "options",
    "deferrable",
];

/// Takes a type's tokens and joins them as `pg_dump` writes them.
fn sql_type(tokens: &mut Tokens<'_>) -> String {
    let mut text = String::new();
    let mut depth = 0;
    let mut glue = true;
    loop {
        let mut ahead = tokens.clone();
        let Some(token) = ahead.next() else { break };
        match &token {
            Token::Word(word) => {
                if depth == 0 && AFTER_TYPE.contains(&word.as_str()) {
                    break;
                }
                if !glue {
                    text.push(' ');
                }
                text.push_str(word);
                glue = false;
            }
            Token::Quoted(name) => {
                text.push_str(name);
                glue = false;
            }
            Token::Text(_) => break,
            Token::Mark(mark) => {
                match mark {
                    '(' | '[' => depth += 1,
                    ')' | ']' if depth > 0 => depth -= 1,
                    '.' => {}
                    ',' if depth > 0 => {}
                    _ => break,
                }
                text.push(*mark);
                glue = matches!(mark, '(' | '[' | '.' | ',');
            }
        }
        *tokens = ahead;
    }
    text
}

/// Skips to the `,` or `)` that ends an item of CREATE TABLE; `true` at a `,`.
fn skip_item(tokens: &mut Tokens<'_>) -> Option<bool> {
    let mut depth = 0u32;
    loop {
        match tokens.next()? {
            Token::Mark('(' | '[') => depth += 1,
            Token::Mark(')') if depth == 0 => return Some(false),
            Token::Mark(')' | ']') => depth = depth.saturating_sub(1),
            Token::Mark(',') if depth == 0 => return Some(true),
            _ => {}
        }
    }
}

fn create_table(mut tokens: Tokens<'_>) -> Option<Statement> {
    if_not_exists(&mut tokens);
    let name = tokens.qualified()?;
    let mut columns = Vec::new();
    let mut primary_key = Vec::new();
    let mut parents = Vec::new();
    let mut generated = Vec::new();
    let partition_of = tokens.eat("partition");
    if partition_of {
        tokens.eat("of");
        parents.push(tokens.qualified()?);
    } else {
        tokens.eat_mark('(').then_some(())?;
        if !tokens.eat_mark(')') {
            while item(&mut tokens, &mut columns, &mut primary_key, &mut generated)? {}
        }
        if tokens.eat("inherits") && tokens.eat_mark('(') {
            while let Some(parent) = tokens.qualified() {
                parents.push(parent);
                if !tokens.eat_mark(',') {
                    break;
                }
            }
        }
    }
    let partitioned = partitioned(tokens, partition_of);
    Some(Statement::CreateTable {
        name,
        columns,
        primary_key,
        parents,
        generated,
        partitioned,
    })
}

/// Whether `PARTITION BY` stands behind the columns, or behind the bounds of a partition.
fn partitioned(mut tokens: Tokens<'_>, partition_of: bool) -> bool {
    // Of another table it follows at once.
    let mut look = if partition_of { usize::MAX } else { 1 };
    while look > 0 {
        if tokens.eat("partition") && tokens.eat("by") {
            return true;
        }
        if tokens.next().is_none() {
            return false;
        }
        look -= 1;
    }
    false
}

/// Reads a column or a constraint; `true` if another item follows.
fn item(
    tokens: &mut Tokens<'_>,
    columns: &mut Vec<(String, String)>,
    primary_key: &mut Vec<String>,
    generated: &mut Vec<String>,
) -> Option<bool> {
    let mut ahead = tokens.clone();
    let first = ahead.next()?;
    let exclude = first.is("exclude") && {
        let mut after = ahead.clone();
        after.eat("using") || after.eat_mark('(')
    };
    if exclude
        || ["check", "unique", "foreign", "like"]
            .iter()
            .any(|word| first.is(word))
    {
        return skip_item(tokens);
    }
    if first.is("constraint") || first.is("primary") {
        if first.is("constraint") {
            ahead.next()?;
            if !ahead.eat("primary") {
                return skip_item(tokens);
            }
        }
        ahead.eat("key");
        if let Some(names) = ahead.names_in_parentheses() {
            *primary_key = names;
        }
        *tokens = ahead;
        return skip_item(tokens);
    }
    let column = first.name()?;
    *tokens = ahead;
    let sql_type = sql_type(tokens);
    let mut behind = tokens.clone();
    let mut depth = 0u32;
    loop {
        match behind.next() {
            Some(Token::Mark('(')) => depth += 1,
            Some(Token::Mark(')')) if depth > 0 => depth -= 1,
            Some(Token::Mark(',' | ')')) if depth == 0 => break,
            Some(token) if depth == 0 && token.is("generated") => {
                let mut ahead = behind.clone();
                if ahead.eat("always") && ahead.eat("as") && ahead.eat_mark('(') {
                    generated.push(column.clone());
                }
            }
            Some(token) if depth == 0 && token.is("primary") && behind.eat("key") => {
                *primary_key = vec![column.clone()];
                break;
            }
            Some(_) => {}
            None => break,
        }
    }
    if columns.len() == COLUMNS {
        return None;
    }
    columns.push((column, sql_type));
    skip_item(tokens)
}

fn alter(mut tokens: Tokens<'_>) -> Option<Statement> {
    tokens.eat("table").then_some(())?;
    if_not_exists(&mut tokens);
    tokens.eat("only");
    let table = tokens.qualified()?;
    if tokens.eat("attach") {
        tokens.eat("partition").then_some(())?;
        return Some(Statement::Attach {
            parent: table,
            child: tokens.qualified()?,
        });
    }
    if tokens.eat("inherit") {
        return Some(Statement::Attach {
            parent: tokens.qualified()?,
            child: table,
        });
    }
    tokens.eat("add").then_some(())?;
    if tokens.eat("constraint") {
        tokens.next()?;
    }
    (tokens.eat("primary") && tokens.eat("key")).then_some(())?;
    Some(Statement::PrimaryKey {
        table,
        columns: tokens.names_in_parentheses()?,
    })
}

#[cfg(test)]
mod tests {
    use super::{InsertHead, Name, Statement, starts_statement};

    fn parse(statement: &[u8]) -> Statement {
        super::parse(statement, super::TextEncoding::default())
    }

    fn insert_head(window: &[u8]) -> Option<InsertHead> {
        super::insert_head(window, super::TextEncoding::default())
    }

    #[test]
    fn tables_with_everything_in_them() {
        let text = br#"CREATE UNLOGGED TABLE "odd Schema"."ta""ble" (
            id bigint DEFAULT nextval('x, y)'::regclass) NOT NULL,
            "user" character varying(20) DEFAULT 'a,b'::character varying COLLATE "C",
            fee numeric(80,0) DEFAULT 0.0 NOT NULL,
            arr bytea[],
            at timestamp(3) with time zone,
            exclude public."Kind" CHECK ((exclude > 'a')),
            d double precision GENERATED ALWAYS AS ((fee * (2)::double precision)) STORED,
            CONSTRAINT c CHECK (((id > 0) AND (id < 10))),
            CONSTRAINT p PRIMARY KEY (id, "user")
        ) WITH (fillfactor='70');"#;
        let Statement::CreateTable {
            name,
            columns,
            primary_key,
            generated,
            ..
        } = parse(text)
        else {
            panic!("no table");
        };
        assert_eq!(
            (name.schema.as_deref(), name.name.as_str()),
            (Some("odd Schema"), "ta\"ble")
        );
        let columns: Vec<_> = columns
            .iter()
            .map(|(n, t)| (n.as_str(), t.as_str()))
            .collect();
        assert_eq!(
            columns,
            [
                ("id", "bigint"),
                ("user", "character varying(20)"),
                ("fee", "numeric(80,0)"),
                ("arr", "bytea[]"),
                ("at", "timestamp(3) with time zone"),
                ("exclude", "public.Kind"),
                ("d", "double precision"),
            ]
        );
        assert_eq!(primary_key, ["id", "user"]);
        assert_eq!(generated, ["d"]);
    }

    #[test]
    fn keys_copies_and_inserts() {
        assert_eq!(
            parse(b"ALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_pkey PRIMARY KEY (a, \"B\");"),
            Statement::PrimaryKey {
                table: Name {
                    schema: Some("public".into()),
                    name: "t".into()
                },
                columns: vec!["a".into(), "B".into()],
            }
        );
        assert_eq!(
            parse(b"COPY t (a, \"timestamp\") FROM stdin;"),
            Statement::Copy {
                table: Name {
                    schema: None,
                    name: "t".into()
                },
                columns: Some(vec!["a".into(), "timestamp".into()]),
                text_format: true,
            }
        );
        assert!(matches!(
            parse(b"COPY t FROM stdin WITH CSV;"),
            Statement::Copy {
                text_format: false,
                columns: None,
                ..
            }
        ));
        assert_eq!(
            insert_head(b"INSERT INTO public.t (a, \"B\") OVERRIDING SYSTEM VALUE VALUES\n\t(1);"),
            Some(InsertHead::Values {
                table: Name {
                    schema: Some("public".into()),
                    name: "t".into()
                },
                columns: Some(vec!["a".into(), "B".into()]),
                length: 62,
            })
        );
        assert_eq!(insert_head(b"INSERT INTO public.t VALUES "), None);
        assert!(matches!(
            insert_head(b"INSERT INTO t SELECT 1;"),
            Some(InsertHead::Other { table: Some(_) })
        ));
        assert!(matches!(
            insert_head(b"INSERT INTO `t` VALUES (1);"),
            Some(InsertHead::Other { table: None })
        ));
        for (text, partitioned) in [
            ("CREATE TABLE p (a bigint)\nPARTITION BY RANGE (a);", true),
            ("CREATE TABLE p (a bigint);", false),
            (
                "CREATE TABLE c PARTITION OF p FOR VALUES FROM (0) TO (9) PARTITION BY LIST (b);",
                true,
            ),
            (
                "CREATE TABLE c PARTITION OF p FOR VALUES FROM (0) TO (9);",
                false,
            ),
        ] {
            let found = parse(text.as_bytes());
            let Statement::CreateTable {
                partitioned: found, ..
            } = found
            else {
                panic!("{text}: {found:?}");
            };
            assert_eq!(found, partitioned, "{text}");
        }
        let name = |name: &str| Name {
            schema: None,
            name: name.into(),
        };
        for text in [
            "ALTER TABLE ONLY p ATTACH PARTITION c FOR VALUES FROM ('0') TO ('9');",
            "ALTER TABLE ONLY c INHERIT p;",
        ] {
            let (parent, child) = (name("p"), name("c"));
            assert_eq!(parse(text.as_bytes()), Statement::Attach { parent, child });
        }
        assert!(matches!(
            parse(b"CREATE TABLE t (id bigint PRIMARY KEY, b text);"),
            Statement::CreateTable { primary_key, .. } if primary_key == ["id"]
        ));
    }

    #[test]
    fn prose_is_no_statement() {
        assert!(starts_statement(b"SELECT 1;"));
        assert!(starts_statement(b"select\n"));
        assert!(!starts_statement(
            b"pg_dump: warning: there are circular foreign keys\n"
        ));
        assert!(!starts_statement(b"2023-09-08T12:43:43Z  INFO x\n"));
    }
}
