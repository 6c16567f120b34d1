// What a supervisor can do in the call of a colleague, and who hears it.

import { LitElement, css, html } from "../vendor/lit.min.js";
import { clock } from "../call/clock.js";
import { ask, basics } from "./basics.js";
import { SUPERVISING } from "./call-states.js";

const WAYS = [
  ["listen", "Listen", "Alt+L"],
  ["whisper", "Whisper", "Alt+W"],
  ["join", "Join", "Alt+J"],
];

class SupervisionBar extends LitElement {
  static properties = { call: { attribute: false } };

  static styles = [
    basics,
    css`
      :host { z-index: 2; background: var(--surface); border-bottom: 1px solid var(--line); padding: 0.6rem 1rem; }
      .bar { display: flex; align-items: center; gap: 0.6rem; }
      h2 { margin: 0 auto 0 0; overflow-wrap: anywhere; }
      .clock { font-weight: 400; font-variant-numeric: tabular-nums; color: var(--muted); margin-left: 0.4rem; }
      .ways { display: flex; border: 1px solid var(--muted); border-radius: 10px; padding: 2px; gap: 2px; }
      .ways button { border: 0; background: none; border-radius: 8px; min-height: 2.25rem; }
      .ways button[aria-pressed="true"] { background: var(--accent); color: var(--accent-ink); }
      .ways [aria-pressed="true"] kbd { color: inherit; background: none; border-color: currentColor; }
      .bar button { white-space: nowrap; }
      .states { display: flex; margin-top: 0.6rem; }
      .states p { background: var(--accent-soft); border: 1px solid var(--accent); border-radius: 10px; padding: 0.3rem 0.75rem; }
      @media (max-width: 999.9px) {
        .bar { display: grid; grid-template-columns: 3fr 1fr; gap: 0.4rem; }
        h2 { grid-column: 1 / -1; }
        .ways button { flex: 1; padding-inline: 0.25rem; }
        .bar > button { padding-inline: 0.25rem; min-height: 2.75rem; }
        .bar kbd { display: none; }
      }
    `,
  ];

  #clock = 0;

  connectedCallback() {
    super.connectedCallback();
    this.#clock = setInterval(() => this.requestUpdate(), 1000);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.#clock);
  }

  firstUpdated() {
    this.renderRoot.querySelector("h2").focus();
  }

  render() {
    const { of, supervised, since } = this.call;
    const seconds = Math.max(0, Math.round((performance.now() - since) / 1000));
    return html`<section aria-labelledby="title">
      <div class="bar">
        <h2 tabindex="-1"><span id="title">Call of ${of}</span><span class="clock">${clock(seconds)}</span></h2>
        <div class="ways" role="group" aria-label="Who hears you">${WAYS.map(([how, text, keys]) => this.#way(how, text, keys, how === supervised))}</div>
        <button type="button" class="danger" @click=${() => this.#supervise("none")}>Leave <kbd>Alt+E</kbd></button>
      </div>
      <div class="states" role="status"><p>${SUPERVISING[supervised](of)}</p></div>
    </section>`;
  }

  #way(how, text, keys, on) {
    return html`<button type="button" aria-pressed=${on} @click=${() => on || this.#supervise(how)}>${text} <kbd>${keys}</kbd></button>`;
  }

  #supervise(how) {
    ask(this, "supervise", { agent: this.call.of, how });
  }
}

customElements.define("supervision-bar", SupervisionBar);
