//! Signing with a host's cluster key, and what a signature proves: that the host which the cluster's authority named
//! said exactly these bytes.
//!
//! Invariant: a signature counts only with a certificate that the authority signed for that host and that was good at
//! the time that is stated.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime, alg_id};
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::cluster::Identity;

/// ECDSA on P-256 with SHA-256, as DER in base64.
///
/// # Errors
/// When the key can't sign; the message says why.
pub(super) fn sign(identity: &Identity, bytes: &[u8]) -> Result<String, String> {
    let key = rustls::crypto::ring::sign::any_supported_type(&identity.key).map_err(|error| error.to_string())?;
    let signer = key
        .choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256])
        .ok_or("this host's key is not one of ECDSA on P-256")?;
    let signature = signer.sign(bytes).map_err(|error| error.to_string())?;
    Ok(BASE64_STANDARD.encode(signature))
}

/// Whether the holder of the certificate's key signed these bytes.
pub(super) fn check(certificate: &CertificateDer<'_>, bytes: &[u8], signature: &str) -> Result<(), String> {
    let signature = BASE64_STANDARD
        .decode(signature)
        .map_err(|_| "the signature is not base64")?;
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
    let algorithm = algorithms.all.iter().find(|algorithm| {
        algorithm.public_key_alg_id() == alg_id::ECDSA_P256 && algorithm.signature_alg_id() == alg_id::ECDSA_SHA256
    });
    let key = &parsed.public_key().subject_public_key.data;
    let checked = algorithm
        .ok_or("ECDSA on P-256 is not supported")?
        .verify_signature(key, bytes, &signature);
    checked.map_err(|_| "the signature does not fit what is stated".to_owned())
}

/// Whether the authority signed the certificate, and it was good at that time.
pub(super) fn check_chain(
    certificate: &CertificateDer<'_>,
    authority: &CertificateDer<'static>,
    at_ms: u64,
) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone()).map_err(|error| error.to_string())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| error.to_string())?;
    let at = UnixTime::since_unix_epoch(Duration::from_millis(at_ms));
    verifier
        .verify_client_cert(certificate, &[], at)
        .map(drop)
        .map_err(|error| error.to_string())
}

/// A certificate out of its text.
pub(super) fn certificate(pem: &str) -> Result<CertificateDer<'static>, String> {
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| error.to_string())?;
    // One certificate has one text: whatever else stands around it would be believed by nobody and signed by nobody.
    if self::pem(&certificate) != pem {
        return Err("it is not the plain text form of one certificate".to_owned());
    }
    Ok(certificate)
}

/// A certificate as text.
pub(super) fn pem(certificate: &CertificateDer<'_>) -> String {
    let base64 = BASE64_STANDARD.encode(certificate);
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in base64.as_bytes().chunks(LINE) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

/// SHA-256, in hexadecimal.
pub(super) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As every tool writes it.
const LINE: usize = 64;
