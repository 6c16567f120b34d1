// Ready or away; during a call it says what follows the call.

import { LitElement, css, html } from "../vendor/lit.min.js";
import { basics, tell } from "./basics.js";
import { PRESENCE } from "./words.js";

const AFTERWARDS = ["calling", "talking", "wrapping"];
const READY = ["ready", "ringing"];

class PresenceSwitch extends LitElement {
  /** `me` as the feed tells it; `preparing`: ready was pressed, and the audio is being opened. */
  static properties = { me: { attribute: false }, preparing: { type: Boolean } };

  static styles = [
    basics,
    css`
      .row { flex-wrap: nowrap; gap: 0.75rem; }
      .two { display: flex; border: 1px solid var(--muted); border-radius: 10px; padding: 2px; gap: 2px; }
      .two button { border: 0; background: none; border-radius: 8px; min-height: 2.25rem; }
      .two button[aria-pressed="true"] { background: var(--sunken); box-shadow: inset 0 0 0 1px var(--muted); }
      .two .ready[aria-pressed="true"] { background: var(--accent); color: var(--accent-ink); box-shadow: none; }
      .now { font-weight: 600; white-space: nowrap; }
    `,
  ];

  render() {
    const later = AFTERWARDS.includes(this.me?.presence);
    const ready = later ? this.me.next === "ready" : this.preparing || READY.includes(this.me?.presence);
    const choice = (presence, chosen) => html`<button type="button" class=${presence} aria-pressed=${chosen} ?disabled=${!this.me}
      @click=${() => tell(this, "presence", presence)}>${PRESENCE[presence]}</button>`;
    const shown = this.preparing || !["ready", "away"].includes(this.me?.presence);
    return html`<div class="row">
      <span class=${shown ? "now" : "unseen"} role="status">${this.#now()}</span>
      ${later ? html`<span class="muted small">afterwards</span>` : ""}
      <div class="two" role="group" aria-label=${later ? "Presence after this call" : "Presence"}>
        ${choice("ready", ready)}${choice("away", !ready)}
      </div>
    </div>`;
  }

  #now() {
    if (!this.me) return "";
    return this.preparing ? "Opening the audio …" : PRESENCE[this.me.presence];
  }
}

customElements.define("presence-switch", PresenceSwitch);
