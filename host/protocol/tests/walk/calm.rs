//! The end of every walk: everything works again, and the world must come to rest.

use std::time::Duration;

use understudy_protocol::{Event, Order, PauseScope, Verdict};

use super::Walk;

/// Longer than every timer's way to a final state, one after the other, with the attempts that each allows.
const CALM: Duration = Duration::from_secs(900);

impl Walk {
    /// Everything works again.
    pub(super) fn mend(&mut self) {
        self.say(|| "the storm is over".to_owned());
        self.world.lose_pages = false;
        let names = self.names.clone();
        for who in &names {
            self.world.host(who).refuses = None;
            self.mend_store(who);
            names.iter().for_each(|other| self.heal(who, other));
            self.restart(who);
            for scope in PauseScope::ALL {
                let (by, reason) = ("walk".to_owned(), "the storm is over".to_owned());
                self.order(who, Order::Unpause { scope, by, reason });
            }
            self.say(|| format!("{who} is healthy"));
            self.world.handle(
                who,
                &Event::Health {
                    verdict: Verdict::Healthy,
                    fault: None,
                },
            );
        }
        for _ in 0..CALM.as_secs() / 15 {
            self.world.run_for(Duration::from_secs(15));
            if self.world.restless().is_none() {
                break;
            }
        }
    }

    pub(super) fn settle(&mut self) {
        if let Some(wrong) = self.world.restless() {
            panic!("{wrong}\n{}", self.world.log.join("\n"));
        }
    }
}
