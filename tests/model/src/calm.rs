//! Once faults stop, every service comes to rest: from a state of the model, a world with real time goes on, in which
//! everything works again. It is the world of the scenarios and of the random walks, with the same demands.
//!
//! Invariant: deadlines that the model has forgotten are set anew, each to its timer's full length.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use understudy_protocol::{Event, Giveback, Order, PauseScope, Plan, Time, TimerName, Verdict};

use crate::host::Parcel;
use crate::model::{State, Whole};
use crate::world::World;

/// The property's name.
pub(crate) const TEXT: &str = "when everything works again, every service comes to rest";

/// Longer than every timer's way to a final state, one after the other, with the attempts that each allows.
const CALM: Duration = Duration::from_secs(900);
const LOOK: Duration = Duration::from_secs(15);

/// How many states were continued.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) tried: u64,
    pub(crate) wrong: Option<String>,
}

/// Whether the calm continuation of the state comes to rest; only some of the states are tried.
pub(crate) fn comes_to_rest(whole: &Whole, state: &State) -> bool {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    let lot = hasher.finish();
    let every = whole.config.calm_every;
    if state.broken.is_some() || every == 0 || !lot.is_multiple_of(every) {
        return true;
    }
    // What is under way is lost, or arrives in the order in which it was sent.
    let arrives = (lot / every).is_multiple_of(2);
    let wrong = catch_unwind(AssertUnwindSafe(|| continued(whole, state, arrives).restless()));
    let wrong = wrong.unwrap_or_else(|why| Some(why.downcast_ref::<String>().cloned().unwrap_or_default()));
    let mut tally = whole.calm.lock().unwrap();
    tally.tried += 1;
    let rests = wrong.is_none();
    tally.wrong = tally.wrong.take().or(wrong);
    rests
}

/// The world of this state, after everything was mended and has had its time.
fn continued(whole: &Whole, state: &State, arrives: bool) -> World {
    let mut world = World::new(whole.plan.clone());
    (world.silent, world.vary_seals) = (true, true);
    let known = whole.hosts(state);
    let names = whole.plan.candidates.clone();
    for (name, known) in names.iter().zip(&known) {
        let (host, from) = (world.host(name), &known.host);
        let length = |timer| Time(0) + length(&whole.plan, timer);
        host.machine = from.machine.as_ref().map(|machine| machine.with_deadlines(length));
        host.disk.clone_from(&from.disk);
        (host.boots, host.lost_disks) = (from.boots, from.lost_disks);
        (host.server, host.address, host.by_hand) = (from.server, from.address, from.by_hand);
        (host.mark, host.armed) = (from.mark, from.armed);
        host.redirects.clone_from(&from.redirects);
        (host.compilations, host.stored) = (from.pages.clone(), from.stored.clone());
        host.working = from.work.iter().cloned().collect();
    }
    if arrives {
        for number in &state.network {
            let parcel = whole.parcel(*number);
            let to = names[parcel.1].clone();
            match &parcel.2 {
                Parcel::Message(envelope) => world.network.push_back((to, envelope.clone())),
                Parcel::Pages { round, seal } => drop(world.host(&to).compilations.insert(*round, *seal)),
            }
        }
    }
    mend(&mut world, &names);
    world
}

fn mend(world: &mut World, names: &[understudy_protocol::HostName]) {
    for who in names {
        names
            .iter()
            .filter(|other| *other != who)
            .for_each(|other| world.heal(who, other));
        if world.hosts[who].machine.is_none() {
            world.start(who);
        }
        for scope in PauseScope::ALL {
            let (by, reason) = ("anna".to_owned(), "all is well".to_owned());
            world.handle(who, &Event::Ordered(Order::Unpause { scope, by, reason }));
        }
        let (verdict, fault) = (Verdict::Healthy, None);
        world.handle(who, &Event::Health { verdict, fault });
    }
    for _ in 0..CALM.as_secs() / LOOK.as_secs() {
        world.run_for(LOOK);
        if world.restless().is_none() {
            break;
        }
    }
}

/// How long a timer runs.
fn length(plan: &Plan, timer: TimerName) -> Duration {
    let timing = &plan.timing;
    match timer {
        TimerName::Hello => timing.hello,
        TimerName::Diagnosis => timing.diagnosis,
        TimerName::Answer => timing.answer,
        TimerName::Retry => timing.retry,
        TimerName::ShutdownWithin => Duration::from_secs(20),
        TimerName::Assessment => timing.assessment,
        TimerName::Offer => timing.offer,
        TimerName::Drain => timing.drain,
        TimerName::Compilation => timing.compilation,
        TimerName::CompilationResend | TimerName::Release => timing.release,
        TimerName::Stop | TimerName::Undo => timing.stop,
        TimerName::Overlap => timing.drain + timing.stop,
        TimerName::Serve => timing.serve,
        TimerName::StayDown => timing.stay_down,
        TimerName::Observe => timing.observe,
        TimerName::Hold => timing.hold,
        TimerName::Silence => timing.silence,
        TimerName::Giveback => match plan.giveback {
            Giveback::Auto { delay, .. } => delay,
            Giveback::Manual => Duration::ZERO,
        },
        TimerName::Fence => timing.fence,
        TimerName::Reboot => timing.reboot,
        TimerName::Pause => Duration::from_secs(60),
        TimerName::Extension => timing.answer,
    }
}
