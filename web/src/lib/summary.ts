// One service over all hosts: who is active, how sure that is, and where the hosts' words differ.
//
// Invariants: nothing is averaged or guessed. A host's word counts as what it is: its own, with its age. An old word is
// called old, and two hosts that disagree are shown as disagreeing.

import type { Tone } from "./words";
import { ago, list, ROLES } from "./words";
import type { DeclineView, HostView, PauseView, ServiceView, TakeoverView, Term } from "./wire";

/** A word older than this is not taken for the present state. */
const OLD_MS = 10_000;

/** What one candidate says; `view` is null when it was never heard. */
export interface Word {
  host: string;
  me: boolean;
  reachable: boolean;
  ageMs: number | null;
  of: HostView | null;
  view: ServiceView | null;
}

export interface Headline {
  tone: Tone;
  /** Large: a host, or what is the matter. */
  big: string;
  /** One line beneath. */
  small: string;
  /** Whether `big` names the active host. */
  isHost: boolean;
}

export interface Summary {
  service: string;
  serverType: string;
  home: string;
  term: Term | null;
  words: Word[];
  headline: Headline;
  disagreements: Disagreement[];
  takeover: TakeoverView | null;
  alerts: { host: string; text: string }[];
  /** Pauses in force, each once: that of a host with its name. */
  pauses: { host: string | null; pause: PauseView }[];
  /** Candidates that declined when the holder last asked. */
  declined: DeclineView[];
}

export interface Disagreement {
  /** Grave: two hosts may be serving. */
  grave: boolean;
  text: string;
}

export function summaries(hosts: readonly HostView[], ageOf: (host: HostView) => number | null): Summary[] {
  const names = new Set(hosts.flatMap((host) => host.services.map((service) => service.service)));
  return [...names].sort().map((name) => summary(name, hosts, ageOf));
}

function summary(name: string, hosts: readonly HostView[], ageOf: (host: HostView) => number | null): Summary {
  const views = hosts.flatMap((host) => host.services.filter((view) => view.service === name));
  const example = views[0];
  const candidates = [...new Set(views.flatMap((view) => view.candidates))];
  const words = candidates.map((host) => wordOf(host, name, hosts, ageOf));
  const takeover = takeoverOf(words);
  return {
    service: name,
    serverType: example?.server_type ?? "",
    home: example?.home ?? "",
    term: highest(views.flatMap((view) => (view.held_term ? [view.held_term, view.known_term] : [view.known_term]))),
    words,
    headline: headlineOf(words, takeover),
    disagreements: disagreementsOf(words, takeover),
    takeover,
    alerts: words.flatMap((word) => (word.view?.alerts ?? []).map((text) => ({ host: word.host, text }))),
    pauses: pausesOf(words),
    declined: words.find((word) => word.reachable && word.view?.held_term)?.view?.declined ?? [],
  };
}

function pausesOf(words: Word[]): Summary["pauses"] {
  const all = words.filter((word) => word.reachable).flatMap((word) => (word.view?.pauses ?? []).map((pause) => ({ host: pause.scope === "host" ? word.host : null, pause })));
  const key = ({ host, pause }: Summary["pauses"][number]): string => `${host ?? ""} ${pause.scope}`;
  return all.filter((one, place) => all.findIndex((other) => key(other) === key(one)) === place);
}

function wordOf(host: string, service: string, hosts: readonly HostView[], ageOf: (host: HostView) => number | null): Word {
  const of = hosts.find((view) => view.host === host) ?? null;
  return {
    host,
    me: of?.me ?? false,
    reachable: of?.reachable ?? false,
    ageMs: of ? ageOf(of) : null,
    of,
    view: of?.services.find((view) => view.service === service) ?? null,
  };
}

const isPresent = (word: Word): boolean => word.reachable && word.ageMs !== null && word.ageMs < OLD_MS;

function takeoverOf(words: Word[]): TakeoverView | null {
  return nearest(words.flatMap((word) => (word.reachable && word.view?.takeover ? [{ host: word.host, takeover: word.view.takeover }] : [])));
}

/** Whose word on a takeover under way to show: that of the host that acts. Until the release that is the one that gives. */
export function nearest(seen: { host: string; takeover: TakeoverView }[]): TakeoverView | null {
  const giving = seen.find((word) => word.takeover.first === word.host);
  const taking = seen.find((word) => word.takeover.first !== word.host);
  const acting = giving && !(giving.takeover.step === WAITS_FOR_SECOND && taking) ? giving : taking;
  if (!acting) return null;
  // The cause is known to whoever began it; after the release nobody needs it any more, except the reader.
  return { ...acting.takeover, cause: acting.takeover.cause ?? giving?.takeover.cause ?? taking?.takeover.cause ?? null };
}

/** The first's step after the release. */
const WAITS_FOR_SECOND = "await-takeover";

function headlineOf(words: Word[], takeover: TakeoverView | null): Headline {
  const serving = words.filter((word) => word.view?.serves);
  const present = serving.filter(isPresent);
  if (present.length > 1) {
    return { tone: "bad", big: "Two hosts say they serve", small: `${list(present.map((word) => word.host))} both say so now.`, isHost: false };
  }
  const active = present[0];
  if (active) return { tone: active.view?.verdict === "failing" ? "warn" : "good", big: active.host, small: activeNote(active, takeover), isHost: true };
  if (takeover) return { tone: "busy", big: `${takeover.first ?? "?"} → ${takeover.second ?? "?"}`, small: "On its way: new requests wait or are refused until the second serves.", isHost: false };
  const last = serving[0];
  if (last) return oldWord(last);
  return nobody(words);
}

function activeNote(word: Word, takeover: TakeoverView | null): string {
  if (takeover?.second && takeover.second !== word.host) return `serves; about to hand over to ${takeover.second}`;
  const others = word.view?.peers ?? [];
  const ready = others.filter((peer) => peer.connected && peer.ready).map((peer) => peer.host);
  if (ready.length > 0) return `serves; ${list(ready)} ${ready.length > 1 ? "are" : "is"} ready to take over`;
  return others.length > 0 ? "serves; no other host is ready to take over" : "serves; there is no other candidate";
}

function oldWord(word: Word): Headline {
  const age = word.ageMs === null ? "at an unknown time" : ago(word.ageMs);
  const because = word.reachable ? "Its word is old." : "It can't be heard now: it may serve, or be down.";
  return { tone: "odd", big: `${word.host}?`, small: `Last said ${age} that it serves. ${because}`, isHost: true };
}

function nobody(words: Word[]): Headline {
  const heard = words.filter((word) => word.view);
  if (heard.length > 0 && heard.every((word) => word.view?.role === "fresh")) {
    return { tone: "quiet", big: "Never started", small: "Every store is empty. Start it for the first time on the host that has the data.", isHost: false };
  }
  const holder = heard.find((word) => word.view?.held_term);
  if (holder?.view) {
    return { tone: "bad", big: "Nobody serves", small: `${holder.host} holds it: ${ROLES[holder.view.role].word.toLowerCase()}. ${ROLES[holder.view.role].means}`, isHost: false };
  }
  const missing = words.filter((word) => !word.reachable).map((word) => word.host);
  if (missing.length > 0) {
    return { tone: "odd", big: "Nobody known to serve", small: `${list(missing)} can't be heard and may be serving.`, isHost: false };
  }
  return { tone: "bad", big: "Nobody serves", small: "Everybody was heard, nobody holds the service.", isHost: false };
}

function disagreementsOf(words: Word[], takeover: TakeoverView | null): Disagreement[] {
  const found: Disagreement[] = [];
  const heard = words.flatMap((word) => (word.view ? [{ ...word, view: word.view }] : []));
  const say = (text: string, grave = false): number => found.push({ grave, text });

  const serving = heard.filter((word) => word.view.serves);
  if (serving.length > 1) {
    const ages = serving.map((word) => `${word.host} (${word.ageMs === null ? "at an unknown time" : ago(word.ageMs)})`);
    say(`More than one host said that it serves: ${list(ages)}. One of the words may be old; look at both servers.`, serving.every(isPresent));
  }
  const holding = heard.filter((word) => word.view.held_term);
  if (holding.length > 1 && serving.length < 2) {
    say(`More than one host says that it holds the service: ${list(holding.map((word) => `${word.host} (term ${word.view.held_term?.text})`))}.`, holding.every(isPresent));
  }
  // While the service moves, the second learns of it before the first: their words differ for a moment, as they should.
  if (!takeover) {
    const actives = new Set(heard.map((word) => word.view.active));
    if (actives.size > 1) say(`They differ on who is active: ${list(heard.map((word) => `${word.host} says ${word.view.active ?? "nobody it knows of"}`))}.`);
  }
  for (const word of heard) {
    for (const peer of word.view.peers) {
      const other = heard.find((candidate) => candidate.host === peer.host);
      if (!other) continue;
      if (peer.connected && isPresent(other) && !other.view.held_term && peer.ready !== other.view.ready && !takeover) {
        say(`${word.host} takes ${peer.host} for ${peer.ready ? "ready" : "not ready"}; ${peer.host} says that it is ${other.view.ready ? "ready" : "not ready"}.`);
      }
      const back = other.view.peers.find((candidate) => candidate.host === word.host);
      if (back && isPresent(other) && isPresent(word) && peer.connected && !back.connected) {
        say(`${word.host} hears ${peer.host}, but ${peer.host} says that it does not hear ${word.host}.`);
      }
    }
  }
  const lists = new Set(heard.map((word) => word.view.candidates.join(" ")));
  if (lists.size > 1) say(`Their candidate lists differ: ${heard.map((word) => `${word.host} has ${word.view.candidates.join(", ")}`).join("; ")}. Make them the same.`);
  return found;
}

function highest(terms: Term[]): Term | null {
  return terms.reduce<Term | null>((best, term) => (best === null || term.value > best.value ? term : best), null);
}
