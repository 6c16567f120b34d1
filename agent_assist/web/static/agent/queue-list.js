// Who waits for a person, longest first; one who is ready may pick.

import { LitElement, css, html, nothing, repeat } from "../vendor/lit.min.js";
import { clock } from "../call/clock.js";
import { ask, basics } from "./basics.js";
import { plain, sentence } from "./words.js";

class QueueList extends LitElement {
  static properties = { queue: { attribute: false }, free: { type: Boolean } };

  static styles = [
    basics,
    css`
      li { display: flex; justify-content: space-between; align-items: center; gap: 0.75rem; padding: 0.5rem 0; border-top: 1px solid var(--line); }
      li:first-child { border-top: 0; }
      .time { font-variant-numeric: tabular-nums; }
    `,
  ];

  #clock = 0;

  connectedCallback() {
    super.connectedCallback();
    this.#clock = setInterval(() => this.queue.length && this.requestUpdate(), 1000);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.#clock);
  }

  render() {
    return html`<section class="card" aria-labelledby="title">
      <h2 id="title">Waiting${this.queue.length ? ` (${this.queue.length})` : ""}</h2>
      ${this.queue.length
        ? html`<ul>${repeat(this.queue, ({ call_id }) => call_id, (line) => this.#line(line))}</ul>
            ${this.free ? nothing : html`<p class="muted small">Who is ready and free may take one out of turn.</p>`}`
        : html`<p class="muted">Nobody waits.</p>`}
    </section>`;
  }

  #line({ call_id, reason, skill, since }) {
    const waited = clock(Math.max(0, Math.round((performance.now() - since) / 1000)));
    return html`<li>
      <div><p>${sentence(reason)}</p><p class="muted small"><span class="time">${waited}</span>${skill ? `, ${plain(skill)}` : ""}</p></div>
      <button type="button" ?disabled=${!this.free} aria-label="Take “${reason}”" @click=${() => ask(this, "pick", { call_id })}>Take</button>
    </li>`;
  }
}

customElements.define("queue-list", QueueList);
