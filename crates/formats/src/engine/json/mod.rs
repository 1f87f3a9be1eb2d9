//! JSON lines, one engine for all: an object on one line, of which a definition says what is what. Lines
//! of logfmt are read by the same words, see [`logfmt`].
//!
//! A definition names its dialects ([`DialectSpec`]: which keys hold time, level, message, component,
//! which must be there, which objects are opened); the order of keys never matters. A line is gone over
//! once ([`Scan`]), however many dialects are asked about it.
//!
//! Of two equal keys the first has the role and the second is a field (Nimbus writes `msg` twice).
//! Strings without escapes are borrowed from the line. Numbers, truths, lists and objects keep their
//! JSON text, checked to be valid, since they go into other JSON as they are.

mod dialect;
mod keys;
pub(crate) mod logfmt;
mod outline;
mod scan;
mod tokens;

pub(crate) use dialect::{Dialect, DialectSpec, Found, Syntax};
pub(crate) use keys::Keys;
pub(crate) use scan::{Scan, State, token};
pub(crate) use tokens::escape;

use super::{Body, Manner, lodestar};
use model::{Field, FieldValue};
use scan::{Kind, Member, TOP};

/// Deeper indentation is a continuation of something.
const INDENT_MAX: usize = 8;

/// Whether a line may be a record of JSON: pasted text is indented a little.
#[inline]
pub(crate) fn begins(line: &[u8]) -> bool {
    match line.first() {
        Some(b'{') => true,
        Some(b' ') => {
            let depth = line
                .iter()
                .take(INDENT_MAX + 1)
                .take_while(|c| **c == b' ')
                .count();
            depth <= INDENT_MAX && line.get(depth) == Some(&b'{')
        }
        _ => false,
    }
}

/// A member as a field.
#[inline(always)]
fn field<'a>(line: &'a [u8], scan: &'a Scan, member: &Member) -> Field<'a> {
    let value = scan.value(line, member);
    Field {
        key: scan.key(line, member),
        value: match member.kind {
            Kind::Text => FieldValue::Text(value),
            _ => FieldValue::Json(value),
        },
    }
}

/// Makes fields of the members without a role, where some are opened or renamed: first of those of the object itself,
/// then of those of the objects it opens.
#[inline(never)]
fn reshaped<'a>(
    line: &'a [u8],
    scan: &'a Scan,
    dialect: &'a Dialect,
    found: &Found,
    fields: &mut Vec<Field<'a>>,
) {
    let all = || scan.members.iter().enumerate();
    let without_role = || all().filter(|(index, _)| !found.has(*index));
    let own = without_role().filter(|(_, member)| member.parent == TOP);
    let own = own.filter(|(_, member)| !dialect.lifts(scan, member));
    let opened = without_role().filter(|(_, member)| {
        let parent = scan.members.get(member.parent as usize);
        parent.is_some_and(|parent| dialect.lifts(scan, parent))
    });
    for (_, member) in own.chain(opened) {
        let mut field = field(line, scan, member);
        if let Some(name) = dialect.name(scan, member) {
            field.key = name;
        }
        fields.push(field);
    }
}

/// Makes a record's parts of what the scan has: members without a role become fields.
pub(crate) fn body<'a>(
    line: &'a [u8],
    scan: &'a Scan,
    dialect: &'a Dialect,
    found: &Found,
    manner: &Manner,
    fields: &mut Vec<Field<'a>>,
    body: &mut Body<'a>,
) {
    if found.reshaped {
        reshaped(line, scan, dialect, found, fields);
    } else {
        for (index, member) in scan.members.iter().enumerate() {
            if member.parent == TOP && !found.has(index) {
                fields.push(field(line, scan, member));
            }
        }
    }
    let mut message = found.message(line, scan).unwrap_or(b"");
    if lodestar::is_segmented(message, &manner.segments) {
        message = lodestar::split_segments(message, &mut |key, value| {
            fields.push(Field {
                key,
                value: FieldValue::Text(value),
            });
        });
    }
    let component = found.component(line, scan);
    body.component = component.filter(|component| !component.is_empty());
    body.level_raw = found.level(line, scan).unwrap_or(b"");
    body.message = message;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use crate::claim::Tier;
    use crate::engine::Head;
    use proptest::prelude::*;

    fn read(text: &str) -> Scan {
        let mut scan = Scan::default();
        scan.read(text.as_bytes(), &Keys::default());
        scan
    }

    #[test]
    fn tokens_are_strict() {
        for (text, ok) in [
            ("{\"a\":1}", true),
            ("{\"a\":-0.5e+3,\"b\":[1,{\"c\":null}],\"d\":{}}", true),
            ("{\"a\":[]}", true),
            ("{\"a\":\"\\u00e9\\ud83d\\ude00\"}", true),
            (
                "{ \"a\" : [ 1 , { } , \"x\" ] , \"b\" : { \"c\" : [ ] } }  ",
                true,
            ),
            ("  {\"a\":true}", true),
            ("{\"a\":01}", false),
            ("{\"a\":[1,]}", false),
            ("{\"a\":[\"\u{1}\"]}", false),
            ("{\"a\":[}", false),
            ("{\"a\":{]}", false),
            ("{\"a\":tru}", false),
            ("{\"a\":1", false),
            ("{\"a\":\"x", false),
            ("{\"a\":\"\\x\"}", false),
            ("{\"a\":1}{\"a\":1}", false),
            ("{\"a\":1,}", false),
            ("{}", true),
        ] {
            let state = read(text).state;
            assert_eq!(matches!(state, State::Object(_)), ok, "{text} {state:?}");
            let trimmed = text.trim();
            let end = token(trimmed.as_bytes(), 0);
            assert_eq!(end == Some(trimmed.len()), ok, "{text}");
        }
        let deep = |n: usize| format!("{{\"a\":{}1{}}}", "[".repeat(n), "]".repeat(n));
        assert_eq!(read(&deep(63)).state, State::Object(0));
        assert_eq!(read(&deep(64)).state, State::Broken);
        assert_eq!(read("{ words }").state, State::NoObject);
        let many = format!("{{{}\"z\":0}}", "\"a\":1,".repeat(5000));
        assert_eq!(read(&many).state, State::TooLarge);
    }

    #[test]
    fn escapes_are_decoded_and_members_of_members_are_there() {
        let line = br#"{"a":"x\u003ey\n\"\ud83d\ude00\ud800","b":{"c":{"d":1},"e\t":[2,{"f":3}]},"g":[{"h":4}],"i":5}"#;
        let mut scan = Scan::default();
        scan.read(line, &Keys::default());
        let seen: Vec<_> = scan
            .members
            .iter()
            .map(|member| {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                (
                    text(scan.key(line, member)),
                    text(scan.value(line, member)),
                    member.parent,
                )
            })
            .collect();
        let member = |key: &str, value: &str, parent| (key.to_owned(), value.to_owned(), parent);
        assert_eq!(
            seen,
            [
                member("a", "x>y\n\"😀\u{fffd}", TOP),
                member("b", r#"{"c":{"d":1},"e\t":[2,{"f":3}]}"#, TOP),
                member("c", r#"{"d":1}"#, 1),
                member("e\t", r#"[2,{"f":3}]"#, 1),
                member("g", r#"[{"h":4}]"#, TOP),
                member("i", "5", TOP),
            ]
        );
    }

    /// What lines of several programs are made of.
    const MEMBERS: [&str; 16] = [
        r#""ts":"2024-01-02T03:04:05Z""#,
        r#""ts":"soon""#,
        r#""time":1704164645"#,
        r#""timestamp":"2024-01-02 03:04:05,123""#,
        r#""level":"info""#,
        r#""level":"INFO""#,
        r#""level":30"#,
        r#""level":{"level":"info"}"#,
        r#""lvl":"INF""#,
        r#""msg":"done""#,
        r#""message":"done""#,
        r#""message":7"#,
        r#""prefix":"p2p""#,
        r#""service":"beacon""#,
        r#""fields":{"message":"done","other":1}"#,
        r#""other":{"message":"done"}"#,
    ];

    fn values() -> impl Strategy<Value = serde_json::Value> {
        use serde_json::Value;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            // Others round the last digit of what is no sum of halves.
            any::<i32>().prop_map(|n| Value::from(f64::from(n) / 8.0)),
            any::<String>().prop_map(Value::from),
            "[a-z\\\\\"/\u{1}\u{7f}é😀]{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("[a-z.é\"]{0,6}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Every object comes out as another reader of JSON sees it, however it is spaced.
        #[test]
        fn objects_are_read_as_others_read_them(
            members in prop::collection::btree_map("[a-z.é\"\\\\]{0,8}", values(), 0..8),
            pretty: bool,
        ) {
            let object = serde_json::Value::Object(members.into_iter().collect());
            let text = if pretty {
                serde_json::to_string_pretty(&object)
            } else {
                serde_json::to_string(&object)
            };
            let text = text.unwrap();
            let line = text.as_bytes();
            let scan = read(&text);
            prop_assert_eq!(scan.state, State::Object(0));
            let mut seen = serde_json::Map::new();
            let mut inner = 0;
            for member in &scan.members {
                let key = String::from_utf8(scan.key(line, member).to_vec()).unwrap();
                let value = scan.value(line, member);
                let value = match member.kind {
                    Kind::Text => serde_json::Value::from(std::str::from_utf8(value).unwrap()),
                    _ => serde_json::from_slice(value).unwrap(),
                };
                if member.parent == TOP {
                    seen.insert(key, value);
                } else {
                    let parent = &scan.members[member.parent as usize];
                    let whole: serde_json::Value =
                        serde_json::from_slice(scan.value(line, parent)).unwrap();
                    prop_assert_eq!(&whole[&key], &value);
                    inner += 1;
                }
            }
            let expected: usize = seen.values().filter_map(|value| value.as_object()).map(|one| one.len()).sum();
            prop_assert_eq!(inner, expected);
            prop_assert_eq!(serde_json::Value::Object(seen), object);
        }

        /// What was found out about other lines changes nothing about the next.
        #[test]
        fn a_line_is_its_own_whatever_was_read_before(
            lines in prop::collection::vec(
                prop::collection::vec(prop::sample::select(MEMBERS.to_vec()), 1..6),
                1..200,
            ),
        ) {
            let catalogue = Catalogue::builtin();
            let parts = |line: &[u8], scan: &mut Scan| {
                let claims = [Tier::Specific, Tier::Generic].map(|tier| {
                    let mut head = Head::default();
                    catalogue.scan(line, scan, tier);
                    (catalogue.claim(line, scan, tier, &mut head), head)
                });
                format!("{claims:?} {:?}", scan.found.get())
            };
            let mut scan = Scan::default();
            for members in lines {
                let line = format!("{{{}}}", members.join(","));
                let line = line.as_bytes();
                prop_assert_eq!(parts(line, &mut scan), parts(line, &mut Scan::default()));
            }
        }

        /// Damaged objects never panic, and what goes into other JSON as it is, is JSON.
        #[test]
        fn damaged_objects_give_whole_tokens(
            members in prop::collection::btree_map("[a-z]{0,4}", values(), 0..6),
            at in any::<prop::sample::Index>(),
            byte: u8,
        ) {
            let object = serde_json::Value::Object(members.into_iter().collect());
            let mut line = serde_json::to_vec(&object).unwrap();
            let at = at.index(line.len());
            line[at] = byte;
            let mut scan = Scan::default();
            scan.read(&line, &Keys::default());
            if let State::Object(_) = scan.state {
                for member in scan.members.iter().filter(|member| member.kind != Kind::Text) {
                    let token = scan.value(&line, member);
                    let is_json = serde_json::from_slice::<serde_json::Value>(token);
                    let too_large = is_json.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
                    prop_assert!(is_json.is_ok() || too_large, "{}", String::from_utf8_lossy(token));
                }
            }
        }
    }
}
