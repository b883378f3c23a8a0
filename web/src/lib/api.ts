// The only file that talks to the daemon: requests, errors, the token, the event stream.
//
// Invariants: every failure is a `Problem` that says what happened and, where the daemon knows, what would change it;
// a change carries an Idempotency-Key that the caller keeps, so that sending it again can't do it twice.

import { EventParser, type ServerEvent } from "./sse";
import type { Accepted, Compilation, HostView, JournalLine, Page, ProblemBody, ProofReport, Rehearsal, RequestLine, Takeover } from "./wire";

const BASE = "/api/v1";
const TOKEN_KEY = "understudy.token";

/** No byte for so long (the daemon sends a comment at least every 15 s): the connection is dead, whatever TCP thinks. */
const SILENCE_MS = 35_000;
/** An answer that takes longer is given up, so that no button hangs. */
const ANSWER_MS = 15_000;
/** Where the daemon asks other hosts and their plugins first. */
const ASKING_MS = 30_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 8_000;

/** Why a request failed: RFC 9457 as the daemon sent it, or made here when it could not be reached. */
export class Problem extends Error {
  readonly body: ProblemBody;

  constructor(body: ProblemBody) {
    super(body.detail || body.title);
    this.body = body;
  }

  /** The daemon did not answer at all: nothing is known about what it did. */
  get unreachable(): boolean {
    return this.body.status === 0;
  }
}

let token: string | null = sessionStorage.getItem(TOKEN_KEY);
let tokenWanted: (wrong: boolean) => void = () => {};

/** Called when the daemon wants a token: `wrong` says that the one it got was refused. */
export function onTokenWanted(listener: (wrong: boolean) => void): void {
  tokenWanted = listener;
}

/** Kept for this tab only, until it is closed. */
export function useToken(text: string): void {
  token = text;
  sessionStorage.setItem(TOKEN_KEY, text);
}

/** A key for one change; keep it for every repetition of that change. */
export function newKey(): string {
  // crypto.randomUUID is missing on plain http, which is how many daemons are reached.
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const hosts = (): Promise<HostView[]> => ask("GET", "/hosts");

export interface JournalQuery {
  /** A peer: the lines it has told. Without it, the answering host's own. */
  host?: string;
  service?: string;
  round?: string;
  before?: number;
  limit?: number;
}

/** Oldest first: the last ones, or the last before `before`. */
export const journal = (query: JournalQuery): Promise<JournalLine[]> => ask("GET", `/journal${encode({ ...query })}`);
/** The newest takeovers first, without their steps. */
export const takeovers = (limit: number): Promise<Page<Takeover>> => ask("GET", `/takeovers${encode({ limit })}`);
/** One takeover with its steps. */
export const takeover = (id: string): Promise<Takeover> => ask("GET", `/takeovers/${encodeURIComponent(id)}`);
/** The takeover's signed proof, to be kept as it is. */
export const proofBundle = (id: string): Promise<object> => ask("GET", `/takeovers/${encodeURIComponent(id)}/bundle`, { patienceMs: ASKING_MS });
/** What verifying it finds. */
export const proof = (id: string): Promise<ProofReport> => ask("GET", `/takeovers/${encodeURIComponent(id)}/proof`, { patienceMs: ASKING_MS });
/** What would come of it; changes nothing. */
export const rehearse = (service: string, what: "takeover" | "giveback"): Promise<Rehearsal> =>
  ask("POST", `/services/${encodeURIComponent(service)}/${what}`, { body: { dry_run: true, ...(what === "takeover" && { reason: "rehearsal" }) }, patienceMs: ASKING_MS });
/** The newest compilations first. */
export const compilations = (limit: number): Promise<Page<Compilation>> => ask("GET", `/compilations${encode({ limit })}`);

export interface RequestQuery {
  state?: string;
  outcome?: string;
  client?: string;
  cursor?: string;
  limit?: number;
}

export const requests = (round: string, query: RequestQuery, signal?: AbortSignal): Promise<Page<RequestLine>> =>
  ask("GET", `/compilations/${encodeURIComponent(round)}/requests${encode({ ...query })}`, { signal });

export type Order = "takeover" | "giveback" | "cure" | "cancel" | "bootstrap" | "pause" | "unpause";

export const order = (service: string, what: Order, body: object, key: string): Promise<Accepted> =>
  what === "unpause"
    ? ask("DELETE", `/services/${encodeURIComponent(service)}/pause`, { body, key })
    : ask("POST", `/services/${encodeURIComponent(service)}/${what}`, { body, key });

/** Pauses the answering host, or (without one) the cluster, or ends that. */
export const pauseAll = (host: string | null, what: "pause" | "unpause", body: object, key: string): Promise<object> =>
  ask(what === "pause" ? "POST" : "DELETE", host === null ? "/pause" : `/hosts/${encodeURIComponent(host)}/pause`, { body, key });

interface Asking {
  body?: object;
  key?: string;
  signal?: AbortSignal | undefined;
  patienceMs?: number;
}

async function ask<T>(method: string, path: string, { body, key, signal, patienceMs = ANSWER_MS }: Asking = {}): Promise<T> {
  const headers = new Headers({ accept: "application/json" });
  if (token) headers.set("authorization", `Bearer ${token}`);
  if (key) headers.set("idempotency-key", key);
  if (body) headers.set("content-type", "application/json");
  const limit = AbortSignal.timeout(patienceMs);
  let response: Response;
  try {
    response = await fetch(BASE + path, {
      method,
      headers,
      body: body ? JSON.stringify(body) : null,
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unreachable(error);
  }
  if (!response.ok) throw await problemOf(response);
  const text = await response.text();
  return (text ? JSON.parse(text) : null) as T;
}

function unreachable(error: unknown): Problem {
  const late = error instanceof DOMException && error.name === "TimeoutError";
  return new Problem({
    type: "about:blank",
    status: 0,
    title: late ? "The daemon did not answer in time" : "The daemon can't be reached",
    detail: late
      ? `No answer within ${ANSWER_MS / 1000} s. Whether it did what was asked is unknown: look at the history, or send it again; it will not be done twice.`
      : "No connection. Check that the daemon runs on this host (understudy status) and that this page can reach it.",
  });
}

async function problemOf(response: Response): Promise<Problem> {
  if (response.status === 401) tokenWanted(token !== null);
  const text = await response.text().catch(() => "");
  try {
    const body = JSON.parse(text) as Partial<ProblemBody>;
    if (typeof body.title === "string") return new Problem({ type: "about:blank", status: response.status, detail: "", ...body, title: body.title });
  } catch {
    // Not JSON: something between this page and the daemon answered.
  }
  return new Problem({
    type: "about:blank",
    status: response.status,
    title: `${response.status} ${response.statusText}`.trim(),
    detail: text.slice(0, 400) || "The answer says no more.",
  });
}

function encode(query: Record<string, string | number | undefined>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== "") params.set(name, String(value));
  const text = params.toString();
  return text ? `?${text}` : "";
}

export interface StreamListener {
  view(hosts: HostView[]): void;
  /** A line of the answering host's journal, or one that a peer has told of its own. */
  line(line: JournalLine): void;
  /** The answering host's journal is not the one that was read before: load it again. */
  reset(): void;
  /** Lines of peers were missed: load them again. */
  peerReset(): void;
  /** The stream stands. */
  live(): void;
  /** The stream broke; it will be tried again in so many milliseconds. */
  lost(why: string, retryInMs: number): void;
  /** Bytes arrived: the daemon is alive. */
  heard(): void;
}

/** Follows the events for ever: reconnects, and asks for what it missed. Returns how to stop it, and how to try at once. */
export function follow(listener: StreamListener, afterSeq: number): { stop(): void; retryNow(): void } {
  let lastId = afterSeq > 0 ? String(afterSeq) : "";
  let stopped = false;
  let attempt = 0;
  let current = new AbortController();
  let wake: () => void = () => {};

  async function run(): Promise<void> {
    while (!stopped) {
      let why = "the daemon ended it";
      current = new AbortController();
      try {
        await readOnce(current, lastId, listener, (event) => {
          attempt = 0;
          if (event.name === "reset") lastId = "";
          else if (event.id) lastId = event.id;
          deliver(event, listener);
        });
      } catch (error) {
        why = reason(error);
      }
      if (stopped) return;
      const pause = Math.min(FIRST_RETRY_MS * 2 ** attempt++, LAST_RETRY_MS);
      listener.lost(why, pause);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pause);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  // A stream may look whole for long after the network went away. Where only the daemon's own machine is meant, the
  // next attempt succeeds at once.
  const onOffline = (): void => current.abort(new Error("this machine is offline"));
  const onOnline = (): void => wake();
  addEventListener("offline", onOffline);
  addEventListener("online", onOnline);

  void run();
  return {
    stop() {
      stopped = true;
      removeEventListener("offline", onOffline);
      removeEventListener("online", onOnline);
      current.abort();
      wake();
    },
    retryNow() {
      wake();
    },
  };
}

async function readOnce(control: AbortController, lastId: string, listener: StreamListener, take: (event: ServerEvent) => void): Promise<void> {
  const headers = new Headers({ accept: "text/event-stream" });
  if (token) headers.set("authorization", `Bearer ${token}`);
  if (lastId) headers.set("last-event-id", lastId);
  let silence = setTimeout(() => control.abort(new Error("nothing was heard for too long")), SILENCE_MS);
  try {
    const response = await fetch(`${BASE}/events`, { headers, signal: control.signal, cache: "no-store" });
    if (!response.ok) throw await problemOf(response);
    if (!response.body) throw new Error("the answer has no body");
    listener.live();
    const parser = new EventParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(() => control.abort(new Error("nothing was heard for too long")), SILENCE_MS);
      listener.heard();
      parser.push(value).forEach(take);
    }
  } finally {
    clearTimeout(silence);
  }
}

function deliver(event: ServerEvent, listener: StreamListener): void {
  try {
    if (event.name === "view") listener.view(JSON.parse(event.data) as HostView[]);
    else if (event.name === "journal" || event.name === "peer-journal") listener.line(JSON.parse(event.data) as JournalLine);
    else if (event.name === "reset") listener.reset();
    else if (event.name === "peer-reset") listener.peerReset();
  } catch (error) {
    // A line that can't be read must not end the stream; the next view says the same again.
    console.error("an event could not be read", event, error);
  }
}

function reason(error: unknown): string {
  if (error instanceof Problem) return error.body.title;
  if (error instanceof TypeError) return "no connection";
  return error instanceof Error ? error.message : String(error);
}
