// What both sides said, as it is said; partial text in grey.

import { LitElement, classMap, css, html, repeat } from "../vendor/lit.min.js";
import { BLANK } from "./transcript.js";

class TranscriptView extends LitElement {
  static properties = { lines: { attribute: false } };

  static styles = css`
    :host { display: flex; flex-direction: column; min-height: 0; }
    h2 { font-size: 1.1rem; margin: 0 0 0.75rem; }
    .log { flex: 1; min-height: 12rem; overflow-y: auto; display: flex; flex-direction: column; gap: 0.5rem; padding: 0.25rem; border-radius: 10px; }
    .log:focus-visible { outline: 3px solid var(--accent); }
    .empty { margin: auto; color: var(--muted); text-align: center; max-width: 22rem; }
    .line { margin: 0; max-width: 85%; padding: 0.5rem 0.85rem; border-radius: 14px; overflow-wrap: anywhere; }
    .who { display: block; font-size: 0.78rem; font-weight: 600; }
    .bot { align-self: flex-start; background: var(--bot-soft); border-bottom-left-radius: 4px; }
    .bot .who { color: var(--bot); }
    .caller { align-self: flex-end; background: var(--caller-soft); border-bottom-right-radius: 4px; }
    .caller .who { color: var(--caller); }
    .partial { color: var(--muted); background: var(--sunken); }
    .partial .who { color: var(--muted); }
    .note { align-self: center; color: var(--muted); font-size: 0.9rem; }
    .cut { font-size: 0.85em; color: var(--muted); }
  `;

  constructor() {
    super();
    this.lines = BLANK;
  }

  render() {
    return html`
      <h2 id="title">What is said</h2>
      <div class="log" tabindex="0" role="log" aria-live="off" aria-labelledby="title">
        ${this.lines.length
          ? repeat(this.lines, ({ id }) => id, (line) => this.#line(line))
          : html`<p class="empty">Both sides appear here as text while you talk.</p>`}
      </div>
    `;
  }

  updated() {
    const log = this.renderRoot.querySelector(".log");
    log.scrollTop = log.scrollHeight;
  }

  #line({ side, text, partial, cut }) {
    const who = { caller: "You", bot: "Help desk", note: "" }[side];
    return html`<p class=${classMap({ line: true, [side]: true, partial })}>
      ${who && html`<span class="who">${who}</span>`}${text}${cut ? html` <span class="cut">(interrupted)</span>` : ""}
    </p>`;
  }
}

customElements.define("transcript-view", TranscriptView);
