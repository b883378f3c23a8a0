// Tests of what is pure in the page, and of its agreement with the daemon's own words: every step, timer, role and
// outcome that the Rust sources name must be known here, so that a new one is noticed when it is added, not by a reader.
//
//   npm test

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { createServer } from "vite";

const repository = new URL("../../", import.meta.url);
/** The rows stand in a folder, a file for each concern. */
const TABLE = () => {
  const folder = "host/protocol/src/table/";
  return readdirSync(new URL(folder, repository)).map((name) => source(folder + name)).join("\n");
};
const source = (path) => readFileSync(new URL(path, repository), "utf8");

let vite;
let sse, steps, story, summary, words, route;

before(async () => {
  globalThis.location = { hash: "" };
  globalThis.addEventListener = () => {};
  vite = await createServer({ configFile: false, root: new URL("..", import.meta.url).pathname, appType: "custom", logLevel: "error", server: { middlewareMode: true, ws: false }, optimizeDeps: { noDiscovery: true } });
  const load = (name) => vite.ssrLoadModule(`/src/lib/${name}.ts`);
  [sse, steps, story, summary, words] = await Promise.all(["sse", "steps", "story", "summary", "words"].map(load));
});

after(() => vite.close());

describe("the daemon's words", () => {
  test("every row of the transition table has its place among the ten steps", () => {
    const names = [...TABLE().matchAll(/^\s+(?:row|quiet)\("([a-z-]+)"/gm)].map((match) => match[1]);
    assert.ok(names.length > 80, "the table could not be read");
    const strangers = [...new Set(names)].filter((name) => !steps.isKnown(name));
    assert.deepEqual(strangers, [], "add these to src/lib/steps.ts");
  });

  test("no place is kept for a row that is gone", () => {
    const table = TABLE();
    const gone = steps.knownNames().filter((name) => !table.includes(`"${name}"`));
    assert.deepEqual(gone, [], "remove these from src/lib/steps.ts");
  });

  test("every timer says what follows", () => {
    const all = source("host/protocol/src/time.rs");
    const names = [...all.slice(all.indexOf("fn as_str")).matchAll(/TimerName::\w+ => "([a-z-]+)"/g)].map((match) => match[1]);
    const unique = [...new Set(names)];
    assert.ok(unique.length >= 20, "the timers could not be read");
    assert.deepEqual(unique.filter((name) => !words.TIMERS[name]), []);
  });

  for (const [file, name, table] of [
    ["host/api/src/wire/service.rs", "Role", "ROLES"],
    ["host/api/src/wire/fault.rs", "Verdict", "VERDICTS"],
    ["host/api/src/wire/takeover.rs", "TakeoverState", "TAKEOVER_STATES"],
    ["host/api/src/wire/ledger.rs", "RequestState", "STATES"],
    ["host/api/src/wire/ledger.rs", "Outcome", "OUTCOMES"],
  ]) {
    test(`every ${name} has a word and a meaning`, () => {
      const missing = variants(source(file), name).filter((variant) => !words[table][variant]?.means);
      assert.deepEqual(missing, []);
    });
  }

  test("every step of a takeover's view has its place", () => {
    const view = source("host/protocol/src/view.rs");
    const body = view.slice(view.indexOf("fn takeover_view"), view.indexOf("fn waiting_for"));
    const plain = [...body.matchAll(/(?:plain\(|=> )"([a-z-]+)"|\{ "([a-z-]+)" \}/g)].flatMap((match) => [match[1], match[2]]).filter(Boolean);
    const role = source("host/protocol/src/role.rs");
    const drain = [...role.matchAll(/DrainStep::\w+ => "([a-z-]+)"/g)].map((match) => match[1]);
    assert.ok(plain.length >= 7 && drain.length >= 6, "the steps could not be read");
    assert.deepEqual([...plain, ...drain].filter((name) => !steps.placeOfWork(name)), [], "add these to WORK in src/lib/steps.ts");
  });
});

/** The variants of a Rust enum, as serde writes them. */
function variants(text, name) {
  const body = text.match(new RegExp(`pub enum ${name} \\{([^}]*)\\}`))?.[1] ?? "";
  const found = [...body.matchAll(/^\s+([A-Z]\w*),/gm)].map((match) => match[1].replace(/(?<!^)([A-Z])/g, "-$1").toLowerCase());
  assert.ok(found.length > 1, `${name} could not be read`);
  return found;
}

describe("server-sent events", () => {
  test("come out whole, however they were cut", () => {
    const text = ": alive\n\nid: 7\nevent: journal\ndata: {\"a\":1}\n\nevent: view\r\ndata: []\r\ndata: 2\r\n\r\nevent: nothing\n\n";
    for (let size = 1; size < text.length; size += 1) {
      const parser = new sse.EventParser();
      const events = [];
      for (let at = 0; at < text.length; at += size) events.push(...parser.push(text.slice(at, at + size)));
      assert.deepEqual(
        events.map((event) => [event.id, event.name, event.data]),
        [["7", "journal", '{"a":1}'], ["7", "view", "[]\n2"]],
      );
    }
  });
});

describe("numbers nobody reads", () => {
  test("are short on a line", () => {
    assert.equal(words.shortId("2cf1925eadbb665d31da403fc409c013-1"), "2cf1925e…-1");
    assert.equal(words.shortId("9f3a01c4-12"), "9f3a01c4-12");
    assert.equal(words.shortened(`8 requests, digest ${"f56fe1e1".repeat(8)}`), "8 requests, digest f56fe1e1…");
  });
});

describe("lengths of time", () => {
  test("are short and honest", () => {
    assert.deepEqual([0, 940, 9940, 9960, 119_000, 130_000, 7_300_000].map(words.length), ["0.0 s", "0.9 s", "9.9 s", "10 s", "119 s", "2 min", "2 h"]);
    assert.equal(words.offset(-3), "−3 ms");
    assert.equal(words.precise(12_345), "12.35 s");
  });
});

const term = (value) => ({ value, text: String(value) });
const at = (ms, host, step, from, to, round = "r-1") => ({ seq: ms + 1, at_ms: 1000 + ms, host, service: "s", step, reason: "", detail: "", from, to, term: term(1), round });
const takeover = (over = {}) => ({ id: "r-1", service: "s", first: "a", second: "b", cause: null, state: "done", new_term: null, started_at_ms: 1000, ended_at_ms: 2000, outage_ms: null, refusal: null, steps: [], ...over });

describe("a takeover's story", () => {
  const whole = [
    at(0, "a", "fault-indicated", "active", "asking"),
    at(2, "b", "fault-heard", "standby", "preparing"),
    at(9, "b", "shutdown-commanded", "preparing", "preparing"),
    at(10, "a", "drain-started", "asking", "draining"),
    at(12, "a", "admission-stopped", "draining", "draining"),
    at(40, "a", "released", "stopped", "released"),
    at(45, "b", "grant-accepted", "preparing", "activating"),
    at(80, "b", "serving", "activating", "active"),
    at(90, "b", "took-over", "active", "active"),
  ];
  const stateOf = (told, key) => told.rows.find((row) => row.step.key === key).state;

  test("puts each line under its step, in the lane of its host, with the moments that count", () => {
    const told = story.tell(takeover(), whole, null, true);
    assert.deepEqual([told.admissionStoppedMs, told.releasedMs, told.servingMs], [12, 40, 80]);
    const drain = told.rows.find((row) => row.step.key === "drain");
    assert.deepEqual([drain.first.length, drain.second.length, drain.fromMs, drain.toMs], [2, 0, 10, 12]);
    assert.equal(stateOf(told, "compile"), "silent");
    assert.equal(stateOf(told, "takeover"), "done");
    assert.equal(stateOf(told, "stay-down"), "running");
    assert.equal(stateOf(told, "cure"), "waiting");
  });

  test("shows where it is while it runs, and where it ended", () => {
    const asked = whole.slice(0, 3);
    const running = story.tell(takeover({ state: "asking", ended_at_ms: null }), asked, null, true);
    assert.deepEqual([stateOf(running, "assess"), stateOf(running, "drain")], ["running", "waiting"]);
    const declined = story.tell(takeover({ state: "declined" }), [...asked, at(11, "a", "candidate-declined", "asking", "active")], null, true);
    assert.deepEqual([stateOf(declined, "assess"), stateOf(declined, "drain"), stateOf(declined, "cure")], ["stuck", "not-reached", "not-reached"]);
  });

  test("says when the clocks can't both be right", () => {
    const skewed = whole.map((line) => (line.host === "b" ? { ...line, at_ms: line.at_ms - 30 } : line));
    assert.equal(story.tell(takeover(), skewed, null, true).clockGapMs, 28);
    assert.equal(story.tell(takeover(), whole, null, true).clockGapMs, 0);
  });

  test("takes lines without a round only from its own time", () => {
    const loose = [at(500, "a", "cured", "standby", "standby", null), at(900, "a", "rebooted", "standby", "standby", null), at(-99_000, "a", "cured", "standby", "standby", null), at(600, "a", "impaired", "active", "active", null)];
    const lines = story.linesOf(takeover(), [...whole, ...loose, at(20, "a", "drained", "draining", "draining", "r-2")], { fromMs: null, toMs: 1800 });
    assert.deepEqual(lines.slice(9).map((line) => line.step), ["cured"]);
  });

  test("keeps two hosts' lines apart that have one number", () => {
    const lines = story.linesOf(takeover({ steps: [{ ...whole[0], seq: 5 }] }), [{ ...whole[1], seq: 5 }], { fromMs: null, toMs: null });
    assert.deepEqual(lines.map((line) => line.host), ["a", "b"]);
  });
});

const view = (over) => ({ service: "s", server_type: "redis", candidates: ["a", "b"], home: "a", role: "standby", serves: false, held_term: null, known_term: term(3), active: "a", verdict: "healthy", fault: null, takeover: null, stay_down: null, ready: true, waiting_for: null, timers: [], peers: [], address: {}, probes: [], alerts: [], ...over });
const host = (name, over, more = {}) => ({ host: name, me: name === "a", version: "1", started_at_ms: 0, now_ms: 0, seen_at_ms: 0, age_ms: 0, reachable: true, services: [view(over)], alerts: [], ...more });
const serving = { role: "active", serves: true, held_term: term(3) };
const summed = (...hosts) => summary.summaries(hosts, (one) => one.age_ms)[0];

describe("who is active", () => {
  test("is a host that says so now", () => {
    const one = summed(host("a", serving), host("b", {}));
    assert.deepEqual([one.headline.big, one.headline.tone, one.headline.isHost, one.disagreements.length], ["a", "good", true, 0]);
  });

  test("is never guessed from an old word", () => {
    const one = summed(host("b", {}, { me: true }), host("a", serving, { me: false, reachable: false, age_ms: 60_000 }));
    assert.deepEqual([one.headline.big, one.headline.tone], ["a?", "odd"]);
  });

  test("is an alarm when two say so", () => {
    const one = summed(host("a", serving), host("b", { ...serving, active: "b", held_term: term(4) }));
    assert.deepEqual([one.headline.tone, one.headline.isHost, one.disagreements[0].grave], ["bad", false, true]);
  });

  test("is nobody when nobody serves, with the holder named", () => {
    const one = summed(host("a", { role: "parked", held_term: term(3) }), host("b", {}));
    assert.match(one.headline.big, /Nobody/);
    assert.match(one.headline.small, /a holds it/);
  });

  test("differs as long as the hosts differ, but not while the service moves", () => {
    const moving = { takeover: { round: "r-1", first: "a", second: "b", cause: null, step: "serve", remaining: null, blocker: null, started_at_ms: null } };
    assert.equal(summed(host("a", serving), host("b", { active: null })).disagreements.length, 1);
    assert.equal(summed(host("a", { role: "released", active: "b" }), host("b", { ...moving, role: "activating", held_term: term(4), active: null })).disagreements.length, 0);
  });
});

describe("addresses of the page", () => {
  test("survive whatever somebody types", async () => {
    route = await vite.ssrLoadModule("/src/lib/place.ts");
    assert.deepEqual(route.parse("#/takeovers/9f3a01c4-12"), { page: "takeovers", argument: "9f3a01c4-12" });
    assert.deepEqual(route.parse("#/nowhere/%"), { page: "overview", argument: "" });
    assert.deepEqual(route.parse(route.href("history", "a b/c")), { page: "history", argument: "a b/c" });
  });
});
