//! A private PostgreSQL for tests: the second engine that says what is true.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A server in a temporary folder, reached by its socket there; stopped when dropped.
#[derive(Debug)]
pub struct PostgresServer {
    bin: PathBuf,
    folder: tempfile::TempDir,
    as_postgres: bool,
    password: Option<String>,
    /// The zone of its clients' sessions.
    zone: &'static str,
    port: Option<u16>,
}

/// How a server is reached over the network.
struct Tls<'a> {
    certificate: &'a str,
    key: &'a str,
    port: u16,
}

impl PostgresServer {
    /// Starts one that trusts everybody; `None`, with a word on stderr, where PostgreSQL is not installed.
    ///
    /// # Panics
    /// If an installed PostgreSQL does not start.
    pub fn start() -> Option<PostgresServer> {
        PostgresServer::start_with(None, None)
    }

    /// Starts one whose superuser `postgres` has a password, asked for at every connection.
    ///
    /// # Panics
    /// If an installed PostgreSQL does not start.
    pub fn start_with_password(password: &str) -> Option<PostgresServer> {
        PostgresServer::start_with(Some(password.to_owned()), None)
    }

    /// Starts one that can be reached at 127.0.0.1 too, through TLS alone, with a certificate and its key as PEM.
    /// Returns its port.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_with_tls(certificate: &str, key: &str) -> Option<(PostgresServer, u16)> {
        let free = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = free.local_addr().expect("its number").port();
        drop(free);
        let tls = Tls {
            certificate,
            key,
            port,
        };
        PostgresServer::start_with(None, Some(&tls)).map(|server| (server, port))
    }

    fn start_with(password: Option<String>, tls: Option<&Tls<'_>>) -> Option<PostgresServer> {
        let Some(bin) = installed() else {
            // Tests have no other way to say that they did nothing.
            #[expect(clippy::print_stderr, reason = "a test that is skipped says so aloud")]
            {
                eprintln!("SKIPPED: no PostgreSQL here (apt install postgresql)");
            }
            return None;
        };
        // PostgreSQL refuses to run as root.
        let id = Command::new("id").arg("-u").output();
        let as_postgres = id.is_ok_and(|output| output.stdout == b"0\n");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let server = PostgresServer {
            bin,
            folder,
            as_postgres,
            password,
            zone: "UTC",
            port: tls.map(|tls| tls.port),
        };
        if as_postgres {
            run(Command::new("chown")
                .arg("postgres")
                .arg(server.socket_folder()));
        }
        let data = server.path("data");
        let mut init = server.command("initdb");
        init.args([
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-N",
            "-U",
            "postgres",
            "-D",
            &data,
        ]);
        match &server.password {
            None => {
                init.args(["-A", "trust"]);
            }
            Some(password) => {
                let file = server.path("password");
                std::fs::write(&file, password).expect("a file for the password");
                init.args(["-A", "scram-sha-256", "--pwfile", &file]);
            }
        }
        run(&mut init);
        let mut options = format!("-c fsync=off -c timezone=UTC -k {}", server.path(""));
        match tls {
            None => options.push_str(" -c listen_addresses="),
            Some(tls) => {
                options.push_str(&format!(
                    " -c listen_addresses=127.0.0.1 -c port={} -c ssl=on",
                    tls.port
                ));
                let rules = "local all all trust\nhostssl all all 127.0.0.1/32 trust\n";
                let files = [
                    ("pg_hba.conf", rules),
                    ("server.crt", tls.certificate),
                    ("server.key", tls.key),
                ];
                for (name, text) in files {
                    // The server reads them from its own folder, and its key if nobody else may.
                    let file = server.path(&format!("data/{name}"));
                    std::fs::write(&file, text).expect("a file in the server's folder");
                    run(Command::new("chmod").args(["600", &file]));
                    if as_postgres {
                        run(Command::new("chown").args(["postgres", &file]));
                    }
                }
            }
        }
        let started = server
            .command("pg_ctl")
            .args([
                "-w",
                "-D",
                &data,
                "-l",
                "/dev/null",
                "-o",
                &options,
                "start",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(
            started.is_ok_and(|status| status.success()),
            "PostgreSQL does not start"
        );
        Some(server)
    }

    /// Returns it with sessions in another zone than UTC.
    #[must_use]
    pub fn in_zone(mut self, zone: &'static str) -> PostgresServer {
        self.zone = zone;
        self
    }

    /// Returns the folder of its socket.
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Returns a command of PostgreSQL's own that reaches the server.
    pub fn command(&self, program: &str) -> Command {
        let path = self.bin.join(program);
        let mut command = if self.as_postgres {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command
            .current_dir("/")
            .env("LC_ALL", "C.UTF-8")
            .env("PGHOST", self.folder.path())
            .env("PGUSER", "postgres")
            .env("PGTZ", self.zone)
            .env("PGCLIENTENCODING", "UTF8")
            .stdin(Stdio::null());
        if let Some(port) = self.port {
            command.env("PGPORT", port.to_string());
        }
        if let Some(password) = &self.password {
            command.env("PGPASSWORD", password);
        }
        command
    }

    /// Runs SQL and returns the rows: fields between tabs, NULL as `NULL`.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = self.command("psql");
        psql.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-P",
            "null=NULL",
            "-F",
            "\t",
        ]);
        text(run(psql.args(["-d", database, "-c", sql])))
    }

    /// Runs a file of SQL.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn restore(&self, database: &str, dump: &[u8]) {
        let file = self.path("restore.sql");
        std::fs::write(&file, dump).expect("a file to restore from");
        let mut psql = self.command("psql");
        run(psql.args([
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            database,
            "-f",
            &file,
        ]));
    }

    /// Returns what `pg_dump` writes.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn dump(&self, arguments: &[&str]) -> Vec<u8> {
        output_of(self.command("pg_dump").args(arguments))
    }

    /// Returns what psql prints of a query in database `postgres`, with these options.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn psql(&self, options: &[&str], sql: &str) -> Vec<u8> {
        let mut psql = self.command("psql");
        psql.args(["-X", "-d", "postgres"]).args(options);
        output_of(psql.args(["-c", sql]))
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let data = self.path("data");
        let _ = self
            .command("pg_ctl")
            .args(["-D", &data, "-m", "immediate", "stop"])
            .output();
        // The files belong to another user: a plain removal may not reach them.
        let _ = Command::new("rm")
            .arg("-rf")
            .arg(self.folder.path())
            .output();
    }
}

/// Returns the newest installed PostgreSQL.
fn installed() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    versions.sort();
    versions.pop()
}

/// Returns what a command writes to its standard output.
///
/// # Panics
/// If it does not start, or fails.
#[track_caller]
pub fn output_of(command: &mut Command) -> Vec<u8> {
    run(command).stdout
}

#[track_caller]
fn run(command: &mut Command) -> Output {
    let output = command.output().expect("a program that starts");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn text(output: Output) -> String {
    String::from_utf8(output.stdout).expect("UTF-8")
}
