//! `service_state`: the durable record of a service, a column a field.

use understudy_protocol::{Begun, CompilationSeal, Digest, Durable, Grant, Pauses, StayDown, Tenure};

use super::{
    Decoded, down_phase_from_sql, down_phase_to_sql, host_from_sql, not_a, round_from_sql, round_to_sql, seal_from_sql,
    step_from_sql, step_to_sql, term_from_sql, u64_from_sql, u64_to_sql,
};

/// In the place of a seal that is not there yet.
const NO_DIGEST: Digest = Digest([0; 32]);

/// The columns of `service_state`, without the service and the times.
pub(crate) struct StateRow {
    pub(crate) adopted: bool,
    pub(crate) known_term: i64,
    pub(crate) promised_term: i64,
    pub(crate) held_term: Option<i64>,
    pub(crate) tenure_from: Option<String>,
    pub(crate) tenure_round: Option<String>,
    pub(crate) tenure_served: Option<bool>,
    pub(crate) tenure_resolved: Option<bool>,
    pub(crate) grant_term: Option<i64>,
    pub(crate) grant_to: Option<String>,
    pub(crate) grant_round: Option<String>,
    pub(crate) grant_requests: Option<i64>,
    pub(crate) grant_digest: Option<String>,
    pub(crate) round_counter: i64,
    pub(crate) stay_down_released_term: Option<i64>,
    pub(crate) stay_down_fault: Option<String>,
    pub(crate) stay_down_phase: Option<String>,
    pub(crate) givebacks: i64,
    pub(crate) grant_yielded: bool,
    pub(crate) tenure_overlaps: bool,
    pub(crate) begun_round: Option<String>,
    pub(crate) begun_step: Option<String>,
}

impl StateRow {
    pub(crate) fn from_durable(durable: &Durable) -> Self {
        let Durable {
            adopted,
            known,
            promised,
            held,
            tenure,
            grant,
            begun,
            round_counter,
            stay_down,
            givebacks,
            // Tables of their own: see `pauses.rs`.
            pauses: _,
        } = durable.clone();
        let (tenure_from, tenure_round, tenure_served, tenure_resolved, tenure_overlaps) = match tenure {
            None => (None, None, None, None, false),
            Some(Tenure {
                from,
                round,
                served,
                resolved,
                overlaps,
            }) => (
                from.map(|host| host.to_string()),
                round.map(round_to_sql),
                Some(served),
                Some(resolved),
                overlaps,
            ),
        };
        let (begun_round, begun_step) = match begun {
            None => (None, None),
            Some(Begun { round, step }) => (Some(round_to_sql(round)), Some(step_to_sql(step).to_owned())),
        };
        let (grant_term, grant_to, grant_round, grant_seal) = match grant {
            None => (None, None, None, None),
            Some(Grant {
                new_term,
                to,
                round,
                seal,
            }) => (
                Some(u64_to_sql(new_term.0)),
                Some(to.to_string()),
                Some(round_to_sql(round)),
                Some(seal),
            ),
        };
        let grant_yielded = grant_seal == Some(None);
        let (grant_requests, grant_digest) = match grant_seal {
            None => (None, None),
            Some(None) => (Some(0), Some(NO_DIGEST.to_string())),
            Some(Some(CompilationSeal { count, digest })) => (Some(u64_to_sql(count)), Some(digest.to_string())),
        };
        let (stay_down_released_term, stay_down_fault, stay_down_phase) = match stay_down {
            None => (None, None, None),
            Some(StayDown { released, fault, phase }) => (
                Some(u64_to_sql(released.0)),
                Some(fault),
                Some(down_phase_to_sql(phase).to_owned()),
            ),
        };
        StateRow {
            adopted,
            known_term: u64_to_sql(known.0),
            promised_term: u64_to_sql(promised.0),
            held_term: held.map(|term| u64_to_sql(term.0)),
            tenure_from,
            tenure_round,
            tenure_served,
            tenure_resolved,
            grant_term,
            grant_to,
            grant_round,
            grant_requests,
            grant_digest,
            round_counter: u64_to_sql(round_counter),
            stay_down_released_term,
            stay_down_fault,
            stay_down_phase,
            givebacks: i64::from(givebacks),
            grant_yielded,
            tenure_overlaps,
            begun_round,
            begun_step,
        }
    }

    pub(crate) fn into_durable(self, pauses: Pauses) -> Decoded<Durable> {
        Ok(Durable {
            adopted: self.adopted,
            known: term_from_sql(self.known_term),
            promised: term_from_sql(self.promised_term),
            held: self.held_term.map(term_from_sql),
            tenure: self.tenure()?,
            grant: self.grant()?,
            begun: self.begun()?,
            round_counter: u64_from_sql(self.round_counter),
            stay_down: self.stay_down()?,
            givebacks: u32::try_from(self.givebacks)
                .or_else(|_| not_a("count of givebacks", &self.givebacks.to_string()))?,
            pauses,
        })
    }

    fn tenure(&self) -> Decoded<Option<Tenure>> {
        let (Some(served), Some(resolved)) = (self.tenure_served, self.tenure_resolved) else {
            return Ok(None);
        };
        let from = self.tenure_from.as_deref().map(host_from_sql).transpose()?;
        let round = self.tenure_round.as_deref().map(round_from_sql).transpose()?;
        Ok(Some(Tenure {
            from,
            round,
            served,
            resolved,
            overlaps: self.tenure_overlaps,
        }))
    }

    fn begun(&self) -> Decoded<Option<Begun>> {
        let (Some(round), Some(step)) = (&self.begun_round, &self.begun_step) else {
            return Ok(None);
        };
        Ok(Some(Begun {
            round: round_from_sql(round)?,
            step: step_from_sql(step)?,
        }))
    }

    fn grant(&self) -> Decoded<Option<Grant>> {
        let (Some(term), Some(to), Some(round), Some(count), Some(digest)) = (
            self.grant_term,
            &self.grant_to,
            &self.grant_round,
            self.grant_requests,
            &self.grant_digest,
        ) else {
            return Ok(None);
        };
        let seal = if self.grant_yielded {
            None
        } else {
            Some(seal_from_sql(count, digest)?)
        };
        Ok(Some(Grant {
            new_term: term_from_sql(term),
            to: host_from_sql(to)?,
            round: round_from_sql(round)?,
            seal,
        }))
    }

    fn stay_down(&self) -> Decoded<Option<StayDown>> {
        let (Some(released), Some(fault), Some(phase)) = (
            self.stay_down_released_term,
            &self.stay_down_fault,
            &self.stay_down_phase,
        ) else {
            return Ok(None);
        };
        let phase = down_phase_from_sql(phase)?;
        Ok(Some(StayDown {
            released: term_from_sql(released),
            fault: fault.clone(),
            phase,
        }))
    }
}
