//! Orders that wait for the machine's answer.

use tokio::sync::oneshot;
use understudy_protocol::{Order, Refusal};

type Answer = Result<(), Refusal>;

/// The orders of one service that were given and not answered yet, oldest first.
#[derive(Debug, Default)]
pub(crate) struct PendingOrders(Vec<(Order, oneshot::Sender<Answer>)>);

impl PendingOrders {
    pub(crate) fn push(&mut self, order: Order, answer: oneshot::Sender<Answer>) {
        self.0.retain(|(_, waiting)| !waiting.is_closed());
        self.0.push((order, answer));
    }

    /// Answers the oldest order that is equal to this one.
    pub(crate) fn answer(&mut self, order: &Order, answer: Answer) {
        if let Some(place) = self.0.iter().position(|(waiting, _)| waiting == order) {
            let (_, sender) = self.0.remove(place);
            // Whoever asked may have gone; the answer is in the journal all the same.
            let _ = sender.send(answer);
        }
    }
}
