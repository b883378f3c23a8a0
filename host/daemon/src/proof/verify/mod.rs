//! Verifying a bundle, without any daemon: is it what the hosts signed, do their words agree, and did the service move
//! as the protocol says?
//!
//! Invariants: a check that fails names its place; what can't be checked is `unproven`, never `holds`; what is stated
//! is looked at only after its signature held.

mod agreement;
mod compilation;
mod exclusivity;
mod findings;
mod order;
mod overlap;
mod seal;
mod story;
#[cfg(test)]
mod tests;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use understudy_api::wire::{ProofBundle, ProofReport, ProofVerdict};

use super::canonical;
use findings::Findings;
use story::Story;

/// Whom the verifier believes to be the cluster's authority.
#[derive(Debug, Clone)]
pub(crate) enum Trusted {
    /// This certificate, from a place that the verifier trusts: where it is from, for people.
    Authority(CertificateDer<'static>, String),
    /// Nobody: what the bundle says of its authority is taken as it is.
    Nobody,
}

impl Trusted {
    /// The authority whose certificate stands in `pem`.
    ///
    /// # Errors
    /// When no certificate stands there.
    pub(crate) fn pem(pem: &str, place: String) -> Result<Self, String> {
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| error.to_string())?;
        Ok(Trusted::Authority(certificate, place))
    }
}

/// Verifies a bundle's text.
///
/// # Errors
/// When it is no bundle at all: not JSON, or not of this form.
pub(crate) fn verify(text: &str, trusted: &Trusted) -> Result<ProofReport, String> {
    let document = canonical::parse(text)?;
    let bundle: ProofBundle = serde_json::from_value(document).map_err(|error| error.to_string())?;
    let mut findings = Findings::default();
    let halves = seal::check(&bundle, trusted, &mut findings);
    let mut outage = None;
    if !findings.failed() {
        let story = Story::of(&halves);
        story.tell(&bundle, &mut findings);
        agreement::check(&story, &mut findings);
        order::check(&story, &mut findings);
        compilation::check(&story, &mut findings);
        outage = exclusivity::check(&story, &mut findings);
    }
    let verdict = findings.verdict();
    Ok(ProofReport {
        summary: summary(&bundle, verdict),
        takeover: bundle.takeover,
        service: bundle.service,
        verdict,
        checks: findings.into_checks(),
        outage,
    })
}

fn summary(bundle: &ProofBundle, verdict: ProofVerdict) -> String {
    let hosts: Vec<&str> = bundle.halves.iter().map(|half| half.host.as_str()).collect();
    let hosts = hosts.join(" and ");
    match verdict {
        ProofVerdict::Holds => format!("proven by the signed words of {hosts}"),
        ProofVerdict::HoldsInPart if bundle.halves.len() == 1 => {
            format!("one host's word only: {hosts} states it, nobody else does")
        }
        ProofVerdict::HoldsInPart => format!("what {hosts} state agrees; not everything could be checked"),
        ProofVerdict::Fails => "this proves nothing: see the checks that fail".to_owned(),
    }
}
