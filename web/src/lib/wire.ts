// The JSON of /api/v1, as host/api/src/wire/ writes it. Only what the page reads; answers may have more.
// Instants (`at_ms`) are milliseconds since the Unix epoch by the clock of the host that wrote them.

export type Role =
  | "fresh"
  | "unsynced"
  | "standby"
  | "preparing"
  | "activating"
  | "active"
  | "asking"
  | "draining"
  | "stopped"
  | "parked"
  | "released"
  | "yielded"
  | "forcing"
  | "standing-down";

export type Verdict = "healthy" | "impaired" | "failing" | "unknown";

/** Compare `value`, show `text`. */
export interface Term {
  value: number;
  text: string;
}

export interface Attribute {
  key: string;
  value: string;
}

export interface Fault {
  code: string;
  kind: string;
  severity: "impaired" | "shutdown-required";
  message: string;
  shutdown_within_ms: number | null;
  evidence: Attribute[];
}

export interface HostView {
  host: string;
  /** Whether this is the host that answers; it is the first of the list. */
  me: boolean;
  version: string | null;
  started_at_ms: number | null;
  now_ms: number | null;
  seen_at_ms: number | null;
  /** How old the view was when it was sent; null when there is none. */
  age_ms: number | null;
  reachable: boolean;
  services: ServiceView[];
  alerts: string[];
}

export interface ServiceView {
  service: string;
  server_type: string;
  candidates: string[];
  home: string;
  role: Role;
  serves: boolean;
  held_term: Term | null;
  known_term: Term;
  active: string | null;
  verdict: Verdict;
  fault: Fault | null;
  takeover: TakeoverView | null;
  stay_down: StayDown | null;
  ready: boolean;
  waiting_for: string | null;
  timers: TimerView[];
  peers: PeerView[];
  address: AddressView;
  probes: ProbeView[];
  alerts: string[];
  /** A daemon of an older version does not say these. */
  pauses?: PauseView[];
  declined?: DeclineView[];
  moves?: { counted: number; bound: number };
}

export type PauseScope = "cluster" | "service" | "host" | "flapping";

export interface PauseView {
  scope: PauseScope;
  by: string;
  reason: string;
  since_ms: number;
  until_ms: number | null;
}

export interface DeclineView {
  host: string;
  takeover: string;
  refusal: Refusal;
}

export interface StayDown {
  released_term: Term;
  fault: string;
  phase: "faulty" | "cured" | "rebooting";
}

export interface TimerView {
  name: string;
  /** At the time the view was made. */
  remaining_ms: number;
}

export interface PeerView {
  host: string;
  connected: boolean;
  heard: boolean;
  held_term: Term | null;
  ready: boolean;
  down_for: string | null;
}

export interface AddressView {
  mode: "vip" | "proxy" | "plugin";
  listen: string[];
  server: string | null;
  addresses: string[];
  interface: string | null;
  /** `open`, `holding`, `closed`, `failing`; new words may come. */
  state: string;
  detail: string | null;
}

export interface ProbeView {
  plugin: string;
  version: string | null;
  digest: string;
  verdict: Verdict;
  checked_at_ms: number | null;
  duration_us: number | null;
  faults: Fault[];
  readings: Reading[];
  error: string | null;
  breaker: Breaker;
}

export interface Reading {
  key: string;
  value: number;
  unit: string;
  attributes: Attribute[];
}

export interface Breaker {
  state: "closed" | "open" | "half-open";
  failures: number;
  retry_in_ms: number | null;
}

export type Cause =
  | { kind: "fault"; fault: Fault }
  | { kind: "requested"; by: string; reason: string }
  | { kind: "giveback"; by: string }
  | { kind: "forced"; by: string; reason: string; stopped: string[] };

export interface TakeoverView {
  round: string | null;
  first: string | null;
  second: string | null;
  cause: Cause | null;
  step: string;
  remaining: number | null;
  blocker: string | null;
  started_at_ms: number | null;
}

export type TakeoverState = "asking" | "draining" | "released" | "taking-over" | "done" | "declined" | "cancelled";

export interface Takeover {
  id: string;
  service: string;
  first: string | null;
  second: string | null;
  cause: Cause | null;
  state: TakeoverState;
  new_term: Term | null;
  started_at_ms: number;
  ended_at_ms: number | null;
  outage_ms: number | null;
  refusal: Refusal | null;
  /** Empty in lists. */
  steps: JournalLine[];
}

export type ProofResult = "holds" | "unproven" | "fails";
export type ProofVerdict = "holds" | "holds-in-part" | "fails";

/** What verifying a takeover's proof bundle found. */
export interface ProofReport {
  takeover: string;
  service: string;
  verdict: ProofVerdict;
  summary: string;
  checks: { check: string; result: ProofResult; found: string }[];
  outage: { ms: number; address_ms: number | null; uncertainty_ms: number | null } | null;
}

export type CandidateAnswer = "accepts" | "declines" | "silent";

/** What would come of moving a service now. */
export interface Rehearsal {
  service: string;
  would_move: boolean;
  summary: string;
  first: string | null;
  second: string | null;
  refusal: Refusal | null;
  under_way: TakeoverView | null;
  candidates: { host: string; answer: CandidateAnswer; refusal: Refusal | null; verdict: Verdict | null; ready: boolean | null; because: string | null }[];
  requests: { listed: number; under_way: number; longest_ms: number | null; blockers: { client: string; operation: string; for_ms: number | null }[] } | null;
  outage: { ms: number; low_ms: number; high_ms: number; source: "history" | "parts" | "bounds"; basis: string } | null;
  steps: { host: string; step: string; reason: string }[];
  unknown: string[];
}

export interface JournalLine {
  /** Its place in the journal of `host`; rises, with gaps. */
  seq: number;
  at_ms: number;
  host: string;
  service: string;
  step: string;
  reason: string;
  detail: string;
  from: Role;
  to: Role;
  term: Term;
  round: string | null;
}

/** One line, whoever wrote it: every host counts its own. */
export const lineKey = (line: JournalLine): string => `${line.host}/${line.seq}`;

export type RequestState = "queued" | "running" | "completed" | "failed" | "cut" | "refused";
export type Outcome = "completed" | "resumed" | "replayed" | "client-retries" | "refused" | "lost";

export interface RequestLine {
  id: string;
  client: string;
  operation: string;
  state: RequestState;
  started_at_ms: number | null;
  progress: { done: number; total: number | null; unit: string } | null;
  idempotency_key: string | null;
  resumable: boolean;
  attributes: Attribute[];
  disposition: { outcome: Outcome; message: string } | null;
}

export interface Compilation {
  round: string;
  service: string;
  first: string;
  second: string | null;
  sealed: boolean;
  count: number;
  digest: string | null;
  started_at_ms: number;
  sealed_at_ms: number | null;
  states: Record<RequestState, number>;
  outcomes: Record<Outcome | "unsettled", number>;
}

export interface Page<T> {
  items: T[];
  /** Give it back as `cursor`; null on the last page. */
  next: string | null;
}

export interface Accepted {
  order: string;
  service: string;
  takeover: string | null;
  location: string;
}

export interface Refusal {
  code: string;
  message: string;
  would_change: string | null;
  host: string | null;
  because: Refusal | null;
}

/** RFC 9457. */
export interface ProblemBody {
  type: string;
  title: string;
  /** 0: the daemon did not answer. */
  status: number;
  detail: string;
  instance?: string;
  field?: string;
  refusal?: string;
  would_change?: string;
  because?: Refusal;
  request_id?: string;
}
