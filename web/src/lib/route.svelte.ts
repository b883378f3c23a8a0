// Where the reader is. An address can be kept and shared; the browser's back button works.

import { parse, type Place } from "./place";

export { href, type Page, type Place } from "./place";

class Route {
  place = $state.raw<Place>(parse(location.hash));

  constructor() {
    addEventListener("hashchange", () => (this.place = parse(location.hash)));
  }
}

export const route = new Route();
