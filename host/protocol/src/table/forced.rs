//! The forced takeover and the first start.

use super::{ANY, HOLDERS, RECORDS};
use crate::row::{Row, row};
use crate::{RoleName, force, holder};

use RoleName::{Activating, Forcing, Fresh, Preparing, Released, Standby, StandingDown, Unsynced, Yielded};

#[rustfmt::skip]
pub(super) const FORCE: &[Row] = &[
    row("order-refused", &[Fresh, Unsynced, Standby, Preparing, Released, Yielded], "order force", Some(("a host is neither heard nor listed", force::objects)), force::refuse_order, &[],
        "everybody must be heard, or vouched for as stopped"),
    row("order-refused", &[Fresh, Unsynced, Standby, Preparing, Released, Yielded], "order bootstrap", Some(("it was started before, or a host was not heard", force::objects)), force::refuse_order, &[],
        "the first start is never a guess: empty data could win"),
    row("force-begun", &[Fresh, Unsynced, Standby, Preparing, Released, Yielded], "order force", None, force::begin, &[Forcing, Activating],
        "an operator vouches for the stopped; everybody else must promise"),
    row("bootstrap-begun", &[Fresh, Unsynced, Standby], "order bootstrap", None, force::begin, &[Forcing, Activating],
        "an operator says where the service starts for the first time"),
    row("order-refused", &[Forcing, StandingDown], "order force", None, holder::refuse_under_way, &[],
        "one operation at a time for a service"),
    row("order-refused", &[Forcing, StandingDown], "order bootstrap", None, holder::refuse_under_way, &[],
        "one operation at a time for a service"),
    row("order-refused", HOLDERS, "order force", None, holder::refuse_holding, &[],
        "this host holds the service"),
    row("order-refused", HOLDERS, "order bootstrap", None, holder::refuse_holding, &[],
        "this host holds the service"),
    row("promised", &[Fresh, Unsynced, Standby, Preparing, Released, Yielded, Forcing], "Fence", Some(("nothing speaks against it", force::fence_is_acceptable)), force::promise, &[Unsynced, Standby],
        "this host will not use a lower term"),
    row("fence-refused", &[Standby, Preparing], "Fence", Some(("it got ready for a host that is listed as stopped", force::must_make_way)), force::refuse_fence_and_make_way, &[Standby],
        "a promise needs a stopped server: what was made ready is undone now"),
    row("fence-refused", ANY, "Fence", None, force::refuse_fence, &[],
        "this host can't promise that term"),
    row("fence-acknowledged", &[Forcing], "FenceAck", Some(("it is this attempt's", force::answer_is_current)), force::note_ack, &[Forcing, Activating],
        "one more host has promised"),
    row("force-lost", &[Forcing], "FenceRefused", Some(("it is this attempt's", force::answer_is_current)), force::lose, RECORDS,
        "a host could not promise"),
    row("force-ended", &[Forcing], "timer fence", None, force::give_up_waiting, RECORDS,
        "not everybody answered in time"),
];
