//! Lines as Prysm's loggers of 2020 print them: shapes only, no text of real logs.

use model::time::format_civil;
use std::fmt::Write as _;

/// How a process writes its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `[2020-08-14 17:31:02]  INFO prefix: message key=value`
    Terminal,
    /// `time="2020-08-14 17:31:02" level=info msg="message" key=value prefix=prefix`
    Quoted,
    /// One JSON object; its time has a zone.
    Json,
}

/// A field's value by its Go type, which decides how it is printed.
#[derive(Clone, Debug)]
pub enum Value {
    /// A string or error.
    Text(String),
    /// A number.
    Number(i64),
    /// A `time.Duration` in nanoseconds.
    Duration(i64),
    /// A slice of integers.
    List(Vec<i64>),
}

/// One line to be.
#[derive(Clone, Debug)]
pub struct Line {
    /// `info`, `warning`, `error`.
    pub level: &'static str,
    /// The logger's prefix; empty for none.
    pub prefix: &'static str,
    /// The message.
    pub message: String,
    /// Fields in any order; they are printed sorted.
    pub fields: Vec<(&'static str, Value)>,
}

impl Line {
    /// Starts a line.
    pub fn new(level: &'static str, prefix: &'static str, message: impl Into<String>) -> Line {
        Line {
            level,
            prefix,
            message: message.into(),
            fields: Vec::new(),
        }
    }

    /// Adds a text field.
    #[must_use]
    pub fn text(mut self, key: &'static str, value: impl Into<String>) -> Line {
        self.fields.push((key, Value::Text(value.into())));
        self
    }

    /// Adds a number field.
    #[must_use]
    pub fn number(mut self, key: &'static str, value: i64) -> Line {
        self.fields.push((key, Value::Number(value)));
        self
    }

    /// Adds a field of any type.
    #[must_use]
    pub fn value(mut self, key: &'static str, value: Value) -> Line {
        self.fields.push((key, value));
        self
    }

    /// Prints the line, without line feed; `stamp` is its civil time in microseconds.
    pub fn print(&self, shape: Shape, stamp: i64) -> String {
        let mut out = String::with_capacity(256);
        self.print_into(shape, stamp, &mut out);
        out
    }

    /// Appends the line, without line feed.
    pub fn print_into(&self, shape: Shape, stamp: i64, out: &mut String) {
        let time = format_civil(stamp);
        let (date, clock) = (&time[..10], &time[11..19]);
        let mut fields: Vec<(&str, Value)> = self.fields.clone();
        match shape {
            Shape::Terminal => {
                let level = match self.level {
                    "warning" => "WARN",
                    "error" => "ERROR",
                    "debug" => "DEBUG",
                    "fatal" => "FATAL",
                    _ => "INFO",
                };
                let _ = write!(out, "[{date} {clock}] {level:>5}");
                if !self.prefix.is_empty() {
                    let _ = write!(out, " {}:", self.prefix);
                }
                let _ = write!(out, " {}", self.message);
                fields.sort_by_key(|(key, _)| *key);
                for (key, value) in &fields {
                    let _ = write!(out, " {key}={}", bare(value));
                }
            }
            Shape::Quoted => {
                let _ = write!(
                    out,
                    "time=\"{date} {clock}\" level={} msg={}",
                    self.level,
                    quoted(&self.message)
                );
                if !self.prefix.is_empty() {
                    fields.push(("prefix", Value::Text(self.prefix.to_owned())));
                }
                fields.sort_by_key(|(key, _)| *key);
                for (key, value) in &fields {
                    let _ = match value {
                        Value::Text(text) => write!(out, " {key}={}", quoted(text)),
                        value => write!(out, " {key}={}", bare(value)),
                    };
                }
            }
            Shape::Json => {
                fields.push(("level", Value::Text(self.level.to_owned())));
                fields.push(("msg", Value::Text(self.message.clone())));
                fields.push(("time", Value::Text(format!("{date}T{clock}Z"))));
                if !self.prefix.is_empty() {
                    fields.push(("prefix", Value::Text(self.prefix.to_owned())));
                }
                fields.sort_by_key(|(key, _)| *key);
                for (index, (key, value)) in fields.iter().enumerate() {
                    let comma = if index == 0 { '{' } else { ',' };
                    let value = match value {
                        Value::Text(text) => go_json_string(text),
                        Value::Number(number) | Value::Duration(number) => number.to_string(),
                        Value::List(list) => format!("{list:?}").replace(' ', ""),
                    };
                    let _ = write!(out, "{comma}\"{key}\":{value}");
                }
                out.push('}');
            }
        }
    }
}

fn bare(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Duration(nanoseconds) => go_duration(*nanoseconds),
        Value::List(list) => {
            let items: Vec<String> = list.iter().map(i64::to_string).collect();
            format!("[{}]", items.join(" "))
        }
    }
}

/// Quotes as the formatter does: if there is any character outside `[A-Za-z0-9.-]`; nothing inside
/// is escaped.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("\"{text}\"")
    }
}

/// A JSON string as Go's encoder writes it: `<`, `>` and `&` are escaped.
pub fn go_json_string(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}

/// A duration as Go prints it, for example `4h0m0.028854657s`.
pub fn go_duration(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let total = nanoseconds.unsigned_abs();
    let fraction = |value: u64, digits: usize| -> String {
        let text = format!("{value:0digits$}");
        match text.trim_end_matches('0') {
            "" => String::new(),
            text => format!(".{text}"),
        }
    };
    match total {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{total}ns"),
        1_000..1_000_000 => format!("{sign}{}{}µs", total / 1_000, fraction(total % 1_000, 3)),
        1_000_000..1_000_000_000 => {
            format!(
                "{sign}{}{}ms",
                total / 1_000_000,
                fraction(total % 1_000_000, 6)
            )
        }
        _ => {
            let seconds = total / 1_000_000_000;
            let rest = format!("{}{}s", seconds % 60, fraction(total % 1_000_000_000, 9));
            match (seconds / 3600, seconds / 60 % 60) {
                (0, 0) => format!("{sign}{rest}"),
                (0, minutes) => format!("{sign}{minutes}m{rest}"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{rest}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_go_prints_them() {
        for (nanoseconds, text) in [
            (14_400_028_854_657, "4h0m0.028854657s"),
            (61_500_000_000, "1m1.5s"),
            (-2_000_000_000, "-2s"),
            (1_500_000, "1.5ms"),
            (305_650, "305.65µs"),
            (14_400_000_000_000, "4h0m0s"),
        ] {
            assert_eq!(go_duration(nanoseconds), text);
        }
    }

    #[test]
    fn one_line_in_three_shapes() {
        let line = Line::new("warning", "roughtime", "Clock is off")
            .value("offset", Value::Duration(14_400_000_000_000))
            .text("Server Name", "a>b")
            .value("indices", Value::List(vec![20, 2]));
        let stamp = model::time::parse_utc("2020-08-14T17:31:02Z").expect("a time");
        assert_eq!(
            line.print(Shape::Terminal, stamp),
            "[2020-08-14 17:31:02]  WARN roughtime: Clock is off Server Name=a>b indices=[20 2] offset=4h0m0s"
        );
        assert_eq!(
            line.print(Shape::Quoted, stamp),
            "time=\"2020-08-14 17:31:02\" level=warning msg=\"Clock is off\" Server Name=\"a>b\" indices=[20 2] offset=4h0m0s prefix=roughtime"
        );
        assert_eq!(
            line.print(Shape::Json, stamp),
            r#"{"Server Name":"a\u003eb","indices":[20,2],"level":"warning","msg":"Clock is off","offset":14400000000000,"prefix":"roughtime","time":"2020-08-14T17:31:02Z"}"#
        );
    }
}
