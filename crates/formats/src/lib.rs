//! What a line means.
//!
//! This crate owns framing and wrappers, one definition file per log format (`formats/*.toml`), the
//! engines that read them, and the message catalogue that turns messages into observations and clues.
//! It must never know Arrow, Polars or files: bytes come in, records go into a [`model::RecordSink`].
//!
//! # Framing
//!
//! A physical line ends with a line feed; a carriage return before it goes. Colour sequences
//! (`ESC[…m`, and `←[…m` as Windows consoles paste them) are taken out before anything is read.
//! Wrapping (runtimes, orchestrators, the journal, syslog, shippers, pastes: the module `wrapper` has the
//! table) is peeled off layer by layer, in any order.
//! What is left either *starts* a record, by its own bytes alone, or it doesn't:
//!
//! * A line that starts a record always does: nothing before it can make it something else. So a
//!   file may be cut there ([`Parser::cut_point`]), and parts give the same records as the whole.
//!   (What goes on all the same: `goroutine 1 [running]:` after `panic: …`, `FATAL ERROR: …` after V8's
//!   last words, PostgreSQL's `DETAIL:` after its message, a docker chunk after a cut line.)
//! * After text of logrus these lines go on with the record: all up to the closing one if a quote is
//!   open and does close; indented ones; frames of a Go stack (one word with a dot in it); lines with
//!   a `key=`, as hard-wrapped text has; and up to 8 others before such a line (the message of a
//!   wrapped error stands before its stack). A blank line belongs to it if such a line follows at once.
//! * After text of tracing: indented lines, closing brackets, `Caused by:`, `Stack backtrace:`. After slog's
//!   also frames whose indent is lost (`12: tokio::…`) and lines that end with `, service: name`.
//! * After `panic: …`: stack frames, goroutines, registers, `exit status`. After `thread '…' panicked`:
//!   the message up to `note:`, the backtrace.
//! * After geth's, Erigon's and Nethermind's text: indented lines, and what stands between two rows of `#`
//!   or `=`.
//! * After PostgreSQL's text: lines that begin with a tab, and `DETAIL:`, `STATEMENT:` … of the same time and
//!   process; after its csvlog all up to the closing quote.
//! * After log4j's text (Teku, Besu): stack traces, also where a paste lost their tabs, with up to 8 lines of the
//!   exception's own text before the frames; indented lines, closing brackets, rows of Besu's `#` frame; after
//!   messages that the definition lists as `banners`, up to 64 lines whatever they look like.
//! * After Nimbus' text: indented lines, but not the status bar at the foot of its terminal.
//! * After Lodestar's text: indented lines, the first line of a stack (`TypeError: …`), and up to 8 others before
//!   such a line (the text of an error may have several).
//! * After text of users' own expressions: as after tracing's.
//! * After crashes of Java, .NET, Node and Nim: their stacks; V8's parts stand up to three blank lines apart.
//! * After JSON, logfmt and what Roughtime clients say nothing goes on.
//! * After lines of the machine's programs: what the journal has indented to the message.
//! * Lines come through the same wrapping as the first one, or the journal has indented them.
//!
//! Lines of one record are joined by line feeds. The fields after a stack are read like any others,
//! since the text is split only when all of it is there. A record has at most 4096 lines and 1 MiB;
//! what goes beyond is [`model::Reject::RecordTooLong`].
//!
//! Runtimes cut lines (docker and CRI at 16 KiB): the chunks of a line are joined before anybody asks whose
//! it is, also when up to 128 lines of other streams stand between, and reported as `continued`.
//!
//! # The machine's journal
//!
//! A line that nobody claims, inside a journal or syslog that says when and who, is a record of the machine's own
//! programs (format `journal`, client [`model::SYSTEM_CLIENT`]): the kernel that ends a client, chronyd that sets the
//! clock. By its own bytes it starts a record *unless* it goes on with one before it that came the same way, as the
//! lines of a panic do. What a journal's identifier or unit says is a client's is left to the formats of clients, so
//! that a client's damaged line is a reject and counted as one; so is what a container wrote.
//!
//! Everything else is a located reject: chatter, Go's `log.Println` (any Go program writes it; no
//! definition here claims it), broken JSON, NUL bytes. geth's form is geth's, also where a library of it
//! speaks inside another program.
//!
//! # Documents
//!
//! Some sources are no lines: CSV exports, arrays of hits, batches, the journal's export
//! ([`Catalogue::document`] says so by the first bytes). Their entries are opened into payloads first; then a
//! payload is a line like any other. Several lines in one message are one record.
//!
//! # Detection
//!
//! Each line is claimed by its own bytes. If several formats claim it, the one that claims the fewest
//! of the others' samples wins; equals are [`model::Reject::Ambiguous`]. Formats that say `generic = true`
//! (JSON and logfmt of any program) are asked last, about what nobody else claims and no wrapper is around.
//!
//! JSON and logfmt are gone over once, whatever the number of dialects: `engine::json` has members and their
//! keys' numbers, and recognition and body both read them there.
//!
//! # Stamps
//!
//! A stamp is kept as far as the line writes it. Lodestar's `Eph 231/17 4.123` is a time within a slot
//! ([`model::StampDate::Slot`]): the solver turns it into time once the network, so its genesis, is known.
//!
//! Teku's file and Besu have one form. Each claims a line of it only by what it alone has: a logger, else a
//! thread, else a message of its catalogue; the better of these wins. A line that shows nothing of either, or
//! the same of both, is of the format `log4j`, which has no client. So a line alone never says more than it
//! shows: records of no client go with the process that speaks around them in the same stream, before or
//! after, and so whole processes settle (in `ingest`) what single lines cannot. A panic belongs to the program
//! whose code stands in it most often.

mod catalogue;
mod chunks;
mod claim;
mod colours;
mod convert;
mod definition;
mod definition_keyed;
mod document;
mod engine;
mod framing;
mod lanes;
mod line;
mod meaning;
mod minute;
mod network;
mod parser;
mod pattern;
mod printed;
mod samples;
mod scan;
mod table;
mod targets;
mod words;
mod wrapper;

pub use catalogue::{Catalogue, Format};
pub use definition::DefinitionError;
pub use document::Document;
pub use parser::Parser;
pub use samples::{SampleFailure, check_samples};
