// Which journal line belongs to which of the protocol's ten steps. The names are those of the transition table
// (host/protocol/src/table/); this is the only place where the page knows them. A name it does not know is placed by
// the role it leads to, so that a newer daemon's lines are shown, not lost.

import type { JournalLine, Role } from "./wire";

export type StepKey = "monitor" | "indicate" | "report" | "assess" | "drain" | "compile" | "release" | "takeover" | "stay-down" | "cure";

export interface Step {
  key: StepKey;
  title: string;
  /** What happens in it, in one sentence. */
  means: string;
}

export const STEPS: readonly Step[] = [
  { key: "monitor", title: "Monitor", means: "The probes watch the first's server all the time." },
  { key: "indicate", title: "First indication", means: "The first says at once that something is wrong, or that the service shall move, before the cause is known." },
  { key: "report", title: "Second indication", means: "The first says what is wrong: kind, code, evidence, time left." },
  { key: "assess", title: "Assessment", means: "The second finds out whether it can back the service up, and offers to, or declines with a reason." },
  { key: "drain", title: "Drain", means: "The first refuses new requests, or lets them wait, and completes the existing ones." },
  { key: "compile", title: "Compilation", means: "The written status of every request goes to the second, which stores it durably." },
  { key: "release", title: "Release", means: "The server is stopped, the address dropped, the release written down." },
  { key: "takeover", title: "Takeover", means: "The second makes its server serve, takes the address, and settles every request." },
  { key: "stay-down", title: "Stay down", means: "The second repeats the order; the first's server does not run." },
  { key: "cure", title: "Cure and come back", means: "The fault is cured, the first reboots and comes back as a standby." },
];

const NAMES: Record<StepKey, string[]> = {
  monitor: ["well", "impaired", "fault-noted", "unknown", "started", "started-fresh", "started-serving", "synced", "adopted", "hello-again", "greeted", "hello", "holder-found"],
  indicate: [
    ...["fault-indicated", "fault-heard", "takeover-ordered", "takeover-asked", "giveback-ordered", "giveback-planned", "giveback-begun"],
    ...["move-withheld", "giveback-withheld", "paused", "unpaused", "pause-ended", "pauses-heard", "pauses-taught"],
    ...["asked-again", "order-passed-on", "order-refused", "ask-refused", "ask-was-refused"],
  ],
  report: ["fault-reported"],
  assess: [
    ...["assessing", "shutdown-commanded", "declined", "candidate-declined", "candidate-silent", "offer-stale", "offer-cancelled"],
    ...["offer-forgotten", "ask-ended", "own-term-told", "arming", "warming-up"],
  ],
  drain: ["drain-started", "admission-stopped", "drain-progressed", "drain-heard", "drained", "drain-forced", "drain-extended", "extension-asked", "extension-granted", "extension-refused", "drain-aborted", "shut-down-alone", "shut-down-next", "redirected", "redirect-failed", "yield-repeated", "yield-taken"],
  compile: ["compilation-sealed", "compilation-resent", "compilation-received", "compilation-stored", "compilation-incomplete", "compilation-kept", "compilation-unsealed", "compilation-unconfirmed"],
  release: ["server-stopping", "server-stopped", "stop-forced", "address-not-dropped", "released", "release-resent", "release-reissued", "grant-refused", "admission-yielded", "started-yielded", "down-unstored"],
  takeover: [
    ...["grant-accepted", "grant-confirmed", "server-serves", "serve-retried", "serving", "took-over", "resolving-later", "resolving-again"],
    ...["first-down", "overlap-ended", "overlap-not-ended", "overlap-lasts", "resuming", "resumed", "undone-warm-up", "undone-arm", "undo-failed"],
    ...["parked", "unparked", "still-parked", "force-begun", "force-ended", "force-lost", "force-disturbed"],
    ...["bootstrap-begun", "promised", "fence-refused", "fence-acknowledged"],
  ],
  "stay-down": ["grant-settled", "superseded", "superseded-stopped", "stood-down", "silent", "stay-down-repeated", "stay-down-obeyed", "started-by-hand", "stopped-again", "stop-failed", "started-released", "started-superseded", "holder-silent", "looked"],
  cure: [
    ...["hold-begun", "hold-ended", "cured", "come-back-asked", "come-back-permitted", "rebooting", "come-back", "rebooted", "reboot-failed"],
    ...["standing-by", "stand-by-failed", "stand-by-again", "stand-by-lost"],
  ],
};

const PLACE = new Map<string, StepKey>(Object.entries(NAMES).flatMap(([key, names]) => names.map((name) => [name, key as StepKey] as const)));

export const isKnown = (name: string): boolean => PLACE.has(name);
export const knownNames = (): string[] => [...PLACE.keys()];

const BY_ROLE: Record<Role, StepKey> = {
  fresh: "monitor",
  unsynced: "monitor",
  standby: "stay-down",
  preparing: "assess",
  activating: "takeover",
  active: "takeover",
  asking: "indicate",
  draining: "drain",
  stopped: "release",
  parked: "release",
  released: "release",
  yielded: "drain",
  forcing: "takeover",
  "standing-down": "stay-down",
};

export function placeOf(line: JournalLine): StepKey {
  // Two names are used on both sides of the release; the role before tells which.
  if (line.step === "parked" && line.from === "stopped") return "release";
  if (line.step === "stop-forced" && line.from !== "draining") return "stay-down";
  return PLACE.get(line.step) ?? BY_ROLE[line.to];
}

/** Steps that mean that something did not go as wanted. */
const SETBACKS = new Set([
  ...["declined", "candidate-declined", "candidate-silent", "offer-stale", "offer-cancelled", "offer-forgotten", "ask-ended", "ask-refused", "ask-was-refused"],
  ...["order-refused", "drain-forced", "drain-extended", "drain-aborted", "shut-down-alone", "compilation-incomplete", "stop-forced", "stop-failed", "address-not-dropped"],
  ...["release-reissued", "grant-refused", "serve-retried", "parked", "resolving-later", "resuming", "started-by-hand", "reboot-failed"],
  ...["redirect-failed", "compilation-unsealed", "compilation-unconfirmed", "down-unstored", "overlap-not-ended", "overlap-lasts", "undo-failed"],
  ...["stand-by-failed", "stand-by-lost", "force-ended", "force-lost", "force-disturbed", "fence-refused", "superseded", "impaired", "unknown", "holder-silent"],
]);

export const isSetback = (line: JournalLine): boolean => SETBACKS.has(line.step);

/** The work under way (`TakeoverView.step`) by the step it belongs to. */
const WORK: Record<string, StepKey> = {
  diagnose: "report",
  warned: "indicate",
  assess: "assess",
  "await-answer": "assess",
  "await-release": "drain",
  "stop-admitting": "drain",
  settle: "drain",
  "seal-compilation": "compile",
  "resend-compilation": "compile",
  "await-stored": "compile",
  "stop-server": "release",
  "drop-address": "release",
  "prepare-yield": "drain",
  redirect: "drain",
  "end-flows": "drain",
  arm: "assess",
  "warm-up": "assess",
  "await-takeover": "takeover",
  appear: "takeover",
  resume: "takeover",
  "await-first": "takeover",
  serve: "takeover",
  "take-address": "takeover",
  "resolve-requests": "takeover",
};

export const placeOfWork = (work: string): StepKey | null => WORK[work] ?? null;

/** Moments by which a takeover is measured. */
export const MOMENTS = {
  admissionStopped: "admission-stopped",
  released: "released",
  serving: "serving",
} as const;

/** Message pairs: the second line can't have happened before the first, so an earlier time means that the clocks differ. */
export const CAUSE_AND_EFFECT: readonly (readonly [string, string])[] = [
  ["fault-indicated", "fault-heard"],
  ["shutdown-commanded", "drain-started"],
  ["compilation-sealed", "compilation-stored"],
  ["compilation-stored", "server-stopping"],
  ["released", "grant-accepted"],
  ["serving", "grant-settled"],
];
