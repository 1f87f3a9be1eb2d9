//! Which database is meant, and who asks: URLs, and where passwords come from. A password is held for the
//! connection alone; nothing here prints one.

use super::LiveError;
use super::tls::Wish;
use postgres::Config;
use postgres::config::{Host, SslMode};
use rustls::ClientConfig;
use std::fmt;

/// A text that is never printed.
#[derive(Clone, Default)]
pub struct Secret(String);

impl Secret {
    /// Takes a text that must stay unseen.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What stands in for parts that a URL leaves out.
#[derive(Clone, Debug, Default)]
pub struct LiveLogin {
    /// Password (`PGPASSWORD`).
    pub password: Option<Secret>,
    /// The text of a password file (`~/.pgpass`).
    pub password_file: Option<Secret>,
    /// User (`PGUSER`, else that of the system).
    pub user: Option<String>,
    /// Host or folder of the socket (`PGHOST`).
    pub host: Option<String>,
    /// Options of TLS under their names in a URL, `sslmode` and so on (`PGSSLMODE`, …).
    pub ssl: Vec<(&'static str, String)>,
}

/// A database to connect to.
#[derive(Clone)]
pub struct LiveTarget {
    config: Config,
    tls: Option<ClientConfig>,
    shown: String,
}

impl fmt::Debug for LiveTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LiveTarget({})", self.shown)
    }
}

/// Where servers' sockets lie on Linux.
const SOCKETS: &str = "/var/run/postgresql";
/// PostgreSQL's port.
const PORT: u16 = 5432;

fn rest_of(text: &str) -> Option<&str> {
    let scheme = ["postgres://", "postgresql://"];
    scheme.iter().find_map(|scheme| text.strip_prefix(scheme))
}

/// Returns a text as it may be stored and shown: a database's URL without its password, anything else as it
/// is.
///
/// ```
/// assert_eq!(dumps::redacted("postgres://ops:s3cret@db/zksync"), "postgres://ops@db/zksync");
/// assert_eq!(dumps::redacted("postgres://db/z?user=ops&password=x"), "postgres://db/z?user=ops&password=***");
/// assert_eq!(dumps::redacted("dump.sql"), "dump.sql");
/// ```
pub fn redacted(text: &str) -> String {
    let Some(rest) = rest_of(text) else {
        return text.to_owned();
    };
    let scheme = &text[..text.len() - rest.len()];
    // Whatever stands before the last @ may be of the password, however badly the URL is written.
    let rest = match rest.rsplit_once('@') {
        Some((login, rest)) => {
            let user = login.split([':', '/', '?', '#']).next().unwrap_or("");
            format!("{user}@{rest}")
        }
        None => rest.to_owned(),
    };
    let Some((place, query)) = rest.split_once('?') else {
        return format!("{scheme}{rest}");
    };
    let options: Vec<String> = query
        .split('&')
        .map(|option| match option.split_once('=') {
            Some((name, _)) if name.to_ascii_lowercase().contains("password") => {
                format!("{name}=***")
            }
            _ => option.to_owned(),
        })
        .collect();
    format!("{scheme}{place}?{}", options.join("&"))
}

impl LiveTarget {
    /// Whether a text is the URL of a PostgreSQL database.
    pub fn is_url(text: &str) -> bool {
        rest_of(text).is_some()
    }

    /// Reads a URL; what it leaves out comes from `login`.
    ///
    /// # Errors
    /// [`LiveError::Url`] if it cannot be understood, or a file of certificates that it names cannot be read.
    pub fn parse(url: &str, login: &LiveLogin) -> Result<LiveTarget, LiveError> {
        let wrong = |what: String| LiveError::Url {
            shown: redacted(url),
            what,
        };
        let rest = rest_of(url)
            .ok_or_else(|| wrong("it begins with postgres:// or postgresql://".into()))?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
        if rest.matches('@').count() > authority.matches('@').count().min(1) {
            return Err(wrong(
                "signs like @ / ? # in a user or password are written %40 %2F %3F %23; a password may also be left to PGPASSWORD \
                 or ~/.pgpass"
                    .into(),
            ));
        }
        let mut tls = Wish::default();
        for (name, value) in &login.ssl {
            tls.take(name, value).map_err(&wrong)?;
        }
        let url = match url.split_once('?') {
            Some((place, query)) => {
                let mut others = Vec::new();
                for option in query.split('&') {
                    let (name, value) = option.split_once('=').unwrap_or((option, ""));
                    if !tls.take(name, &decoded(value)).map_err(&wrong)? {
                        others.push(option);
                    }
                }
                format!("{place}?{}", others.join("&"))
            }
            None => url.to_owned(),
        };
        let mut config: Config = url.parse().map_err(|error: postgres::Error| {
            let source = std::error::Error::source(&error);
            wrong(source.map_or_else(|| error.to_string(), ToString::to_string))
        })?;
        config.application_name("coroner");
        if config.get_user().is_none()
            && let Some(user) = &login.user
        {
            config.user(user);
        }
        if config.get_hosts().is_empty() {
            config.host(login.host.as_deref().unwrap_or(SOCKETS));
        }
        if config.get_dbname().is_none()
            && let Some(user) = config.get_user().map(str::to_owned)
        {
            config.dbname(&user);
        }
        // As libpq does: what stays on this machine is not encrypted.
        let is_local = |host: &Host| matches!(host, Host::Unix(_));
        let tls = match config.get_hosts().iter().all(is_local) {
            true => {
                config.ssl_mode(SslMode::Disable);
                None
            }
            false => {
                config.ssl_mode(tls.ssl_mode());
                tls.client().map_err(&wrong)?
            }
        };
        let hosts: Vec<String> = config.get_hosts().iter().map(host_name).collect();
        let port = config.get_ports().first().copied().unwrap_or(PORT);
        let user = config.get_user().unwrap_or("").to_owned();
        let database = config.get_dbname().unwrap_or("").to_owned();
        if config.get_password().is_none() {
            if let Some(Secret(password)) = &login.password {
                config.password(password);
            } else if let Some(Secret(file)) = &login.password_file
                && let Some(password) = hosts
                    .iter()
                    .find_map(|host| look_up(file, &[host, &port.to_string(), &database, &user]))
            {
                config.password(password);
            }
        }
        let host = hosts.first().map_or("", String::as_str).replace('/', "%2F");
        let shown = format!(
            "postgres://{user}{}{host}:{port}/{database}",
            if user.is_empty() { "" } else { "@" }
        );
        Ok(LiveTarget { config, tls, shown })
    }

    /// Returns user, host, port and database, without a password.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// How to encrypt, if at all.
    pub(super) fn tls(&self) -> Option<&ClientConfig> {
        self.tls.as_ref()
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }
}

/// Undoes the `%2F` of a URL.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let code = tail.get(..2).filter(|_| byte == b'%');
        let code =
            code.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(code.unwrap_or(byte));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn host_name(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(folder) => folder.to_string_lossy().into_owned(),
    }
}

/// Finds a password in a password file: lines of `host:port:database:user:password`, `*` for any, `\:` and `\\`
/// for the signs themselves; the first line that fits counts.
fn look_up(file: &str, wanted: &[&str; 4]) -> Option<String> {
    for line in file.lines() {
        if line.starts_with('#') {
            continue;
        }
        let mut fields = vec![String::new()];
        let mut signs = line.chars();
        while let Some(sign) = signs.next() {
            if sign == ':' && fields.len() < 5 {
                fields.push(String::new());
                continue;
            }
            let field = fields.last_mut()?;
            match sign {
                '\\' => field.extend(signs.next()),
                _ => field.push(sign),
            }
        }
        let [host, port, database, user, password] = fields.as_slice() else {
            continue;
        };
        // A socket is called localhost there.
        let host_fits = host == wanted[0] || (host == "localhost" && wanted[0].starts_with('/'));
        let fits = |field: &String, wanted: &str| field == "*" || field == wanted;
        if (host == "*" || host_fits)
            && fits(port, wanted[1])
            && fits(database, wanted[2])
            && fits(user, wanted[3])
        {
            return Some(password.clone());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str, login: &LiveLogin) -> Result<LiveTarget, String> {
        LiveTarget::parse(url, login).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn refused(url: &str, why: &str) {
        let error = target(url, &LiveLogin::default()).unwrap_err();
        assert!(error.contains(why), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
    }

    #[test]
    fn passwords_are_shown_nowhere() {
        let login = LiveLogin::default();
        for url in [
            "postgres://ops:s3cret@db.example/zksync",
            "postgresql://ops@db.example/zksync?password=s3cret",
            "postgres://db.example/zksync?user=ops&password=s3cret&connect_timeout=3",
        ] {
            let target = target(url, &login).unwrap();
            assert_eq!(target.shown(), "postgres://ops@db.example:5432/zksync");
            assert_eq!(target.config().get_password(), Some(&b"s3cret"[..]));
            assert!(!format!("{target:?}").contains("s3cret"));
            assert!(!redacted(url).contains("s3cret"), "{}", redacted(url));
        }
        for url in [
            "postgres://ops:p@s3cret@db/z",
            "postgres://ops:a/s3cret@db/z",
            "postgres://ops:a?s3cret@db/z",
            "postgres://ops:a#s3cret@db/z",
        ] {
            refused(url, "%40");
            assert!(!redacted(url).contains("s3cret"), "{}", redacted(url));
        }
        assert!(!format!("{:?}", Secret::new("s3cret")).contains("s3cret"));
    }

    #[test]
    fn what_is_asked_of_tls_is_understood_or_refused() {
        let tls =
            |url: &str| target(url, &LiveLogin::default()).map(|target| target.tls().is_some());
        for (mode, encrypts) in [
            ("disable", false),
            ("allow", true),
            ("prefer", true),
            ("require", true),
        ] {
            let found = tls(&format!("postgres://db/z?sslmode={mode}&connect_timeout=3"));
            assert_eq!(found.unwrap(), encrypts, "{mode}");
        }
        assert!(tls("postgres://db/z").unwrap());
        // A socket leads to no network.
        assert!(!tls("postgres://%2Ftmp%2Fs/z?sslmode=require").unwrap());
        refused("postgres://db/z?sslmode=yes", "none of disable");
        refused("postgres://db/z?sslmode=verify-full", "sslrootcert=");
        refused(
            "postgres://ops:s3cret@db/z?sslmode=verify-full&sslrootcert=%2Fno%2Fsuch.crt",
            "sslrootcert /no/such.crt",
        );
        refused("postgres://db/z?sslcert=x", "both");
        refused("postgres://db/z?sslcrl=x", "sslcrl");
        refused("postgres://ops:s3cret@db/z?colour=red", "colour");
        refused("postgres://ops:s3cret@db:port/z", "");
    }

    #[test]
    fn what_a_url_leaves_out_comes_from_elsewhere() {
        let login = LiveLogin {
            password: None,
            password_file: Some(Secret::new(
                "# a comment\n\nother:*:*:*:no\nlocalhost:5432:zk\\:sync:ops:a\\:b\\\\c:d\n*:*:*:*:last",
            )),
            user: Some("ops".into()),
            host: Some("/tmp/sockets".into()),
            ssl: Vec::new(),
        };
        let found = target("postgres:///zk:sync", &login).unwrap();
        assert_eq!(
            found.shown(),
            "postgres://ops@%2Ftmp%2Fsockets:5432/zk:sync"
        );
        assert_eq!(found.config().get_password(), Some(&b"a:b\\c:d"[..]));
        let other = target("postgres://db/x", &login).unwrap();
        assert_eq!(other.config().get_password(), Some(&b"last"[..]));
        // What the environment says goes before the file, what the URL says before both.
        let login = LiveLogin {
            password: Some(Secret::new("env")),
            ..login
        };
        let password = |url: &str| {
            target(url, &login)
                .unwrap()
                .config()
                .get_password()
                .map(<[u8]>::to_vec)
        };
        assert_eq!(password("postgres://db/x").unwrap(), b"env");
        assert_eq!(password("postgres://ops:url@db/x").unwrap(), b"url");
        // A socket's folder, written as libpq wants it, is shown so that it can be used again.
        let socket = target("postgres://ops@%2Ftmp%2Fs:5433/z", &login).unwrap();
        assert_eq!(socket.shown(), "postgres://ops@%2Ftmp%2Fs:5433/z");
        assert_eq!(
            target(socket.shown(), &login).unwrap().shown(),
            socket.shown()
        );
    }
}
