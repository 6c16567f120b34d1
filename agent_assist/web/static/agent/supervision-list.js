// Colleagues in a call, for supervisors: any of them may be listened to.

import { LitElement, css, html, repeat } from "../vendor/lit.min.js";
import { basics, tell } from "./basics.js";

class SupervisionList extends LitElement {
  /** Fires `supervise` with a colleague's name. `free`: the supervisor is in no call. */
  static properties = { colleagues: { attribute: false }, free: { type: Boolean } };

  static styles = [
    basics,
    css`
      li { display: flex; justify-content: space-between; align-items: center; gap: 0.75rem; padding: 0.5rem 0; border-top: 1px solid var(--line); }
      li:first-child { border-top: 0; }
      .who { font-weight: 550; }
    `,
  ];

  render() {
    const talking = this.colleagues.filter(({ presence }) => presence === "talking");
    return html`<section class="card" aria-labelledby="title">
      <h2 id="title">In a call${talking.length ? ` (${talking.length})` : ""}</h2>
      ${talking.length
        ? html`<ul>${repeat(talking, ({ agent }) => agent, (colleague) => this.#colleague(colleague))}</ul>`
        : html`<p class="muted">No colleague is in a call.</p>`}
    </section>`;
  }

  #colleague({ agent, skills }) {
    return html`<li>
      <div><p class="who">${agent}</p><p class="muted small">${skills.join(", ")}</p></div>
      <button type="button" ?disabled=${!this.free} aria-label="Listen to ${agent}" @click=${() => tell(this, "supervise", agent)}>Listen</button>
    </li>`;
  }
}

customElements.define("supervision-list", SupervisionList);
