//! The store's stand-in is held to the real store: the same operations in the same order, the same answers.

use understudy_protocol::{
    Disposition, Durable, Entry, HostName, Outcome, RequestState, RequestStatus, RoleName, RoundId, ServiceName,
    StoreId, Term,
};
use understudy_store::JournalFilter;

use super::dice::Dice;
use super::disk::{Disk, finish};
use super::server::request;

const OPERATIONS: u64 = 400;

#[test]
fn the_stand_in_answers_as_the_real_store_does() {
    let folder = tempfile::tempdir().unwrap();
    for seed in 0..3 {
        let real = Disk::real(&folder.path().join(format!("{seed}.sqlite")));
        let memory = Disk::memory(0);
        let (mut for_real, mut for_memory) = (Dice::of(seed), Dice::of(seed));
        for operation in 0..OPERATIONS {
            let at_ms = i64::try_from(operation).unwrap();
            let (expected, found) = (one(&real, &mut for_real, at_ms), one(&memory, &mut for_memory, at_ms));
            assert_eq!(expected, found, "seed {seed}, operation {operation}");
        }
    }
}

/// Does one thing, and says what came of it.
fn one(disk: &Disk, dice: &mut Dice, at_ms: i64) -> String {
    let records = disk.records();
    let service = ServiceName::new("web").unwrap();
    let (alpha, beta) = (HostName::new("alpha").unwrap(), HostName::new("beta").unwrap());
    let round = RoundId {
        store: StoreId(7),
        counter: dice.below(4),
    };
    match dice.below(13) {
        0 => {
            let done = finish(records.append(&entry(dice, &service, round), at_ms));
            // Numbers rise; that they have no gaps is not promised.
            format!(
                "append {:?}",
                done.map(|line| (line.step, line.term, line.round)).is_ok()
            )
        }
        1 => {
            let filter = JournalFilter::default();
            let lines = finish(records.journal(&filter, 5)).unwrap();
            let told = lines
                .into_iter()
                .map(|line| (line.at_ms, line.step, line.detail, line.term, line.round));
            format!("journal {:?}", told.collect::<Vec<_>>())
        }
        2 => {
            let second = dice.one_in(2).then_some(&beta);
            let done = finish(records.begin_compilation(&service, round, &alpha, second, at_ms));
            format!("begin {:?}", done.is_ok())
        }
        3 | 4 => {
            let page: Vec<_> = (0..dice.below(4)).map(|_| some_request(dice)).collect();
            format!("put {:?}", finish(records.put_requests(round, &page)).is_ok())
        }
        5 => format!("seal {:?}", finish(records.seal_compilation(round, at_ms)).ok()),
        6 => format!(
            "close {:?}",
            finish(records.close_compilation(round, "over", at_ms)).is_ok()
        ),
        7 => format!("compilation {:?}", finish(records.compilation(round)).unwrap()),
        8 => {
            let page: Vec<_> = (0..dice.below(4)).map(|_| some_disposition(dice)).collect();
            let unknown = finish(records.record_dispositions(round, &page, at_ms)).ok();
            format!("dispositions {unknown:?}")
        }
        9 => {
            let done = finish(records.resolve_rest(round, Outcome::Lost, "nothing was said", at_ms));
            format!("rest {:?}", done.ok())
        }
        10 => format!("requests {:?} sealed {:?}", disk.requests(round), disk.sealed(round)),
        11 => format!("durable {:?}", disk.durable(&service)),
        _ => {
            let before = finish(records.plugin_state(&service, "simulated")).unwrap();
            let state = [u8::try_from(dice.below(200)).unwrap()];
            finish(records.put_plugin_state(&service, "simulated", &state)).unwrap();
            format!("state {before:?}")
        }
    }
}

fn entry(dice: &mut Dice, service: &ServiceName, round: RoundId) -> Entry {
    let term = Term(dice.below(9));
    let durable = dice.one_in(2).then(|| Durable {
        adopted: true,
        known: term,
        promised: Term(dice.below(9)),
        held: dice.one_in(2).then_some(term),
        round_counter: dice.below(9),
        ..Durable::default()
    });
    Entry {
        service: service.clone(),
        step: "tested",
        reason: "to see it",
        detail: format!("{term}"),
        from: RoleName::Standby,
        to: RoleName::Active,
        term,
        round: dice.one_in(2).then_some(round),
        durable,
    }
}

fn some_request(dice: &mut Dice) -> RequestStatus {
    let states = [RequestState::Running, RequestState::Completed, RequestState::Cut];
    RequestStatus {
        state: dice.pick(&states),
        ..request(dice.below(6))
    }
}

fn some_disposition(dice: &mut Dice) -> Disposition {
    Disposition {
        id: request(dice.below(6)).id,
        outcome: dice.pick(&[Outcome::Completed, Outcome::ClientRetries]),
        message: String::new(),
    }
}
