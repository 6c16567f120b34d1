// The node calls somebody for the agent.

import { LitElement, css, html, nothing } from "../vendor/lit.min.js";
import { ask, basics } from "./basics.js";
import { sentence } from "./words.js";

class CallingCard extends LitElement {
  /** `reason` is why they are called, where that is known. */
  static properties = { number: {}, reason: {} };

  static styles = [
    basics,
    css`
      .card { border: 2px solid var(--accent); padding: 1.25rem 1.4rem; }
      h2 { font-size: 1.15rem; color: var(--accent); overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
      .row { margin-top: 1.1rem; }
      button { min-height: 3rem; padding-inline: 1.4rem; }
    `,
  ];

  firstUpdated() {
    this.renderRoot.querySelector("h2").focus();
  }

  render() {
    return html`<section class="card" aria-labelledby="title">
      <h2 id="title" tabindex="-1">Calling ${this.number} …</h2>
      <div class="stack">
        ${this.reason ? html`<p><strong>${sentence(this.reason)}</strong></p>` : nothing}
        <p class="muted">You are connected with whoever answers.</p>
      </div>
      <div class="row"><button type="button" @click=${() => ask(this, "callout/cancel")}>Cancel <kbd>Alt+X</kbd></button></div>
    </section>`;
  }
}

customElements.define("calling-card", CallingCard);
