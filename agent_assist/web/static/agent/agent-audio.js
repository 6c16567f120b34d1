// The agent's audio: open for as long as it is wanted, through losses of the network, in one tab of the browser.

import { RtcCall } from "../call/rtc-call.js";
import { csrfHeader } from "./commands.js";

const ENDPOINT = "/api/agent/audio";
const LOCK = "centralino-agent-audio";
const LOCK_MS = 3000; // a page that is loaded again lets go of it within that
const RETRY_MS = 1000;
const RETRY_LONGEST_MS = 8000;
// What only a person can put right: trying again by ourselves would change nothing.
const FINAL = ["insecure", "unsupported", "refused", "missing", "taken"];

const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * States: closed, opening, open, away (it is being opened again), elsewhere (another tab has it), failed (see
 * `code`). Events: `state`, without a detail; `level` {mic, bot} in 0..1.
 */
export class AgentAudio extends EventTarget {
  state = "closed";
  code = "";
  muted = false;
  #call = null;
  #turn = null; // one opening, until it is closed; {release} lets go of the lock
  #microphone = "";
  #loudspeaker = "";

  /** Open the audio and keep it open; `steal` takes it from another tab. */
  async open({ steal = false } = {}) {
    if (this.#turn) return;
    const turn = { release: null };
    this.#turn = turn;
    this.#become("opening");
    if (await this.#lock(turn, steal)) await this.#keep(turn);
  }

  close() {
    this.#stop("closed");
  }

  mute(on) {
    this.muted = on;
    this.#call?.mute(on);
    this.#tell("state");
  }

  /** Key digits into the call. */
  sendKeys(digits) {
    this.#call?.sendKeys(digits);
  }

  /** Throws CallError; the one before stays in use then. */
  async useMicrophone(deviceId) {
    await this.#call?.useMicrophone(deviceId);
    this.#microphone = deviceId;
  }

  async useLoudspeaker(deviceId) {
    this.#loudspeaker = deviceId;
    await this.#call?.useLoudspeaker(deviceId);
  }

  async #keep(turn) {
    let patience = RETRY_MS;
    while (turn === this.#turn) {
      const began = performance.now();
      const code = await this.#once();
      if (turn !== this.#turn) return;
      if (code === "missing" && this.#microphone) {
        this.#microphone = ""; // the one chosen was unplugged: the browser's choice
        continue;
      }
      if (FINAL.includes(code)) {
        this.code = code;
        return this.#stop("failed");
      }
      this.#become("away");
      patience = performance.now() - began > RETRY_LONGEST_MS ? RETRY_MS : Math.min(2 * patience, RETRY_LONGEST_MS);
      await after(patience);
    }
  }

  /** One connection, from its beginning to its end; resolves with the code of what ended it. */
  async #once() {
    const call = new RtcCall({ endpoint: ENDPOINT, headers: csrfHeader() });
    this.#call = call;
    call.mute(this.muted);
    call.addEventListener("level", ({ detail }) => this.#tell("level", detail));
    return new Promise((resolve) => {
      let code = "";
      call.addEventListener("error", ({ detail }) => (code = detail.code));
      call.addEventListener("state", ({ detail: { state } }) => {
        if (state === "talking") this.#become("open");
        if (state === "reconnecting") this.#become("away");
        if (state === "ended") resolve(code);
      });
      call.useLoudspeaker(this.#loudspeaker).catch(() => {}); // unplugged since: the browser's choice
      call.start(this.#microphone);
    });
  }

  /** Whether this tab has the audio to itself; a browser without locks is taken at its word. */
  async #lock(turn, steal) {
    if (!navigator.locks) return true;
    const options = steal ? { steal } : { signal: AbortSignal.timeout(LOCK_MS) };
    return new Promise((resolve) => {
      const held = () => {
        resolve(turn === this.#turn);
        return turn === this.#turn ? new Promise((release) => (turn.release = release)) : null;
      };
      navigator.locks.request(LOCK, options, held).catch(() => {
        resolve(false);
        if (turn === this.#turn) this.#stop("elsewhere"); // another tab has it, or took it
      });
    });
  }

  #stop(state) {
    this.#turn?.release?.();
    this.#turn = null;
    this.#call?.hangup();
    this.#call = null;
    this.#become(state);
  }

  #become(state) {
    if (state === this.state) return;
    this.state = state;
    this.#tell("state");
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
