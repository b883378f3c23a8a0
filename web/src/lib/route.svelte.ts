// Where the reader is: `#/page/argument`. An address can be kept and shared; the browser's back button works.

export type Page = "overview" | "takeovers" | "compilations" | "history";

export interface Place {
  page: Page;
  /** A takeover's or compilation's id, or the service of the history; empty: none chosen. */
  argument: string;
}

const PAGES: readonly Page[] = ["overview", "takeovers", "compilations", "history"];

export function parse(hash: string): Place {
  const [name = "", argument = ""] = hash.replace(/^#\/?/, "").split("/");
  const page = PAGES.find((known) => known === name) ?? "overview";
  try {
    return { page, argument: decodeURIComponent(argument) };
  } catch {
    return { page, argument: "" };
  }
}

export const href = (page: Page, argument = ""): string => `#/${page}${argument ? `/${encodeURIComponent(argument)}` : ""}`;

class Route {
  place = $state.raw<Place>(parse(location.hash));

  constructor() {
    addEventListener("hashchange", () => (this.place = parse(location.hash)));
  }
}

export const route = new Route();
