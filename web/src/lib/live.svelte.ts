// What the page knows, live: the hosts' views, the newest journal lines, the state of the connection, and the clock.
//
// Invariants: nothing here is older than it says (`ageOf`); a lost connection empties nothing, it only ages.

import { follow, hosts as askHosts, journal as askJournal, onTokenWanted, Problem, useToken } from "./api";
import { lineKey, type HostView, type JournalLine } from "./wire";

/** Kept in memory for the timeline and the tail; older lines are asked for when somebody scrolls to them. */
const LINES_KEPT = 4000;
const LINES_AT_START = 500;
/** How often ages and countdowns are redrawn. */
const TICK_MS = 250;
/** A view older than this is no longer called current. */
export const STALE_MS = 10_000;

export type Connection =
  | { state: "connecting" }
  | { state: "live" }
  | { state: "lost"; why: string; sinceMs: number; retryAtMs: number };

class Live {
  /** Null until the first answer. */
  hosts = $state.raw<HostView[] | null>(null);
  /** Oldest first. */
  lines = $state.raw<JournalLine[]>([]);
  connection = $state.raw<Connection>({ state: "connecting" });
  /** Why the first answer did not come. */
  problem = $state.raw<Problem | null>(null);
  /** Null: no token is asked for. */
  tokenAsked = $state.raw<"missing" | "wrong" | null>(null);
  /** This machine's clock, four times a second. */
  nowMs = $state(Date.now());
  /** When the hosts' views arrived, on this machine's clock. */
  viewedAtMs = $state(Date.now());
  heardAtMs = $state(Date.now());
  /** The answering host's clock minus this machine's. */
  #skewMs = $state(0);
  #stream: ReturnType<typeof follow> | null = null;
  #pending: JournalLine[] = [];

  me = $derived(this.hosts?.find((host) => host.me) ?? null);
  /** The answering host's clock. */
  hostNowMs = $derived(this.nowMs + this.#skewMs);

  start(): void {
    setInterval(() => {
      this.nowMs = Date.now();
      this.#flush();
    }, TICK_MS);
    onTokenWanted((wrong) => {
      this.tokenAsked = wrong ? "wrong" : "missing";
    });
    void this.#begin();
  }

  useToken(token: string): void {
    useToken(token);
    this.tokenAsked = null;
    if (this.#stream) this.#stream.retryNow();
    else void this.#begin();
  }

  retryNow(): void {
    if (this.#stream) this.#stream.retryNow();
    else void this.#begin();
  }

  /** How old a host's word is now; null when it was never heard. The answering host says every change at once. */
  ageOf(host: HostView): number | null {
    if (host.me && this.connection.state === "live") return 0;
    return this.sinceMade(host);
  }

  /** How long ago a host's view was made. */
  sinceMade(host: HostView): number | null {
    return host.age_ms === null ? null : host.age_ms + Math.max(0, this.nowMs - this.viewedAtMs);
  }

  /** A host's own clock now. */
  clockOf(host: HostView): number | null {
    return host.now_ms === null ? null : host.now_ms + (this.sinceMade(host) ?? 0);
  }

  /** The time left on a timer of that host. */
  leftOf(host: HostView, remainingMs: number): number {
    return Math.max(0, remainingMs - (this.sinceMade(host) ?? 0));
  }

  async #begin(): Promise<void> {
    this.connection = { state: "connecting" };
    let lines: JournalLine[];
    try {
      const answers = await Promise.all([askHosts(), askJournal({ limit: LINES_AT_START })]);
      const hosts = answers[0];
      lines = answers[1];
      this.problem = null;
      this.#see(hosts);
      this.lines = lines;
    } catch (error) {
      this.problem = error instanceof Problem ? error : null;
      if (this.problem?.body.status === 401) return; // goes on when a token is given
      this.connection = { state: "lost", why: this.problem?.body.title ?? String(error), sinceMs: Date.now(), retryAtMs: Date.now() + 3000 };
      setTimeout(() => void this.#begin(), 3000);
      return;
    }
    this.#stream = follow(
      {
        view: (hosts) => this.#see(hosts),
        line: (line) => this.#pending.push(line),
        reset: () => void this.#reload(),
        peerReset: () => void this.#loadPeers(),
        live: () => {
          this.connection = { state: "live" };
          // The stream repeats what was missed of the answering host's journal, not of the peers'.
          void this.#loadPeers();
        },
        heard: () => (this.heardAtMs = Date.now()),
        lost: (why, retryInMs) => {
          const sinceMs = this.connection.state === "lost" ? this.connection.sinceMs : this.heardAtMs;
          this.connection = { state: "lost", why, sinceMs, retryAtMs: Date.now() + retryInMs };
        },
      },
      Math.max(0, ...lines.filter((line) => line.host === this.me?.host).map((line) => line.seq)),
    );
  }

  async #reload(): Promise<void> {
    this.#pending = [];
    this.lines = await askJournal({ limit: LINES_AT_START }).catch(() => []);
    await this.#loadPeers();
  }

  /** What the peers have told of their journals; one that fails is no reason to show nothing of the others. */
  async #loadPeers(): Promise<void> {
    const peers = (this.hosts ?? []).filter((host) => !host.me);
    const answers = await Promise.allSettled(peers.map((peer) => askJournal({ host: peer.host, limit: LINES_AT_START })));
    for (const answer of answers) if (answer.status === "fulfilled") this.#pending.push(...answer.value);
    this.#flush();
  }

  #see(hosts: HostView[]): void {
    this.hosts = hosts;
    this.viewedAtMs = Date.now();
    this.nowMs = this.viewedAtMs;
    this.heardAtMs = this.viewedAtMs;
    const now = hosts.find((host) => host.me)?.now_ms;
    if (now) this.#skewMs = now - this.viewedAtMs;
    this.#flush();
  }

  /** Lines come in bursts; they are shown a tick at a time. A line seen before (a repetition after a reconnect) is one line. */
  #flush(): void {
    if (this.#pending.length === 0) return;
    const known = new Set(this.lines.map(lineKey));
    const fresh = this.#pending.filter((line) => !known.has(lineKey(line)));
    this.#pending = [];
    if (fresh.length > 0) this.lines = inOrder([...this.lines, ...fresh]).slice(-LINES_KEPT);
  }
}

/** By time, as the hosts' clocks say. */
function inOrder(lines: JournalLine[]): JournalLine[] {
  return lines.sort((a, b) => a.at_ms - b.at_ms || a.seq - b.seq);
}

export const live = new Live();
