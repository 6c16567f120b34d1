// Callers who asked to be called back.

import { LitElement, css, html, nothing, repeat } from "../vendor/lit.min.js";
import { basics, tell } from "./basics.js";
import { callerName, sentence } from "./words.js";

const WHEN = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });

class CallbackList extends LitElement {
  /** Fires `call-back` and `called-back` with a task's id. `free`: nothing is on, so that somebody may be called. */
  static properties = { callbacks: { attribute: false }, free: { type: Boolean } };

  static styles = [
    basics,
    css`
      li { display: flex; justify-content: space-between; align-items: center; gap: 0.75rem; padding: 0.5rem 0; border-top: 1px solid var(--line); }
      li:first-child { border-top: 0; }
      .row { flex: none; }
      .who { font-variant-numeric: tabular-nums; font-weight: 550; }
    `,
  ];

  render() {
    return html`<section class="card" aria-labelledby="title">
      <h2 id="title">To call back${this.callbacks.length ? ` (${this.callbacks.length})` : ""}</h2>
      ${this.callbacks.length
        ? html`<ul>${repeat(this.callbacks, ({ id }) => id, (task) => this.#task(task))}</ul>`
        : html`<p class="muted">Nobody waits to be called back.</p>`}
    </section>`;
  }

  #task({ id, caller, number, reason, asked_at }) {
    const name = callerName(caller);
    return html`<li>
      <div><p class="who">${name}</p><p class="muted small">${sentence(reason)}, <time datetime=${asked_at}>${WHEN.format(new Date(asked_at))}</time></p></div>
      <div class="row">
        ${number
          ? html`<button type="button" ?disabled=${!this.free} aria-label="Call ${name}" @click=${() => tell(this, "call-back", id)}>Call</button>`
          : nothing}
        <button type="button" aria-label="Done: ${name} was called back" @click=${() => tell(this, "called-back", id)}>Done</button>
      </div>
    </li>`;
  }
}

customElements.define("callback-list", CallbackList);
