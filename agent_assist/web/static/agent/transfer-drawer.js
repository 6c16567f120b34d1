// Where the call may go: to a colleague, to a number outside, or first a word with whoever is there.

import { LitElement, css, html, nothing } from "../vendor/lit.min.js";
import { ask, basics, tell } from "./basics.js";
import { PRESENCE } from "./words.js";

const FIXED = ["browser", "stream"]; // transports by which nobody can be sent anywhere

class TransferDrawer extends LitElement {
  /** Fires `close` when a choice was made. */
  static properties = { call: { attribute: false }, colleagues: { attribute: false } };

  static styles = [
    basics,
    css`
      li button { width: 100%; display: flex; justify-content: space-between; gap: 0.5rem; text-align: left; }
      li + li { margin-top: 0.4rem; }
      li small { font-weight: 400; font-size: 0.875rem; }
      form { margin-top: 0.8rem; }
      .row { display: grid; grid-auto-columns: 1fr; grid-auto-flow: column; margin: 0.4rem 0; }
    `,
  ];

  render() {
    return html`
      ${this.colleagues.length
        ? html`<ul>${this.colleagues.map((colleague) => html`<li>${this.#colleague(colleague)}</li>`)}</ul>`
        : html`<p class="muted">No colleague is signed in.</p>`}
      ${this.#outside()}
    `;
  }

  #colleague({ agent, presence, skills }) {
    const possible = presence === "ready" && !this.call.transferringTo;
    return html`<button type="button" ?disabled=${!possible} @click=${() => this.#choose("transfer", agent)}>
      <span>${agent}${skills.length ? html` <small>${skills.join(", ")}</small>` : nothing}</span><small>${PRESENCE[presence]}</small>
    </button>`;
  }

  /** What Enter does stands first. */
  #outside() {
    const busy = Boolean(this.call.transferringTo);
    const fixed = FIXED.includes(this.call.brief.transport);
    return html`<form @submit=${this.#submit}>
      <label>To a number outside <input name="to" type="text" inputmode="tel" autocomplete="off" maxlength="128" required /></label>
      <div class="row">
        ${fixed ? nothing : html`<button value="transfer/outside" ?disabled=${busy}>Send</button>`}
        <button value="consult" ?disabled=${busy}>Call first</button>
      </div>
      <p class="muted small">${fixed ? "This caller cannot be sent to a number: call first, and put the caller through." : "Call first: the caller hears music while you speak with them."}</p>
    </form>`;
  }

  #submit(event) {
    event.preventDefault();
    const to = new FormData(event.target).get("to").trim();
    if (to) this.#choose(event.submitter.value, to);
  }

  #choose(name, to) {
    tell(this, "close");
    ask(this, name, { to });
  }
}

customElements.define("transfer-drawer", TransferDrawer);
