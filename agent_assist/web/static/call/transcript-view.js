// What all sides said, as it is said; partial text in grey. It follows the newest line until the reader scrolls up.

import { LitElement, classMap, css, html, nothing, repeat } from "../vendor/lit.min.js";
import { BLANK } from "./transcript.js";

const AT_END_PX = 40;

class TranscriptView extends LitElement {
  /** `names` tells whose a side is where the line does not; `mine` is the side that is the reader's own, on the right. */
  static properties = {
    lines: { attribute: false },
    names: { attribute: false },
    mine: { reflect: true },
    following: { state: true },
  };

  static styles = css`
    :host { display: flex; flex-direction: column; min-height: 0; position: relative; }
    h2 { font-size: 1.1rem; margin: 0 0 0.75rem; }
    .log { flex: 1; min-height: 12rem; overflow-y: auto; display: flex; flex-direction: column; gap: 0.5rem; padding: 0.25rem; border-radius: 10px; }
    :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
    .empty { margin: auto; color: var(--muted); text-align: center; max-width: 22rem; }
    .line { margin: 0; max-width: 85%; padding: 0.5rem 0.85rem; border-radius: 14px; overflow-wrap: anywhere; align-self: flex-start; border-bottom-left-radius: 4px; border: 1px solid transparent; }
    :host([mine="caller"]) .caller, :host([mine="agent"]) :is(.agent, .bot) { align-self: flex-end; border-radius: 14px 14px 4px 14px; }
    .who { display: block; font-size: 0.8rem; font-weight: 600; }
    .bot { background: var(--bot-soft); }
    .bot .who { color: var(--bot); }
    :host([mine="agent"]) .bot { border: 1px dashed var(--bot); }
    .caller { background: var(--caller-soft); }
    .caller .who { color: var(--caller); }
    .agent { background: var(--agent-soft); }
    .agent .who { color: var(--agent); }
    .third { background: var(--third-soft); }
    .third .who { color: var(--third); }
    .partial { color: var(--muted); background: var(--sunken); }
    .partial .who { color: var(--muted); }
    .note { align-self: center; padding-block: 0; color: var(--muted); font-size: 0.9rem; text-align: center; }
    .cut { font-size: 0.85em; color: var(--muted); }
    .newest { position: absolute; bottom: 1.25rem; left: 50%; translate: -50%; font: inherit; font-weight: 550; font-size: 0.9rem; color: var(--accent-ink);
      background: var(--accent); border: 0; border-radius: 99px; padding: 0.4rem 1rem; cursor: pointer; box-shadow: var(--shadow); }
  `;

  constructor() {
    super();
    this.lines = BLANK;
    this.names = { caller: "You", bot: "Help desk", agent: "Agent", third: "Somebody else" };
    this.mine = "caller";
    this.following = true;
  }

  render() {
    return html`
      <h2 id="title">What is said</h2>
      <div class="log" tabindex="0" role="log" aria-live="off" aria-labelledby="title" @scroll=${this.#scrolled}>
        ${this.lines.length
          ? repeat(this.lines, ({ id }) => id, (line) => this.#line(line))
          : html`<p class="empty">Both sides appear here as text while you talk.</p>`}
      </div>
      ${this.following ? nothing : html`<button type="button" class="newest" @click=${() => (this.following = true)}>Newest ↓</button>`}
    `;
  }

  updated() {
    if (!this.following) return;
    const log = this.renderRoot.querySelector(".log");
    log.scrollTop = log.scrollHeight;
  }

  #scrolled({ target }) {
    this.following = target.scrollHeight - target.scrollTop - target.clientHeight < AT_END_PX;
  }

  #line({ side, who, text, partial, cut }) {
    const name = (side !== "note" && who) || this.names[side];
    return html`<p class=${classMap({ line: true, [side]: true, partial })}>
      ${name ? html`<span class="who">${name}</span>` : nothing}${text}${cut ? html` <span class="cut">(interrupted)</span>` : nothing}
    </p>`;
  }
}

customElements.define("transcript-view", TranscriptView);
