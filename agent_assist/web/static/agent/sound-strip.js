// How the audio stands, both levels, and behind a button the choice of devices.

import { LitElement, css, html, live, nothing } from "../vendor/lit.min.js";
import "../call/level-meter.js";
import { microphones, words } from "../call/microphone.js";
import { basics, tell } from "./basics.js";
import { CHOOSES_LOUDSPEAKER, loudspeakers } from "./devices.js";

const STATES = {
  closed: "Audio closed",
  opening: "Opening the audio …",
  open: "Audio open",
  away: "Audio lost. It is being opened again …",
  elsewhere: "Another tab has the audio.",
  phone: "Calls ring your phone.",
};

class SoundStrip extends LitElement {
  /** `state` and `code` are the audio's, or `state` is `phone` where that takes its place; levels are read from `audio` itself, ten times a second. */
  static properties = {
    audio: { attribute: false },
    state: {},
    code: {},
    settings: { attribute: false },
    level: { state: true },
    inputs: { state: true },
    outputs: { state: true },
    open: { state: true },
  };

  static styles = [
    basics,
    css`
      :host { position: relative; }
      .row { gap: 0.4rem 1rem; }
      .meters { width: 12rem; --label: 3.5rem; }
      .bad { color: var(--danger); }
      .sheet { position: absolute; right: 0; top: calc(100% + 0.6rem); z-index: 3; width: 22rem; max-width: calc(100vw - 2rem); }
      @media (max-width: 760px) { .sheet { right: auto; left: 0; } .row { flex-wrap: nowrap; } .meters { width: 8.5rem; --label: 3.2rem; } }
    `,
  ];

  #onLevel = ({ detail }) => (this.level = detail);
  #onDevices = () => this.#list();
  #onPointer = (event) => event.composedPath().includes(this) || (this.open = false);

  constructor() {
    super();
    this.level = { mic: 0, bot: 0 };
    this.inputs = [];
    this.outputs = [];
    this.open = false;
  }

  connectedCallback() {
    super.connectedCallback();
    this.audio.addEventListener("level", this.#onLevel);
    navigator.mediaDevices?.addEventListener("devicechange", this.#onDevices);
    document.addEventListener("pointerdown", this.#onPointer);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.audio.removeEventListener("level", this.#onLevel);
    navigator.mediaDevices?.removeEventListener("devicechange", this.#onDevices);
    document.removeEventListener("pointerdown", this.#onPointer);
  }

  willUpdate(changed) {
    if (changed.has("state") && this.state !== "open") this.level = { mic: 0, bot: 0 };
    if (changed.has("state") || changed.has("open")) this.#list(); // names are told once one was allowed
  }

  render() {
    const failed = this.state === "failed";
    return html`<div class="row">
      ${this.state === "open"
        ? html`<div class="meters">
            <level-meter label="You" side="agent" .level=${this.level.mic}></level-meter>
            <level-meter label="Caller" side="caller" .level=${this.level.bot}></level-meter>
          </div>`
        : html`<span class=${failed ? "bad" : "muted"} role="status">${failed ? words(this.code) : STATES[this.state]}</span>`}
      ${this.state === "elsewhere" ? html`<button type="button" @click=${() => tell(this, "steal")}>Use it here</button>` : nothing}
      <button type="button" aria-expanded=${this.open} aria-controls="sheet" @click=${() => (this.open = !this.open)}>Sound</button>
    </div>
    <div id="sheet" class="card stack sheet" ?hidden=${!this.open} @keydown=${(event) => event.key === "Escape" && this.#close()}>
      ${this.#choice("microphone", "Microphone", this.inputs)}
      ${CHOOSES_LOUDSPEAKER ? [this.#choice("loudspeaker", "Loudspeaker for the call", this.outputs), this.#choice("ringer", "Loudspeaker for the ring", this.outputs)] : nothing}
      <label>Volume of the ring
        <input type="range" min="0" max="100" .value=${live(String(this.settings.volume))} @change=${({ target }) => this.#choose("volume", Number(target.value))}>
      </label>
      <div class="row">
        <button type="button" @click=${() => tell(this, "test-ring")}>Hear the ring</button>
        ${globalThis.Notification?.permission === "default"
          ? html`<button type="button" @click=${() => Notification.requestPermission().then(() => this.requestUpdate())}>Allow notifications</button>`
          : nothing}
      </div>
    </div>`;
  }

  #choice(name, label, all) {
    return html`<label>${label}
      <select .value=${live(this.settings[name])} @change=${({ target }) => this.#choose(name, target.value)}>
        <option value="">The browser's choice</option>
        ${all.map(({ deviceId, label: text }) => html`<option value=${deviceId} ?selected=${deviceId === this.settings[name]}>${text}</option>`)}
      </select>
    </label>`;
  }

  #choose(name, value) {
    tell(this, "settings", { ...this.settings, [name]: value });
  }

  #close() {
    this.open = false;
    this.renderRoot.querySelector("[aria-controls]").focus();
  }

  async #list() {
    [this.inputs, this.outputs] = await Promise.all([microphones(), loudspeakers()]);
  }
}

customElements.define("sound-strip", SoundStrip);
