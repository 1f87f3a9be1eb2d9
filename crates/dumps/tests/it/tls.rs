//! A live database over the network: TLS as psql speaks it, against a real server and its own authority.

use dumps::{LiveLogin, LiveOptions, LiveTarget, read_live};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use testkit::PostgresServer;

/// An authority of our own.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    Authority {
        pem,
        issuer: Issuer::new(params, key),
    }
}

/// A certificate for a host, and its key.
fn certificate(authority: &Authority, host: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    let signed = params.signed_by(&key, &authority.issuer).unwrap();
    (signed.pem(), key.serialize_pem())
}

/// Connects, and reads an empty database.
fn connect(url: &str) -> Result<(), String> {
    let target =
        LiveTarget::parse(url, &LiveLogin::default()).map_err(|error| error.to_string())?;
    let mut text = Vec::new();
    let read = read_live(&target, &LiveOptions::default(), &mut text, &mut |_| true);
    read.map(|_| ()).map_err(|error| {
        let mut chain = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            chain = format!("{chain}: {error}");
            cause = error.source();
        }
        chain
    })
}

#[test]
fn certificates_are_believed_as_psql_believes_them() {
    // The server takes nothing from the network that is not encrypted.
    let (ours, other) = (authority(), authority());
    let (certificate, key) = certificate(&ours, "localhost");
    let Some((_server, port)) = PostgresServer::start_with_tls(&certificate, &key) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (root, wrong, none) = (
        file("root.crt", &ours.pem),
        file("wrong.crt", &other.pem),
        file("none.crt", "no certificate\n"),
    );
    let unknown = "invalid peer certificate";
    for (host, options, refused) in [
        ("127.0.0.1", String::new(), None),
        (
            "127.0.0.1",
            "sslmode=disable".to_owned(),
            Some("no encryption"),
        ),
        ("127.0.0.1", "sslmode=require".to_owned(), None),
        (
            "localhost",
            format!("sslmode=verify-full&sslrootcert={root}"),
            None,
        ),
        // The certificate names localhost: the authority is right, the name is not.
        (
            "127.0.0.1",
            format!("sslmode=verify-ca&sslrootcert={root}"),
            None,
        ),
        (
            "127.0.0.1",
            format!("sslmode=verify-full&sslrootcert={root}"),
            Some("not valid for name"),
        ),
        (
            "localhost",
            format!("sslmode=verify-ca&sslrootcert={wrong}"),
            Some(unknown),
        ),
        (
            "localhost",
            format!("sslmode=require&sslrootcert={wrong}"),
            Some(unknown),
        ),
        (
            "localhost",
            format!("sslmode=prefer&sslrootcert={wrong}"),
            None,
        ),
        (
            "localhost",
            "sslmode=verify-full&sslrootcert=system".to_owned(),
            Some(""),
        ),
        (
            "localhost",
            format!("sslmode=verify-ca&sslrootcert={none}"),
            Some("no certificate in PEM form"),
        ),
    ] {
        let url = format!("postgres://postgres@{host}:{port}/postgres?{options}");
        match (connect(&url), refused) {
            (Ok(()), None) => {}
            (Err(said), Some(word)) => assert!(said.contains(word), "{url}: {said}"),
            (said, _) => panic!("{url}: {said:?}"),
        }
    }
}
