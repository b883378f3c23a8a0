#!/usr/bin/env node
// FOR DEVELOPMENT OF THE PAGE ONLY: a made-up daemon. Nothing here is the protocol; no test of the product uses it.
//
//   node dev/fake-daemon.mjs --port 7117 --scenario moving [--token TEXT]
//
// Scenarios: calm, moving (a takeover that repeats every half minute), after (the service was taken over), disagree,
// silent (the active host can't be heard), fresh, empty, single. Serves the built page with the daemon's own content policy.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { parseArgs } from "node:util";

const { values: args } = parseArgs({ options: { port: { type: "string", default: "7117" }, scenario: { type: "string", default: "moving" }, token: { type: "string" } } });
const page = new URL("../../host/api/ui-dist/", import.meta.url).pathname;
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const started = Date.now() - 5 * 3600_000;
const term = (value) => ({ value, text: String(value) });
const ROUND = "9f3a01c4";

// ---- what the hosts say -------------------------------------------------------------------------------------------

const FAULT = {
  code: "aof-write-failing",
  kind: "storage",
  severity: "shutdown-required",
  message: "Redis can't write its append-only file: No space left on device",
  shutdown_within_ms: 120_000,
  evidence: [
    { key: "aof_last_write_status", value: "err" },
    { key: "disk.free", value: "0 B of 20 GiB on /var/lib/redis" },
    { key: "seen", value: "3 times in 1.5 s" },
  ],
};

function probe(verdict, faults = []) {
  return {
    plugin: "redis",
    version: "0.1.0",
    digest: "sha256:9c1f0c36f6f23a8e9a4d7be0a6c1f54f1f2a3b6f0e6a7d2c9b8a7f6e5d4c3b2a",
    verdict,
    checked_at_ms: Date.now() - 380,
    duration_us: 1840,
    faults,
    readings: [
      { key: "clients.connected", value: 412, unit: "1", attributes: [] },
      { key: "memory.used", value: 734003200, unit: "B", attributes: [] },
      { key: "replication.lag", value: 0.012, unit: "s", attributes: [] },
      { key: "disk.free", value: 8589934592, unit: "B", attributes: [{ key: "mount", value: "/var/lib/redis" }] },
    ],
    error: null,
    breaker: { state: "closed", failures: 0, retry_in_ms: null },
  };
}

function service(name, me, over = {}) {
  const other = me === "alpha" ? "beta" : "alpha";
  const active = over.active === undefined ? "alpha" : over.active;
  const mine = active === me;
  return {
    service: name,
    server_type: name === "sessions" ? "redis" : "nginx",
    candidates: ["alpha", "beta"],
    home: "alpha",
    role: mine ? "active" : "standby",
    serves: mine,
    held_term: mine ? term(7) : null,
    known_term: term(7),
    verdict: "healthy",
    fault: null,
    takeover: null,
    stay_down: null,
    ready: !mine,
    waiting_for: null,
    timers: mine ? [{ name: "stay-down", remaining_ms: 1400 }] : [{ name: "observe", remaining_ms: 700 }, { name: "silence", remaining_ms: 5200 }],
    peers: [{ host: other, connected: true, heard: true, held_term: mine ? null : term(7), ready: mine, down_for: null }],
    address: { mode: "proxy", listen: [name === "sessions" ? "127.0.0.1:6379" : "127.0.0.1:8080"], server: "127.0.0.1:16379", addresses: [], interface: null, state: mine ? "open" : "closed", detail: null },
    probes: [probe("healthy")],
    alerts: [],
    ...over,
    active,
  };
}

function host(name, services, over = {}) {
  const now = Date.now();
  return { host: name, me: name === "alpha", version: "0.1.0", started_at_ms: started, now_ms: now, seen_at_ms: now, age_ms: name === "alpha" ? 0 : 420, reachable: true, services, alerts: [], ...over };
}

function views() {
  const web = (me, over) => service("web", me, { probes: [{ ...probe("healthy"), plugin: "nginx" }], ...over });
  const other = { active: "beta" };
  switch (args.scenario) {
    case "empty":
      return [host("alpha", [])];
    case "single":
      return [host("alpha", [service("sessions", "alpha", { candidates: ["alpha"], peers: [] })])];
    case "fresh": {
      const fresh = { role: "fresh", serves: false, held_term: null, known_term: term(0), active: null, ready: false, verdict: "unknown", probes: [] };
      return ["alpha", "beta"].map((name) => host(name, [service("sessions", name, fresh)]));
    }
    case "silent": {
      const word = { active: "beta", alerts: ["beta, which is active, has been silent for 48 s; without a witness nobody takes over by itself"], ready: true, peers: [{ host: "beta", connected: false, heard: true, held_term: term(7), ready: false, down_for: null }] };
      return [host("alpha", [service("sessions", "alpha", word)]), host("beta", [service("sessions", "beta", other)], { reachable: false, seen_at_ms: Date.now() - 48_000, age_ms: 48_000 })];
    }
    case "disagree": {
      const unsure = { ...probe("unknown"), error: "no answer within 2 s (time-out)", breaker: { state: "open", failures: 4, retry_in_ms: 8200 } };
      return [
        host("alpha", [service("sessions", "alpha"), web("alpha", { verdict: "impaired", fault: { ...FAULT, code: "tls-certificate-ends", severity: "impaired", message: "the certificate of shop.example ends in 6 days", kind: "software", shutdown_within_ms: null, evidence: [{ key: "not_after", value: "2026-11-29T10:00:00Z" }] } })], { alerts: ["the disk of the state folder is 91 % full"] }),
        host("beta", [service("sessions", "beta", { active: "beta", held_term: term(8), known_term: term(8) }), web("beta", { verdict: "unknown", probes: [unsure], ready: false, peers: [{ host: "alpha", connected: false, heard: true, held_term: term(7), ready: false, down_for: null }] })]),
      ];
    }
    case "after": {
      const down = { active: "beta", verdict: "failing", fault: FAULT, ready: false, stay_down: { released_term: term(7), fault: FAULT.code, phase: "faulty" }, known_term: term(8), probes: [probe("failing", [FAULT])], waiting_for: "its own probes to be healthy for the hold time" };
      const up = { active: "beta", held_term: term(8), known_term: term(8), peers: [{ host: "alpha", connected: true, heard: true, held_term: null, ready: false, down_for: FAULT.code }] };
      return [host("alpha", [service("sessions", "alpha", down), web("alpha")]), host("beta", [service("sessions", "beta", up), web("beta")])];
    }
    case "moving":
      return moving(web);
    default:
      return [host("alpha", [service("sessions", "alpha"), web("alpha")]), host("beta", [service("sessions", "beta"), web("beta")])];
  }
}

// ---- a takeover that repeats --------------------------------------------------------------------------------------

/** When, host, step, detail, role before and after, the table's reason. */
const SCRIPT = [
  [0, "alpha", "fault-indicated", `${FAULT.code}: ${FAULT.message}; to beta`, "active", "asking", "a fault will force the server down: tell a candidate at once, before the cause is known"],
  [3, "beta", "fault-heard", "", "standby", "preparing", "the first indication: get ready, nothing is known yet"],
  [118, "alpha", "fault-reported", "storage, within 120 s", "asking", "asking", "the second indication: kind, code and evidence of the fault"],
  [122, "beta", "assessing", "", "preparing", "preparing", "the second indication: find out whether this host can back the service up"],
  [341, "beta", "shutdown-commanded", "new term 8", "preparing", "preparing", "this host can back the service up: the first may shut down"],
  [344, "alpha", "drain-started", "to beta, 10 s", "asking", "draining", "the second offers to take over: refuse new requests, complete the existing ones"],
  [352, "alpha", "admission-stopped", "", "draining", "draining", "new connections wait: work through what is there"],
  [6500, "alpha", "drained", "", "draining", "draining", "the existing requests are completed and the server finished what must finish"],
  [6590, "alpha", "compilation-sealed", "10000 requests", "draining", "draining", "the list is complete: the second must store it"],
  [6640, "beta", "compilation-stored", "10000 requests", "preparing", "preparing", "every request is on disk here: say so with count and digest"],
  [6644, "alpha", "server-stopping", "", "draining", "draining", "the compilation is durable on the second: stop the server"],
  [6900, "alpha", "server-stopped", "", "draining", "stopped", "its processes are gone: drop the address"],
  [6930, "alpha", "released", "term 8 to beta", "stopped", "released", "the point of no return: the grant is durable before it is sent"],
  [6936, "beta", "grant-accepted", "term 8", "preparing", "activating", "the token is this host's: the term is durable before the server starts"],
  [7090, "beta", "serve-retried", "READONLY You can't write against a read only replica", "activating", "activating", "the server did not start: try again"],
  [7240, "beta", "server-serves", "", "activating", "activating", "the server answers: take the address"],
  [7262, "beta", "serving", "", "activating", "active", "the address is here: clients are admitted"],
  [7266, "alpha", "grant-settled", "", "released", "standby", "the second serves: stay down until the fault is cured"],
  [7900, "beta", "took-over", "10000 requests", "active", "active", "every request of the compilation has its disposition"],
  [15000, "alpha", "cured", "", "standby", "standby", "the probes were healthy for the hold time"],
  [15006, "beta", "come-back-permitted", "alpha", "active", "active", "the other host is cured: it may reboot and come back as a standby"],
  [15010, "alpha", "rebooting", "", "standby", "standby", "the active host permits it: reboot"],
  [18000, "alpha", "rebooted", "", "standby", "standby", "rebooted: come back as a standby"],
  [19500, "alpha", "standing-by", "", "standby", "standby", "the server is ready to take over"],
];
const CYCLE_MS = 30_000;
const BEFORE_MS = 3_000;
let cycleStart = Date.now() + BEFORE_MS;
let counter = 12;
const seqs = { alpha: 0, beta: 0 };
let at = 0;
const journal = [];
const streams = new Set();

const roundNow = () => `${ROUND}-${counter}`;
const passed = () => Date.now() - cycleStart;

function line(when, [, hostName, step, detail, from, to, reason], round, name = "sessions") {
  const entry = { seq: (seqs[hostName] += 1), at_ms: when, host: hostName, service: name, step, reason, detail, from, to, term: term(["serving", "took-over", "grant-accepted"].includes(step) ? 8 : 7), round };
  journal.push(entry);
  return entry;
}

function moving(web) {
  const t = passed();
  const reached = (step) => SCRIPT.some(([when, , name]) => name === step && t >= when);
  const roleOf = (name, before) => SCRIPT.filter(([when, who]) => who === name && t >= when).at(-1)?.[5] ?? before;
  const remaining = reached("admission-stopped") && !reached("drained") ? Math.max(0, Math.round(412 * (1 - (t - 352) / 6148))) : null;
  const over = t < 0 || reached("took-over");
  const step = reached("serving") ? "resolve-requests" : reached("grant-accepted") ? "serve" : reached("server-stopped") ? "drop-address" : reached("server-stopping") ? "stop-server" : reached("compilation-sealed") ? "await-stored" : reached("drained") ? "seal-compilation" : reached("admission-stopped") ? "settle" : reached("assessing") ? "assess" : "asking";
  const takeover = over ? null : { round: roundNow(), first: "alpha", second: "beta", cause: { kind: "fault", fault: FAULT }, step, remaining, blocker: remaining === null ? null : `client 10.0.3.17:51234 (BLPOP jobs, for ${Math.round(t / 1000)} s) and ${remaining} more`, started_at_ms: cycleStart };
  const aRole = roleOf("alpha", "active");
  const bRole = roleOf("beta", "standby");
  const timers = (role) => (role === "draining" ? [{ name: "drain", remaining_ms: Math.max(0, 10344 - t) }, { name: "shutdown-within", remaining_ms: Math.max(0, 120_000 - t) }] : role === "preparing" ? [{ name: "offer", remaining_ms: Math.max(0, 30_000 - t) }] : role === "activating" ? [{ name: "serve", remaining_ms: 29_000 }] : []);
  const alphaServes = ["active", "asking"].includes(aRole) && t < 350;
  const active = bRole === "active" || bRole === "activating" ? "beta" : "alpha";
  const cured = reached("cured");
  const failing = t >= 0 && !cured;
  const alpha = service("sessions", "alpha", { active, role: aRole, serves: alphaServes, held_term: active === "alpha" && aRole !== "released" ? term(7) : null, takeover, verdict: failing ? "failing" : "healthy", fault: failing ? FAULT : null, probes: [failing ? probe("failing", [FAULT]) : probe("healthy")], timers: timers(aRole), ready: reached("standing-by"), waiting_for: remaining === null ? (aRole === "released" ? "beta to confirm that it took over" : null) : `${remaining} requests to complete`, stay_down: reached("grant-settled") && !reached("rebooted") ? { released_term: term(7), fault: FAULT.code, phase: reached("rebooting") ? "rebooting" : cured ? "cured" : "faulty" } : null, address: { ...service("sessions", "alpha").address, state: alphaServes ? "open" : remaining !== null ? "holding" : "closed" } });
  const beta = service("sessions", "beta", { active, role: bRole, serves: bRole === "active", held_term: active === "beta" ? term(8) : null, known_term: term(active === "beta" ? 8 : 7), takeover, timers: timers(bRole), ready: active !== "beta", peers: [{ host: "alpha", connected: true, heard: true, held_term: null, ready: reached("standing-by"), down_for: null }] });
  return [host("alpha", [alpha, web("alpha")]), host("beta", [beta, web("beta")])];
}

function send(stream, event, data, id) {
  stream.write(`${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

function turn() {
  if (args.scenario === "moving") {
    if (passed() > CYCLE_MS) {
      cycleStart = Date.now() + BEFORE_MS;
      counter += 1;
      at = 0;
    }
    while (at < SCRIPT.length && passed() >= SCRIPT[at][0]) {
      const row = SCRIPT[at];
      const entry = line(cycleStart + row[0], row, row[0] < 8000 ? roundNow() : null);
      for (const stream of streams) entry.host === "alpha" ? send(stream, "journal", entry, entry.seq) : send(stream, "peer-journal", entry);
      at += 1;
    }
  }
  for (const stream of streams) send(stream, "view", views());
}

// A past to look at.
for (let hour = 30; hour > 0; hour -= 1) {
  const when = Date.now() - hour * 1800_000;
  line(when, [0, "alpha", "impaired", "memory-high: 87 % of maxmemory used", "active", "active", "the fault does not require a shutdown: tell the operator"], null);
  line(when + 4200, [0, "beta", "standing-by", "", "standby", "standby", "the server is ready to take over"], null, "web");
}
for (const row of SCRIPT) line(Date.now() - 3600_000 * 2 + row[0], row, row[0] < 8000 ? `${ROUND}-11` : null);
const DECLINED = [SCRIPT[0], SCRIPT[1], SCRIPT[2], SCRIPT[3], [402, "beta", "declined", "replication lag 34 s", "preparing", "standby", "the plugin's assessment says no, and what would change it"], [406, "alpha", "candidate-declined", "beta: replication lag 34 s", "asking", "active", "the candidate can't: ask the next one"]];
for (const row of DECLINED) line(Date.now() - 3600_000 * 7 + row[0], row, `${ROUND}-10`);
journal.sort((a, b) => a.at_ms - b.at_ms);
for (const name of Object.keys(seqs)) seqs[name] = journal.filter((entry) => entry.host === name).map((entry, index) => (entry.seq = index + 1)).length;

function takeoverRecord(id) {
  const steps = journal.filter((entry) => entry.round === id);
  const began = steps[0]?.at_ms ?? 0;
  const time = (step) => steps.find((entry) => entry.step === step)?.at_ms ?? null;
  const refusal = time("candidate-declined") ? { code: "replica-lagging", message: "beta declined: its replica lags 34 s behind (replica-lagging)", would_change: "a replication lag below 5 s", host: "beta", because: null } : null;
  const state = refusal ? "declined" : time("took-over") ? "done" : time("grant-accepted") ? "taking-over" : time("released") ? "released" : time("drain-started") ? "draining" : "asking";
  return { id, service: "sessions", first: "alpha", second: "beta", cause: { kind: "fault", fault: FAULT }, state, new_term: time("released") ? term(8) : null, started_at_ms: began, ended_at_ms: time("took-over") ?? time("candidate-declined"), outage_ms: time("serving") && time("released") ? time("serving") - time("released") : null, refusal, steps };
}

const roundsDone = () => [...new Set(journal.filter((entry) => entry.round).map((entry) => entry.round))].reverse();

// ---- ten thousand requests ----------------------------------------------------------------------------------------

const OPERATIONS = ["GET session:%", "SET session:% EX 3600", "BLPOP jobs 0", "EVALSHA 6b1bf486 1 cart:%", "MULTI/EXEC order:%", "SUBSCRIBE prices", "HGETALL user:%"];
const requests = Array.from({ length: 10_000 }, (_, i) => {
  const state = i % 97 === 0 ? "cut" : i % 31 === 0 ? "queued" : i % 211 === 0 ? "failed" : i % 17 === 0 ? "running" : "completed";
  const outcome = { completed: "completed", failed: "completed", queued: "client-retries", running: i % 34 === 0 ? "replayed" : "resumed", cut: i === 9700 ? "lost" : "client-retries" }[state];
  return {
    id: `r-${String(i).padStart(5, "0")}`,
    client: `10.0.${i % 7}.${(i * 37) % 254}:${40000 + ((i * 7919) % 20000)}`,
    operation: OPERATIONS[i % OPERATIONS.length].replace("%", (i * 2654435761 % 2 ** 32).toString(16)),
    state,
    started_at_ms: Date.now() - 7200_000 + i,
    progress: i % 17 === 0 ? { done: i * 13 % 4096, total: 4096, unit: "bytes" } : null,
    idempotency_key: i % 3 === 0 ? `k-${i}` : null,
    resumable: state === "running",
    attributes: [{ key: "db", value: "0" }, { key: "connection", value: `id=${i}` }],
    disposition: i % 499 === 0 && state === "queued" ? null : { outcome, message: { completed: "answered before the stop", resumed: "blocked command issued again on behalf of the client", replayed: "written again from the append-only file", "client-retries": "the connection was closed without an answer", lost: "no trace of it in the append-only file, and the client is gone" }[outcome] },
  };
});

function tally(keys, of) {
  const counts = Object.fromEntries(keys.map((key) => [key, 0]));
  for (const request of requests) counts[of(request)] += 1;
  return counts;
}

const compilation = (round) => ({
  round, service: "sessions", first: "alpha", second: "beta", sealed: true, count: requests.length,
  digest: "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c", started_at_ms: takeoverRecord(round).started_at_ms + 344, sealed_at_ms: takeoverRecord(round).started_at_ms + 6590,
  states: tally(["queued", "running", "completed", "failed", "cut", "refused"], (r) => r.state),
  outcomes: tally(["completed", "resumed", "replayed", "client-retries", "refused", "lost", "unsettled"], (r) => r.disposition?.outcome ?? "unsettled"),
});

// ---- answers ------------------------------------------------------------------------------------------------------

const paged = (items, query) => {
  const limit = Number(query.get("limit") ?? 100);
  const from = Number(query.get("cursor") ?? 0);
  return { items: items.slice(from, from + limit), next: from + limit < items.length ? String(from + limit) : null };
};

function read(path, query) {
  const has = ["after", "moving", "disagree"].includes(args.scenario);
  if (path === "/hosts") return views();
  if (path === "/journal") {
    const before = Number(query.get("before") ?? Infinity);
    const whose = query.get("host") ?? "alpha";
    return args.scenario === "empty" ? [] : journal.filter((entry) => entry.host === whose && entry.seq < before).slice(-Number(query.get("limit") ?? 100));
  }
  if (path === "/takeovers") return paged(has ? roundsDone().map((id) => ({ ...takeoverRecord(id), steps: [] })) : [], query);
  if (path === "/compilations") return paged(has ? roundsDone().filter((id) => takeoverRecord(id).state !== "declined").map(compilation) : [], query);
  const one = path.match(/^\/takeovers\/([^/]+)$/);
  if (one) return roundsDone().includes(one[1]) ? takeoverRecord(one[1]) : null;
  if (/^\/compilations\/[^/]+\/requests$/.test(path)) {
    const want = (key) => query.get(key);
    return paged(requests.filter((r) => (!want("state") || r.state === want("state")) && (!want("outcome") || (r.disposition?.outcome ?? "unsettled") === want("outcome")) && (!want("client") || r.client.startsWith(want("client")))), query);
  }
  return null;
}

const REFUSED = {
  type: "urn:understudy:problem:refused", title: "The order is refused", status: 409,
  detail: "beta declined: its replica lags 34 s behind (replica-lagging); would accept if the lag is below 5 s",
  instance: "/api/v1/services/sessions/takeover", refusal: "declined", would_change: "a replication lag below 5 s",
  because: { code: "declined", message: "beta declined: its replica lags 34 s behind", would_change: "a replication lag below 5 s", host: "beta", because: { code: "replica-lagging", message: "its replica lags 34 s behind", would_change: "a replication lag below 5 s", host: null, because: null } },
  request_id: "2c7b6ac0-6b3c-4f27-9a53-64f5a1d7d6a1",
};

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

async function answer(request, response) {
  const url = new URL(request.url, "http://fake");
  const json = (status, body, type = "application/json") => response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(JSON.stringify(body));
  if (!url.pathname.startsWith("/api/v1")) {
    const name = url.pathname === "/" ? "index.html" : normalize(url.pathname).replace(/^(\.\.[/\\])+/, "");
    const file = await readFile(join(page, name)).catch(() => null);
    if (!file) return response.writeHead(404).end("no such file; run web/build first");
    return response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "application/octet-stream", "content-security-policy": CSP }).end(file);
  }
  if (args.token && request.headers.authorization !== `Bearer ${args.token}`) {
    return json(401, { type: "urn:understudy:problem:unauthorized", title: "A token is needed", status: 401, detail: "Send the token as `Authorization: Bearer …`." }, "application/problem+json");
  }
  const path = url.pathname.slice("/api/v1".length);
  if (path === "/events") {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    send(response, "view", views());
    const last = request.headers["last-event-id"];
    if (last !== undefined) for (const entry of journal.filter((entry) => entry.host === "alpha" && entry.seq > Number(last))) send(response, "journal", entry, entry.seq);
    streams.add(response);
    request.on("close", () => streams.delete(response));
    return undefined;
  }
  if (request.method === "POST") {
    const [, , name, what] = path.split("/");
    if (what === "giveback" || what === "takeover") return json(409, REFUSED, "application/problem+json");
    return json(202, { order: what, service: name, takeover: null, location: `/api/v1/services/${name}` });
  }
  const found = read(path, url.searchParams);
  return found === null ? json(404, { type: "urn:understudy:problem:not-found", title: "Not found", status: 404, detail: `there is no ${path} here` }, "application/problem+json") : json(200, found);
}

setInterval(turn, args.scenario === "moving" ? 150 : 1000);
createServer((request, response) => void answer(request, response)).listen(Number(args.port), "127.0.0.1", () => console.log(`a made-up daemon (${args.scenario}) at http://127.0.0.1:${args.port}/`));
