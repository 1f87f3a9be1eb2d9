//! As much SQL as a dump needs: where a statement ends, and what CREATE TABLE, CREATE TYPE,
//! ALTER TABLE, COPY, INSERT and SET say. Everything else is framing.

/// Finds the `;` that ends a statement, over a window that grows.
#[derive(Debug)]
pub(crate) struct Splitter {
    state: State,
    at: usize,
    /// Where the last quoted string ended, and whether it was an `E''`.
    closed: Option<(usize, bool)>,
    backslashes: bool,
}

#[derive(Debug)]
enum State {
    Normal,
    Single { escapes: bool },
    Double,
    Dollar(Vec<u8>),
    LineComment,
    BlockComment(u32),
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

impl Splitter {
    /// `backslashes`: whether a backslash escapes in plain strings (`standard_conforming_strings = off`).
    pub(crate) fn new(backslashes: bool) -> Splitter {
        Splitter {
            state: State::Normal,
            at: 0,
            closed: None,
            backslashes,
        }
    }

    /// Returns the length of the statement with its `;`, or `None` if the window ends before.
    pub(crate) fn scan(&mut self, window: &[u8], eof: bool) -> Option<usize> {
        while self.at < window.len() {
            let at = self.at;
            let byte = window[at];
            let next = window.get(at + 1).copied();
            match &mut self.state {
                State::Normal => match byte {
                    b';' => {
                        self.at += 1;
                        return Some(self.at);
                    }
                    b'\'' => {
                        let again = self.closed.filter(|(end, _)| *end == at);
                        let marked = at > 0
                            && matches!(window[at - 1], b'e' | b'E')
                            && (at < 2 || !is_word(window[at - 2]));
                        let escapes =
                            again.map_or(self.backslashes || marked, |(_, escapes)| escapes);
                        self.state = State::Single { escapes };
                    }
                    b'"' => self.state = State::Double,
                    b'-' | b'/' if next.is_none() && !eof => return None,
                    b'-' if next == Some(b'-') => {
                        self.state = State::LineComment;
                        self.at += 1;
                    }
                    b'/' if next == Some(b'*') => {
                        self.state = State::BlockComment(1);
                        self.at += 1;
                    }
                    b'$' if at == 0 || !is_word(window[at - 1]) => {
                        let tag = &window[at..window.len().min(at + 66)];
                        let end = tag[1..].iter().position(|&b| !is_word(b));
                        match end {
                            None if !eof && tag.len() < 66 => return None,
                            Some(end) if tag[1 + end] == b'$' && !tag[1].is_ascii_digit() => {
                                self.state = State::Dollar(tag[..end + 2].to_vec());
                                self.at += end + 1;
                            }
                            _ => {}
                        }
                    }
                    _ => {}
                },
                State::Single { escapes } => {
                    let escapes = *escapes;
                    let found = if escapes {
                        memchr::memchr2(b'\'', b'\\', &window[at..])
                    } else {
                        memchr::memchr(b'\'', &window[at..])
                    };
                    let Some(found) = found else {
                        self.at = window.len();
                        return None;
                    };
                    self.at += found;
                    if window[self.at] == b'\\' {
                        if self.at + 1 == window.len() {
                            return None;
                        }
                        self.at += 1;
                    } else {
                        self.state = State::Normal;
                        self.closed = Some((self.at + 1, escapes));
                    }
                }
                State::Double => match memchr::memchr(b'"', &window[at..]) {
                    None => {
                        self.at = window.len();
                        return None;
                    }
                    Some(found) => {
                        self.at += found;
                        self.state = State::Normal;
                    }
                },
                State::LineComment => match memchr::memchr(b'\n', &window[at..]) {
                    None => {
                        self.at = window.len();
                        return None;
                    }
                    Some(found) => {
                        self.at += found;
                        self.state = State::Normal;
                    }
                },
                State::Dollar(tag) => match memchr::memmem::find(&window[at..], tag) {
                    None => {
                        // The tag may be cut by the window's end.
                        self.at = (window.len() + 1).saturating_sub(tag.len()).max(at);
                        return None;
                    }
                    Some(found) => {
                        self.at += found + tag.len() - 1;
                        self.state = State::Normal;
                    }
                },
                State::BlockComment(depth) => match (byte, next) {
                    (b'*' | b'/', None) if !eof => return None,
                    (b'*', Some(b'/')) => {
                        *depth -= 1;
                        if *depth == 0 {
                            self.state = State::Normal;
                        }
                        self.at += 1;
                    }
                    (b'/', Some(b'*')) => {
                        *depth += 1;
                        self.at += 1;
                    }
                    _ => {}
                },
            }
            self.at += 1;
        }
        None
    }
}

/// A piece of SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A name or keyword: lower case unless it was quoted.
    Word(String),
    /// A quoted name.
    Quoted(String),
    /// A string, escapes resolved.
    Text(String),
    /// Anything else.
    Mark(char),
}

impl Token {
    pub(crate) fn is(&self, keyword: &str) -> bool {
        matches!(self, Token::Word(word) if word == keyword)
    }

    pub(crate) fn name(self) -> Option<String> {
        match self {
            Token::Word(name) | Token::Quoted(name) => Some(name),
            _ => None,
        }
    }
}

/// Cuts a statement into tokens; comments are left out.
#[derive(Clone)]
pub(crate) struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(statement: &'a [u8]) -> Tokens<'a> {
        Tokens { rest: statement }
    }

    /// What no token was taken from yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes the next token if it is this keyword.
    pub(crate) fn eat(&mut self, keyword: &str) -> bool {
        let mut ahead = self.clone();
        let found = ahead.next().is_some_and(|token| token.is(keyword));
        if found {
            *self = ahead;
        }
        found
    }

    /// Takes the next token if it is this mark.
    pub(crate) fn eat_mark(&mut self, mark: char) -> bool {
        let mut ahead = self.clone();
        let found = ahead.next() == Some(Token::Mark(mark));
        if found {
            *self = ahead;
        }
        found
    }

    /// Takes a name with an optional schema (and database, which is dropped).
    pub(crate) fn qualified(&mut self) -> Option<Name> {
        let mut parts = vec![self.next()?.name()?];
        while self.eat_mark('.') {
            parts.push(self.next()?.name()?);
        }
        let name = parts.pop()?;
        Some(Name {
            schema: parts.pop(),
            name,
        })
    }

    /// Takes `(a, "b", c)`.
    pub(crate) fn names_in_parentheses(&mut self) -> Option<Vec<String>> {
        if !self.eat_mark('(') {
            return None;
        }
        let mut names = Vec::new();
        loop {
            names.push(self.next()?.name()?);
            if self.eat_mark(')') {
                return Some(names);
            }
            if !self.eat_mark(',') {
                return None;
            }
        }
    }

    fn quoted(&mut self, quote: u8, backslashes: bool) -> String {
        let mut out = Vec::new();
        let mut at = 1;
        while at < self.rest.len() {
            let byte = self.rest[at];
            if byte == quote {
                if self.rest.get(at + 1) != Some(&quote) {
                    at += 1;
                    break;
                }
                at += 1;
            } else if byte == b'\\' && backslashes && at + 1 < self.rest.len() {
                at += 1;
            }
            out.push(self.rest[at]);
            at += 1;
        }
        self.rest = &self.rest[at.min(self.rest.len())..];
        String::from_utf8_lossy(&out).into_owned()
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            self.rest = self.rest.trim_ascii_start();
            if self.rest.starts_with(b"--") {
                let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
                self.rest = &self.rest[end..];
            } else if self.rest.starts_with(b"/*") {
                let end =
                    memchr::memmem::find(self.rest, b"*/").map_or(self.rest.len(), |at| at + 2);
                self.rest = &self.rest[end..];
            } else {
                break;
            }
        }
        let &first = self.rest.first()?;
        match first {
            b'\'' => return Some(Token::Text(self.quoted(b'\'', false))),
            b'e' | b'E' if self.rest.get(1) == Some(&b'\'') => {
                self.rest = &self.rest[1..];
                return Some(Token::Text(self.quoted(b'\'', true)));
            }
            b'"' => return Some(Token::Quoted(self.quoted(b'"', false))),
            _ => {}
        }
        let n = self
            .rest
            .iter()
            .position(|&b| !is_word(b) && b != b'$')
            .unwrap_or(self.rest.len());
        if n == 0 {
            self.rest = &self.rest[1..];
            return Some(Token::Mark(char::from(first)));
        }
        let word = String::from_utf8_lossy(&self.rest[..n]).to_lowercase();
        self.rest = &self.rest[n..];
        Some(Token::Word(word))
    }
}

/// A table's or type's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
}

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
    Insert(Name),
    Set {
        name: String,
        value: Vec<String>,
    },
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

/// Reads a statement. What is not understood is framing.
pub(crate) fn parse(statement: &[u8]) -> Statement {
    parse_known(statement).unwrap_or(Statement::Framing)
}

fn parse_known(statement: &[u8]) -> Option<Statement> {
    let mut tokens = Tokens::new(statement);
    match tokens.next()?.name()?.as_str() {
        "create" => create(tokens),
        "alter" => alter(tokens),
        "copy" => copy(tokens),
        "insert" => {
            tokens.eat("into").then_some(())?;
            Some(Statement::Insert(tokens.qualified()?))
        }
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
        Some(tokens.names_in_parentheses()?)
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
    if tokens.eat("partition") {
        tokens.eat("of");
        parents.push(tokens.qualified()?);
    } else {
        tokens.eat_mark('(').then_some(())?;
        if !tokens.eat_mark(')') {
            while item(&mut tokens, &mut columns, &mut primary_key)? {}
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
    Some(Statement::CreateTable {
        name,
        columns,
        primary_key,
        parents,
    })
}

/// Reads a column or a constraint; `true` if another item follows.
fn item(
    tokens: &mut Tokens<'_>,
    columns: &mut Vec<(String, String)>,
    primary_key: &mut Vec<String>,
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
            Some(token) if depth == 0 && token.is("primary") && behind.eat("key") => {
                *primary_key = vec![column.clone()];
                break;
            }
            Some(_) => {}
            None => break,
        }
    }
    columns.push((column, sql_type));
    skip_item(tokens)
}

fn alter(mut tokens: Tokens<'_>) -> Option<Statement> {
    tokens.eat("table").then_some(())?;
    if_not_exists(&mut tokens);
    tokens.eat("only");
    let table = tokens.qualified()?;
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
    use super::*;

    fn whole(text: &[u8]) -> Option<usize> {
        Splitter::new(false).scan(text, true)
    }

    #[test]
    fn statements_end_at_their_own_semicolon() {
        for text in [
            &b"SELECT 1;"[..],
            b"SELECT ';', 'it''s;', \"a;b\", E'\\';' ;",
            b"CREATE FUNCTION f() AS $_$ begin; end; $_$ LANGUAGE x;",
            b"SELECT $1, a$b, $$;$$;",
            b"-- c;omment\n/* a; /* b; */ ; */ SELECT 1;",
            b"SELECT 'a\\';",
            b"SELECT E'a''\\';';",
        ] {
            assert_eq!(
                whole(text),
                Some(text.len()),
                "{}",
                String::from_utf8_lossy(text)
            );
            // The same, the window growing byte by byte.
            let mut splitter = Splitter::new(false);
            for n in 0..text.len() {
                assert_eq!(splitter.scan(&text[..n], false), None);
            }
            assert_eq!(splitter.scan(text, true), Some(text.len()));
        }
        assert_eq!(whole(b"SELECT 'unterminated;"), None);
        assert_eq!(Splitter::new(true).scan(b"SELECT 'a\\';';", true), Some(14));
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
        assert!(matches!(
            parse(b"INSERT INTO public.t VALUES (1);"),
            Statement::Insert(_)
        ));
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
