//! Answers that break the component ABI itself. The generated code would never make one, so the probe's `check` is exported
//! by hand here: it lets the generated code answer, and then spoils the answer in memory as `spoil` says.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::bindings::exports::understudy::plugin::{drainer, manifest, probe};
use crate::{Hostile, configuration};

manifest::__export_understudy_plugin_manifest_0_1_0_cabi!(Hostile with_types_in crate::bindings::exports::understudy::plugin::manifest);
drainer::__export_understudy_plugin_drainer_0_1_0_cabi!(Hostile with_types_in crate::bindings::exports::understudy::plugin::drainer);

#[unsafe(export_name = "understudy:plugin/probe@0.1.0#check")]
unsafe extern "C" fn check(context: *mut u8) -> *mut u8 {
    // SAFETY: called by the component's ABI with what the generated function expects.
    let answer = unsafe { probe::_export_check_cabi::<Hostile>(context) };
    let config = configuration();
    SPOILT.store(!config["spoil"].is_null(), Ordering::Relaxed);
    // SAFETY: the layout of `result<report, plugin-error>`: the report begins at 4 with its verdict, then comes the
    // list of faults (pointer at 8, length at 12), whose first entry begins with its code's pointer.
    unsafe {
        match config["spoil"].as_str() {
            None => {}
            Some("verdict") => *answer.add(4) = 200,
            Some("pointer") => *answer.add(8).cast::<u32>() = 0xffff_fff0,
            Some("length") => *answer.add(12).cast::<u32>() = 0x0fff_ffff,
            Some("text") => ***answer.add(8).cast::<*mut *mut u8>() = 0xff,
            Some(_) => return usize::MAX as *mut u8,
        }
    }
    answer
}

#[unsafe(export_name = "cabi_post_understudy:plugin/probe@0.1.0#check")]
unsafe extern "C" fn after_check(answer: *mut u8) {
    if !SPOILT.load(Ordering::Relaxed) {
        // SAFETY: as the generated code would.
        unsafe { probe::__post_return_check::<Hostile>(answer) };
    }
}

/// Kept from `check`: nothing of the host's may be called once the answer is out.
static SPOILT: AtomicBool = AtomicBool::new(false);
