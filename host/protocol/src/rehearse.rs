//! What would come of it: an order, an offer or an assessment is played on a copy of the machine, by the very table that
//! runs, and what would be said is looked at.
//!
//! Invariants: nothing is decided here that the table does not decide, so a rehearsal can't disagree with what the machine
//! would do in the same moment; the machine itself is not changed, and no action leaves.

use crate::{
    Action, Boot, Cause, Decline, Envelope, Event, Finish, HostName, Machine, Message, Order, Refusal, RoleName,
    RoundId, StoreId, Term, Time, Work,
};

/// What would come of an order on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderRehearsed {
    /// It would be refused.
    Refused(Refusal),
    /// This host would ask that candidate.
    Asks(HostName),
    /// This host would pass it on to the one that holds the service.
    PassedOn(HostName),
    /// Nothing would come of it in this role.
    Nothing(RoleName),
}

/// What would come of an offer on this host, as a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OfferRehearsed {
    /// It would decline.
    Declines(Decline),
    /// It would ask its server whether it can; the answer decides.
    Assesses,
    /// It would take over, under this term.
    Accepts(Term),
    /// Nothing would come of it in this role: the holder would wait in vain.
    Silent(RoleName),
}

impl Machine {
    /// What would come of this order now.
    pub fn rehearse_order(&self, now: Time, order: &Order) -> OrderRehearsed {
        let output = self.handle(now, &Event::Ordered(order.clone()));
        let refused = output.actions().iter().find_map(|action| match action {
            Action::Answer {
                answer: Err(refusal), ..
            } => Some(refusal.clone()),
            _ => None,
        });
        if let Some(refusal) = refused {
            return OrderRehearsed::Refused(refusal);
        }
        let said = output.sends().find_map(|(to, message)| match message {
            Message::FaultIndicated { .. } => Some(OrderRehearsed::Asks(to.clone())),
            Message::TakeoverAsked { .. } => Some(OrderRehearsed::PassedOn(to.clone())),
            _ => None,
        });
        said.unwrap_or(OrderRehearsed::Nothing(self.role()))
    }

    /// What would come of this holder's offer now; `known` is the highest term that the holder knows to be held. With
    /// `assessed`, what its server said when it was asked whether it can.
    pub fn rehearse_offer(
        &self,
        now: Time,
        holder: &HostName,
        known: Term,
        cause: &Cause,
        assessed: Option<Finish>,
    ) -> OfferRehearsed {
        let (store, boot) = self.session_of(holder).unwrap_or((StoreId(0), Boot(0)));
        // The holder's next round; no real one comes near.
        let round = RoundId {
            store,
            counter: u64::MAX,
        };
        let offer = Event::Received(Envelope {
            from: holder.clone(),
            store,
            boot,
            known,
            message: Message::FaultReported {
                round,
                cause: cause.clone(),
            },
        });
        let heard = self.handle(now, &offer);
        let Some(result) = assessed else {
            return outcome(&heard, self.role());
        };
        if outcome(&heard, self.role()) != OfferRehearsed::Assesses {
            return outcome(&heard, self.role());
        }
        let work = Work::Assess {
            round,
            cause: cause.clone(),
        };
        let answered = heard.imagined().handle(now, &Event::Finished { work, result });
        outcome(&answered, self.role())
    }
}

fn outcome(output: &crate::Output, role: RoleName) -> OfferRehearsed {
    let said = output.sends().find_map(|(_, message)| match message {
        Message::Declined { reason, .. } => Some(OfferRehearsed::Declines(reason.clone())),
        Message::ShutdownCommanded { new_term, .. } => Some(OfferRehearsed::Accepts(*new_term)),
        _ => None,
    });
    let assesses = || {
        let works = output.actions().iter();
        let mut assessments = works.filter(|action| matches!(action, Action::Do(Work::Assess { .. })));
        assessments.next().map(|_| OfferRehearsed::Assesses)
    };
    said.or_else(assesses).unwrap_or(OfferRehearsed::Silent(role))
}
