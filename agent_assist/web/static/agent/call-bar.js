// What can be done with the call that is on, in one row, always in sight.

import { LitElement, css, html, nothing } from "../vendor/lit.min.js";
import { clock } from "../call/clock.js";
import "../call/keypad-pad.js";
import { DIGITS } from "../call/keypad-pad.js";
import { ask, basics, tell } from "./basics.js";
import { PRESENCE } from "./words.js";

class CallBar extends LitElement {
  /** `silent`: the desk has no audio from the agent; `phone`: its keys and its mute are the phone's. `open` is which drawer is: "", "keypad" or "transfer". */
  static properties = {
    call: { attribute: false },
    colleagues: { attribute: false },
    muted: { type: Boolean },
    silent: { type: Boolean },
    phone: { type: Boolean },
    open: { state: true },
    keyed: { state: true },
  };

  static styles = [
    basics,
    css`
      :host { position: relative; z-index: 2; background: var(--surface); border-bottom: 1px solid var(--line); padding: 0.6rem 1rem; }
      .bar { display: flex; align-items: center; gap: 0.6rem; }
      h2 { margin: 0 auto 0 0; white-space: nowrap; }
      .clock { font-weight: 400; font-variant-numeric: tabular-nums; color: var(--muted); margin-left: 0.4rem; }
      .bar button { white-space: nowrap; }
      .states { display: flex; flex-wrap: wrap; gap: 0.5rem; }
      .states:has(p) { margin-top: 0.6rem; }
      .states p { background: var(--sunken); border: 1px solid var(--line); border-radius: 10px; padding: 0.3rem 0.75rem; }
      .drawer { position: absolute; right: 1rem; top: calc(100% + 0.5rem); width: 20rem; max-width: calc(100vw - 2rem); }
      .keyed { min-height: 1.5em; margin-top: 0.4rem; text-align: center; letter-spacing: 0.08em; font-variant-numeric: tabular-nums; }
      li button { width: 100%; display: flex; justify-content: space-between; gap: 0.5rem; text-align: left; }
      li + li { margin-top: 0.4rem; }
      li small { font-weight: 400; font-size: 0.875rem; }
      .outside { margin-top: 0.8rem; }
      .outside div { display: flex; gap: 0.4rem; margin-top: 0.3rem; }
      .outside input { flex: 1; min-width: 0; }
      @media (max-width: 999.9px) {
        .bar { display: grid; grid-template-columns: repeat(3, 1fr); gap: 0.4rem; }
        h2 { grid-column: 1 / -1; }
        .bar button { padding-inline: 0.25rem; min-height: 2.75rem; }
        .bar kbd { display: none; }
      }
    `,
  ];

  #clock = 0;

  constructor() {
    super();
    this.open = "";
    this.keyed = "";
  }

  connectedCallback() {
    super.connectedCallback();
    this.#clock = setInterval(() => this.requestUpdate(), 1000);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.#clock);
  }

  /** Show or hide a drawer, and go to it. */
  async toggle(name) {
    const opener = this.renderRoot.querySelector(`[data-name="${name}"]`);
    this.open = this.open === name ? "" : name;
    await this.updateComplete;
    (this.renderRoot.querySelector(".drawer") ?? opener).focus();
  }

  render() {
    const { onHold } = this.call;
    const seconds = Math.max(0, Math.round((performance.now() - this.call.since) / 1000));
    return html`<section aria-labelledby="title">
      <div class="bar">
        <h2><span id="title">Call</span><span class="clock">${clock(seconds)}</span></h2>
        ${this.phone ? nothing : this.#control("mute", this.muted ? "Unmute" : "Mute", "Alt+M", this.muted)}
        ${this.#control("hold", onHold ? "Take back" : "Hold", "Alt+H", onHold)}
        ${this.phone ? nothing : this.#drawer("keypad", "Keypad", "Alt+K")} ${this.#drawer("transfer", "Transfer", "Alt+T")}
        <button type="button" @click=${() => ask(this, "handback")}>To the bot <kbd>Alt+B</kbd></button>
        <button type="button" class="danger" @click=${() => ask(this, "hangup")}>Hang up <kbd>Alt+E</kbd></button>
      </div>
      <div class="states" role="status">${this.#states().map((text) => html`<p>${text}</p>`)}</div>
      ${this.open === "keypad" ? this.#keypad() : nothing} ${this.open === "transfer" ? this.#transfer() : nothing}
    </section>`;
  }

  #states() {
    const { onHold, transferringTo } = this.call;
    return [
      this.silent && "Your audio is away: the caller hears music until it is back.",
      onHold && "On hold: the caller hears music, and you nothing.",
      this.muted && "Muted: the caller does not hear you.",
      transferringTo && `Ringing ${transferringTo}: the caller stays with you until that is answered.`,
    ].filter(Boolean);
  }

  #control(name, text, keys, on) {
    return html`<button type="button" class=${on ? "on" : ""} @click=${() => tell(this, name)}>${text} <kbd>${keys}</kbd></button>`;
  }

  #drawer(name, text, keys) {
    return html`<button type="button" data-name=${name} aria-expanded=${this.open === name} @click=${() => this.toggle(name)}>${text} <kbd>${keys}</kbd></button>`;
  }

  #keypad() {
    return html`<div class="card drawer" tabindex="-1" role="group" aria-label="Keypad; type digits, * and #" @keydown=${this.#typed}>
      <keypad-pad @key=${({ detail }) => this.#press(detail)}></keypad-pad>
      <p class="keyed" aria-live="polite">${this.keyed}</p>
    </div>`;
  }

  #transfer() {
    return html`<div class="card drawer" tabindex="-1" role="group" aria-label="Transfer" @keydown=${this.#typed}>
      ${this.colleagues.length
        ? html`<ul>${this.colleagues.map((colleague) => html`<li>${this.#colleague(colleague)}</li>`)}</ul>`
        : html`<p class="muted">No colleague is signed in.</p>`}
      ${this.call.brief.transport === "browser"
        ? html`<p class="muted outside">A caller in a browser cannot be transferred to a number.</p>`
        : this.#outside()}
    </div>`;
  }

  #outside() {
    return html`<form class="outside" @submit=${this.#sendOutside}>
      <label for="outside">To a number outside</label>
      <div><input id="outside" name="to" type="text" inputmode="tel" autocomplete="off" maxlength="128" required /><button ?disabled=${Boolean(this.call.transferringTo)}>Send</button></div>
    </form>`;
  }

  #colleague({ agent, presence, skills }) {
    const possible = presence === "ready" && !this.call.transferringTo;
    return html`<button type="button" ?disabled=${!possible} @click=${() => this.#send(agent)}>
      <span>${agent}${skills.length ? html` <small>${skills.join(", ")}</small>` : nothing}</span><small>${PRESENCE[presence]}</small>
    </button>`;
  }

  #send(to) {
    this.toggle("transfer");
    ask(this, "transfer", { to });
  }

  #sendOutside(event) {
    event.preventDefault();
    const to = new FormData(event.target).get("to").trim();
    if (!to) return;
    this.toggle("transfer");
    ask(this, "transfer/outside", { to });
  }

  #typed(event) {
    if (event.key === "Escape") return this.toggle(this.open);
    if (this.open !== "keypad" || !DIGITS.includes(event.key) || event.altKey || event.ctrlKey || event.metaKey) return;
    this.#press(event.key);
  }

  #press(digit) {
    tell(this, "keys", digit);
    this.keyed = (this.keyed + digit).slice(-20);
  }
}

customElements.define("call-bar", CallBar);
