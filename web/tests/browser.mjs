// The page in a real browser against a real daemon: what it shows is compared with what the daemon's API says.
//
//   npm run test:browser -- --url http://127.0.0.1:7420 [--token TEXT] [--orders SERVICE] [--shots FOLDER]
//
// The address may also come from UNDERSTUDY_URL, the token from UNDERSTUDY_TOKEN. Without --orders nothing is changed on
// the daemon. With it, SERVICE is taken over through the page and followed on its timeline until it serves elsewhere:
// use a service that has a ready standby.
//
// Needs Chromium: CHROMIUM names it, else /usr/bin/chromium. Exit codes: 0 all passed, 1 something failed, 2 wrong use,
// 3 no browser or no daemon.

import assert from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { parseArgs } from "node:util";
import AxeBuilder from "@axe-core/playwright";
import { chromium } from "playwright-core";

const { values: args } = parseArgs({
  options: {
    url: { type: "string", default: process.env.UNDERSTUDY_URL },
    token: { type: "string", default: process.env.UNDERSTUDY_TOKEN },
    orders: { type: "string" },
    shots: { type: "string" },
  },
});
const PROGRAM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const BROWSER_ARGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-proxy-server", "--disable-background-networking", "--disable-component-update"];
/** Patience for something that must happen; nothing here measures speed. */
const PATIENCE_MS = 10_000;
/** A takeover may take as long as its drain. */
const TAKEOVER_MS = 90_000;
const WIDE = { width: 1360, height: 900 };
const NARROW = { width: 390, height: 844 };
const PAGES = ["overview", "takeovers", "compilations", "history"];

function end(code, message) {
  console.error(`browser test: ${message}`);
  process.exit(code);
}

if (!args.url) end(2, "say which daemon: --url http://127.0.0.1:PORT, or UNDERSTUDY_URL");
if (!existsSync(PROGRAM)) end(3, `no Chromium at ${PROGRAM}. Install it (sudo apt-get install -y chromium), or name one in CHROMIUM`);
if (args.shots) mkdirSync(args.shots, { recursive: true });
const base = args.url.replace(/\/+$/, "");

async function api(path) {
  const response = await fetch(`${base}/api/v1${path}`, { headers: args.token ? { authorization: `Bearer ${args.token}` } : {}, signal: AbortSignal.timeout(PATIENCE_MS) });
  assert.ok(response.ok, `GET ${path}: ${response.status}`);
  return response.json();
}

await api("/hosts").catch((error) => end(3, `no daemon answers at ${base}: ${error.message}${error.cause ? ` (${error.cause.message})` : ""}`));
const browser = await chromium.launch({ executablePath: PROGRAM, args: BROWSER_ARGS }).catch((error) => end(3, `Chromium does not start: ${error.message}`));

// ---- a page that tells on itself ----------------------------------------------------------------------------------

/** Opens the page; whatever goes wrong in it, unasked, is collected in `faults`. */
async function open(hash, { scheme = "light", viewport = WIDE, signedIn = true } = {}) {
  const context = await browser.newContext({ colorScheme: scheme, viewport, reducedMotion: "reduce" });
  if (args.token && signedIn) await context.addInitScript((token) => sessionStorage.setItem("understudy.token", token), args.token);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const faults = [];
  page.on("pageerror", (error) => faults.push(`script error: ${error.message}`));
  page.on("console", (message) => {
    // A refused order is an answer, not a fault of the page; the browser notes it all the same.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) faults.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== new URL(base).origin) faults.push(`asks elsewhere: ${request.url()}`);
  });
  await page.goto(`${base}/${hash}`);
  return { page, context, faults };
}

const until = async (what, check, patience = PATIENCE_MS) => {
  const end = Date.now() + patience;
  let last;
  for (;;) {
    try {
      const found = await check();
      if (found) return found;
      last = new Error(`it is ${JSON.stringify(found)}`);
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`waited ${patience} ms for ${what}: ${last.message}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};

const isLive = (page) => page.getByRole("banner").getByText("Live", { exact: true }).waitFor();

async function accessible(page, shot) {
  const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]).analyze();
  assert.deepEqual(violations.map((violation) => `${violation.id}: ${violation.help}: ${violation.nodes.slice(0, 3).map((node) => node.target.join(" ")).join(" | ")}`), []);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(over <= 0, `the page is ${over} px too wide`);
  if (args.shots) await page.screenshot({ path: `${args.shots}/${shot}.png`, fullPage: true });
}

// ---- the tests ----------------------------------------------------------------------------------------------------

const tests = [];
const test = (name, run, hash, options) => tests.push({ name, run, hash, options });

test("the overview names every host, every service and who is active, as the API does", async ({ page, faults }) => {
  await isLive(page);
  await until("the page to agree with the API", async () => {
    const hosts = await api("/hosts");
    const main = await page.locator("main").innerText();
    for (const host of hosts) {
      assert.ok(main.includes(host.host), `host ${host.host} is missing`);
      for (const service of host.services) assert.ok(main.includes(service.service), `service ${service.service} is missing`);
    }
    for (const name of new Set(hosts.flatMap((host) => host.services.map((service) => service.service)))) {
      const serving = hosts.filter((host) => host.reachable && host.services.some((view) => view.service === name && view.serves));
      const card = page.getByRole("article", { name, exact: true });
      const headline = await card.locator(".big").innerText();
      if (serving.length === 1) assert.ok(headline.includes(serving[0].host), `${name}: the page says ${headline}, the API ${serving[0].host}`);
      else assert.ok(!hosts.some((host) => headline.trim() === host.host), `${name}: the page names ${headline}, the API nobody or several`);
    }
    return true;
  });
  assert.deepEqual(faults, []);
}, "#/overview");

test("an order says what it does, wants a reason, and can be left with the keyboard", async ({ page }) => {
  await isLive(page);
  const button = page.locator('main [role="group"] button:not([aria-disabled="true"])').first();
  if ((await button.count()) === 0) {
    const disabled = page.locator('main [role="group"] button').first();
    if ((await disabled.count()) === 0) return assert.equal((await api("/hosts")).flatMap((host) => host.services).length, 0, "services without orders");
    assert.ok(await disabled.getAttribute("title"), "a button that can't be used must say why");
    return undefined;
  }
  await button.focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog");
  await dialog.waitFor();
  await dialog.getByText("What will happen").waitFor();
  assert.ok((await dialog.locator("li").count()) > 0, "it does not say what will happen");
  assert.ok(await dialog.locator("button[type=submit]").isDisabled(), "it can be sent without a reason");
  assert.ok(await page.evaluate(() => document.querySelector("dialog")?.contains(document.activeElement)), "the focus is outside of the dialog");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  return undefined;
}, "#/overview");

test("a refusal is shown in full, and changes nothing", async ({ page }) => {
  await isLive(page);
  const takeOver = page.locator('main [role="group"] button:not([aria-disabled="true"])', { hasText: /^\s*Take over\s*$/ }).first();
  if ((await takeOver.count()) === 0) {
    const able = (await api("/hosts")).filter((host) => host.reachable && host.services.length > 0);
    assert.ok(able.length < 2 || (await page.locator("main [title]").count()) > 0, "no takeover can be ordered and nothing says why");
    return;
  }
  const before = (await api("/takeovers?limit=1")).items[0]?.id;
  await takeOver.click();
  const dialog = page.getByRole("dialog");
  // The daemon takes one line without control characters: this is refused before anything is done.
  await dialog.getByLabel(/Reason/).fill("not a \u0001 line");
  const answer = page.waitForResponse((response) => response.request().method() === "POST");
  await dialog.locator("button[type=submit]").click();
  const problem = await (await answer).json();
  assert.ok(problem.status >= 400, `it was not refused: ${JSON.stringify(problem)}`);
  const alert = dialog.getByRole("alert");
  const text = await alert.innerText();
  for (const part of [problem.title, problem.detail, problem.would_change, problem.field].filter(Boolean)) assert.ok(text.includes(part), `the page does not say: ${part}`);
  assert.equal((await api("/takeovers?limit=1")).items[0]?.id, before);
}, "#/overview");

test("a takeover's steps are those of the API, under their headings, with the point of no return", async ({ page, faults }) => {
  await isLive(page);
  const [newest] = (await api("/takeovers?limit=1")).items;
  if (!newest) return page.getByText("No takeover yet.").waitFor();
  await page.getByRole("heading", { name: "10. Cure and come back" }).waitFor();
  assert.equal(await page.getByRole("heading", { name: /^\d+\. / }).count(), 10);
  await page.getByText(/Point of no return/).first().waitFor();
  await until("every step of the API to be on the page", async () => {
    const record = await api(`/takeovers/${newest.id}`);
    const text = await page.getByRole("region", { name: "Step by step" }).innerText();
    for (const line of record.steps) {
      const name = line.step.charAt(0).toUpperCase() + line.step.slice(1).replaceAll("-", " ");
      assert.ok(text.includes(name), `${line.host}: ${line.step} is missing`);
    }
    if (record.steps.some((line) => line.step === "released")) assert.match(text, /Point of no return · passed at/);
    return true;
  });
  const first = page.locator("main summary").filter({ has: page.locator(".what") }).first();
  await first.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("term").filter({ hasText: /^Why$/ }).first().waitFor();
  assert.deepEqual(faults, []);
  return undefined;
}, "#/takeovers");

test("a compilation is counted, filtered and paged as in the API; only the rows in sight exist", async ({ page, faults }) => {
  await isLive(page);
  const { items } = await api("/compilations?limit=50");
  if (items.length === 0) return page.getByText("No compilation yet.").waitFor();
  const compilation = items.reduce((most, one) => (one.count > most.count ? one : most));
  await page.evaluate((round) => (location.hash = `#/compilations/${round}`), compilation.round);
  const digits = (text) => text.replace(/[^\d]/g, "");
  await until("the number of requests", async () => digits(await page.locator(".number").innerText()) === String(compilation.count));
  for (const [title, counts] of [["How far they got on the first", compilation.states], ["What became of them on the second", compilation.outcomes]]) {
    const group = page.getByRole("group", { name: title });
    const shown = (await group.locator("button strong").allInnerTexts()).map((text) => Number(digits(text))).sort((a, b) => a - b);
    assert.deepEqual(shown, Object.values(counts).filter((count) => count > 0).sort((a, b) => a - b), title);
  }
  if (compilation.count === 0) return page.getByText("No request was under way.").waitFor();
  const table = page.getByRole("table");
  const rows = table.locator('[role="rowgroup"] [role="row"]');
  await rows.first().waitFor();
  const inSight = await rows.count();
  assert.ok(inSight <= Math.min(compilation.count, 100), `${inSight} rows exist at once`);

  const [state, count] = Object.entries(compilation.states).find(([, n]) => n > 0);
  await page.getByLabel("State").selectOption(state);
  await until("the filtered rows", async () => (await page.locator(".shown").innerText()).replace(/\D*(\d[\d\s\u202f]*) request.*/s, "$1").replace(/\D/g, "") === String(count));
  await until(`only rows that are ${state}`, async () => {
    const words = new Set((await rows.locator('[role="cell"]:nth-child(5)').allInnerTexts()).map((word) => word.trim()));
    assert.equal(words.size, 1, `it shows ${[...words]}`);
    return true;
  });
  await page.getByLabel("State").selectOption("");
  // A key pressed while the rows are still on their way has nothing to choose.
  await until("all rows again", async () => (await table.getAttribute("aria-rowcount")) === String(compilation.count) && (await table.getAttribute("aria-busy")) === "false" && (await rows.count()) > 0);

  await table.focus();
  await page.keyboard.press("ArrowDown");
  const detail = page.getByRole("complementary", { name: "One request" });
  const first = (await api(`/compilations/${compilation.round}/requests?limit=1`)).items[0];
  await until("the first request's details", async () => (await detail.innerText()).includes(first.id));
  assert.ok((await detail.innerText()).includes(first.operation));

  // To the very end, page by page.
  await until("the last row", async () => {
    await table.evaluate((element) => (element.scrollTop = element.scrollHeight));
    return (await rows.last().getAttribute("aria-rowindex")) === String(compilation.count + 1);
  }, TAKEOVER_MS);
  assert.ok((await rows.count()) <= 100);
  assert.deepEqual(faults, []);
  return undefined;
}, "#/compilations");

test("the history shows the newest line, and filters", async ({ page, faults }) => {
  await isLive(page);
  const lines = await api("/journal?limit=200");
  if (lines.length === 0) return page.getByText("The journal is empty.").waitFor();
  const rows = page.locator("tbody tr:not(.day)");
  await rows.first().waitFor();
  const needle = lines.at(-1).reason;
  await page.getByRole("searchbox").fill(needle);
  await until("only lines that match", async () => {
    const texts = await rows.allInnerTexts();
    return texts.length > 0 && texts.every((text) => text.includes(needle));
  });
  await page.getByRole("searchbox").fill("no line says this, ever");
  await page.getByText(/lines matches/).waitFor();
  await page.getByRole("searchbox").fill("");
  await page.getByRole("button", { name: "Follows live" }).click();
  await page.getByRole("button", { name: /^Paused/ }).waitFor();
  assert.deepEqual(faults, []);
  return undefined;
}, "#/history");

test("a lost connection is said at once, empties nothing, and comes back by itself", async ({ page, context }) => {
  await isLive(page);
  const before = await page.locator("main").innerText();
  await context.setOffline(true);
  // An open stream outlives this. Browsers tell the page, except where they took the machine for offline all along.
  await page.evaluate(() => dispatchEvent(new Event("offline")));
  await page.getByText(/Not live:/).waitFor();
  assert.ok((await page.locator("main").innerText()).length > before.length / 2, "the page was emptied");
  await context.setOffline(false);
  await isLive(page);
  await page.getByText(/Not live:/).waitFor({ state: "detached" });
}, "#/overview");

test("every page can be reached with the keyboard alone", async ({ page }) => {
  await isLive(page);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Skip to the content");
  for (const name of ["Takeovers", "Compilations", "History", "Overview"]) {
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name }).focus();
    await page.keyboard.press("Enter");
    await until(`the page ${name}`, () => page.evaluate((wanted) => document.title.startsWith(wanted), name));
    assert.equal(await page.evaluate(() => document.activeElement?.tagName), "MAIN", "the focus is not where the new page is");
  }
}, "#/overview");

const KINDS = [["light", WIDE], ["dark", WIDE], ["light", NARROW], ["dark", NARROW]];

/** Whether anybody holds the service of a card that can be rehearsed: the first of them. */
const rehearsable = (page) => page.locator("main article").filter({ has: page.getByRole("button", { name: "Rehearse", exact: true }) }).first();

for (const [scheme, viewport] of KINDS) {
  test(`a rehearsal (${scheme}, ${viewport.width} wide) says what would happen, as the API does, and changes nothing`, async ({ page, faults }) => {
    await isLive(page);
    const card = rehearsable(page);
    if ((await card.count()) === 0) return assert.ok((await api("/hosts")).every((host) => host.services.every((view) => !view.held_term)), "a held service without a rehearsal");
    const before = (await api("/takeovers?limit=1")).items[0]?.id;
    const answer = page.waitForResponse((response) => response.request().method() === "POST");
    await card.getByRole("button", { name: "Rehearse", exact: true }).click();
    const dialog = page.getByRole("dialog");
    const forecast = await (await answer).json();
    await dialog.getByText(forecast.would_move ? "would be accepted" : "It would not move").waitFor({ timeout: TAKEOVER_MS });
    const text = await dialog.innerText();
    assert.ok(text.includes(forecast.summary), `the page does not say: ${forecast.summary}`);
    for (const candidate of forecast.candidates) assert.ok(text.includes(candidate.refusal?.message ?? candidate.host));
    await accessible(page, `rehearsal-${scheme}-${viewport.width}`);
    assert.equal((await api("/takeovers?limit=1")).items[0]?.id, before, "something was begun");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    assert.deepEqual(faults, []);
    return undefined;
  }, "#/overview", { scheme, viewport });

  test(`a finished takeover (${scheme}, ${viewport.width} wide) is proven as the API says, and its bundle can be kept`, async ({ page, faults }) => {
    await isLive(page);
    const finished = (await api("/takeovers?limit=50")).items.find((takeover) => takeover.state === "done");
    if (!finished) return;
    await page.evaluate((id) => (location.hash = `#/takeovers/${id}`), finished.id);
    const panel = page.getByRole("region", { name: "Proof" });
    await panel.getByRole("button", { name: "Verify", exact: true }).click();
    const report = await api(`/takeovers/${finished.id}/proof`);
    await panel.getByText(report.summary).waitFor({ timeout: TAKEOVER_MS });
    for (const { check } of report.checks) await panel.getByRole("heading", { name: check, exact: true }).waitFor();
    await accessible(page, `proof-${scheme}-${viewport.width}`);
    const download = page.waitForEvent("download");
    await panel.getByRole("button", { name: "Proof bundle" }).click();
    assert.equal((await download).suggestedFilename(), `takeover-${finished.id}.json`);
    assert.deepEqual(faults, []);
  }, "#/takeovers", { scheme, viewport });
}

for (const page of PAGES) {
  for (const [scheme, viewport] of KINDS) {
    const kind = `${scheme}, ${viewport.width} wide`;
    test(`${page} (${kind}) has no accessibility violation and does not overflow`, async ({ page: tab, faults }) => {
      await isLive(tab);
      await tab.waitForTimeout(600);
      await accessible(tab, `${page}-${scheme}-${viewport.width}`);
      assert.deepEqual(faults, []);
    }, `#/${page}`, { scheme, viewport });
  }
}

if (args.token) {
  test("without the token the page asks for it, says when it is wrong, and goes on with the right one", async ({ page }) => {
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Token").fill("certainly-not-the-token");
    await dialog.getByRole("button").click();
    await dialog.getByText(/refused/).waitFor();
    await dialog.getByLabel("Token").fill(args.token);
    await dialog.getByRole("button").click();
    await isLive(page);
    await dialog.waitFor({ state: "detached" });
  }, "#/overview", { signedIn: false });
}

if (args.orders) {
  test(`a takeover of ${args.orders}, ordered in the page, is followed to its end`, async ({ page, faults }) => {
    await isLive(page);
    const servingNow = async () => (await api("/hosts")).find((host) => host.services.some((view) => view.service === args.orders && view.serves))?.host;
    const from = await servingNow();
    assert.ok(from, `nobody serves ${args.orders} before the order`);
    const card = page.getByRole("article", { name: args.orders, exact: true });
    await card.getByRole("button", { name: "Take over", exact: true }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel(/Reason/).fill("browser test");
    await dialog.getByLabel(/Who orders/).fill("browser-test");
    await dialog.locator("button[type=submit]").click();
    await dialog.getByText("Accepted").waitFor();
    await dialog.getByRole("link", { name: "Follow it" }).click();
    await page.getByText(/Point of no return · passed at/).waitFor({ timeout: TAKEOVER_MS });
    await page.getByRole("region", { name: "Facts" }).getByText("Done", { exact: true }).waitFor({ timeout: TAKEOVER_MS });
    await page.getByText("Requested by browser-test: browser test").first().waitFor();
    const to = await until("another host to serve", async () => {
      const now = await servingNow();
      return now !== from && now;
    }, TAKEOVER_MS);
    await page.getByRole("link", { name: "Overview" }).click();
    await until("the overview to name the new host", async () => (await card.locator(".big").innerText()).includes(to));
    assert.deepEqual(faults, []);
  }, "#/overview");
}

let failed = 0;
for (const { name, run, hash, options } of tests) {
  const opened = await open(hash, options);
  try {
    await run(opened);
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}\n      ${String(error.message).replaceAll("\n", "\n      ")}`);
    if (opened.faults.length > 0) console.log(`      the page: ${opened.faults.join("; ")}`);
    if (args.shots) await opened.page.screenshot({ path: `${args.shots}/failed-${failed}.png` }).catch(() => {});
  } finally {
    await opened.context.close();
  }
}
await browser.close();
console.log(failed === 0 ? `all ${tests.length} passed` : `${failed} of ${tests.length} failed`);
process.exit(failed === 0 ? 0 : 1);
