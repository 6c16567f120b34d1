// A call that rings: everything about it before it is answered, and the time that is left.

import { LitElement, css, html } from "../vendor/lit.min.js";
import { ask, basics } from "./basics.js";
import "./brief-card.js";

const EVERY_MS = 250;

class OfferCard extends LitElement {
  /** `phone`: it is the agent's phone that has to be picked up. */
  static properties = { offer: { attribute: false }, phone: { type: Boolean } };

  static styles = [
    basics,
    css`
      .card { border: 2px solid var(--accent); padding: 1.25rem 1.4rem; }
      h2 { display: flex; justify-content: space-between; gap: 1rem; font-size: 1.15rem; color: var(--accent); }
      .left { color: var(--muted); font-weight: 400; font-variant-numeric: tabular-nums; }
      svg { display: block; width: 100%; height: 6px; border-radius: 3px; background: var(--sunken); margin: 0 0 1rem; }
      rect { fill: var(--accent); }
      .row { margin-top: 1.1rem; }
      button { min-height: 3rem; padding-inline: 1.4rem; white-space: nowrap; }
      @media (max-width: 600px) { .row { flex-wrap: nowrap; } button { flex: 1; padding-inline: 0.5rem; } }
    `,
  ];

  #clock = 0;

  connectedCallback() {
    super.connectedCallback();
    this.#clock = setInterval(() => this.requestUpdate(), EVERY_MS);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.#clock);
  }

  render() {
    const { brief, by, call_id, seconds, until } = this.offer;
    const left = Math.max(0, (until - performance.now()) / 1000);
    return html`<section class="card" aria-labelledby="title">
      <h2 id="title">A call for you <span class="left" aria-hidden="true">${Math.ceil(left)} s</span></h2>
      <svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true"><rect width=${(100 * left) / seconds} height="6"></rect></svg>
      <brief-card .brief=${brief} .by=${by}></brief-card>
      <div class="row">
        ${this.phone
          ? html`<strong>Pick up your phone.</strong>`
          : html`<button type="button" class="primary" @click=${() => ask(this, "answer", { call_id })}>Answer <kbd>Alt+A</kbd></button>`}
        <button type="button" @click=${() => ask(this, "decline", { call_id })}>Decline <kbd>Alt+X</kbd></button>
      </div>
    </section>`;
  }
}

customElements.define("offer-card", OfferCard);
