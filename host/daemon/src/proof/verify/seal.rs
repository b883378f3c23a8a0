//! Is it what the hosts signed? Form, authority, certificates, signatures, and that every half is of the same takeover.
//!
//! Invariant: every field of the document is under a signature, or is the certificate or the signature itself; and the
//! statements name the certificates, so that none can be exchanged.

use rustls_pki_types::CertificateDer;
use understudy_api::wire::{ProofBundle, ProofHalf};

use super::Trusted;
use super::findings::Findings;
use crate::cluster;
use crate::proof::statement::Statement;
use crate::proof::{FORM, assemble, canonical, keys};

/// The statements that may be looked at; none of them, where anything fails.
pub(super) fn check(bundle: &ProofBundle, trusted: &Trusted, findings: &mut Findings) -> Vec<Statement> {
    let authority = match keys::certificate(&bundle.authority) {
        Ok(authority) => authority,
        Err(error) => {
            findings.fails("authority", format!("authority: {error}"));
            return Vec::new();
        }
    };
    check_authority(&authority, trusted, findings);
    let mut against = Vec::new();
    let mut statements = Vec::new();
    for (place, half) in bundle.halves.iter().enumerate() {
        let place = format!("halves[{place}] ({})", half.host);
        match check_half(half, &authority) {
            Ok(statement) => {
                against.extend(belongs(bundle, half, &statement, &authority, &place));
                statements.push(statement);
            }
            Err(error) => against.push(format!("{place}.{error}")),
        }
    }
    if let Err(error) = check_assembly(bundle, &authority) {
        against.push(error);
    }
    if bundle.form != FORM {
        against.push(format!("form: {:?} is not {FORM:?}", bundle.form));
    }
    if bundle.halves.is_empty() {
        against.push("halves: there are none".to_owned());
    }
    let mut hosts: Vec<&str> = bundle.halves.iter().map(|half| half.host.as_str()).collect();
    hosts.sort_unstable();
    if hosts.windows(2).any(|pair| pair[0] == pair[1]) {
        against.push("halves: a host has two".to_owned());
    }
    let found = format!(
        "{} signed by {}, the whole by {}; every certificate is the authority's",
        if hosts.len() == 1 { "one half," } else { "each half," },
        hosts.join(" and "),
        bundle.assembled.by
    );
    findings.judge("signatures", against, found);
    statements
}

fn check_authority(authority: &CertificateDer<'static>, trusted: &Trusted, findings: &mut Findings) {
    let fingerprint = cluster::fingerprint(authority);
    match trusted {
        Trusted::Authority(known, place) if known == authority => {
            findings.holds("authority", format!("the one of {place}: {fingerprint}"));
        }
        Trusted::Authority(_, place) => findings.fails(
            "authority",
            format!("authority: {fingerprint} is not the authority of {place}"),
        ),
        Trusted::Nobody => findings.unproven(
            "authority",
            format!("nobody vouches for {fingerprint}: compare it with `understudy cluster show`, or give --ca"),
        ),
    }
}

fn check_half(half: &ProofHalf, authority: &CertificateDer<'static>) -> Result<Statement, String> {
    let certificate = named(&half.certificate, &half.host)?;
    let bytes = canonical::canonical(&half.statement).map_err(|error| format!("statement: {error}"))?;
    keys::check(&certificate, &bytes, &half.signature).map_err(|error| format!("signature: {error}"))?;
    let statement: Statement =
        serde_json::from_value(half.statement.clone()).map_err(|error| format!("statement: {error}"))?;
    keys::check_chain(&certificate, authority, statement.stated_at_ms)
        .map_err(|error| format!("certificate: {error}"))?;
    if statement.certificate != keys::digest(&certificate) {
        return Err("statement.certificate: it is another certificate's digest".to_owned());
    }
    Ok(statement)
}

/// Why the half does not belong to the rest.
fn belongs(
    bundle: &ProofBundle,
    half: &ProofHalf,
    statement: &Statement,
    authority: &CertificateDer<'static>,
    place: &str,
) -> Vec<String> {
    let equal = |field: &str, stated: &str, other: &str| {
        (stated != other).then(|| format!("{place}.statement.{field}: {stated:?} is not {other:?}"))
    };
    let numbered = statement.events.iter().zip(1u64..).find_map(|(event, n)| {
        let one = event.step.is_some() != event.message.is_some();
        (event.n != n || !one).then(|| format!("{place}.statement.events: number {n} is missing, or is not one thing"))
    });
    [
        equal("form", &statement.form, FORM),
        equal("host", &statement.host, &half.host),
        equal("takeover", &statement.takeover, &bundle.takeover),
        equal("service", &statement.service, &bundle.service),
        equal("authority", &statement.authority, &keys::digest(authority)),
        numbered,
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn check_assembly(bundle: &ProofBundle, authority: &CertificateDer<'static>) -> Result<(), String> {
    let certificate =
        named(&bundle.assembled.certificate, &bundle.assembled.by).map_err(|error| format!("assembled.{error}"))?;
    let bytes = canonical::canonical(&assemble::unsigned(bundle))?;
    keys::check(&certificate, &bytes, &bundle.signature).map_err(|error| format!("signature (the whole): {error}"))?;
    keys::check_chain(&certificate, authority, bundle.assembled.at_ms)
        .map_err(|error| format!("assembled.certificate: {error}"))
}

fn named(pem: &str, host: &str) -> Result<CertificateDer<'static>, String> {
    let certificate = keys::certificate(pem).map_err(|error| format!("certificate: {error}"))?;
    let named = cluster::certified_host(&certificate).map_err(|error| format!("certificate: {error}"))?;
    if named.as_str() != host {
        return Err(format!("certificate: it names {named}, not {host}"));
    }
    Ok(certificate)
}
