// How a call ended: one disposition and a note, and the agent is free again.

import { LitElement, css, html, nothing } from "../vendor/lit.min.js";
import { basics } from "./basics.js";
import "./brief-card.js";
import { draftOf, keepDraft } from "./note-pad.js";
import { plain, sentence } from "./words.js";

class WrapUpForm extends LitElement {
  /** `save(body)` is the session's; it resolves with whether the desk took it. */
  static properties = { wrapUp: { attribute: false }, save: { attribute: false }, chosen: { state: true }, note: { state: true }, missing: { state: true } };

  static styles = [
    basics,
    css`
      .card { padding: 1.25rem 1.4rem; }
      fieldset { border: 0; padding: 0; margin: 1rem 0; min-width: 0; }
      legend { font-weight: 550; padding: 0; margin-bottom: 0.4rem; }
      .choices { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: 0.5rem; }
      .choices label { display: flex; align-items: center; gap: 0.6rem; border: 1px solid var(--line); border-radius: 10px; padding: 0.5rem 0.75rem; cursor: pointer; font-weight: 400; }
      .choices label:has(:checked) { background: var(--accent-soft); border-color: var(--accent); font-weight: 550; }
      .choices label:has(:focus-visible) { outline: 3px solid var(--accent); outline-offset: 2px; }
      .choices kbd { margin-left: auto; }
      input[type="radio"] { width: auto; margin: 0; accent-color: var(--accent); outline: none; }
      .missing { color: var(--danger); margin-bottom: 0.5rem; }
      .row { margin-top: 1rem; }
    `,
  ];

  constructor() {
    super();
    this.chosen = "";
    this.note = "";
    this.missing = false;
  }

  willUpdate(changed) {
    const before = changed.get("wrapUp");
    if (!changed.has("wrapUp") || before?.call_id === this.wrapUp.call_id) return;
    Object.assign(this, { chosen: "", missing: false, note: draftOf(this.wrapUp.call_id) });
  }

  firstUpdated() {
    // The next thing to do; whoever was writing the note goes on writing it.
    this.renderRoot.querySelector(this.note ? "textarea" : "h2").focus();
  }

  /** Choose the disposition number `number`, from 1. */
  choose(number) {
    this.chosen = this.wrapUp.dispositions[number - 1] ?? this.chosen;
    this.missing = false;
  }

  render() {
    return html`<form class="card" aria-labelledby="title" @submit=${this.#submit} @keydown=${this.#key}>
      <h2 id="title" tabindex="-1">How did the call end?</h2>
      <fieldset>
        <legend>Disposition</legend>
        <div class="choices">${this.wrapUp.dispositions.map((disposition, n) => this.#choice(disposition, n + 1))}</div>
      </fieldset>
      <label>Note
        <textarea maxlength="2000" .value=${this.note} @input=${this.#typed}></textarea>
      </label>
      <div class="row">
        ${this.missing ? html`<p class="missing" role="alert">Please choose a disposition.</p>` : nothing}
        <button type="submit" class="primary">Save <kbd>Ctrl+Enter</kbd></button>
      </div>
    </form>`;
  }

  #choice(disposition, number) {
    return html`<label>
      <input type="radio" name="disposition" .checked=${disposition === this.chosen} @change=${() => this.choose(number)}>
      ${sentence(plain(disposition))} ${number <= 9 ? html`<kbd aria-hidden="true">${number}</kbd>` : nothing}
    </label>`;
  }

  #typed({ target }) {
    this.note = target.value;
    keepDraft(this.wrapUp.call_id, this.note);
  }

  #key(event) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    this.#submit(event);
  }

  async #submit(event) {
    event.preventDefault();
    this.missing = !this.chosen;
    if (this.missing) return;
    const { call_id } = this.wrapUp;
    if (await this.save({ call_id, disposition: this.chosen, note: this.note.trim() })) keepDraft(call_id, "");
  }
}

customElements.define("wrap-up-form", WrapUpForm);
