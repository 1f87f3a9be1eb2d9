//! Lines of a machine's own programs in its journal or syslog: chronyd, the kernel, systemd, sshd …
//!
//! Every program writes what it likes; what is known of such a line is what the journal says of it: when, on
//! which machine, by whom, and (`PRIORITY`, `<PRI>`) how grave. So the shape has no recogniser: the line is one if
//! a journal is the innermost wrapping, says when and who, and nobody else claims what is inside.
//!
//! What a *client* writes there and nobody can read stays a reject. Its reason is what tells a person that
//! lines of a client are damaged or that its format has changed; as records of the machine they would be
//! counted as read, and `--strict` would find nothing. Whose a line is, the journal says by identifier and unit.

use crate::claim::Names;
use crate::scan::trim_end;
use crate::wrapper::{Layer, Peeled};
use model::{Field, FieldValue, Level};

/// How journals are called as wrappings.
pub(crate) fn is_journal(kind: &str) -> bool {
    matches!(
        kind,
        "journald-short" | "journald-json" | "journald-export" | "syslog-3164" | "syslog-5424"
    )
}

/// Who writes into a journal, by the names the journal has for it.
#[derive(Debug)]
pub(crate) struct Writers {
    /// The definition that reads lines of the machine's programs.
    pub(crate) format: u16,
    /// Programs that are the machine's whatever their lines look like: whole identifiers and beginnings.
    programs: Names,
    /// Words of identifiers and units of clients, and of what starts them.
    left: Names,
}

/// A layer and what it tells.
pub(crate) struct Told<'t> {
    pub(crate) peeled: &'t Peeled,
    pub(crate) layer: &'t Layer,
    pub(crate) block: &'t [u8],
    pub(crate) decoded: &'t [u8],
}

impl<'t> Told<'t> {
    fn fact(&self, wanted: &str) -> Option<&'t [u8]> {
        let mut facts = self.peeled.facts_of(self.layer).iter();
        let (_, place) = facts.find(|(name, _)| *name == wanted)?;
        Some(place.of(self.block, self.decoded))
    }

    /// Who wrote the line. What a container prints is judged as in docker's own files, whatever keeps it.
    pub(crate) fn name(&self) -> Option<&'t [u8]> {
        let name = self.fact("identifier").or_else(|| self.fact("unit"))?;
        self.fact("container").is_none().then_some(name)
    }
}

const SERVICE: &[u8] = b".service";

impl Writers {
    /// `clients` are the names of all clients that the catalogue knows.
    pub(crate) fn new<'c>(
        format: u16,
        programs: &[String],
        left: &[String],
        clients: impl Iterator<Item = &'c str>,
    ) -> Writers {
        let mut words = left.to_vec();
        // `lighthousebn` is as much a client as `lighthouse`.
        words.extend(clients.map(|client| format!("{client}*")));
        Writers {
            format,
            programs: Names::new(programs),
            left: Names::new(&words),
        }
    }

    /// Whether a layer is a journal's and names a program of the machine. Asked of every line that comes through
    /// a journal.
    #[inline]
    pub(crate) fn is_machines(&self, told: &Told<'_>) -> bool {
        is_journal(told.layer.kind)
            && told.name().is_some_and(|name| {
                self.programs
                    .have(name.strip_suffix(SERVICE).unwrap_or(name))
            })
    }

    /// Whether a layer is a journal's and says of a program that it is none of a client.
    pub(crate) fn is_no_clients(&self, told: &Told<'_>) -> bool {
        let Some(name) = told.name().filter(|_| is_journal(told.layer.kind)) else {
            return false;
        };
        // `short` looks like the lines of programs that write a day, a level and a module; and without a time
        // there is nothing that a record would add.
        let layer = told.layer;
        let has_priority = layer.priority.from < layer.priority.to;
        let is_entry = layer.stamp.is_some_and(|stamp| {
            has_priority || layer.kind != "journald-short" || matches!(stamp.fraction_digits, 0 | 6)
        });
        is_entry
            && !told.fact("host").is_some_and(is_level)
            && (self.is_machines(told)
                || !(self.is_left(name)
                    || told.fact("unit").is_some_and(|unit| self.is_left(unit))))
    }

    /// Whether a name has a word that clients are called by.
    fn is_left(&self, name: &[u8]) -> bool {
        let mut words = name.split(|c| !c.is_ascii_alphanumeric());
        words.any(|word| {
            let mut lowered = [0; 24];
            let length = word.len().min(lowered.len());
            let lowered = &mut lowered[..length];
            lowered.copy_from_slice(&word[..length]);
            lowered.make_ascii_lowercase();
            self.left.have(lowered)
        })
    }
}

fn is_level(word: &[u8]) -> bool {
    const LEVELS: [&[u8]; 17] = [
        b"trace", b"trce", b"trc", b"debug", b"debg", b"dbg", b"info", b"inf", b"notice", b"warn",
        b"warning", b"wrn", b"error", b"erro", b"err", b"crit", b"fatal",
    ];
    LEVELS.iter().any(|level| word.eq_ignore_ascii_case(level))
}

/// How grave a line is by `PRIORITY` or `<PRI>`, which has the facility above the lowest three bits.
pub(crate) fn level(priority: &[u8]) -> Option<Level> {
    if !(1..=3).contains(&priority.len()) || !priority.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = priority
        .iter()
        .fold(0u16, |number, digit| number * 10 + u16::from(digit - b'0'));
    Some(match number & 7 {
        0 => Level::Fatal,
        1 | 2 => Level::Crit,
        3 => Level::Error,
        4 => Level::Warn,
        5 => Level::Notice,
        6 => Level::Info,
        _ => Level::Debug,
    })
}

/// Splits what a program wrote: all of it is message, but for the time since boot that syslog keeps before the
/// kernel's (`[12345.678901] `).
pub(crate) fn body<'a>(text: &'a [u8], fields: &mut Vec<Field<'a>>) -> &'a [u8] {
    let text = trim_end(text);
    let Some(uptime) = uptime(text) else {
        return text;
    };
    fields.push(Field {
        key: b"uptime_s",
        value: FieldValue::Text(text[1..uptime].trim_ascii_start()),
    });
    &text[uptime + 2..]
}

/// Where the bracket closes behind the time since boot.
fn uptime(text: &[u8]) -> Option<usize> {
    let close = text
        .iter()
        .take(24)
        .position(|c| *c == b']')
        .filter(|_| text[0] == b'[')?;
    let inside = text[1..close].trim_ascii_start();
    let point = inside.iter().position(|c| *c == b'.')?;
    let (whole, rest) = (&inside[..point], &inside[point + 1..]);
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    (digits(whole) && rest.len() == 6 && digits(rest) && text.get(close + 1) == Some(&b' '))
        .then_some(close)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_say_levels() {
        assert_eq!(level(b"6"), Some(Level::Info));
        assert_eq!(level(b"34"), Some(Level::Crit));
        assert_eq!(level(b"165"), Some(Level::Notice));
        assert_eq!(level(b"0"), Some(Level::Fatal));
        assert_eq!(level(b""), None);
        assert_eq!(level(b"info"), None);
        assert_eq!(level(b"1000"), None);
    }

    #[test]
    fn the_kernels_time_since_boot_is_a_field() {
        let check = |text: &str, message: &str, uptime: Option<&str>| {
            let mut fields = Vec::new();
            assert_eq!(body(text.as_bytes(), &mut fields), message.as_bytes());
            let seen = fields.first().map(|field| field.value.bytes());
            assert_eq!(seen, uptime.map(str::as_bytes), "{text}");
        };
        check("[12345.678901] x y", "x y", Some("12345.678901"));
        check("[    7.678901] x", "x", Some("7.678901"));
        check("[7.6] x", "[7.6] x", None);
        check("[warn] x.y", "[warn] x.y", None);
        check("", "", None);
    }
}
