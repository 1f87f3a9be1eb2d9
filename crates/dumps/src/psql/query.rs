//! The query in front of a pasted table: which table it asked, which columns, and what its WHERE
//! says of every row it returned.

use crate::sql::{Name, Token, Tokens};

/// An item of the select list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// The name over the column; empty for `*`.
    pub(crate) output: String,
    /// The table's column, where the item is nothing but one.
    pub(crate) column: Option<String>,
}

/// A SELECT over one table, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    /// Range in the text that was searched.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The table asked, if its rows are what came back: no join, no aggregate, no DISTINCT.
    pub(crate) table: Option<Name>,
    /// `None` if there is a `*`.
    pub(crate) items: Option<Vec<Item>>,
    /// Columns that WHERE holds to one value, in the text form that psql prints.
    pub(crate) constants: Vec<(String, String)>,
    /// The text with blanks evened out, to see whether a query was asked twice.
    pub(crate) normal: String,
}

const AGGREGATES: [&str; 14] = [
    "count",
    "sum",
    "min",
    "max",
    "avg",
    "array_agg",
    "string_agg",
    "json_agg",
    "jsonb_agg",
    "bool_and",
    "bool_or",
    "every",
    "stddev",
    "percentile_cont",
];

/// Words that may follow the table and end its alias.
const CLAUSES: [&str; 12] = [
    "where",
    "order",
    "limit",
    "offset",
    "group",
    "having",
    "union",
    "except",
    "intersect",
    "fetch",
    "for",
    "window",
];

const JOINS: [&str; 8] = [
    "join", "inner", "left", "right", "full", "cross", "natural", "lateral",
];

/// Returns the last query of a text, prompts taken out.
pub(crate) fn last(text: &[u8]) -> Option<Query> {
    let clean = without_prompts(text);
    let lower = clean.to_ascii_lowercase();
    // A page that loses line feeds also glues the word before: "hashselect eth_tx_id …". What
    // counts is that the whole reads as a query.
    memchr::memmem::rfind_iter(&lower, b"select")
        .take(200)
        .filter(|&at| {
            lower
                .get(at + 6)
                .is_some_and(|b| b.is_ascii_whitespace() || *b == b'*')
        })
        .find_map(|at| parse(&clean, at))
}

/// Blanks out psql prompts, so that offsets stay.
fn without_prompts(text: &[u8]) -> Vec<u8> {
    let mut clean = text.to_vec();
    let mut start = 0;
    for line in text.split_inclusive(|&b| b == b'\n') {
        if let Some((_, length)) = prompt(line) {
            clean[start..start + length].fill(b' ');
        }
        start += line.len();
    }
    clean
}

/// Reads `zksync_local=# `, `postgres-> `, `db(# `: the database and the prompt's length.
pub(crate) fn prompt(line: &[u8]) -> Option<(&[u8], usize)> {
    let blanks = line.iter().take_while(|b| **b == b' ').count();
    let rest = &line[blanks..];
    let name = rest
        .iter()
        .take(64)
        .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
        .count();
    let marks = &rest[name..];
    let (first, behind) = marks.split_first()?;
    if name == 0
        || !matches!(
            first,
            b'=' | b'-' | b'(' | b'\'' | b'"' | b'*' | b'!' | b'^' | b'$'
        )
    {
        return None;
    }
    let more = usize::from(matches!(behind.first(), Some(b'*' | b'!' | b'?')));
    if !matches!(behind.get(more), Some(b'#' | b'>')) {
        return None;
    }
    let length = blanks + name + more + 2;
    match line.get(length) {
        None | Some(b' ' | b'\r' | b'\n' | b'\\') => Some((&rest[..name], length)),
        _ => None,
    }
}

fn parse(text: &[u8], start: usize) -> Option<Query> {
    let mut tokens = Tokens::new(&text[start + 6..]);
    let mut plain = !(tokens.eat("distinct"));
    tokens.eat("all");
    let mut items = Some(Vec::new());
    loop {
        let (item, more) = item(&mut tokens, &mut plain)?;
        match item {
            Some(item) => {
                if let Some(items) = &mut items {
                    items.push(item);
                }
            }
            None => items = None,
        }
        if !more {
            break;
        }
    }
    let mut table = Some(tokens.qualified()?);
    tokens.eat("as");
    let mut ahead = tokens.clone();
    if let Some(Token::Word(word)) = ahead.next()
        && !CLAUSES.contains(&word.as_str())
        && !JOINS.contains(&word.as_str())
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    {
        tokens = ahead;
    }
    let mut constants = Vec::new();
    if tokens.eat("where") {
        constants = conjunction(&mut tokens);
    }
    // The tail, up to the semicolon; without one, up to the first thing that is no clause.
    let mut end = tokens.clone();
    for _ in 0..2000 {
        let mut ahead = tokens.clone();
        match ahead.next() {
            None => break,
            Some(Token::Mark(';')) => {
                tokens = ahead;
                end = tokens.clone();
                break;
            }
            Some(Token::Word(word)) => {
                if JOINS.contains(&word.as_str())
                    || ["group", "having", "union", "except", "intersect"].contains(&word.as_str())
                {
                    plain = false;
                }
                if ["or", "not"].contains(&word.as_str()) {
                    constants.clear();
                }
                tokens = ahead;
                if CLAUSES.contains(&word.as_str()) {
                    end = tokens.clone();
                }
            }
            Some(Token::Mark(',')) if end.rest().len() == tokens.rest().len() => {
                // A second table right behind the first.
                plain = false;
                tokens = ahead;
            }
            Some(_) => tokens = ahead,
        }
    }
    if !plain {
        table = None;
        constants.clear();
    }
    let end = text.len() - end.rest().len();
    let normal = String::from_utf8_lossy(&text[start..end])
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase();
    Some(Query {
        start,
        end,
        table,
        items,
        constants,
        normal,
    })
}

/// Reads an item of the select list up to `,` (`true`) or FROM; `None` in front for `*`.
fn item(tokens: &mut Tokens<'_>, plain: &mut bool) -> Option<(Option<Item>, bool)> {
    let mut depth = 0u32;
    let mut parts: Vec<Token> = Vec::new();
    let more = loop {
        let token = tokens.next()?;
        match &token {
            Token::Mark('(') => {
                if let Some(Token::Word(word)) = parts.last()
                    && AGGREGATES.contains(&word.as_str())
                {
                    *plain = false;
                }
                depth += 1;
            }
            Token::Mark(')') => depth = depth.checked_sub(1)?,
            Token::Mark(',') if depth == 0 => break true,
            Token::Mark(';') => return None,
            token if depth == 0 && token.is("from") => break false,
            _ => {}
        }
        parts.push(token);
        if parts.len() > 400 {
            return None;
        }
    };
    if parts.last() == Some(&Token::Mark('*')) && parts.len() <= 3 {
        return Some((None, more));
    }
    let alias = match parts.as_slice() {
        [.., word, name] if word.is("as") => {
            let name = name.clone().name()?;
            parts.truncate(parts.len() - 2);
            Some(name)
        }
        _ => None,
    };
    // A cast does not change the name: `tx_hash::text`.
    let bare = parts
        .iter()
        .position(|part| *part == Token::Mark(':'))
        .map_or(parts.as_slice(), |at| &parts[..at]);
    let column = match bare {
        [Token::Word(name) | Token::Quoted(name)]
        | [_, Token::Mark('.'), Token::Word(name) | Token::Quoted(name)]
            if !name.as_bytes()[0].is_ascii_digit() =>
        {
            Some(name.clone())
        }
        _ => None,
    };
    let output = alias
        .or_else(|| column.clone())
        .or_else(|| match bare.first() {
            Some(Token::Word(function)) if bare.get(1) == Some(&Token::Mark('(')) => {
                Some(function.clone())
            }
            _ => None,
        });
    Some((
        Some(Item {
            output: output.unwrap_or_else(|| "?column?".to_owned()),
            column,
        }),
        more,
    ))
}

/// Reads `a = 1 AND b = 'x'`; nothing if there is any other condition.
fn conjunction(tokens: &mut Tokens<'_>) -> Vec<(String, String)> {
    let mut constants = Vec::new();
    loop {
        let Some(pair) = equality(tokens) else {
            return Vec::new();
        };
        constants.push(pair);
        if tokens.eat("and") {
            continue;
        }
        let mut ahead = tokens.clone();
        return match ahead.next() {
            None | Some(Token::Mark(';')) => constants,
            Some(Token::Word(word)) if word != "or" && !word.is_empty() => {
                // A clause, or the prose behind a query without a semicolon.
                if ["is", "in", "between", "like", "ilike"].contains(&word.as_str()) {
                    Vec::new()
                } else {
                    constants
                }
            }
            Some(_) => Vec::new(),
        };
    }
}

fn equality(tokens: &mut Tokens<'_>) -> Option<(String, String)> {
    let mut ahead = tokens.clone();
    let column = ahead.qualified()?.name;
    if !ahead.eat_mark('=') {
        return None;
    }
    let negative = ahead.eat_mark('-');
    let value = match ahead.next()? {
        Token::Word(word) if !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()) => {
            if ahead.rest().first() == Some(&b'.') {
                return None;
            }
            if negative { format!("-{word}") } else { word }
        }
        _ if negative => return None,
        Token::Text(text) => text,
        Token::Word(word) if word == "true" => "t".to_owned(),
        Token::Word(word) if word == "false" => "f".to_owned(),
        Token::Word(word) if word == "decode" => {
            let (open, Token::Text(digits)) = (ahead.eat_mark('('), ahead.next()?) else {
                return None;
            };
            let comma = ahead.eat_mark(',');
            let hex = ahead.next()? == Token::Text("hex".to_owned());
            if !(open && comma && hex && ahead.eat_mark(')')) {
                return None;
            }
            format!("\\x{}", digits.to_lowercase())
        }
        _ => return None,
    };
    if ahead.eat_mark(':') {
        ahead.eat_mark(':').then_some(())?;
        ahead.qualified()?;
    }
    *tokens = ahead;
    Some((column, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(
        text: &str,
        table: Option<&str>,
        outputs: Option<&[&str]>,
        constants: &[(&str, &str)],
    ) -> Query {
        let query = last(text.as_bytes()).expect(text);
        assert_eq!(
            query.table.as_ref().map(|name| name.name.as_str()),
            table,
            "{text}"
        );
        let found: Option<Vec<&str>> = query
            .items
            .as_ref()
            .map(|items| items.iter().map(|item| item.output.as_str()).collect());
        assert_eq!(found.as_deref(), outputs, "{text}");
        let found: Vec<(&str, &str)> = query
            .constants
            .iter()
            .map(|(c, v)| (c.as_str(), v.as_str()))
            .collect();
        assert_eq!(found, constants, "{text}");
        query
    }

    #[test]
    fn queries_of_the_seed() {
        check(
            "表select number,is_finished from l1_batches where number=7670;\n得到\n",
            Some("l1_batches"),
            Some(&["number", "is_finished"]),
            &[("number", "7670")],
        );
        check(
            "得到CommitBlocks对应交易hashselect eth_tx_id,tx_hash from eth_txs_history where id=43194 ORDER BY updated_at DESC limit 10;",
            Some("eth_txs_history"),
            Some(&["eth_tx_id", "tx_hash"]),
            &[("id", "43194")],
        );
        check(
            "zksync_local=# select * \nzksync_local-# from public.miniblocks m\nzksync_local-# where m.number = 15841\nzksync_local-# ;",
            Some("miniblocks"),
            None,
            &[("number", "15841")],
        );
    }

    #[test]
    fn constants_only_where_they_are_sure() {
        let none: &[(&str, &str)] = &[];
        check(
            "select a from t where tx_hash='\\x0b' and b = 'it''s' order by 1,2;",
            Some("t"),
            Some(&["a"]),
            &[("tx_hash", "\\x0b"), ("b", "it's")],
        );
        check(
            "select a from t where h = decode('0B', 'hex') limit 1;",
            Some("t"),
            Some(&["a"]),
            &[("h", "\\x0b")],
        );
        check(
            "select a from t where id = 1 or id = 2;",
            Some("t"),
            Some(&["a"]),
            none,
        );
        check(
            "select a from t where id = 1 and b > 2;",
            Some("t"),
            Some(&["a"]),
            none,
        );
        check(
            "select a from t where id = 1.5;",
            Some("t"),
            Some(&["a"]),
            none,
        );
        check(
            "select a from t where id = 1 + 1;",
            Some("t"),
            Some(&["a"]),
            none,
        );
        check(
            "select a from t where id in (1);",
            Some("t"),
            Some(&["a"]),
            none,
        );
        check(
            "select a from t where not id = 1;",
            Some("t"),
            Some(&["a"]),
            none,
        );
    }

    #[test]
    fn what_is_not_rows_of_a_table() {
        check(
            "select count(*) from eth_txs where id = 1;",
            None,
            Some(&["count"]),
            &[],
        );
        check(
            "select distinct status from prover_jobs;",
            None,
            Some(&["status"]),
            &[],
        );
        check(
            "select a from t join u on t.id = u.id where t.id = 1;",
            None,
            Some(&["a"]),
            &[],
        );
        check(
            "select a from t, u where t.id = 1;",
            None,
            Some(&["a"]),
            &[],
        );
        check(
            "select a, t.b as c, encode(d, 'hex'), e::text from t;",
            Some("t"),
            Some(&["a", "c", "encode", "e"]),
            &[],
        );
        assert_eq!(last(b"please select a topic"), None);
        assert_eq!(last(b"select 1;"), None);
    }

    #[test]
    fn prompts() {
        assert_eq!(prompt(b"zksync_local=# select").map(|p| p.1), Some(14));
        assert_eq!(prompt(b"postgres=> \\x").map(|p| p.1), Some(10));
        assert_eq!(prompt(b"db-# from").map(|p| p.1), Some(4));
        assert_eq!(prompt(b"a=b"), None);
        assert_eq!(prompt(b""), None);
    }
}
