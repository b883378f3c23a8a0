// What an operator can order, when it makes sense, and what it will do: the words of the confirmation dialog.
//
// Invariant: this decides nothing. It only disables what can't be meant; the daemon judges every order and its refusal
// is shown in full.

import type { Order } from "./api";
import type { IconName } from "./Icon.svelte";
import type { Summary, Word } from "./summary";
import type { HostView, StayDown } from "./wire";
import { list } from "./words";

export interface Offer {
  order: Order;
  /** A forced takeover: the operator vouches that the silent hosts are stopped. */
  forced: boolean;
  label: string;
  icon: IconName;
  /** Why it can't be meant now; null when it can. */
  unavailable: string | null;
  /** What will happen, one sentence each. */
  effects: string[];
  /** What can go wrong, in words that stop the hand. */
  danger: string | null;
  /** Whether a target host can be chosen. */
  targets: string[];
  /** Hosts that have to be vouched for. */
  silent: string[];
  /** What the operator may add, as a checkbox: the body's field and the words beside the box. */
  extra: { field: "override_vetoes" | "override_stay_down"; label: string; required: boolean } | null;
  /** Fields that belong to the order whatever is chosen. */
  fixed: Record<string, boolean>;
  /** Whether it can be for a while only. */
  lasts: boolean;
  /** What it is about, where that is more than one service: the answering host by name, or the cluster. */
  wide: { host: string | null } | null;
}

const NOTHING = { forced: false, danger: null, targets: [] as string[], silent: [] as string[], extra: null, fixed: {}, lasts: false, wide: null };

const OVERRIDE_VETOES = {
  field: "override_vetoes" as const,
  label: "Pass over soft vetoes (a replica that lags, a paused host). Hard ones hold all the same.",
  required: false,
};

/** The orders that are worth a button, given what is known of the service. */
export function offers(service: Summary): Offer[] {
  const all = [takeover(service), giveback(service), cure(service), cancel(service), pause(service)];
  if (service.words.some((word) => word.me && word.view?.role === "fresh")) all.push(bootstrap(service));
  const force = forced(service);
  if (force) all.push(force);
  const orphan = orphaned(service);
  if (orphan) all.push(orphan);
  return all;
}

const meOf = (service: Summary): Word | undefined => service.words.find((word) => word.me);
const servingOf = (service: Summary): Word | undefined => service.words.find((word) => word.view?.serves && word.reachable);
const holderOf = (service: Summary): Word | undefined => service.words.find((word) => word.view?.held_term && word.reachable);

function takeover(service: Summary): Offer {
  const from = servingOf(service) ?? holderOf(service);
  const targets = service.words.filter((word) => word.host !== from?.host && word.reachable).map((word) => word.host);
  let unavailable: string | null = null;
  if (service.takeover) unavailable = "A takeover is under way: one at a time.";
  else if (!from) unavailable = "No host that holds the service can be heard.";
  else if (targets.length === 0) unavailable = "No other candidate can be heard.";
  const to = targets.length === 1 ? targets[0] : "the first candidate that can";
  return {
    ...NOTHING,
    order: "takeover",
    label: "Take over",
    icon: "swap",
    unavailable,
    targets,
    extra: OVERRIDE_VETOES,
    effects: [
      `${from?.host ?? "The active host"} asks ${to} whether it can back the service up; if it declines, nothing changes and its reason is shown.`,
      "New requests wait or are refused, existing ones complete; every one that can't is listed in the compilation.",
      "Until the release it can be cancelled, and any error means that the first resumes serving. After it, only a giveback brings the service back.",
    ],
  };
}

function giveback(service: Summary): Offer {
  const from = servingOf(service);
  const home = service.words.find((word) => word.host === service.home);
  let unavailable: string | null = null;
  if (service.takeover) unavailable = "A takeover is under way: one at a time.";
  else if (!from) unavailable = "No serving host can be heard.";
  else if (from.host === service.home) unavailable = `The service is at home on ${service.home}.`;
  else if (!home?.reachable) unavailable = `${service.home} can't be heard.`;
  else if (home.view?.stay_down) unavailable = `${service.home} is still ordered to stay down (${home.view.stay_down.fault}).`;
  return {
    ...NOTHING,
    order: "giveback",
    label: "Give back",
    icon: "home",
    unavailable,
    extra: OVERRIDE_VETOES,
    effects: [
      `The service moves home to ${service.home} by the same protocol as a takeover: assessment, drain, compilation, release.`,
      `If ${service.home} is not ready, it is refused and says what is missing.`,
    ],
  };
}

function cure(service: Summary): Offer {
  const me = meOf(service);
  const down = service.words.filter((word) => word.view?.stay_down);
  const mine = me?.view?.stay_down;
  let unavailable: string | null = null;
  if (down.length === 0) unavailable = "No host is ordered to stay down: there is nothing to cure.";
  else if (!mine) unavailable = `${list(down.map((word) => word.host))} is to be cured: say so on that host (its own page, or understudy cure ${service.service}).`;
  else if (mine.phase !== "faulty") unavailable = "It is cured already and on its way back.";
  return {
    ...NOTHING,
    order: "cure",
    label: "Cure",
    icon: "heal",
    unavailable,
    effects: [
      `You say that the fault ${mine?.fault ?? ""} on ${me?.host ?? "this host"} is gone, without waiting for the probes to agree for the hold time.`,
      "The active host is asked for permission; then this host reboots, where that is configured, and comes back as a standby.",
      "It does not serve by that: the service moves only by a giveback.",
    ],
  };
}

function cancel(service: Summary): Offer {
  const role = holderOf(service)?.view?.role;
  const first = service.takeover?.first ?? "the first";
  let unavailable: string | null = null;
  if (!service.takeover) unavailable = "Nothing is under way.";
  else if (role === undefined || !["asking", "draining", "stopped", "forcing"].includes(role)) unavailable = "It is past the point of no return. Use a giveback afterwards.";
  return {
    ...NOTHING,
    order: "cancel",
    label: "Cancel",
    icon: "cross",
    unavailable,
    effects: [
      `The takeover ends and ${first} resumes serving: requests that waited are let in again.`,
      "If the release became durable in the meantime, the order is refused and the takeover goes on.",
      "A fault that is still there opens a new round.",
    ],
  };
}

function bootstrap(service: Summary): Offer {
  const me = meOf(service)?.host ?? "this host";
  return {
    ...NOTHING,
    order: "bootstrap",
    label: "Start here for the first time",
    icon: "serve",
    unavailable: null,
    danger: `Choose the host that has the data. If ${me} has empty or old data, that is what the clients will get, and the other hosts will copy it.`,
    effects: [`${me} becomes the first active host of ${service.service} and starts its server.`, "Refused when the service was started before, or when a candidate was not heard."],
  };
}

function forced(service: Summary): Offer | null {
  const me = meOf(service);
  const silent = service.words.filter((word) => !word.me && !word.reachable).map((word) => word.host);
  if (!me?.view || me.view.held_term || silent.length === 0 || servingOf(service)) return null;
  return {
    ...NOTHING,
    order: "takeover",
    forced: true,
    label: "Take over by force",
    icon: "bad",
    unavailable: me.view.role === "fresh" ? "This host's store is empty: it does not know the service." : null,
    silent,
    ...overrideStayDown(me.view.stay_down ?? null),
    danger: `If one of them still serves, two hosts will serve at once, and their data will part. Nobody can detect that you were wrong. Make sure first: its console, its power, its switch port.`,
    effects: [`${me.host} serves with a new, higher term, without the word of ${list(silent)}.`, "Requests that were under way there are not known here: there is no compilation of them.", "Hosts that can be heard must promise not to serve; if one can't, it is refused."],
  };
}

/** A host that must stay down serves only by an order that says so. */
function overrideStayDown(order: StayDown | null): Pick<Offer, "extra"> {
  if (order?.phase !== "faulty") return { extra: null };
  const label = `This host is ordered to stay down for ${order.fault}. Let it serve all the same.`;
  return { extra: { field: "override_stay_down", label, required: true } };
}

/** Everybody answers, and nobody holds the service. */
function orphaned(service: Summary): Offer | null {
  const me = meOf(service);
  const all = service.words;
  if (!me?.view || service.takeover || me.view.role === "fresh" || !all.every((word) => word.reachable && !word.view?.held_term)) return null;
  return {
    ...NOTHING,
    order: "takeover",
    forced: true,
    fixed: { force: true },
    label: "Serve here by force",
    icon: "bad",
    unavailable: null,
    ...overrideStayDown(me.view.stay_down ?? null),
    danger: `Nobody holds ${service.service}. Choose the host with the newest data: what ${me.host} has is what the clients will get.`,
    effects: [`${me.host} serves with a new, higher term once every other host has promised not to.`, "If one of them can't promise, it is refused and says why."],
  };
}

/** What can be ordered of the answering host, and of the cluster. */
export function wideOffers(me: HostView): Offer[] {
  const scopes = new Set(me.services.flatMap((service) => (service.pauses ?? []).map((pause) => pause.scope)));
  return [wide(me.host, scopes.has("host")), wide(null, scopes.has("cluster"))];
}

function wide(host: string | null, paused: boolean): Offer {
  const what = host === null ? "the cluster" : "this host";
  const both = { ...NOTHING, unavailable: null, wide: { host } };
  if (paused) {
    return { ...both, order: "unpause", label: `End the pause of ${what}`, icon: "right", effects: [`What was held back because ${what} is paused is looked at again at once.`] };
  }
  const reach = host === null ? "No takeover and no giveback of any service of this host is begun by itself any more, on any host." : `Nothing moves to ${host} or away from it by itself; a takeover to it must say that it passes over that.`;
  return {
    ...both,
    order: "pause",
    label: `Pause ${what}`,
    icon: "stay",
    lasts: true,
    effects: [reach, "Faults are told as ever, and your own orders are carried out. A fault that says when the server must be down is obeyed."],
  };
}

function pause(service: Summary): Offer {
  const paused = service.pauses.find(({ pause }) => pause.scope === "service" || pause.scope === "flapping");
  if (paused) {
    return {
      ...NOTHING,
      order: "unpause",
      label: "End the pause",
      icon: "right",
      unavailable: null,
      effects: ["The service may move by itself again: a fault that still stands is acted on at once.", "Moves that were counted against it are forgotten."],
    };
  }
  return {
    ...NOTHING,
    order: "pause",
    label: "Pause",
    icon: "stay",
    unavailable: null,
    lasts: true,
    effects: [
      "No takeover and no giveback of it is begun by itself any more, on any host; what is under way goes on.",
      "Faults are told as ever, and your own orders are carried out.",
      "A fault that says when the server must be down is obeyed: it is shut down in order, and nobody takes over.",
    ],
  };
}
