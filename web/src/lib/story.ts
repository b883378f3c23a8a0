// One takeover as a story: its journal lines of both hosts, put under the ten steps, with times relative to its start.
// Pure: made anew from the lines whenever one comes.

import { CAUSE_AND_EFFECT, isSetback, MOMENTS, placeOf, placeOfWork, STEPS, type Step, type StepKey } from "./steps";
import { lineKey, type JournalLine, type Takeover, type TakeoverView } from "./wire";

/** Lines without a round (verdicts, stay-down, cure) this long before the start still belong to the story. */
const BEFORE_MS = 30_000;
/** Steps after the round: their lines have none. */
const AFTERWARDS = new Set<StepKey>(["takeover", "stay-down", "cure"]);
/** The line that ends the way back. */
const BACK = "standing-by";
const AFTER_DONE = new Set<StepKey>(["stay-down", "cure"]);

export type Lane = "first" | "second";
export type RowState = "done" | "running" | "waiting" | "stuck" | "not-reached" | "silent";

export interface Happening {
  line: JournalLine;
  lane: Lane;
  offsetMs: number;
  setback: boolean;
}

export interface Row {
  step: Step;
  number: number;
  state: RowState;
  first: Happening[];
  second: Happening[];
  /** When it began and ended, relative to the start; null where nothing was written down. */
  fromMs: number | null;
  toMs: number | null;
}

export interface Story {
  rows: Row[];
  happenings: Happening[];
  startMs: number;
  admissionStoppedMs: number | null;
  releasedMs: number | null;
  servingMs: number | null;
  endMs: number;
  /** By how much the two clocks differ at least; 0 when nothing speaks for it. */
  clockGapMs: number;
}

/** The time that is this takeover's alone: from the end of the service's last one to the start of its next. */
export interface Span {
  fromMs: number | null;
  toMs: number | null;
}

/** The lines of one takeover: its own round's, and those around it that have none. */
export function linesOf(takeover: Takeover, all: readonly JournalLine[], span: Span): JournalLine[] {
  const known = new Map<string, JournalLine>();
  for (const line of takeover.steps) known.set(lineKey(line), line);
  for (const line of all) {
    if (line.service !== takeover.service) continue;
    if (line.round === takeover.id || (line.round === null && isNear(line, takeover, span))) known.set(lineKey(line), line);
  }
  return [...known.values()].sort((a, b) => a.at_ms - b.at_ms || a.seq - b.seq);
}

function isNear(line: JournalLine, takeover: Takeover, { fromMs, toMs }: Span): boolean {
  if ((fromMs !== null && line.at_ms <= fromMs) || (toMs !== null && line.at_ms >= toMs)) return false;
  if (line.at_ms >= takeover.started_at_ms) return AFTERWARDS.has(placeOf(line));
  // What led to it: what the first's probes said just before.
  return line.host === takeover.first && line.at_ms >= takeover.started_at_ms - BEFORE_MS && placeOf(line) === "monitor" && isSetback(line);
}

/** `isLast`: the service has not moved again since. */
export function tell(takeover: Takeover, lines: readonly JournalLine[], now: TakeoverView | null, isLast: boolean): Story {
  const startMs = lines.find((line) => line.round === takeover.id)?.at_ms ?? takeover.started_at_ms;
  const happenings = lines.map((line) => ({
    line,
    lane: laneOf(line, takeover),
    offsetMs: line.at_ms - startMs,
    setback: isSetback(line),
  }));
  const reached = happenings.filter((h) => h.line.round === takeover.id || h.offsetMs >= 0);
  const furthest = Math.max(0, ...reached.map((h) => indexOf(placeOf(h.line))), now ? indexOf(placeOfWork(now.step) ?? "monitor") : 0);
  const rows = STEPS.map((step, index) => rowOf(step, index, happenings, furthest, takeover, isLast));
  // Some of the second's lines name no round; the first of its name since the start is meant.
  const at = (name: string): number | null => happenings.find((h) => h.line.step === name && h.offsetMs >= 0)?.offsetMs ?? null;
  return {
    rows,
    happenings,
    startMs,
    admissionStoppedMs: at(MOMENTS.admissionStopped),
    releasedMs: at(MOMENTS.released),
    servingMs: at(MOMENTS.serving),
    endMs: happenings.at(-1)?.offsetMs ?? 0,
    clockGapMs: clockGap(happenings),
  };
}

function laneOf(line: JournalLine, takeover: Takeover): Lane {
  return line.host === takeover.second ? "second" : "first";
}

const indexOf = (key: StepKey): number => STEPS.findIndex((step) => step.key === key);

function rowOf(step: Step, index: number, happenings: Happening[], furthest: number, takeover: Takeover, isLast: boolean): Row {
  const mine = happenings.filter((h) => placeOf(h.line) === step.key);
  return {
    step,
    number: index + 1,
    state: takeover.state === "done" && AFTER_DONE.has(step.key) ? stateAfterwards(step.key, happenings, isLast) : stateOf(index, mine.length > 0, furthest, takeover),
    first: mine.filter((h) => h.lane === "first"),
    second: mine.filter((h) => h.lane === "second"),
    fromMs: mine[0]?.offsetMs ?? null,
    toMs: mine.at(-1)?.offsetMs ?? null,
  };
}

function stateOf(index: number, written: boolean, furthest: number, takeover: Takeover): RowState {
  const ended = takeover.state === "declined" || takeover.state === "cancelled";
  const takeoverRow = indexOf("takeover");
  if (ended) return index < furthest ? (written || index === 0 ? "done" : "silent") : index === furthest ? "stuck" : "not-reached";
  if (takeover.state === "done" && index <= takeoverRow) return written || index === 0 ? "done" : "silent";
  if (index < furthest) return written || index === 0 ? "done" : "silent";
  if (index === furthest) return "running";
  return "waiting";
}

/** Once the second serves, the way back has its own pace, and may be cut short by the next takeover. */
function stateAfterwards(key: StepKey, happenings: Happening[], isLast: boolean): RowState {
  const has = (place: StepKey): boolean => happenings.some((h) => placeOf(h.line) === place);
  const isBack = happenings.some((h) => h.lane === "first" && h.line.step === BACK && h.offsetMs > 0);
  if (isBack || (key === "stay-down" && has("cure"))) return has(key) ? "done" : "silent";
  if (!isLast) return has(key) ? "done" : "not-reached";
  if (key === "stay-down") return "running";
  return has(key) ? "running" : "waiting";
}

function clockGap(happenings: Happening[]): number {
  let gap = 0;
  for (const [cause, effect] of CAUSE_AND_EFFECT) {
    const before = happenings.find((h) => h.line.step === cause);
    const after = happenings.find((h) => h.line.step === effect);
    if (before && after && before.line.host !== after.line.host) gap = Math.max(gap, before.offsetMs - after.offsetMs);
  }
  return gap;
}
