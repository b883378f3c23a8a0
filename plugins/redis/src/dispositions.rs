//! What became of each request of the first's compilation. Pure.

use understudy_plugin::prelude::*;

/// The outcome and one line for people.
pub(crate) fn of(request: &RequestStatus) -> Disposition {
    let (outcome, message) = outcome(request.state, request.attributes.value("kind").unwrap_or_default());
    Disposition {
        id: request.id.clone(),
        outcome,
        message: message.to_owned(),
    }
}

fn outcome(state: RequestState, kind: &str) -> (Outcome, &'static str) {
    match (state, kind) {
        (RequestState::Completed, "subscriber") => (
            Outcome::ClientRetries,
            "The subscription ended with the connection; the client subscribes again",
        ),
        (RequestState::Completed, _) => (
            Outcome::Completed,
            "Its last command was answered, and the copy has its writes",
        ),
        (RequestState::Failed, _) => (Outcome::Completed, "Its last command was answered with an error"),
        (RequestState::Refused, _) => (Outcome::Refused, "It was turned away before the command began"),
        (_, "held") => (
            Outcome::ClientRetries,
            "The write was held, never begun and never acknowledged",
        ),
        (_, "blocking-command") => (
            Outcome::ClientRetries,
            "It waited for an element or an event; the client asks again",
        ),
        (_, "open-transaction") => (
            Outcome::ClientRetries,
            "The transaction had not been executed, so none of it took effect",
        ),
        (_, "answer-not-taken") => {
            // It was executed, and the copy has it; whether the client read its answer, only the client knows.
            (
                Outcome::Lost,
                "It was executed, and the copy has it; the client had not taken the answer",
            )
        }
        (_, "incomplete-command" | "in-the-socket") => (Outcome::ClientRetries, "The command had not arrived whole"),
        _ => (Outcome::ClientRetries, "It was not answered"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(state: RequestState, kind: &str) -> Outcome {
        outcome(state, kind).0
    }

    #[test]
    fn a_write_that_was_held_is_asked_again() {
        assert_eq!(resolved(RequestState::Queued, "held"), Outcome::ClientRetries);
        assert_eq!(resolved(RequestState::Cut, "held"), Outcome::ClientRetries);
        assert_eq!(
            resolved(RequestState::Running, "open-transaction"),
            Outcome::ClientRetries
        );
    }

    #[test]
    fn what_was_answered_is_complete() {
        assert_eq!(resolved(RequestState::Completed, "answered"), Outcome::Completed);
        assert_eq!(resolved(RequestState::Failed, ""), Outcome::Completed);
        assert_eq!(resolved(RequestState::Completed, "subscriber"), Outcome::ClientRetries);
    }

    #[test]
    fn what_nobody_can_say_is_said_so() {
        assert_eq!(resolved(RequestState::Running, "answer-not-taken"), Outcome::Lost);
    }
}
