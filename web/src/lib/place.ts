// The page's addresses: `#/page/argument`. Pure: text in, place out.

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
