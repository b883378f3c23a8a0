//! Operators: they give any order at any time, and when they vouch that a host is stopped, they tell the truth.

use std::sync::Arc;

use tokio::sync::oneshot;
use understudy_protocol::{HostName, Order, PauseScope, ServerState, ServiceName};

use super::world::{Host, World};
use crate::driver::Input;

/// Gives an order to a daemon, if one runs there.
pub(super) fn give(world: &Arc<World>, who: &HostName, service: &ServiceName, order: Order) {
    let (answer, answered) = oneshot::channel();
    let given = world.step(|state| {
        state.say(who.as_str(), format_args!("{service} ORDER {order:?}"));
        state.count("orders");
        let input = Input::Order {
            service: service.clone(),
            order,
            answer,
        };
        let daemon = state.hosts[who].daemon.as_ref();
        daemon.is_some_and(|daemon| daemon.inputs.try_send(input).is_ok())
    });
    if given {
        let (world, who) = (world.clone(), who.clone());
        tokio::spawn(async move {
            let answer = answered.await;
            world.step(|state| {
                if let Ok(Ok(())) = answer {
                    state.count("orders accepted");
                }
                state.say(who.as_str(), format_args!("ANSWER {answer:?}"));
            });
        });
    }
}

/// Any order.
pub(super) fn any(world: &Arc<World>) {
    let hosts = &world.settings.hosts;
    let (who, service, number, to) = world.throw(|dice| {
        let plan = dice.pick(&world.settings.plans);
        (dice.pick(hosts), plan.service, dice.below(20), dice.pick(hosts))
    });
    let order = order(world, number, &who, &service, to);
    give(world, &who, &service, order);
}

fn order(world: &Arc<World>, number: u64, who: &HostName, service: &ServiceName, to: HostName) -> Order {
    let (by, reason) = signed();
    let (coin, lasts) = world.throw(|dice| (dice.one_in(2), dice.millis(1_000, 40_000)));
    match number {
        0..5 => Order::TakeOver {
            to: (number < 3).then_some(to),
            by,
            reason,
            override_vetoes: coin,
        },
        5..9 => giveback(coin),
        9 | 10 => cancel(),
        11..15 => Order::Cure { by, reason },
        15 | 16 => Order::Force {
            stopped: truthfully_stopped(world, who, service),
            by,
            reason,
            at: world.step(|state| state.wall(who)),
            override_stay_down: coin,
        },
        17 => Order::Bootstrap {
            by,
            at: world.step(|state| state.wall(who)),
            reason,
        },
        18 => Order::Pause {
            scope: PauseScope::Service,
            by,
            reason,
            lasts: coin.then_some(lasts),
        },
        _ => unpause(PauseScope::Service),
    }
}

fn signed() -> (String, String) {
    ("operator".to_owned(), "wish".to_owned())
}

fn giveback(override_vetoes: bool) -> Order {
    let (by, reason) = signed();
    Order::Giveback {
        by,
        reason,
        override_vetoes,
    }
}

fn cancel() -> Order {
    let (by, reason) = signed();
    Order::Cancel { by, reason }
}

pub(super) fn unpause(scope: PauseScope) -> Order {
    let (by, reason) = signed();
    Order::Unpause { scope, by, reason }
}

/// A write has just failed: whatever comes in the next moment finds a daemon that does not know what is on its disk.
pub(super) fn hurry(world: &Arc<World>, who: &HostName, service: Option<&ServiceName>) {
    let Some(service) = service.cloned() else { return };
    let pause = world.throw(|dice| dice.millis(1, 900));
    let (world, who) = (world.clone(), who.clone());
    tokio::spawn(async move {
        world.time.sleep(pause).await;
        let cancels = world.throw(|dice| dice.one_in(2));
        let order = if cancels { cancel() } else { giveback(false) };
        give(&world, &who, &service, order);
    });
}

/// Whose machine has no power, as far as somebody can have seen it.
fn truthfully_stopped(world: &Arc<World>, who: &HostName, service: &ServiceName) -> Vec<HostName> {
    /// Nobody sees it sooner; and terms that are forced in one second are ordered by host.
    const SEEN_AFTER_MS: u64 = 1_000;
    world.step(|state| {
        let now = state.now_ms;
        let down = |host: &Host| !host.on && now > host.off_since_ms + SEEN_AFTER_MS;
        let stopped = |host: &Host| down(host) && host.servers[service].state == ServerState::Stopped;
        let others = state.hosts.iter().filter(|(name, host)| *name != who && stopped(host));
        others.map(|(name, _)| name.clone()).collect()
    })
}
