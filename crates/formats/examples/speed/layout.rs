//! How programs, and what wraps them, print a line.

use crate::mix::Line;
use model::time::format_civil;
use std::fmt::Write as _;

/// The time of a line, and its parts as they stand in stamps.
pub(crate) struct Clock {
    us: i64,
    /// `2023-05-12T17:31:02.123456`
    civil: String,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        let us = 1_683_912_662_000_000;
        Clock {
            us,
            civil: format_civil(us),
        }
    }

    pub(crate) fn advance(&mut self, us: i64) {
        self.us += us;
        self.civil = format_civil(self.us);
    }

    fn date(&self) -> &str {
        &self.civil[..10]
    }

    /// Hours to seconds, and so many digits of fraction.
    fn clock(&self, fraction: usize) -> &str {
        let end = if fraction == 0 { 19 } else { 20 + fraction };
        &self.civil[11..end]
    }

    fn month(&self) -> &str {
        const NAMES: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let number: usize = self.civil[5..7].parse().unwrap();
        NAMES[number - 1]
    }

    fn day(&self) -> &str {
        &self.civil[8..10]
    }
}

/// Prints a line of a program.
pub(crate) type Layout = fn(&Line, &Clock, &mut String);
/// Prints what is around a line.
pub(crate) type Wrapper = fn(&str, &Clock, &mut String);

macro_rules! put {
    ($out:expr, $($what:tt)*) => {
        write!($out, $($what)*).expect("text grows")
    };
}

/// The members of a JSON object: numbers bare, all else quoted.
fn members<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>, out: &mut String) {
    out.push('{');
    for (index, (key, value)) in pairs.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        put!(out, "\"{key}\":");
        let number = !value.is_empty() && value.bytes().all(|c| c.is_ascii_digit());
        if number && !value.starts_with('0') || matches!(value, "true" | "false" | "0") {
            out.push_str(value);
        } else if let Some(object) = value.strip_prefix('\u{1}') {
            out.push_str(object);
        } else {
            out.push('"');
            escape(value, out);
            out.push('"');
        }
    }
    out.push('}');
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\u{1b}' => out.push_str("\\u001b"),
            c => out.push(c),
        }
    }
}

fn fields(line: &Line) -> impl Iterator<Item = (&str, &str)> {
    line.fields
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
}

fn upper(level: &str) -> &'static str {
    match level {
        "error" | "eror" => "ERROR",
        "warn" | "warning" => "WARN",
        "debug" | "dbug" => "DEBUG",
        "crit" => "CRIT",
        _ => "INFO",
    }
}

/// One of several spellings: error, warn, debug, notice, all else.
fn spelled(level: &str, words: [&'static str; 5]) -> &'static str {
    let index = match level {
        "error" | "eror" | "crit" => 0,
        "warn" | "warning" => 1,
        "debug" | "dbug" => 2,
        "notice" => 3,
        _ => 4,
    };
    words[index]
}

pub(crate) fn logrus_terminal(line: &Line, at: &Clock, out: &mut String) {
    let level = upper(line.level);
    put!(
        out,
        "[{} {}] {level:>5} {}: ",
        at.date(),
        at.clock(0),
        line.component
    );
    out.push_str(&line.message);
    for (key, value) in fields(line) {
        put!(out, " {key}={value}");
    }
}

pub(crate) fn logrus_quoted(line: &Line, at: &Clock, out: &mut String) {
    put!(
        out,
        "time=\"{} {}\" level={} msg=\"{}\"",
        at.date(),
        at.clock(0),
        line.level,
        line.message
    );
    let mut all: Vec<_> = fields(line).chain([("prefix", line.component)]).collect();
    all.sort_unstable();
    for (key, value) in all {
        let plain = |c: u8| c.is_ascii_alphanumeric() || b"-._/@^+".contains(&c);
        match value.bytes().all(plain) {
            true => put!(out, " {key}={value}"),
            false => put!(out, " {key}=\"{value}\""),
        }
    }
}

pub(crate) fn logrus_json(line: &Line, at: &Clock, out: &mut String) {
    let time = format!("{}T{}Z", at.date(), at.clock(0));
    let own = [
        ("level", line.level),
        ("msg", &line.message),
        ("prefix", line.component),
        ("time", &time),
    ];
    let mut all: Vec<_> = fields(line).chain(own).collect();
    all.sort_unstable();
    members(all, out);
}

pub(crate) fn slog(line: &Line, at: &Clock, out: &mut String) {
    let level = match line.level {
        "crit" => "CRIT",
        level => spelled(level, ["ERRO", "WARN", "DEBG", "INFO", "INFO"]),
    };
    put!(out, "{} {} {} {level} ", at.month(), at.day(), at.clock(3));
    if line.message.len() < 40 {
        put!(out, "{:<40}", line.message);
    } else {
        put!(out, "{}, ", line.message);
    }
    for (key, value) in fields(line).collect::<Vec<_>>().into_iter().rev() {
        put!(out, "{key}: {value}, ");
    }
    put!(out, "service: {}", line.component);
}

pub(crate) fn slog_tracing(line: &Line, at: &Clock, out: &mut String) {
    let level = upper(line.level);
    put!(
        out,
        "{} {} {} {level:<5} {:<44}  ",
        at.month(),
        at.day(),
        at.clock(3),
        line.message
    );
    for (index, (key, value)) in fields(line).enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        let text = value.contains(' ') && !value.contains(['{', '[']);
        match text {
            true => put!(out, "{comma}{key}: \"{value}\""),
            false => put!(out, "{comma}{key}: {value}"),
        }
    }
}

pub(crate) fn slog_coloured(line: &Line, at: &Clock, out: &mut String) {
    let level = spelled(line.level, ["ERRO", "WARN", "DEBG", "INFO", "INFO"]);
    put!(
        out,
        "\u{1b}[1m{} {} {}\u{1b}[0m \u{1b}[32m{level}\u{1b}[0m ",
        at.month(),
        at.day(),
        at.clock(3)
    );
    put!(out, "\u{1b}[1m{}\u{1b}[0m", line.message);
    let padding = 40usize.saturating_sub(line.message.len());
    put!(out, "{:padding$} ", "");
    for (key, value) in fields(line) {
        put!(out, "\u{1b}[1m{key}\u{1b}[0m: {value}, ");
    }
    put!(out, "\u{1b}[1mservice\u{1b}[0m: {}", line.component);
}

pub(crate) fn slog_json(line: &Line, at: &Clock, out: &mut String) {
    let time = format!("{}T{}Z", at.date(), at.clock(6));
    let own = [
        ("msg", line.message.as_str()),
        ("level", upper(line.level)),
        ("ts", &time),
        ("service", line.component),
    ];
    members(own.into_iter().chain(fields(line)), out);
}

pub(crate) fn log4j_console(line: &Line, at: &Clock, out: &mut String) {
    let level = upper(line.level);
    put!(
        out,
        "{} {} {level:<5} - {}",
        at.date(),
        at.clock(3),
        line.message
    );
}

pub(crate) fn log4j_file(line: &Line, at: &Clock, out: &mut String) {
    let (thread, logger) = line
        .component
        .rsplit_once('/')
        .unwrap_or(("main", line.component));
    let level = upper(line.level);
    put!(
        out,
        "{} {}+00:00 | {thread} | {level:<5} | {logger} | {}",
        at.date(),
        at.clock(3),
        line.message
    );
}

pub(crate) fn log4j_json(line: &Line, at: &Clock, out: &mut String) {
    let (thread, logger) = line
        .component
        .rsplit_once('/')
        .unwrap_or(("main", line.component));
    let time = format!("{}T{}", at.date(), at.clock(3).replace('.', ","));
    let own = [
        ("timestamp", time.as_str()),
        ("host", "teku-0"),
        ("level", upper(line.level)),
        ("thread", thread),
        ("class", logger),
        ("message", &line.message),
        ("throwable", ""),
    ];
    members(own, out);
}

pub(crate) fn chronicles(line: &Line, at: &Clock, out: &mut String) {
    let level = spelled(line.level, ["ERR", "WRN", "DBG", "NTC", "INF"]);
    put!(
        out,
        "{level} {} {}+00:00 {:<42} topics=\"{}\"",
        at.date(),
        at.clock(3),
        line.message,
        line.component
    );
    for (key, value) in fields(line) {
        let plain = |c: u8| c.is_ascii_graphic() && !b"=\"\\".contains(&c);
        if value.bytes().all(plain) {
            put!(out, " {key}={value}");
        } else {
            put!(out, " {key}=\"");
            escape(value, out);
            out.push('"');
        }
    }
}

pub(crate) fn chronicles_json(line: &Line, at: &Clock, out: &mut String) {
    let time = format!("{} {}+00:00", at.date(), at.clock(3));
    let own = [
        (
            "lvl",
            spelled(line.level, ["ERR", "WRN", "DBG", "NTC", "INF"]),
        ),
        ("ts", time.as_str()),
        ("msg", &line.message),
        ("topics", line.component),
    ];
    members(own.into_iter().chain(fields(line)), out);
}

pub(crate) fn lodestar(line: &Line, at: &Clock, out: &mut String) {
    let module = format!("[{}]", line.component);
    let width = 23usize
        .saturating_sub(module.len())
        .max(line.level.len() + 1);
    put!(
        out,
        "{}-{} {}{module}{:>width$}: {}",
        at.month(),
        at.day(),
        at.clock(3),
        line.level,
        line.message
    );
    for (index, (key, value)) in fields(line).enumerate() {
        let comma = if index > 0 { "," } else { "" };
        put!(out, "{comma} {key}={value}");
    }
}

pub(crate) fn lodestar_json(line: &Line, at: &Clock, out: &mut String) {
    let time = format!("{}T{}Z", at.date(), at.clock(3));
    let mut context = String::from("\u{1}");
    members(fields(line), &mut context);
    let own = [
        ("context", context.as_str()),
        ("level", line.level),
        ("message", &line.message),
        ("module", line.component),
        ("timestamp", &time),
    ];
    members(own, out);
}

pub(crate) fn grandine(line: &Line, at: &Clock, out: &mut String) {
    let level = upper(line.level);
    put!(
        out,
        "[{}T{}Z] {level:>5} {}: {}",
        at.date(),
        at.clock(3),
        line.component,
        line.message
    );
    for (key, value) in fields(line) {
        put!(out, " {key}={value}");
    }
}

pub(crate) fn tracing(line: &Line, at: &Clock, out: &mut String) {
    let level = upper(line.level);
    put!(out, "{}T{}Z {level:>5} ", at.date(), at.clock(6));
    if !line.component.is_empty() {
        put!(out, "{}: ", line.component);
    }
    out.push_str(&line.message);
    for (key, value) in fields(line) {
        put!(out, " {key}={value}");
    }
}

pub(crate) fn tracing_coloured(line: &Line, at: &Clock, out: &mut String) {
    let level = upper(line.level);
    put!(
        out,
        "\u{1b}[2m{}T{}Z\u{1b}[0m \u{1b}[32m{level:>5}\u{1b}[0m ",
        at.date(),
        at.clock(6)
    );
    put!(
        out,
        "\u{1b}[2m{}\u{1b}[0m\u{1b}[2m:\u{1b}[0m {}",
        line.component,
        line.message
    );
    for (key, value) in fields(line) {
        put!(out, " \u{1b}[3m{key}\u{1b}[0m\u{1b}[2m=\u{1b}[0m{value}");
    }
}

pub(crate) fn tracing_json(line: &Line, at: &Clock, out: &mut String) {
    let time = format!("{}T{}Z", at.date(), at.clock(6));
    let mut inner = String::from("\u{1}");
    let message = [("message", line.message.as_str())];
    members(message.into_iter().chain(fields(line)), &mut inner);
    let own = [
        ("timestamp", time.as_str()),
        ("level", upper(line.level)),
        ("fields", &inner),
        ("target", line.component),
    ];
    members(own, out);
}

fn geth_fields(line: &Line, out: &mut String) {
    put!(out, "{:<40}", line.message);
    for (key, value) in fields(line) {
        put!(out, " {key}={value}");
    }
}

pub(crate) fn geth(line: &Line, at: &Clock, out: &mut String) {
    let level = upper(line.level);
    put!(out, "{level:<5}[{}|{}] ", &at.date()[5..], at.clock(3));
    geth_fields(line, out);
}

pub(crate) fn geth_json(line: &Line, at: &Clock, out: &mut String) {
    let time = format!("{}T{}Z", at.date(), at.clock(6));
    let own = [
        ("t", time.as_str()),
        ("lvl", line.level),
        ("msg", &line.message),
    ];
    members(own.into_iter().chain(fields(line)), out);
}

pub(crate) fn erigon(line: &Line, at: &Clock, out: &mut String) {
    let level = spelled(line.level, ["EROR", "WARN", "DBUG", "INFO", "INFO"]);
    put!(out, "[{level}] [{}|{}] ", &at.date()[5..], at.clock(3));
    if line.component.is_empty() {
        return geth_fields(line, out);
    }
    put!(out, "[{}] ", line.component);
    geth_fields(line, out);
}

pub(crate) fn nethermind(line: &Line, at: &Clock, out: &mut String) {
    put!(
        out,
        "{} {}|{}|{}|207|{}",
        at.date(),
        at.clock(4),
        line.level,
        line.component,
        line.message
    );
}

pub(crate) fn nethermind_console(line: &Line, at: &Clock, out: &mut String) {
    put!(
        out,
        "{} {} {} | {}",
        at.day(),
        at.month(),
        at.clock(0),
        line.message
    );
}

pub(crate) fn postgres(line: &Line, at: &Clock, out: &mut String) {
    put!(
        out,
        "{} {} UTC [2214] postgres@zksync {}:  {}",
        at.date(),
        at.clock(3),
        line.level,
        line.message
    );
}

pub(crate) fn logfmt(line: &Line, at: &Clock, out: &mut String) {
    put!(
        out,
        "ts={}T{}Z level={} logger={} msg=\"{}\"",
        at.date(),
        at.clock(3),
        line.level,
        line.component,
        line.message
    );
    for (key, value) in fields(line) {
        match value.contains([' ', '"', '=']) {
            true => {
                put!(out, " {key}=\"");
                escape(value, out);
                out.push('"');
            }
            false => put!(out, " {key}={value}"),
        }
    }
}

pub(crate) fn service_json(line: &Line, at: &Clock, out: &mut String) {
    let time = format!("{}T{}Z", at.date(), at.clock(3));
    let own = [
        ("level", line.level),
        ("ts", time.as_str()),
        ("logger", line.component),
        ("msg", &line.message),
    ];
    members(own.into_iter().chain(fields(line)), out);
}

pub(crate) fn bare(line: &str, _: &Clock, out: &mut String) {
    out.push_str(line);
}

pub(crate) fn docker_json(line: &str, at: &Clock, out: &mut String) {
    out.push_str("{\"log\":\"");
    escape(line, out);
    put!(
        out,
        "\\n\",\"stream\":\"stderr\",\"time\":\"{}T{}789Z\"}}",
        at.date(),
        at.clock(6)
    );
}

pub(crate) fn docker_timestamps(line: &str, at: &Clock, out: &mut String) {
    put!(out, "{}T{}789Z {line}", at.date(), at.clock(6));
}

pub(crate) fn cri(line: &str, at: &Clock, out: &mut String) {
    put!(out, "{}T{}789Z stderr F {line}", at.date(), at.clock(6));
}

pub(crate) fn compose(line: &str, _: &Clock, out: &mut String) {
    put!(out, "beacon-1     | {line}");
}

pub(crate) fn kubectl(line: &str, at: &Clock, out: &mut String) {
    put!(
        out,
        "[pod/beacon-0/beacon] {}T{}789Z {line}",
        at.date(),
        at.clock(6)
    );
}

pub(crate) fn journald(line: &str, at: &Clock, out: &mut String) {
    put!(
        out,
        "{} {} {} node-1 beacon[2167]: {line}",
        at.month(),
        at.day(),
        at.clock(0)
    );
}

pub(crate) fn fluentd(line: &str, at: &Clock, out: &mut String) {
    let date = format!("{}T{}Z", at.date(), at.clock(6));
    let kubernetes = "\u{1}{\"pod_name\":\"beacon-0\",\"namespace_name\":\"eth\",\"host\":\"node-1\",\"container_name\":\"beacon\"}";
    let own = [
        ("time", date.as_str()),
        ("stream", "stderr"),
        ("logtag", "F"),
        ("log", line),
        ("kubernetes", kubernetes),
    ];
    members(own, out);
}

pub(crate) fn elastic(line: &str, at: &Clock, out: &mut String) {
    let stamp = format!("{}T{}Z", at.date(), at.clock(3));
    let own = [
        ("@timestamp", stamp.as_str()),
        ("message", line),
        ("stream", "stderr"),
        (
            "kubernetes",
            "\u{1}{\"pod\":{\"name\":\"beacon-0\"},\"namespace\":\"eth\",\"container\":{\"name\":\"beacon\"},\"node\":{\"name\":\"node-1\"}}",
        ),
        (
            "agent",
            "\u{1}{\"type\":\"filebeat\",\"version\":\"8.9.0\"}",
        ),
        ("input", "\u{1}{\"type\":\"container\"}"),
    ];
    members(own, out);
}
