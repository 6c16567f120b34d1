// What can be done with the call that is on, in one row, always in sight.

import { LitElement, css, html, nothing } from "../vendor/lit.min.js";
import { clock } from "../call/clock.js";
import "../call/keypad-pad.js";
import { DIGITS } from "../call/keypad-pad.js";
import { ask, basics, tell } from "./basics.js";
import { statesOf } from "./call-states.js";
import "./transfer-drawer.js";

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
      .bar { display: flex; flex-wrap: wrap; justify-content: flex-end; align-items: center; gap: 0.6rem; }
      h2 { margin: 0 auto 0 0; white-space: nowrap; }
      .clock { font-weight: 400; font-variant-numeric: tabular-nums; color: var(--muted); margin-left: 0.4rem; }
      .bar button { white-space: nowrap; }
      .states { display: flex; flex-wrap: wrap; gap: 0.5rem; }
      .states:has(p) { margin-top: 0.6rem; }
      .states p { background: var(--sunken); border: 1px solid var(--line); border-radius: 10px; padding: 0.3rem 0.75rem; }
      .drawer { position: absolute; right: 1rem; top: calc(100% + 0.5rem); width: 20rem; max-width: calc(100vw - 2rem); }
      .keyed { min-height: 1.5em; margin-top: 0.4rem; text-align: center; letter-spacing: 0.08em; font-variant-numeric: tabular-nums; }
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
    const seconds = Math.max(0, Math.round((performance.now() - this.call.since) / 1000));
    return html`<section aria-labelledby="title">
      <div class="bar">
        <h2><span id="title">Call</span><span class="clock">${clock(seconds)}</span></h2>
        ${this.call.observed ? nothing : this.#controls(this.call)}
      </div>
      <div class="states" role="status">${statesOf(this.call, this).map((text) => html`<p>${text}</p>`)}</div>
      ${this.open === "keypad" ? this.#keypad() : nothing} ${this.open === "transfer" ? this.#transfer() : nothing}
    </section>`;
  }

  #controls({ onHold, paused, third }) {
    const back = third?.joined ? "All three" : "Take back";
    return html`
      ${this.phone ? nothing : this.#control("mute", this.muted ? "Unmute" : "Mute", "Alt+M", this.muted)}
      ${this.#control("hold", onHold ? back : "Hold", "Alt+H", onHold)}
      ${this.#control("pause", paused ? "Record" : "Pause", "Alt+S", paused)}
      ${this.phone ? nothing : this.#drawer("keypad", "Keypad", "Alt+K")}
      ${third ? this.#withThird(third) : this.#alone()}
      <button type="button" class="danger" @click=${() => ask(this, "hangup")}>Hang up <kbd>Alt+E</kbd></button>
    `;
  }

  #alone() {
    return html`${this.#drawer("transfer", "Transfer", "Alt+T")} <button type="button" @click=${() => ask(this, "handback")}>To the bot <kbd>Alt+B</kbd></button>`;
  }

  #withThird({ joined }) {
    return html`
      <button type="button" ?disabled=${!joined} @click=${() => ask(this, "third/putthrough")}>Put through <kbd>Alt+P</kbd></button>
      <button type="button" @click=${() => ask(this, "third/drop")}>${joined ? "Drop" : "Stop calling"} <kbd>Alt+D</kbd></button>
    `;
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
    return html`<div class="card drawer" tabindex="-1" role="group" aria-label="Transfer" @keydown=${this.#typed} @close=${() => this.toggle("transfer")}>
      <transfer-drawer .call=${this.call} .colleagues=${this.colleagues}></transfer-drawer>
    </div>`;
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
