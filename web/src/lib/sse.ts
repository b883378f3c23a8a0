// Splits a byte stream into server-sent events. Pure: it knows nothing of the network.
// `EventSource` can't send an Authorization header, so the stream is read with fetch and parsed here.

export interface ServerEvent {
  id: string;
  name: string;
  data: string;
}

/** Feed it text in any pieces; it hands back the events that are complete. */
export class EventParser {
  #rest = "";
  #id = "";
  #name = "";
  #data: string[] = [];

  push(text: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    const lines = (this.#rest + text).split("\n");
    // The last piece has no line end yet.
    this.#rest = lines.pop() ?? "";
    for (const raw of lines) {
      const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
      if (line === "") {
        if (this.#data.length > 0) events.push({ id: this.#id, name: this.#name || "message", data: this.#data.join("\n") });
        this.#name = "";
        this.#data = [];
      } else {
        this.#field(line);
      }
    }
    return events;
  }

  #field(line: string): void {
    const colon = line.indexOf(":");
    if (colon === 0) return; // a comment: only proof of life
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#name = value;
    else if (field === "id") this.#id = value;
  }
}
