//! Definitions of users: overlays work, broken ones say where and why, and of two formats that claim
//! one line the more specific wins, equals are reported.

use crate::seen::Seen;
use formats::{Catalogue, check_samples};
use model::Position;

/// Every file of `tests/broken` names in its first line the key and the words its error must have.
#[test]
fn broken_definitions_name_file_and_key() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/broken");
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    assert!(names.len() >= 12);
    for path in names {
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let (key, words) = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# ")?.split_once(": "))
            .expect("first line: `# key: words`");
        let (key, words) = (key.to_owned(), words.to_owned());
        let error = Catalogue::with_overlay(&[(stem.clone(), text)]).unwrap_err();
        assert_eq!((&error.file, &error.key), (&stem, &key), "{error}");
        assert!(error.what.contains(&words), "{error}");
        assert!(
            error
                .to_string()
                .starts_with(&format!("format `{stem}`: {key}: "))
        );
    }
}

const OTHER: &str = r#"
title = "Another logrus program"
source = "made up"
client = "other"
engines = ["logrus_text"]

[[message]]
text = "hello"
kind = "other.hello"

[[sample]]
line = '[2020-08-14 17:31:02]  WARN greeter: hello name=x'
record = { message = "hello" }

[[sample]]
line = "words"
reject = true
"#;

#[test]
fn an_overlay_replaces_and_adds() {
    let builtin = Catalogue::builtin();
    let own = OTHER
        .replace("\"logrus_text\"", "\"tracing_text\"")
        .replace("engines", "targets = [\"greeter\"]\nengines")
        .replace(
            "[2020-08-14 17:31:02]  WARN greeter:",
            "2020-08-14T17:31:02Z  WARN greeter:",
        );
    let catalogue = Catalogue::with_overlay(&[("other".into(), own.clone())]).unwrap();
    assert_eq!(check_samples(&catalogue), []);
    assert_eq!(catalogue.contested_samples(), []);
    assert_ne!(catalogue.parser_version(), builtin.parser_version());
    assert_eq!(catalogue.parser_version().len(), 12);
    let names: Vec<_> = catalogue
        .formats()
        .iter()
        .map(|format| format.name.as_str())
        .collect();
    assert!(names.is_sorted() && names.contains(&"other") && names.contains(&"prysm"));
    assert_eq!(names.len(), builtin.formats().len() + 1);
    let replaced = Catalogue::with_overlay(&[("zksync".into(), own)]).unwrap();
    assert_eq!(replaced.formats().len(), builtin.formats().len());
    let title = |format: &formats::Format| format.title == "Another logrus program";
    assert!(replaced.formats().iter().any(title));
}

#[test]
fn samples_that_fail_say_how() {
    let wrong = OTHER.replace("message = \"hello\"", "message = \"goodbye\"");
    let wrong = wrong.replace("greeter", "p2p");
    let catalogue = Catalogue::with_overlay(&[("prysm".into(), wrong)]).unwrap();
    let failures = check_samples(&catalogue);
    assert_eq!(failures.len(), 1);
    assert!(
        failures[0]
            .to_string()
            .contains("expected \"goodbye\", got \"hello\""),
        "{}",
        failures[0]
    );
}

/// A second format of the same shape claims Prysm's lines and Prysm claims its: `other` claims all of
/// Prysm's samples, Prysm only the two of `other`, so Prysm is the more specific.
#[test]
fn two_formats_of_one_shape_are_settled_or_reported() {
    let catalogue = Catalogue::with_overlay(&[("other".into(), OTHER.into())]).unwrap();
    assert!(
        !check_samples(&catalogue).is_empty(),
        "its own sample goes to Prysm"
    );
    let twin = |name: &str| (name.to_owned(), OTHER.to_owned());
    let catalogue = Catalogue::with_overlay(&[twin("prysm"), twin("twin")]).unwrap();
    let contested = catalogue.contested_samples();
    assert_eq!(contested[0].1, ["prysm", "twin"]);
    let mut seen = Seen::default();
    let line = b"[2020-08-14 17:31:02]  WARN greeter: hello name=x\n";
    let Ok(()) = catalogue
        .parser()
        .parse_block(line, Position::START, &mut seen);
    assert!(matches!(
        seen.0[..],
        [crate::seen::Entry::Rejected(_, model::Reject::Ambiguous)]
    ));
}

/// The indented block of CONTRIBUTING.md that begins with these words.
fn block_of_contributing(start: &str) -> String {
    let text = include_str!("../../../../CONTRIBUTING.md");
    let at = text.find(start).expect("CONTRIBUTING.md has the example");
    let lines = text[at..].lines().map(|line| line.strip_prefix("       "));
    let mut block = String::new();
    for (index, line) in lines.enumerate() {
        match line {
            Some(line) => block.push_str(line),
            None if index == 0 => block.push_str(start),
            None if text[at..].lines().nth(index) == Some("") => {}
            None => break,
        }
        block.push('\n');
    }
    block
}

#[test]
fn the_recipe_for_a_format_of_ones_own_works() {
    let text = block_of_contributing("title   = \"The watchdog of our validators\"");
    let catalogue = Catalogue::with_overlay(&[("watchdog".into(), text)]).unwrap();
    assert_eq!(check_samples(&catalogue), []);
    assert_eq!(catalogue.contested_samples(), []);
    let lines =
        b"14.08.2020 17:31:02 E/disk: full: a=b | free=0 path=\"/a b\"\n    Caused by: x\nnoise\n";
    let mut seen = Seen::default();
    let Ok(()) = catalogue
        .parser()
        .parse_block(lines, Position::START, &mut seen);
    let [
        crate::seen::Entry::Record { span, text, .. },
        crate::seen::Entry::Rejected(..),
    ] = &seen.0[..]
    else {
        panic!("{seen:?}");
    };
    assert_eq!(span.lines, 2);
    for part in [
        "2020-08-14T17:31:02",
        "watchdog",
        "full: a=b",
        r#""free":"0""#,
        r#""path":"/a b""#,
        r#""lines":"    Caused by: x""#,
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

/// Formats of any program never take a line from anybody.
#[test]
fn generic_formats_come_last() {
    let catalogue = Catalogue::builtin();
    for (name, line) in catalogue.sample_lines() {
        let mut seen = Seen::default();
        let Ok(()) = catalogue
            .parser()
            .parse_block(line.as_bytes(), Position::START, &mut seen);
        let crate::seen::Entry::Record { text, .. } = &seen.0[0] else {
            panic!("{line}");
        };
        assert!(text.contains(&format!(" {name} ")), "{name}: {text}");
    }
    let own = r#"
title = "Any program"
source = "made up"
generic = true
engines = ["regex"]
regex = [{ pattern = '(?<level>[A-Z]+) (?<message>.*)' }]
sample = [
    { line = "WARN something else", record = { level = "warn", client = "" } },
    { line = "words", reject = true },
]
"#;
    let catalogue = Catalogue::with_overlay(&[("any".into(), own.into())]).unwrap();
    // Among generic ones the more specific wins, as everywhere.
    let failures = check_samples(&catalogue).into_iter();
    let taken: Vec<_> = failures
        .filter(|failure| failure.format != "tracing")
        .collect();
    assert_eq!(taken, []);
}
