// Twelve keys; fires `key` with the digit.

import { LitElement, css, html } from "../vendor/lit.min.js";

export const DIGITS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
const NAMES = { "*": "star", "#": "hash" };

class KeypadPad extends LitElement {
  static properties = { disabled: { type: Boolean } };

  static styles = css`
    .keys { display: grid; grid-template-columns: repeat(3, 1fr); gap: 0.5rem; }
    button { font: inherit; font-size: 1.2rem; font-variant-numeric: tabular-nums; min-height: 3rem; border-radius: 12px; color: var(--ink); background: var(--surface); border: 1px solid var(--line); cursor: pointer; }
    button:hover:enabled { background: var(--sunken); }
    button:active:enabled { background: var(--accent-soft); }
    button:disabled { color: var(--muted); opacity: 0.6; cursor: default; }
    button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
  `;

  render() {
    return html`<div class="keys" role="group" aria-label="Keypad">
      ${DIGITS.map(
        (digit) => html`<button
          type="button"
          aria-label=${NAMES[digit] ?? digit}
          ?disabled=${this.disabled}
          @click=${() => this.dispatchEvent(new CustomEvent("key", { detail: digit }))}
        >${digit}</button>`,
      )}
    </div>`;
  }
}

customElements.define("keypad-pad", KeypadPad);
