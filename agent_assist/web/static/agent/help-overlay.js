// All keys at a glance.

import { LitElement, css, html } from "../vendor/lit.min.js";
import { basics } from "./basics.js";
import { KEYS } from "./keys.js";

class HelpOverlay extends LitElement {
  static styles = [
    basics,
    css`
      dialog { border: 1px solid var(--line); border-radius: var(--radius); background: var(--surface); color: var(--ink); padding: 1.4rem; width: 38rem; max-width: calc(100vw - 2rem); box-shadow: var(--shadow); }
      dialog::backdrop { background: #0008; }
      table { border-collapse: collapse; width: 100%; margin-bottom: 1rem; }
      th, td { text-align: left; font-weight: 400; padding: 0.1rem 1rem 0.1rem 0; vertical-align: top; }
    `,
  ];

  show() {
    this.renderRoot.querySelector("dialog").showModal();
  }

  render() {
    return html`<dialog aria-labelledby="title">
      <h2 id="title">Keys</h2>
      <table><tbody>${KEYS.map(({ keys, does }) => html`<tr><th scope="row"><kbd>${keys}</kbd></th><td>${does}</td></tr>`)}</tbody></table>
      <form method="dialog"><button class="primary" autofocus>Close</button></form>
    </dialog>`;
  }
}

customElements.define("help-overlay", HelpOverlay);
