// The desk's stream of messages: each once and in order, whatever becomes of the connection in between.

const FINAL = { 4401: "out", 4409: "replaced" };
const FIRST_RETRY_MS = 300;
const LAST_RETRY_MS = 4000; // a caller is kept for 15 s for an agent who comes back

/**
 * Events, both with a `detail`: `message` (an Envelope's `message`); `state`: "joining", "live", "away" while the
 * connection is being made again, with what is on the screen as old as that; and for good "out" (the session is
 * over) or "replaced" (the agent opened more pages than may be open).
 */
export class Feed extends EventTarget {
  state = "joining";
  #socket = null;
  #seen = null; // {run, seq} of the last message
  #tries = 0;
  #timer = 0;
  #onOnline = () => this.#connect();
  #onOffline = () => this.#drop();

  start() {
    window.addEventListener("online", this.#onOnline);
    window.addEventListener("offline", this.#onOffline);
    this.#connect();
  }

  stop() {
    window.removeEventListener("online", this.#onOnline);
    window.removeEventListener("offline", this.#onOffline);
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #connect() {
    clearTimeout(this.#timer);
    if (this.#socket) return;
    const url = new URL("/api/agent/feed", location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    if (this.#seen) url.searchParams.set("after", `${this.#seen.run}.${this.#seen.seq}`);
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.onopen = () => socket === this.#socket && this.#become("live");
    socket.onmessage = ({ data }) => socket === this.#socket && this.#take(JSON.parse(data));
    socket.onclose = ({ code }) => socket === this.#socket && this.#drop(FINAL[code]);
  }

  #take({ run, seq, message }) {
    this.#tries = 0;
    if (message.type !== "snapshot") {
      if (run === this.#seen?.run && seq <= this.#seen.seq) return; // told again
      if (run !== this.#seen?.run || seq !== this.#seen.seq + 1) {
        this.#seen = null; // a hole cannot be filled: begin anew, with the whole screen
        return this.#drop();
      }
    }
    this.#seen = { run, seq };
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
  }

  #drop(final) {
    if (final) {
      this.stop();
      return this.#become(final);
    }
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#become("away");
    clearTimeout(this.#timer);
    // Half of it fixed, half of it luck: a node that comes back is not met by every screen at once.
    const patience = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#tries);
    this.#timer = setTimeout(() => this.#connect(), patience / 2 + (Math.random() * patience) / 2);
    this.#tries += 1;
  }

  #become(state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }
}
