//! TLS to a live database, as libpq's `sslmode` has it: what is encrypted, and whose certificate is believed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use postgres::config::SslMode;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// What `sslmode` asks for, from least to most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd)]
enum Mode {
    Disable,
    /// TLS if the server offers it; libpq's default.
    #[default]
    Prefer,
    Require,
    /// The certificate goes back to an authority that is believed.
    VerifyCa,
    /// It also names the host.
    VerifyFull,
}

/// What a URL, or else the environment, says of TLS.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    mode: Mode,
    root: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

/// Stands for the certificates that the system believes.
const SYSTEM: &str = "system";

impl Wish {
    /// Takes an option of a URL; whether it is one of TLS.
    pub(super) fn take(&mut self, name: &str, value: &str) -> Result<bool, String> {
        let file = || Some(PathBuf::from(value)).filter(|_| !value.is_empty());
        match name {
            "sslmode" => self.mode = mode(value)?,
            "sslrootcert" => self.root = file(),
            "sslcert" => self.certificate = file(),
            "sslkey" => self.key = file(),
            "sslcrl" | "sslcrldir" | "sslpassword" => {
                return Err(format!(
                    "{name} is not understood here: leave it out, or ingest a pg_dump"
                ));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// How the driver has to begin.
    pub(super) fn ssl_mode(&self) -> SslMode {
        match self.mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            _ => SslMode::Require,
        }
    }

    /// Reads the files; `None` if nothing is to be encrypted.
    pub(super) fn client(&self) -> Result<Option<ClientConfig>, String> {
        if self.mode == Mode::Disable {
            return Ok(None);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(self.verifier(provider)?);
        let config = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                let read = PrivateKeyDer::from_pem_file(key);
                let key = read.map_err(|error| unread("sslkey", key, &error))?;
                let chain = certificates("sslcert", certificate)?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| format!("sslcert and sslkey: {error}"))?
            }
            (None, None) => builder.with_no_client_auth(),
            _ => return Err("sslcert and sslkey are given both or not at all".to_owned()),
        };
        Ok(Some(config))
    }

    fn verifier(
        &self,
        provider: Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ServerCertVerifier>, String> {
        // As libpq has it: who names an authority wants it asked.
        let verifies =
            self.mode >= Mode::VerifyCa || (self.mode == Mode::Require && self.root.is_some());
        let signatures = provider.signature_verification_algorithms;
        if !verifies {
            return Ok(Arc::new(Verifier {
                known: None,
                any_name: true,
                signatures,
            }));
        }
        let Some(root) = &self.root else {
            return Err(
                "sslmode asks to verify the server: name the file of its authority's certificates with sslrootcert=, or \
                 sslrootcert=system"
                    .to_owned(),
            );
        };
        let is_system = root.as_os_str() == SYSTEM;
        let mut roots = RootCertStore::empty();
        if is_system {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        } else {
            for certificate in certificates("sslrootcert", root)? {
                let added = roots.add(certificate);
                added.map_err(|error| unread("sslrootcert", root, &error))?;
            }
        }
        let known = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| unread("sslrootcert", root, &error))?;
        Ok(Arc::new(Verifier {
            known: Some(known),
            // The system's authorities sign for anyone: without the name they say nothing.
            any_name: self.mode != Mode::VerifyFull && !is_system,
            signatures,
        }))
    }
}

fn mode(word: &str) -> Result<Mode, String> {
    Ok(match word {
        "disable" => Mode::Disable,
        // What libpq tries second with `allow` is tried first.
        "allow" | "prefer" => Mode::Prefer,
        "require" => Mode::Require,
        "verify-ca" => Mode::VerifyCa,
        "verify-full" => Mode::VerifyFull,
        other => {
            return Err(format!(
                "sslmode {other} is none of disable, allow, prefer, require, verify-ca, verify-full"
            ));
        }
    })
}

fn certificates(option: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|error| unread(option, file, &error))?;
    match found.is_empty() {
        true => Err(format!(
            "{option} {}: no certificate in PEM form in it",
            file.display()
        )),
        false => Ok(found),
    }
}

fn unread(option: &str, file: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{option} {}: {error}", file.display())
}

/// Whose certificates are believed.
#[derive(Debug)]
struct Verifier {
    /// The authorities that are asked; without them whoever answers is believed, as by `require` and `prefer`.
    known: Option<Arc<WebPkiServerVerifier>>,
    /// Whether a certificate may name any host, as for `verify-ca`.
    any_name: bool,
    signatures: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(known) = &self.known else {
            return Ok(ServerCertVerified::assertion());
        };
        match known.verify_server_cert(certificate, between, name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.any_name => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.signatures)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.signatures)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signatures.supported_schemes()
    }
}
