//! A rehearsal foresees what the machine then does, in every moment of a takeover, and changes nothing.
#![allow(clippy::unwrap_used, clippy::panic)]

mod world;

use std::time::Duration;

use understudy_protocol::{
    Cause, Decline, Event, Fault, FaultKind, Finish, HostName, Machine, OfferRehearsed, Order, OrderRehearsed,
    PluginRefusal, Refusal, Severity, Verdict,
};
use world::{World, name, plan};

fn serving() -> World {
    let mut world = World::new(plan(&["alpha", "beta", "gamma"]));
    for host in ["alpha", "beta", "gamma"] {
        world.start(&name(host));
    }
    for host in ["alpha", "beta", "gamma"] {
        let event = Event::Health {
            verdict: Verdict::Healthy,
            fault: None,
        };
        world.handle(&name(host), &event);
    }
    world.run_for(Duration::from_secs(1));
    let (by, at) = ("anna".to_owned(), world.wall(&name("alpha")));
    world.handle(
        &name("alpha"),
        &Event::Ordered(Order::Bootstrap {
            by,
            at,
            reason: "first".into(),
        }),
    );
    world.run_for(Duration::from_secs(5));
    world
}

fn takeover(to: Option<&str>) -> Order {
    Order::TakeOver {
        to: to.map(name),
        by: "anna".into(),
        reason: "maintenance".into(),
        override_vetoes: false,
    }
}

fn cause() -> Cause {
    Cause::Requested {
        by: "anna".into(),
        reason: "maintenance".into(),
        override_vetoes: false,
    }
}

fn machine<'w>(world: &'w World, host: &str) -> &'w Machine {
    world.hosts[&name(host)].machine.as_ref().unwrap()
}

fn offer(world: &World, to: &str, assessed: Option<Finish>) -> OfferRehearsed {
    let (alpha, known) = (name("alpha"), machine(world, "alpha").durable().known);
    machine(world, to).rehearse_offer(world.now, &alpha, known, &cause(), assessed)
}

#[test]
fn what_is_foreseen_happens() {
    let mut world = serving();
    let before: Vec<Machine> = ["alpha", "beta", "gamma"]
        .map(|host| machine(&world, host).clone())
        .into();
    let asked = machine(&world, "alpha").rehearse_order(world.now, &takeover(Some("gamma")));
    assert_eq!(asked, OrderRehearsed::Asks(name("gamma")));
    assert_eq!(offer(&world, "gamma", None), OfferRehearsed::Assesses);
    let accepted = offer(&world, "gamma", Some(Finish::Assessed(None)));
    let OfferRehearsed::Accepts(term) = accepted else {
        panic!("{accepted:?}")
    };
    for (host, before) in ["alpha", "beta", "gamma"].into_iter().zip(before) {
        assert_eq!(machine(&world, host), &before, "{host} is as it was");
    }
    world.handle(&name("alpha"), &Event::Ordered(takeover(Some("gamma"))));
    world.run_for(Duration::from_secs(10));
    assert_eq!(machine(&world, "gamma").durable().held, Some(term));
}

#[test]
fn an_order_elsewhere_is_passed_on_and_a_refusal_says_why() {
    let world = serving();
    let at = |host: &str, order| machine(&world, host).rehearse_order(world.now, &order);
    assert_eq!(at("beta", takeover(None)), OrderRehearsed::PassedOn(name("alpha")));
    let refused = |host: &str, order| match at(host, order) {
        OrderRehearsed::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused("alpha", takeover(Some("alpha"))), Refusal::AlreadyActive);
    let stranger = HostName::new("delta").unwrap();
    let expected = Refusal::NotACandidate { host: stranger };
    assert_eq!(refused("alpha", takeover(Some("delta"))), expected);
    let home = Refusal::AtHome { home: name("alpha") };
    assert_eq!(
        refused(
            "alpha",
            Order::Giveback {
                by: "anna".into(),
                reason: "home".into(),
                override_vetoes: false
            }
        ),
        home
    );
}

#[test]
fn each_reason_to_decline_is_foreseen() {
    let mut world = serving();
    let refusal = PluginRefusal {
        code: "replica-lag".into(),
        message: "900 MB behind".into(),
        would_accept_if: Some("the replica has caught up".into()),
        hard: false,
    };
    let says_no = Finish::Assessed(Some(refusal.clone()));
    assert_eq!(
        offer(&world, "beta", Some(says_no)),
        OfferRehearsed::Declines(Decline::Plugin(refusal))
    );
    let failing = Event::Health {
        verdict: Verdict::Failing,
        fault: Some(Fault {
            code: "disk-full".into(),
            kind: FaultKind::Storage,
            severity: Severity::ShutdownRequired,
            message: "full".into(),
            shutdown_within: None,
            evidence: Vec::new(),
        }),
    };
    world.handle(&name("beta"), &failing);
    let declined = offer(&world, "beta", None);
    assert!(
        matches!(declined, OfferRehearsed::Declines(Decline::ServerFailing { .. })),
        "{declined:?}"
    );
}

#[test]
fn in_the_middle_of_a_takeover_a_rehearsal_says_so_and_disturbs_nothing() {
    let (mut watched, mut undisturbed) = (serving(), serving());
    for world in [&mut watched, &mut undisturbed] {
        world.handle(&name("alpha"), &Event::Ordered(takeover(Some("beta"))));
    }
    for _ in 0..100 {
        let asked = machine(&watched, "alpha").rehearse_order(watched.now, &takeover(None));
        let moving = machine(&watched, "alpha").durable().held.is_some();
        if moving && !machine(&watched, "alpha").serves() {
            assert!(
                matches!(asked, OrderRehearsed::Refused(Refusal::UnderWay { .. })),
                "{asked:?}"
            );
        }
        for host in ["alpha", "beta", "gamma"] {
            offer(&watched, host, None);
            offer(&watched, host, Some(Finish::Assessed(None)));
        }
        for world in [&mut watched, &mut undisturbed] {
            world.run_for(Duration::from_millis(50));
        }
    }
    for host in ["alpha", "beta", "gamma"] {
        assert_eq!(machine(&watched, host), machine(&undisturbed, host), "{host}");
    }
    assert!(machine(&watched, "beta").serves());
}
