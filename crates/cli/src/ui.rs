//! The way out: answers to stdout or a file, everything else to stderr.

use crate::error::CliError;
use crate::settings::Settings;
use coroner::{Error, ErrorKind, Evidence, Partial, Window};
use model::{Answer, AnswerSink};
use report::{Document, Format, ListSpec, ListWriter, Mark, Style};
use serde_json::{Map, Value};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Where a verb puts what it has to say.
pub(crate) struct Ui {
    pub(crate) settings: Settings,
}

/// Whether a verb's answer is one object or a list: decides the form when piped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    Object,
    List,
}

impl Ui {
    pub(crate) fn new(settings: Settings) -> Ui {
        Ui { settings }
    }

    /// Returns the form of the answer.
    pub(crate) fn format(&self, answers: Answers) -> Format {
        let terminal = self.settings.environment.stdout_terminal && self.settings.output.is_none();
        match (self.settings.format, answers) {
            (Some(format), _) => format,
            (None, _) if terminal => Format::Table,
            (None, Answers::Object) => Format::Json,
            (None, Answers::List) => Format::Jsonl,
        }
    }

    /// Returns how answers look.
    pub(crate) fn style(&self) -> Style {
        Style {
            width: self.settings.environment.width.clamp(40, 400),
            color: self.settings.color,
            zone: self.settings.zone,
        }
    }

    /// Writes an answer that is one object.
    pub(crate) fn document(&self, document: &Document) -> Result<(), CliError> {
        self.document_as(document, self.format(Answers::Object))
    }

    /// Writes an answer that is one object in a given form.
    pub(crate) fn document_as(&self, document: &Document, format: Format) -> Result<(), CliError> {
        let mut text = Vec::new();
        match document.row_table() {
            Some(answer) if format == Format::Parquet => self.parquet(&answer, &mut text)?,
            _ => report::write_document(document, format, &self.style(), &mut text)?,
        }
        self.bytes(text, format)
    }

    /// Writes finished output.
    pub(crate) fn bytes(&self, content: Vec<u8>, format: Format) -> Result<(), CliError> {
        match &self.settings.output {
            None => {
                let mut out = io::stdout().lock();
                out.write_all(&content)?;
                out.flush()?;
                Ok(())
            }
            Some(path) => {
                let content = if format == Format::Md {
                    report::marked(&String::from_utf8_lossy(&content)).into_bytes()
                } else {
                    content
                };
                self.file(path, &content)
            }
        }
    }

    /// Writes a table of answers.
    pub(crate) fn answer(
        &self,
        verb: &'static str,
        answer: &Answer,
        tail: &Map<String, Value>,
    ) -> Result<(), CliError> {
        let format = self.format(Answers::List);
        let mut text = Vec::new();
        if format == Format::Parquet {
            self.parquet(answer, &mut text)?;
        } else {
            report::write_answer(verb, answer, format, &self.style(), tail, &mut text)?;
        }
        self.bytes(text, format)
    }

    /// Writes a list row by row; `fill` pushes the rows and returns what follows them in JSON.
    /// Returns how many rows there were.
    pub(crate) fn list(
        &self,
        spec: ListSpec,
        fill: impl FnOnce(
            &mut ListWriter<Box<dyn Write + Send>>,
        ) -> Result<Map<String, Value>, CliError>,
    ) -> Result<u64, CliError> {
        let format = self.format(Answers::List);
        let Some(path) = &self.settings.output else {
            let out: Box<dyn Write + Send> =
                Box::new(BufWriter::with_capacity(1 << 16, io::stdout()));
            let mut list = self.list_writer(spec, format, out)?;
            let tail = fill(&mut list)?;
            let rows = list.rows();
            list.finish(&tail)?;
            return Ok(rows);
        };
        // A long list goes through a file beside the target, so that a failure leaves no half.
        self.refuse_foreign(path, None)?;
        let folder = folder_of(path);
        let temp = tempfile::NamedTempFile::new_in(&folder)
            .map_err(|error| CliError::file("write into", &folder, error))?;
        let file = temp
            .reopen()
            .map_err(|error| CliError::file("write", path, error))?;
        let out: Box<dyn Write + Send> = Box::new(BufWriter::with_capacity(1 << 16, file));
        let mut list = self.list_writer(spec, format, out)?;
        let tail = fill(&mut list)?;
        let rows = list.rows();
        drop(list.finish(&tail)?);
        if format == Format::Md {
            let text = std::fs::read_to_string(temp.path())
                .map_err(|error| CliError::file("read", temp.path(), error))?;
            std::fs::write(temp.path(), report::marked(&text))
                .map_err(|error| CliError::file("write", path, error))?;
        }
        persist(temp, path)?;
        self.note(&format!("wrote {}", path.display()));
        Ok(rows)
    }

    fn list_writer(
        &self,
        spec: ListSpec,
        format: Format,
        out: Box<dyn Write + Send>,
    ) -> Result<ListWriter<Box<dyn Write + Send>>, CliError> {
        if format != Format::Parquet {
            return Ok(ListWriter::new(spec, format, self.style(), out)?);
        }
        self.refuse_terminal()?;
        let file = coroner::AnswerFile::new(&Answer::new(spec.columns), out)?;
        Ok(ListWriter::into_sink(
            spec,
            Box::new(file),
            Box::new(io::sink()),
        ))
    }

    /// Writes a table of answers as a Parquet file.
    fn parquet(&self, answer: &Answer, out: &mut Vec<u8>) -> Result<(), CliError> {
        self.refuse_terminal()?;
        let mut file = coroner::AnswerFile::new(answer, out)?;
        file.put(answer)?;
        Ok(file.end()?)
    }

    /// Refuses to write bytes that are no text to a terminal.
    fn refuse_terminal(&self) -> Result<(), CliError> {
        if self.settings.environment.stdout_terminal && self.settings.output.is_none() {
            return Err(Error::request("Parquet is no text for a terminal")
                .with_hint("name a file with -o FILE.parquet")
                .into());
        }
        Ok(())
    }

    fn file(&self, path: &Path, content: &[u8]) -> Result<(), CliError> {
        self.refuse_foreign(path, Some(content))?;
        let folder = folder_of(path);
        let mut temp = tempfile::NamedTempFile::new_in(&folder)
            .map_err(|error| CliError::file("write into", &folder, error))?;
        temp.write_all(content)
            .map_err(|error| CliError::file("write", path, error))?;
        persist(temp, path)?;
        self.note(&format!("wrote {}", path.display()));
        Ok(())
    }

    /// Refuses to overwrite what Coroner did not write, or somebody edited.
    fn refuse_foreign(&self, path: &Path, content: Option<&[u8]>) -> Result<(), CliError> {
        if self.settings.force {
            return Ok(());
        }
        let old = match std::fs::read(path) {
            Ok(old) => old,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(CliError::file("read", path, error)),
        };
        let why = match report::verify_mark(&old) {
            Mark::Intact => return Ok(()),
            _ if old.is_empty() || content == Some(old.as_slice()) => return Ok(()),
            Mark::Edited => "was edited since coroner wrote it",
            Mark::Missing => "exists and does not bear coroner's mark",
        };
        Err(Error::request(format!(
            "{} {why}",
            model::escape_control(path.to_string_lossy().as_bytes())
        ))
        .with_hint("name another file, or overwrite it with --force")
        .into())
    }

    /// Makes room for an answer that is drawn again: a terminal is cleared.
    pub(crate) fn clear(&self) -> Result<(), CliError> {
        if self.settings.environment.stdout_terminal && self.settings.output.is_none() {
            let mut out = io::stdout().lock();
            out.write_all(b"\x1b[H\x1b[2J\x1b[3J")?;
            out.flush()?;
        }
        Ok(())
    }

    /// Tells something that is no answer.
    pub(crate) fn note(&self, text: &str) {
        if !self.settings.quiet {
            self.stderr("", text);
        }
    }

    /// Tells something that -v asks for.
    pub(crate) fn detail(&self, text: &str) {
        if self.settings.verbose > 0 {
            self.stderr("", text);
        }
    }

    /// Warns.
    pub(crate) fn warn(&self, text: &str) {
        self.stderr("warning: ", text);
    }

    /// Names the parts of the evidence that could not be read.
    pub(crate) fn partial(&self, partial: &[Partial]) {
        const SHOWN: usize = 20;
        for part in partial.iter().take(SHOWN) {
            self.stderr("partial: ", &part.to_string());
        }
        if partial.len() > SHOWN {
            self.stderr(
                "partial: ",
                &format!("and {} more places", partial.len() - SHOWN),
            );
        }
    }

    /// Names one part of the evidence that could not be read.
    pub(crate) fn tell_partial(&self, text: &str) {
        self.stderr("partial: ", text);
    }

    /// Resolves --from and --to, and says what came out.
    pub(crate) fn window(&self, evidence: &Evidence) -> Result<Window, CliError> {
        let window = evidence.window(
            self.settings.from,
            self.settings.to,
            self.settings.zone,
            self.settings.network.as_deref(),
        )?;
        if window.is_given() {
            self.note(&format!("window: {window}"));
        }
        Ok(window)
    }

    /// Says that a window was given to a verb that has none.
    pub(crate) fn no_window(&self, verb: &str) {
        if self.settings.from.is_some() || self.settings.to.is_some() {
            self.warn(&format!(
                "`{verb}` has no window: --from and --to are ignored"
            ));
        }
    }

    /// Prints an error: kind, message, causes, hint.
    pub(crate) fn error(&self, error: &Error) {
        print_error(error);
    }

    fn stderr(&self, lead: &str, text: &str) {
        let shown = report::terminal(text);
        // Nobody to tell is no reason to stop.
        let _ = writeln!(io::stderr().lock(), "{lead}{shown}");
    }
}

/// Prints an error: kind, message, causes, hint.
pub(crate) fn print_error(error: &Error) {
    let mut err = io::stderr().lock();
    let chain = error.chain();
    let lead = match error.kind() {
        ErrorKind::Bug => "bug in coroner",
        _ => "error",
    };
    let _ = writeln!(err, "{lead}: {}", report::terminal(&chain[0]));
    for cause in &chain[1..] {
        let _ = writeln!(err, "  because: {}", report::terminal(cause));
    }
    if let Some(hint) = error.hint() {
        let _ = writeln!(err, "hint: {}", report::terminal(hint));
    }
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

fn persist(temp: tempfile::NamedTempFile, path: &Path) -> Result<(), CliError> {
    // Temporary files are private; an answer is an ordinary file.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path).map_or(0o644, |old| old.permissions().mode());
        let _ = temp
            .as_file()
            .set_permissions(std::fs::Permissions::from_mode(mode));
    }
    temp.persist(path)
        .map_err(|error| CliError::file("write", path, error.error))?;
    Ok(())
}
