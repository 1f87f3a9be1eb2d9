//! Running the program in tests.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A program to run: clean environment, a working folder, nothing from the terminal.
///
/// ```no_run
/// let out = testkit::Program::new("target/debug/coroner").run(&["formats"]);
/// assert_eq!(out.code, 0);
/// ```
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    folder: Option<PathBuf>,
    variables: Vec<(String, String)>,
}

/// What a run gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Exit code; -1 if a signal ended it.
    pub code: i32,
    /// Standard output, invalid UTF-8 replaced.
    pub stdout: String,
    /// Standard error, invalid UTF-8 replaced.
    pub stderr: String,
}

impl Output {
    /// Returns stdout, stderr and exit code as one text for a golden file.
    pub fn transcript(&self) -> String {
        format!(
            "exit: {}\n--- stdout\n{}--- stderr\n{}",
            self.code, self.stdout, self.stderr
        )
    }
}

impl Program {
    /// Names the program; tests of `cli` give `env!("CARGO_BIN_EXE_coroner")`.
    pub fn new(path: impl Into<PathBuf>) -> Program {
        Program {
            path: path.into(),
            folder: None,
            variables: Vec::new(),
        }
    }

    /// Runs in this folder.
    #[must_use]
    pub fn in_folder(mut self, folder: &Path) -> Program {
        self.folder = Some(folder.to_path_buf());
        self
    }

    /// Sets a variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Program {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Runs with arguments and nothing on standard input.
    ///
    /// # Panics
    /// If the program cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.run_with_input(arguments, b"")
    }

    /// Runs with arguments and standard input.
    ///
    /// # Panics
    /// If the program cannot be started.
    pub fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = self.command();
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", self.path.display()));
        let mut stdin = child.stdin.take().expect("it was piped");
        let output = std::thread::scope(|scope| {
            // A program may well not read its input: a closed pipe is no failure.
            scope.spawn(move || stdin.write_all(input));
            child.wait_with_output()
        })
        .expect("the program was started");
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Returns the command, to start it some other way.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .env("NO_COLOR", "1")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }
}
