// Who calls, why, what is known, and everything said so far in a few sentences.

import { LitElement, css, html, nothing } from "../vendor/lit.min.js";
import { clock } from "../call/clock.js";
import { basics } from "./basics.js";
import { callerName, plain, sentence } from "./words.js";

const WAY = { browser: "browser", siprec: "your telephone system" };

class BriefCard extends LitElement {
  static properties = { brief: { attribute: false }, by: {} };

  static styles = [
    basics,
    css`
      .who { font-size: 1.25rem; font-weight: 650; line-height: 1.3; font-variant-numeric: tabular-nums; }
      .why { font-weight: 550; }
      .summary { border-left: 3px solid var(--line); padding-left: 0.8rem; }
      dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.15rem 0.9rem; margin: 0; }
      dt { color: var(--muted); }
      dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
    `,
  ];

  render() {
    const { caller, transport, bot, reason, skill, summary, slots, waited_s } = this.brief;
    return html`<div class="stack">
      <div>
        <p class="who" title=${caller}>${callerName(caller)}</p>
        <p class="why">${sentence(reason)}</p>
        <p class="muted small">By ${WAY[transport] ?? "telephone"}${bot ? `, from the bot ${bot}` : ""}${waited_s ? `, waited ${clock(waited_s)}` : ""}${skill ? `, wants ${plain(skill)}` : ""}${this.by ? `. ${this.by} transfers the call.` : ""}</p>
      </div>
      ${slots.length
        ? html`<dl>${slots.map(([name, value]) => html`<dt>${sentence(plain(name))}</dt><dd>${value}</dd>`)}</dl>`
        : nothing}
      ${summary ? html`<p class="summary">${summary}</p>` : nothing}
    </div>`;
  }
}

customElements.define("brief-card", BriefCard);
