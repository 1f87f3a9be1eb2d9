//! Engines: the Rust that knows shapes of lines. What a line *means* is in the definition files.
//!
//! Every engine has two steps. Its recogniser (listed by first byte, see [`recognise`]) looks at a line's
//! beginning and says whether a record starts there, with stamp, level and where the rest begins: cheap,
//! since it runs on every line. [`text_body`] splits the whole record, continuation lines included, into component, message, fields.

mod beginning;
pub(crate) mod bracketed;
pub(crate) mod chronicles;
pub(crate) mod geth;
pub(crate) mod journal;
pub(crate) mod json;
pub(crate) mod lodestar;
pub(crate) mod log4j;
pub(crate) mod logrus;
pub(crate) mod nethermind;
pub(crate) mod panics;
pub(crate) mod postgres;
pub(crate) mod regex;
pub(crate) mod roughtime;
pub(crate) mod slog;
pub(crate) mod stamps;
pub(crate) mod strptime;
pub(crate) mod tracing;

use crate::scan::same_word;
use crate::words::{Literal, end_bit};
pub(crate) use beginning::{ENGINES_OF_PAIRS, knows_pairs, recognise};
use model::{Field, Stamp};

/// Changes whenever an engine, the framing or the wrappers change what a record holds, or ingest the process it is
/// taken to be of: part of the parser version.
pub(crate) const ENGINE_VERSION: u32 = 5;

/// An engine that a definition can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    LogrusText,
    TracingText,
    SlogText,
    BracketedText,
    GethText,
    ErigonText,
    Json,
    NethermindText,
    PostgresText,
    RoughtimeText,
    Printed,
    Journal,
    Logfmt,
    Regex,
    LodestarText,
    GoPanic,
    RustPanic,
    JavaCrash,
    DotnetCrash,
    NodeCrash,
    NimCrash,
    Log4jConsole,
    Log4jText,
    Chronicles,
}

impl Engine {
    pub(crate) const ALL: &[Engine] = &[
        Engine::LogrusText,
        Engine::TracingText,
        Engine::SlogText,
        Engine::BracketedText,
        Engine::GethText,
        Engine::ErigonText,
        Engine::Json,
        Engine::NethermindText,
        Engine::PostgresText,
        Engine::RoughtimeText,
        Engine::Printed,
        Engine::Journal,
        Engine::Logfmt,
        Engine::Regex,
        Engine::LodestarText,
        Engine::GoPanic,
        Engine::RustPanic,
        Engine::JavaCrash,
        Engine::DotnetCrash,
        Engine::NodeCrash,
        Engine::NimCrash,
        Engine::Log4jConsole,
        Engine::Log4jText,
        Engine::Chronicles,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Engine::LogrusText => "logrus_text",
            Engine::TracingText => "tracing_text",
            Engine::SlogText => "slog_text",
            Engine::BracketedText => "bracketed_text",
            Engine::GethText => "geth_text",
            Engine::ErigonText => "erigon_text",
            Engine::Json => "json",
            Engine::NethermindText => "nethermind_text",
            Engine::PostgresText => "postgres_text",
            Engine::RoughtimeText => "roughtime_text",
            Engine::Printed => "printed",
            Engine::Journal => "journal",
            Engine::Logfmt => "logfmt",
            Engine::Regex => "regex",
            Engine::LodestarText => "lodestar_text",
            Engine::GoPanic => "go_panic",
            Engine::RustPanic => "rust_panic",
            Engine::JavaCrash => "java_crash",
            Engine::DotnetCrash => "dotnet_crash",
            Engine::NodeCrash => "node_crash",
            Engine::NimCrash => "nim_crash",
            Engine::Log4jConsole => "log4j_console",
            Engine::Log4jText => "log4j_text",
            Engine::Chronicles => "chronicles",
        }
    }

    /// The engine that is asked after this one about lines with the same stamp, if there is one: most often for
    /// nothing, see [`shows_no_target`].
    pub(crate) fn rival(self) -> Option<Engine> {
        match self {
            Engine::BracketedText => Some(Engine::LogrusText),
            Engine::SlogText => Some(Engine::TracingText),
            _ => None,
        }
    }

    pub(crate) fn by_name(name: &str) -> Option<Engine> {
        Engine::ALL
            .iter()
            .copied()
            .find(|engine| engine.name() == name)
    }
}

/// The shape of a line within its engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `[stamp] LEVEL prefix: message key=value`, also without stamp.
    Terminal,
    /// `time="stamp" level=info msg="…" key=value`.
    Quoted,
    /// `stamp LEVEL span: target: message key=value`.
    TracingText,
    /// `Mon DD HH:MM:SS.mmm INFO message  key: value, key: value`, as slog prints it.
    Slog,
    /// The same as Lighthouse's tracing layer prints it.
    SlogTracing,
    /// `[stamp] LEVEL target:line: message key=value`, and `[stamp] [LEVEL] [target] message`.
    Bracketed,
    /// `INFO [08-14|17:31:02.123] message key=value`.
    Geth,
    /// `t=stamp lvl=info msg="…" key=value`.
    GethLogfmt,
    /// `[INFO] [08-14|17:31:02.123] [stage] message key=value`.
    Erigon,
    /// An object; the number of the dialect.
    Json(u16),
    /// `2023-09-18 03:50:19.0595|INFO|logger|thread|message`, `18 Sep 03:50:19 | message`.
    Nethermind,
    /// `<prefix>LOG:  message`.
    Postgres,
    /// `<prefix>DETAIL:  text`: goes on with the line before it, if that is there.
    PostgresPart,
    /// PostgreSQL's csvlog.
    PostgresCsv,
    /// What Roughtime clients print.
    Roughtime,
    /// A line that a program prints past its logger.
    Printed,
    /// A line of some program in a machine's journal: all that is known of it is what the journal says.
    Journal,
    /// Pairs; the number of the dialect.
    Logfmt(u16),
    /// A user's own; the number of the expression.
    Regex(u16),
    /// `Jun-19 09:14:30.001[module]   level: message k=v, k=v`.
    Lodestar,
    /// `panic: …` and goroutine stacks.
    GoPanic,
    /// `thread '…' panicked at …`.
    RustPanic,
    /// `Exception in thread "main" …`.
    JavaCrash,
    /// `Unhandled exception. System.…`.
    DotnetCrash,
    /// `<--- Last few GCs --->`, `FATAL ERROR: … JavaScript heap out of memory`.
    NodeCrash,
    /// `Traceback (most recent call last, using override)`.
    NimCrash,
    /// `[date] clock LEVEL - message`.
    Log4jConsole,
    /// `stamp | thread | LEVEL | Logger | message`.
    Log4jFile,
    /// `stamp main LEVEL message`: log4j of itself.
    Log4jStatus,
    /// `LVL stamp message key=value`.
    Chronicles,
}

impl Shape {
    /// Whether the record is what a dying program printed: claimed by its whole text, without stamp.
    pub(crate) fn is_panic(self) -> bool {
        matches!(
            self,
            Shape::GoPanic
                | Shape::RustPanic
                | Shape::JavaCrash
                | Shape::DotnetCrash
                | Shape::NodeCrash
                | Shape::NimCrash
        )
    }

    /// Whether the shape alone does not tell whose line it is: formats that share it, or a program of no format,
    /// differ in targets, modules, threads, loggers or messages.
    #[inline]
    pub(crate) fn is_shared(self) -> bool {
        matches!(
            self,
            Shape::TracingText
                | Shape::Slog
                | Shape::SlogTracing
                | Shape::Bracketed
                | Shape::Log4jFile
                | Shape::Log4jStatus
        )
    }

    /// Whether nothing ever goes on with a record of this shape.
    pub(crate) fn stands_alone(self) -> bool {
        matches!(
            self,
            Shape::Json(_) | Shape::Logfmt(_) | Shape::GethLogfmt | Shape::Roughtime
        )
    }

    /// Whether a line of this shape may go on with the one before it instead of starting a record.
    #[inline]
    pub(crate) fn may_go_on(self) -> bool {
        self.is_panic() || self == Shape::PostgresPart
    }

    pub(crate) fn engine(self) -> Engine {
        match self {
            Shape::Terminal | Shape::Quoted => Engine::LogrusText,
            Shape::TracingText => Engine::TracingText,
            Shape::Slog | Shape::SlogTracing => Engine::SlogText,
            Shape::Bracketed => Engine::BracketedText,
            Shape::Geth | Shape::GethLogfmt => Engine::GethText,
            Shape::Erigon => Engine::ErigonText,
            Shape::Json(_) => Engine::Json,
            Shape::Nethermind => Engine::NethermindText,
            Shape::Postgres | Shape::PostgresPart | Shape::PostgresCsv => Engine::PostgresText,
            Shape::Roughtime => Engine::RoughtimeText,
            Shape::Printed => Engine::Printed,
            Shape::Journal => Engine::Journal,
            Shape::Logfmt(_) => Engine::Logfmt,
            Shape::Regex(_) => Engine::Regex,
            Shape::Lodestar => Engine::LodestarText,
            Shape::GoPanic => Engine::GoPanic,
            Shape::RustPanic => Engine::RustPanic,
            Shape::JavaCrash => Engine::JavaCrash,
            Shape::DotnetCrash => Engine::DotnetCrash,
            Shape::NodeCrash => Engine::NodeCrash,
            Shape::NimCrash => Engine::NimCrash,
            Shape::Log4jConsole => Engine::Log4jConsole,
            Shape::Log4jFile | Shape::Log4jStatus => Engine::Log4jText,
            Shape::Chronicles => Engine::Chronicles,
        }
    }
}

/// What the beginning of a line tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) shape: Shape,
    pub(crate) stamp: Option<Stamp>,
    /// Range of the printed level.
    pub(crate) level: (u32, u32),
    /// Range of the component, empty if the head has none.
    pub(crate) component: (u32, u32),
    /// Range of the spans before a tracing target, or of log4j's thread; empty if none.
    pub(crate) spans: (u32, u32),
    /// Where the message begins.
    pub(crate) body: u32,
}

impl Default for Head {
    fn default() -> Self {
        Head::bare(Shape::Printed, None)
    }
}

impl Head {
    /// A head of which nothing but shape and stamp is known.
    pub(crate) fn bare(shape: Shape, stamp: Option<Stamp>) -> Head {
        Head {
            shape,
            stamp,
            level: (0, 0),
            component: (0, 0),
            spans: (0, 0),
            body: 0,
        }
    }
}

/// Whether a line with this head certainly shows no target to the rival of its engine, which then leaves it to
/// whoever is narrower.
#[inline]
pub(crate) fn shows_no_target(line: &[u8], head: &Head) -> bool {
    match head.shape {
        // logrus has prefixes instead.
        Shape::Bracketed => true,
        Shape::Slog | Shape::SlogTracing => tracing::has_no_scope(line, head.level.1 as usize),
        _ => false,
    }
}

/// Whether a target (a path with `::`) is below one of these.
/// The empty one stands for no target, not for the beginning of all.
#[inline]
pub(crate) fn is_own_target<T: AsRef<[u8]>>(targets: &[T], target: &[u8]) -> bool {
    targets.iter().any(|known| {
        let known = known.as_ref();
        // Nothing is compared with nothing: `memcmp` reads through the dangling pointer of an empty
        // text with its faults masked, which takes as long as all the rest of the line.
        if known.is_empty() || target.is_empty() {
            return known.is_empty() && target.is_empty();
        }
        target.first() == known.first()
            && matches!(target.get(known.len()), None | Some(b':' | b'_'))
            && target
                .get(..known.len())
                .is_some_and(|start| same_word(start, known))
    })
}

/// The parts of a record's text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Body<'a> {
    pub(crate) component: Option<&'a [u8]>,
    pub(crate) level_raw: &'a [u8],
    pub(crate) message: &'a [u8],
}

/// How a format writes, as far as engines need to know it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manner {
    /// Fields that hold the component, first found wins.
    pub(crate) component_keys: Vec<String>,
    /// A quick no, see [`logrus::ends`].
    pub(crate) component_ends: u64,
    /// Keys with blanks in them.
    pub(crate) spaced_keys: Vec<String>,
    /// The same.
    pub(crate) spaced_ends: u64,
    /// Beginnings of messages (log4j) that are drawn over several lines.
    pub(crate) banners: Vec<String>,
    /// Beginnings of messages whose parts, ` - key: value`, are fields (Lodestar), up to the first part.
    pub(crate) segments: Vec<Literal>,
}

/// What an engine needs to know of a record before it splits it.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'a> {
    /// Its format's. Engines hand it on: what they ask for stays where it is.
    pub(crate) manner: &'a Manner,
    /// Whether the record's text is certainly one line.
    pub(crate) one_line: bool,
}

impl Manner {
    /// Works out the quick answers.
    pub(crate) fn indexed(self) -> Manner {
        Manner {
            component_ends: logrus::ends(&self.component_keys),
            spaced_ends: logrus::ends(&self.spaced_keys),
            ..self
        }
    }

    /// The place of a key among those whose value is the component: of several the first counts.
    #[inline]
    pub(crate) fn component_rank(&self, key: &[u8]) -> Option<usize> {
        if end_bit(key) & self.component_ends == 0 {
            return None;
        }
        let mut keys = self.component_keys.iter();
        keys.position(|name| same_word(name.as_bytes(), key))
    }
}

/// Splits a text record into the parts of `body`, which stay where they are: what is handed on as a whole right after it
/// was written in pieces is what processors wait for. JSON and logfmt go through [`json::body`], users' own through [`regex`].
#[inline(always)]
pub(crate) fn text_body<'a>(
    text: &'a [u8],
    head: &Head,
    rules: Rules<'_>,
    fields: &mut Vec<Field<'a>>,
    body: &mut Body<'a>,
) {
    let range = |(from, to): (u32, u32)| &text[from as usize..to as usize];
    body.component = (head.component.0 < head.component.1).then(|| range(head.component));
    body.level_raw = range(head.level);
    match head.shape {
        Shape::Terminal => {
            body.message = logrus::terminal_body(text, head.body as usize, rules.manner, fields);
        }
        Shape::Quoted => {
            let (message, component) =
                logrus::quoted_body(text, head.body as usize, rules.manner, fields);
            body.message = message;
            body.component = component;
        }
        Shape::TracingText => {
            if head.spans.0 < head.spans.1 {
                fields.push(Field {
                    key: b"spans",
                    value: model::FieldValue::Text(range(head.spans)),
                });
            }
            body.message = tracing::body(text, head.body as usize, fields);
        }
        Shape::Bracketed => body.message = tracing::body(text, head.body as usize, fields),
        Shape::Geth | Shape::GethLogfmt | Shape::Erigon => {
            body.message = geth::body(text, head, rules, fields);
        }
        Shape::Slog | Shape::SlogTracing => {
            let (message, component) = slog::body(text, head, rules.manner, fields);
            body.message = message;
            body.component = body.component.or(component);
        }
        Shape::Nethermind => body.message = nethermind::body(text, head, fields),
        Shape::Roughtime => {
            body.message =
                crate::scan::trim_end(text.get(head.body as usize..).unwrap_or_default());
        }
        Shape::Log4jConsole | Shape::Log4jFile | Shape::Log4jStatus => {
            body.message = log4j::body(text, head, rules, fields);
        }
        Shape::Chronicles => {
            let (message, component) =
                chronicles::body(text, head.body as usize, rules.manner, fields);
            body.message = message;
            body.component = component;
        }
        Shape::Postgres | Shape::PostgresPart => {
            body.message = postgres::body(text, head, rules, fields)
        }
        Shape::PostgresCsv => {
            (body.message, body.component) = postgres::csv_body(text, head, fields);
        }
        Shape::Lodestar => body.message = lodestar::body(text, head, rules, fields),
        Shape::Printed => body.message = crate::scan::trim_end(text),
        Shape::Journal => body.message = journal::body(text, fields),
        shape if shape.is_panic() => body.message = crate::scan::trim_end(text),
        _ => {}
    }
}

/// Whether what stands in a record's first line is certainly not all of it: the lines after it belong to it
/// whatever they look like.
pub(crate) fn is_open(text: &[u8], head: &Head, manner: &Manner) -> bool {
    match head.shape {
        Shape::Quoted => logrus::quote_is_open(text, head.body as usize, manner),
        Shape::Log4jConsole | Shape::Log4jFile => log4j::is_banner(text, head, manner),
        _ => false,
    }
}
