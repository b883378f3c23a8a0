//! Judges what a plugin answered: the rules that the interface states in words.
//!
//! Invariant: an answer that breaks a rule is refused whole; nothing is mended silently.

use understudy_protocol::{Disposition, RequestStatus, Verdict};

use crate::call::{Assessment, Report, SavedState, Status, Step};
use crate::failure::CallFailure;

pub(crate) fn report(report: Report) -> Result<Report, CallFailure> {
    if report.verdict == Verdict::Failing && report.faults.is_empty() {
        return invalid("the verdict is failing, and there is no fault");
    }
    bound("list of faults", report.faults.len(), MOST_FAULTS)?;
    bound("list of readings", report.readings.len(), MOST_READINGS)?;
    for fault in &report.faults {
        code("fault", &fault.code)?;
        bound("fault's message", fault.message.len(), LONGEST_TEXT)?;
        attributes(&fault.evidence)?;
    }
    for reading in &report.readings {
        if !reading.value.is_finite() {
            return invalid(&format!("the reading {} is {}", clip(&reading.key), reading.value));
        }
        bound("reading's key", reading.key.len(), LONGEST_CODE)?;
        bound("reading's unit", reading.unit.len(), LONGEST_CODE)?;
        attributes(&reading.attributes)?;
    }
    state(&report.state)?;
    Ok(report)
}

pub(crate) fn step(step: Step) -> Result<Step, CallFailure> {
    if let Status::Working {
        blocker: Some(blocker), ..
    } = &step.status
    {
        bound("blocker", blocker.len(), LONGEST_TEXT)?;
    }
    state(&step.state)?;
    Ok(step)
}

pub(crate) fn assessment(assessment: Assessment) -> Result<Assessment, CallFailure> {
    if let Assessment::Cannot {
        refusal,
        attributes: pairs,
    } = &assessment
    {
        code("refusal", &refusal.code)?;
        bound("refusal's message", refusal.message.len(), LONGEST_TEXT)?;
        attributes(pairs)?;
    }
    Ok(assessment)
}

/// Why a request can't be listed, in words for the plugin.
pub(crate) fn request(request: &RequestStatus) -> Result<(), String> {
    if request.id.is_empty() || request.id.len() > LONGEST_REQUEST_ID {
        return Err(format!("a request's id must have 1 to {LONGEST_REQUEST_ID} bytes"));
    }
    if request
        .resume
        .as_ref()
        .is_some_and(|resume| resume.len() > LARGEST_BLOB)
    {
        return Err(format!(
            "request {}: resume is larger than {LARGEST_BLOB} bytes",
            request.id
        ));
    }
    let unit = request.progress.as_ref().map(|progress| &progress.unit);
    let texts = [
        Some(&request.client),
        Some(&request.operation),
        request.idempotency_key.as_ref(),
        unit,
    ];
    if texts.iter().flatten().any(|text| text.len() > LONGEST_TEXT) {
        return Err(format!(
            "request {}: client, operation, idempotency key and unit may have {LONGEST_TEXT} bytes each",
            request.id
        ));
    }
    attributes(&request.attributes).map_err(|failure| format!("request {}: {failure}", request.id))?;
    let attributes: usize = request
        .attributes
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if attributes > LARGEST_ATTRIBUTES {
        return Err(format!(
            "request {}: its attributes may have {LARGEST_ATTRIBUTES} bytes in all",
            request.id
        ));
    }
    Ok(())
}

/// Why a disposition can't be taken, in words for the plugin.
pub(crate) fn disposition(disposition: &Disposition) -> Result<(), String> {
    if disposition.id.is_empty() || disposition.id.len() > LONGEST_REQUEST_ID {
        return Err(format!("a disposition's id must have 1 to {LONGEST_REQUEST_ID} bytes"));
    }
    if disposition.message.len() > LONGEST_TEXT {
        return Err(format!(
            "disposition {}: the message may have {LONGEST_TEXT} bytes",
            disposition.id
        ));
    }
    Ok(())
}

/// A stable code: kebab-case.
pub(crate) fn code(of: &str, code: &str) -> Result<(), CallFailure> {
    if is_kebab_case(code) {
        return Ok(());
    }
    invalid(&format!(
        "{:?} is no {of}'s code: use kebab-case, at most {LONGEST_CODE} characters",
        clip(code)
    ))
}

pub(crate) fn is_kebab_case(text: &str) -> bool {
    let good_part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.len() <= LONGEST_CODE && text.split('-').all(good_part)
}

pub(crate) fn attributes(attributes: &[(String, String)]) -> Result<(), CallFailure> {
    bound("list of attributes", attributes.len(), MOST_ATTRIBUTES)?;
    for (at, (key, value)) in attributes.iter().enumerate() {
        bound("attribute's key", key.len(), LONGEST_CODE)?;
        bound("attribute's value", value.len(), LONGEST_TEXT)?;
        if attributes[..at].iter().any(|(earlier, _)| earlier == key) {
            return invalid(&format!("the attribute {} occurs twice", clip(key)));
        }
    }
    Ok(())
}

fn state(state: &Option<SavedState>) -> Result<(), CallFailure> {
    bound(
        "saved state",
        state.as_ref().map_or(0, |state| state.data.len()),
        LARGEST_BLOB,
    )
}

fn bound(what: &str, size: usize, limit: usize) -> Result<(), CallFailure> {
    if size <= limit {
        return Ok(());
    }
    Err(CallFailure::AnswerTooLarge {
        what: what.to_owned(),
        limit,
    })
}

fn invalid<T>(what: &str) -> Result<T, CallFailure> {
    Err(CallFailure::Invalid { what: what.to_owned() })
}

fn clip(text: &str) -> String {
    text.chars().take(LONGEST_CODE).collect()
}

/// More faults than this is one fault: the probe.
const MOST_FAULTS: usize = 64;
/// A machine with many disks and sensors has some hundreds.
const MOST_READINGS: usize = 4096;
/// Keys are compared pairwise.
const MOST_ATTRIBUTES: usize = 64;
/// Codes and keys are for machines.
const LONGEST_CODE: usize = 64;
/// The size that the interface promises for an attribute's value; messages too.
const LONGEST_TEXT: usize = 4096;
/// The size that the interface promises.
const LONGEST_REQUEST_ID: usize = 256;
/// The size that the interface promises for saved state and for `resume`.
const LARGEST_BLOB: usize = 64 << 10;

/// A request must fit into one frame between hosts (1 MiB), where a control character takes six bytes: these, four
/// texts, and `resume` do.
const LARGEST_ATTRIBUTES: usize = 96 << 10;

#[cfg(test)]
mod tests {
    use understudy_protocol::{Progress, RequestState};

    use super::*;
    use crate::call::Reading;

    #[test]
    fn a_request_that_no_frame_could_carry_is_refused() {
        type Change = fn(&mut RequestStatus);
        let listed = |change: Change| {
            let mut status = RequestStatus {
                id: "7".into(),
                client: "10.0.0.7".into(),
                operation: "GET /".into(),
                state: RequestState::Running,
                started_at_ms: 0,
                progress: Some(Progress {
                    done: 1,
                    total: None,
                    unit: "bytes".into(),
                }),
                idempotency_key: Some("key".into()),
                resume: Some(vec![0; LARGEST_BLOB]),
                attributes: vec![("user".into(), "ann".into())],
            };
            change(&mut status);
            request(&status)
        };
        assert_eq!(listed(|_| {}), Ok(()));
        let changes: [Change; 5] = [
            |r| r.client = "x".repeat(LONGEST_TEXT + 1),
            |r| r.operation = "x".repeat(LONGEST_TEXT + 1),
            |r| r.idempotency_key = Some("x".repeat(LONGEST_TEXT + 1)),
            |r| r.progress.as_mut().unwrap().unit = "x".repeat(LONGEST_TEXT + 1),
            |r| r.attributes = (0..25).map(|n| (n.to_string(), "x".repeat(LONGEST_TEXT))).collect(),
        ];
        for change in changes {
            let problem = listed(change).unwrap_err();
            assert!(
                problem.starts_with("request 7: ") && problem.contains("bytes"),
                "{problem}"
            );
        }
    }

    fn empty(verdict: Verdict) -> Report {
        Report {
            verdict,
            faults: Vec::new(),
            readings: Vec::new(),
            state: None,
        }
    }

    #[test]
    fn failing_needs_a_fault() {
        assert!(report(empty(Verdict::Healthy)).is_ok());
        assert!(matches!(
            report(empty(Verdict::Failing)),
            Err(CallFailure::Invalid { .. })
        ));
    }

    #[test]
    fn a_reading_is_a_number() {
        let mut answer = empty(Verdict::Healthy);
        answer.readings.push(Reading {
            key: "lag".into(),
            value: f64::NAN,
            unit: "s".into(),
            attributes: Vec::new(),
        });
        assert!(matches!(report(answer), Err(CallFailure::Invalid { what }) if what.contains("lag")));
    }

    #[test]
    fn saved_state_is_bounded() {
        let mut answer = empty(Verdict::Healthy);
        answer.state = Some(SavedState {
            format: 1,
            data: vec![0; LARGEST_BLOB],
        });
        assert!(report(answer.clone()).is_ok());
        answer.state = Some(SavedState {
            format: 1,
            data: vec![0; LARGEST_BLOB + 1],
        });
        assert!(matches!(report(answer), Err(CallFailure::AnswerTooLarge { .. })));
    }

    #[test]
    fn codes_are_kebab_case() {
        for good in ["a", "disk-full", "http-5xx"] {
            assert!(is_kebab_case(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "A", "a_b", "a b"] {
            assert!(!is_kebab_case(bad), "{bad}");
        }
    }

    #[test]
    fn an_attribute_occurs_once() {
        let pair = |key: &str| (key.to_owned(), String::new());
        assert!(attributes(&[pair("a"), pair("b")]).is_ok());
        assert!(attributes(&[pair("a"), pair("a")]).is_err());
    }
}
