// The caller's page: one button, one call; the parts around it show what it does.

import { LitElement, html, live, nothing } from "../vendor/lit.min.js";
import { styles } from "./call-page-styles.js";
import { clock } from "./clock.js";
import { DIGITS } from "./keypad-pad.js";
import "./level-meter.js";
import { microphones, obstacle, words } from "./microphone.js";
import { RtcCall } from "./rtc-call.js";
import { BLANK, told } from "./transcript.js";
import "./transcript-view.js";

const SAID = {
  idle: "Ready when you are.",
  asking: "Please allow the microphone.",
  connecting: "Connecting …",
  talking: "You are connected.",
  reconnecting: "The connection broke. Trying to get it back …",
};
const ENDED = {
  you_hung_up: "You hung up.",
  connection_lost: "The connection was lost.",
  error: "",
};
const BUSY = ["asking", "connecting", "talking", "reconnecting"];

class CallPage extends LitElement {
  static properties = {
    state: { state: true },
    cause: { state: true },
    trouble: { state: true },
    level: { state: true },
    lines: { state: true },
    devices: { state: true },
    deviceId: { state: true },
    seconds: { state: true },
    keyed: { state: true },
  };

  static styles = styles;

  #call = null;
  #clock = 0;
  #onKey = (event) => this.#typed(event);
  #onLeave = () => this.#call?.hangup();
  #onDevices = () => this.#list();

  constructor() {
    super();
    this.state = "idle";
    this.cause = "";
    this.trouble = obstacle();
    this.level = { mic: 0, bot: 0 };
    this.lines = BLANK;
    this.devices = [];
    this.deviceId = "";
    this.seconds = 0;
    this.keyed = "";
  }

  connectedCallback() {
    super.connectedCallback();
    window.addEventListener("keydown", this.#onKey);
    window.addEventListener("pagehide", this.#onLeave);
    navigator.mediaDevices?.addEventListener("devicechange", this.#onDevices);
    this.#list();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    window.removeEventListener("keydown", this.#onKey);
    window.removeEventListener("pagehide", this.#onLeave);
    navigator.mediaDevices?.removeEventListener("devicechange", this.#onDevices);
    this.#onLeave();
  }

  render() {
    const busy = BUSY.includes(this.state);
    return html`
      <div class="columns">
        <section class="card phone" aria-label="Phone">
          <button type="button" class="call ${busy ? "on" : "off"}" ?disabled=${!busy && obstacle() !== ""}
            @click=${() => (busy ? this.#call.hangup() : this.#start())}>
            <svg viewBox="0 0 24 24" aria-hidden="true">
              <path d="M6.6 10.8a15 15 0 0 0 6.6 6.6l2.2-2.2a1 1 0 0 1 1-.25 11.400 11.400 0 0 0 3.600.6 1 1 0 0 1 1 1V20a1 1 0 0 1-1 1A17 17 0 0 1 3 4a1 1 0 0 1 1-1h3.500a1 1 0 0 1 1 1 11.400 11.400 0 0 0 .6 3.600 1 1 0 0 1-.25 1z"/>
            </svg>
            <span>${busy ? "Hang up" : this.state === "ended" ? "Call again" : "Call"}</span>
          </button>
          <p class="status" role="status">${this.#status()}</p>
          ${this.state === "talking" ? html`<p class="clock" aria-hidden="true">${clock(this.seconds)}</p>` : nothing}
          ${this.trouble ? html`<p class="trouble" role="alert">${words(this.trouble)}</p>` : nothing}
          <label>Microphone
            <select ?disabled=${busy} .value=${live(this.deviceId)} @change=${(event) => (this.deviceId = event.target.value)}>
              <option value="">The browser's choice</option>
              ${this.devices.map(({ deviceId, label }) => html`<option value=${deviceId}>${label}</option>`)}
            </select>
          </label>
          <div class="meters">
            <level-meter label="You" side="caller" .level=${this.level.mic}></level-meter>
            <level-meter label="Help desk" side="bot" .level=${this.level.bot}></level-meter>
          </div>
          <keypad-pad ?disabled=${this.state !== "talking"} @key=${({ detail }) => this.#press(detail)}></keypad-pad>
          <p class="keyed" aria-live="polite">${this.keyed ? html`<span class="hint">Keyed</span> ${this.keyed}` : html`<span class="hint">Your keyboard's digits, * and # work too.</span>`}</p>
        </section>
        <transcript-view class="card" .lines=${this.lines}></transcript-view>
      </div>
    `;
  }

  #status() {
    if (this.state !== "ended") return obstacle() ? "" : SAID[this.state];
    return ENDED[this.cause] ?? "The call has ended.";
  }

  #start() {
    Object.assign(this, { lines: BLANK, trouble: "", seconds: 0, keyed: "" });
    const call = new RtcCall();
    this.#call = call;
    call.addEventListener("state", ({ detail }) => this.#moved(detail));
    call.addEventListener("record", ({ detail }) => (this.lines = told(this.lines, detail)));
    call.addEventListener("level", ({ detail }) => (this.level = detail));
    call.addEventListener("error", ({ detail }) => (this.trouble = detail.code));
    call.start(this.deviceId);
  }

  #moved({ state, cause }) {
    this.state = state;
    this.cause = cause;
    if (state === "connecting") this.#list(); // names are told now that one was allowed
    if (state === "talking" && !this.#clock) this.#clock = setInterval(() => (this.seconds += 1), 1000);
    if (state !== "ended") return;
    clearInterval(this.#clock);
    this.#clock = 0;
    this.level = { mic: 0, bot: 0 };
    this.lines = this.lines.filter(({ partial }) => !partial);
  }

  #press(digit) {
    this.#call.sendKeys(digit);
    this.keyed = (this.keyed + digit).slice(-24);
  }

  #typed(event) {
    const chosen = event.composedPath()[0];
    if (this.state !== "talking" || event.ctrlKey || event.altKey || event.metaKey || chosen.tagName === "SELECT") return;
    if (DIGITS.includes(event.key)) this.#press(event.key);
  }

  async #list() {
    this.devices = await microphones();
  }
}

customElements.define("call-page", CallPage);
