// Callers who asked to be called back.

import { LitElement, css, html, repeat } from "../vendor/lit.min.js";
import { basics, tell } from "./basics.js";
import { callerName, plain, sentence } from "./words.js";

const WHEN = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });

class CallbackList extends LitElement {
  static properties = { callbacks: { attribute: false } };

  static styles = [
    basics,
    css`
      li { display: flex; justify-content: space-between; align-items: center; gap: 0.75rem; padding: 0.5rem 0; border-top: 1px solid var(--line); }
      li:first-child { border-top: 0; }
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

  #task({ id, caller, reason, skill, asked_at }) {
    const name = callerName(caller);
    return html`<li>
      <div><p class="who">${name}</p><p class="muted small">${sentence(reason)}${skill ? `, ${plain(skill)}` : ""}, <time datetime=${asked_at}>${WHEN.format(new Date(asked_at))}</time></p></div>
      <button type="button" aria-label="Done: ${name} was called back" @click=${() => tell(this, "called-back", id)}>Done</button>
    </li>`;
  }
}

customElements.define("callback-list", CallbackList);
