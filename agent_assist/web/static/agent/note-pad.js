// Notes of a call: each is saved when the agent is done with it, and what is not yet saved outlives a reload.

import { LitElement, css, html } from "../vendor/lit.min.js";
import { basics } from "./basics.js";

/** What was written and not saved for `callId`, or "". */
export function draftOf(callId) {
  return sessionStorage.getItem(key(callId)) ?? "";
}

/** Keep `text` as the draft for `callId`; "" forgets it. */
export function keepDraft(callId, text) {
  if (text) sessionStorage.setItem(key(callId), text);
  else sessionStorage.removeItem(key(callId));
}

function key(callId) {
  return `centralino-note-${callId}`;
}

class NotePad extends LitElement {
  /** `save(text)` is the session's; it resolves with whether the desk took it. */
  static properties = { callId: {}, notes: { attribute: false }, save: { attribute: false }, draft: { state: true } };

  static styles = [
    basics,
    css`
      li { border-left: 3px solid var(--agent); padding-left: 0.7rem; margin-bottom: 0.5rem; white-space: pre-wrap; overflow-wrap: anywhere; }
      .hint { display: flex; justify-content: space-between; gap: 1rem; font-weight: 400; }
    `,
  ];

  #saving = false;

  constructor() {
    super();
    this.draft = "";
  }

  willUpdate(changed) {
    if (changed.has("callId")) this.draft = draftOf(this.callId);
  }

  /** Go to the field. */
  focus() {
    this.renderRoot.querySelector("textarea").focus();
  }

  render() {
    return html`<section class="card" aria-labelledby="title">
      <h2 id="title">Notes</h2>
      <ul>${this.notes.map(({ agent, text }) => html`<li>${text} <span class="muted small">${agent}</span></li>`)}</ul>
      <label><span class="hint small muted"><span>New note <kbd>Alt+N</kbd></span><span>to save <kbd>Ctrl+Enter</kbd></span></span>
        <textarea maxlength="2000" .value=${this.draft} @input=${this.#typed} @keydown=${this.#key} @blur=${this.#left}></textarea>
      </label>
    </section>`;
  }

  #typed({ target }) {
    this.draft = target.value;
    keepDraft(this.callId, this.draft);
  }

  #key(event) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    this.#store();
  }

  #left() {
    if (document.hasFocus()) this.#store(); // else the agent only looks at another window
  }

  async #store() {
    const text = this.draft.trim();
    if (!text || this.#saving) return;
    this.#saving = true;
    const taken = await this.save(text);
    this.#saving = false;
    if (taken && this.draft.trim() === text) {
      this.draft = "";
      keepDraft(this.callId, "");
    }
  }
}

customElements.define("note-pad", NotePad);
