// How things are said: every word of the wire in the reader's language, every length of time in one way.
// Pure; knows nothing of the page.

import type { CandidateAnswer, Cause, Outcome, ProofResult, ProofVerdict, RequestState, Role, TakeoverState, Verdict } from "./wire";
import type { IconName } from "./Icon.svelte";

export type Tone = "good" | "warn" | "bad" | "odd" | "busy" | "quiet";

export interface Saying {
  word: string;
  tone: Tone;
  icon: IconName;
  /** What it means, one sentence. */
  means: string;
}

export const VERDICTS: Record<Verdict, Saying> = {
  healthy: { word: "Healthy", tone: "good", icon: "good", means: "The probes have nothing to say against it." },
  impaired: { word: "Impaired", tone: "warn", icon: "warn", means: "It works, but somebody should look at it." },
  failing: { word: "Failing", tone: "bad", icon: "bad", means: "It does not work, or will not for long." },
  unknown: { word: "Unknown", tone: "odd", icon: "odd", means: "The probe could not find out. That says nothing about the server." },
};

export const ROLES: Record<Role, Saying> = {
  fresh: { word: "Fresh", tone: "quiet", icon: "quiet", means: "Its store is empty: it knows nothing of this service yet." },
  unsynced: { word: "Unsynced", tone: "odd", icon: "odd", means: "Just started: it has not heard every other candidate yet, so it does nothing." },
  standby: { word: "Standby", tone: "quiet", icon: "quiet", means: "It does not hold the service." },
  preparing: { word: "Preparing", tone: "busy", icon: "busy", means: "It assesses whether it can take over, or has offered to." },
  activating: { word: "Activating", tone: "busy", icon: "busy", means: "It holds the service and makes its server serve." },
  active: { word: "Active", tone: "good", icon: "serve", means: "It holds the service and serves." },
  asking: { word: "Asking", tone: "busy", icon: "busy", means: "It serves, and waits for a candidate's answer." },
  draining: { word: "Draining", tone: "busy", icon: "busy", means: "It refuses new requests and completes the existing ones." },
  stopped: { word: "Stopped", tone: "busy", icon: "busy", means: "Its server is stopped; the release is not durable yet, so it may still resume." },
  parked: { word: "Parked", tone: "bad", icon: "bad", means: "It holds the service, its server is stopped, and nobody takes over yet." },
  released: { word: "Released", tone: "busy", icon: "link", means: "It handed the service on and waits until the other confirms." },
  yielded: { word: "Yielded", tone: "busy", icon: "link", means: "Another host admits new requests; those under way are completed here." },
  forcing: { word: "Forcing", tone: "odd", icon: "odd", means: "An operator's forced takeover is in progress." },
  "standing-down": { word: "Standing down", tone: "odd", icon: "odd", means: "Another host holds a higher term: the server is stopped before anybody is answered." },
};

export const TAKEOVER_STATES: Record<TakeoverState, Saying> = {
  asking: { word: "Asking", tone: "busy", icon: "busy", means: "A candidate is asked. The first serves on." },
  draining: { word: "Draining", tone: "busy", icon: "busy", means: "Existing requests complete. It can still be cancelled." },
  released: { word: "Released", tone: "busy", icon: "link", means: "Past the point of no return." },
  "taking-over": { word: "Taking over", tone: "busy", icon: "busy", means: "The second makes its server serve." },
  done: { word: "Done", tone: "good", icon: "good", means: "The second serves." },
  declined: { word: "Declined", tone: "warn", icon: "warn", means: "The candidate declined or did not answer. The first serves on." },
  cancelled: { word: "Cancelled", tone: "warn", icon: "stay", means: "Ended before the release. The first serves on." },
};

export const STATES: Record<RequestState, Saying> = {
  queued: { word: "Queued", tone: "quiet", icon: "quiet", means: "Accepted, not begun." },
  running: { word: "Running", tone: "busy", icon: "busy", means: "Begun, not answered." },
  completed: { word: "Completed", tone: "good", icon: "good", means: "Answered." },
  failed: { word: "Failed", tone: "warn", icon: "warn", means: "Answered with an error." },
  cut: { word: "Cut", tone: "bad", icon: "cross", means: "Ended without an answer, because the server had to stop." },
  refused: { word: "Refused", tone: "odd", icon: "stay", means: "Turned away." },
};

export const OUTCOMES: Record<Outcome | "unsettled", Saying> = {
  completed: { word: "Completed", tone: "good", icon: "good", means: "Answered before the server stopped." },
  resumed: { word: "Resumed", tone: "good", icon: "serve", means: "The second went on where the first stopped." },
  replayed: { word: "Replayed", tone: "busy", icon: "swap", means: "The second did it again from the start." },
  "client-retries": { word: "Client retries", tone: "quiet", icon: "busy", means: "The client has seen no answer and will ask again." },
  refused: { word: "Refused", tone: "warn", icon: "stay", means: "The second will not do it." },
  lost: { word: "Lost", tone: "bad", icon: "bad", means: "Nobody can say, and nothing more can be done." },
  unsettled: { word: "Not settled yet", tone: "odd", icon: "odd", means: "The second has not said yet what becomes of it." },
};

/** What follows when each timer ends, after "until"; a timer with no entry is shown by its name. */
export const PROOF_VERDICTS: Record<ProofVerdict, Saying> = {
  holds: { word: "Proven", tone: "good", icon: "good", means: "Everything was checked, and everything holds." },
  "holds-in-part": { word: "In part", tone: "odd", icon: "odd", means: "What could be checked holds; something could not be checked." },
  fails: { word: "Not proven", tone: "bad", icon: "bad", means: "Something does not hold." },
};

export const PROOF_RESULTS: Record<ProofResult, Saying> = {
  holds: { word: "Holds", tone: "good", icon: "good", means: "Checked, and it holds." },
  unproven: { word: "Unproven", tone: "odd", icon: "odd", means: "It could not be checked." },
  fails: { word: "Fails", tone: "bad", icon: "bad", means: "It does not hold." },
};

export const ANSWERS: Record<CandidateAnswer, Saying> = {
  accepts: { word: "Would take over", tone: "good", icon: "good", means: "Asked now, it would take the service over." },
  declines: { word: "Would decline", tone: "warn", icon: "warn", means: "Asked now, it would decline." },
  silent: { word: "Silent", tone: "quiet", icon: "quiet", means: "It can't be asked, or would not answer." },
};

export const TIMERS: Record<string, string> = {
  hello: "it says hello again to hosts not heard",
  diagnosis: "it reports what is known, without a diagnosis",
  answer: "it gives up waiting for the candidate's answer",
  retry: "it tries again",
  "shutdown-within": "the server must be down, whoever answers",
  assessment: "it gives up its own assessment",
  offer: "it forgets an offer whose holder says no more",
  drain: "the drain must be over",
  compilation: "it gives up waiting for the compilation to be stored",
  "compilation-resend": "it sends the compilation again",
  stop: "it stops the server by force",
  release: "it sends the release again",
  serve: "it gives up this attempt to serve",
  "stay-down": "it repeats the stay-down order",
  observe: "it looks whether the server stays as it must be",
  hold: "the probes were healthy for long enough",
  silence: "the active host counts as silent",
  giveback: "it gives the service home",
  fence: "it gives up waiting for fences",
  reboot: "it gives up waiting for the reboot command",
  pause: "the pause ends by itself",
  extension: "it gives up waiting for the second's word on a longer drain",
  undo: "it tries again to undo what was done for an offer",
  overlap: "it tells the operator that the first still has requests",
};

/** Timers of everyday life; they tick all the time and say nothing about trouble. */
export const EVERYDAY_TIMERS = new Set(["stay-down", "observe", "silence", "hello"]);

export const PHASES = {
  faulty: "the fault is not cured yet",
  cured: "cured; waits for the active host's permission to come back",
  rebooting: "permitted; the reboot is under way",
} as const;

export function causeInWords(cause: Cause | null): string {
  if (!cause) return "The cause is not known on this host.";
  switch (cause.kind) {
    case "fault":
      return `Fault ${cause.fault.code}: ${cause.fault.message}`;
    case "requested":
      return `Requested by ${cause.by}: ${cause.reason}`;
    case "giveback":
      return `Giveback, ordered by ${cause.by}`;
    case "forced":
      return `Forced by ${cause.by}: ${cause.reason} (said to be stopped: ${cause.stopped.join(", ")})`;
  }
}

/** An age or a time left, short: 0.4 s, 12 s, 3 min, 5 h, 2 d. */
export function length(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 2 * 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** How long ago; a second more or less is now. */
export const ago = (ms: number): string => (ms < 1000 ? "just now" : `${length(ms)} ago`);

/** A moment of a takeover: exact to the millisecond while that is readable. */
export function precise(ms: number): string {
  const abs = Math.abs(ms);
  if (abs < 10_000) return `${group(ms)} ms`;
  if (abs < 120_000) return `${(ms / 1000).toFixed(2)} s`;
  return length(abs);
}

/** The same with its sign: when it happened, counted from the start. */
export function offset(ms: number): string {
  return (ms < 0 ? "−" : "+") + precise(Math.abs(ms));
}

/** 12345 as 12 345: read the same in every country. */
export function group(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

export function clock(atMs: number): string {
  const date = new Date(atMs);
  const two = (n: number): string => String(n).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** Day and time of day, for what may have been days ago. */
export const dateTime = (atMs: number): string => `${day(atMs)} ${clock(atMs).slice(0, 8)}`;

export function day(atMs: number): string {
  const date = new Date(atMs);
  const two = (n: number): string => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** One value with its unit, as a person would write it. */
export function reading(value: number, unit: string): string {
  if (unit === "B") return bytes(value);
  if (unit === "Cel") return `${trim(value)} °C`;
  if (unit === "%") return `${trim(value)} %`;
  if (unit === "s") return value < 10 ? `${trim(value * 1000)} ms` : length(value * 1000);
  return unit === "1" || unit === "" ? trim(value) : `${trim(value)} ${unit}`;
}

export function bytes(count: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = count;
  let unit = 0;
  while (Math.abs(size) >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${trim(size)} ${units[unit]}`;
}

function trim(value: number): string {
  if (Number.isInteger(value)) return group(value);
  return String(Number(value.toPrecision(3)));
}

/** `web-2`, `web-2 and web-3`, `a, b and c`. */
export function list(items: string[]): string {
  if (items.length < 2) return items[0] ?? "";
  return `${items.slice(0, -1).join(", ")} and ${items[items.length - 1]}`;
}

/** A takeover's id, short enough for a line: the first of the store's number, and the round. Show the whole as a title. */
export const shortId = (id: string): string => id.replace(/^([0-9a-f]{8})[0-9a-f]{8,}-/, "$1…-");

/** Long digests and store numbers in a text, shortened. */
export const shortened = (text: string): string => text.replace(/\b([0-9a-f]{8})[0-9a-f]{24,}(?![0-9a-f])/g, "$1…");

/** The code of a thing as a title: `disk-nearly-full` as `Disk nearly full`. */
export function title(code: string): string {
  const words = code.replaceAll("-", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
