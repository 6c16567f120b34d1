// Up to three replies that may fit what the caller said last: where they come from, and why they are shown.

import { LitElement, css, html, nothing } from "../vendor/lit.min.js";
import { ask, basics, tell } from "./basics.js";

const USED = { copied: "Copied", spoken: "Spoken" };

class SuggestionCards extends LitElement {
  /** `voiceless`: the bot's voice is not heard in this call; `foreign`: a colleague's cards, to be read. */
  static properties = { cards: { attribute: false }, phrase: {}, voiceless: { type: Boolean }, foreign: { type: Boolean } };

  static styles = [
    basics,
    css`
      .phrase, .words { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; } /* three cards are to be in sight at once */
      .phrase { margin-bottom: 0.6rem; }
      li { border: 1px solid var(--line); border-radius: 10px; padding: 0.5rem 0.7rem 0.6rem; }
      li + li { margin-top: 0.5rem; }
      header { display: flex; align-items: start; justify-content: space-between; gap: 0.5rem; }
      h3 { font-size: 0.95rem; }
      h3 span { color: var(--accent); font-weight: 550; white-space: nowrap; }
      header button { border: 0; min-height: 1.75rem; padding: 0 0.4rem; color: var(--muted); }
      .reply { margin: 0.1rem 0 0.2rem; }
      .why { display: flex; }
      .match { flex: none; white-space: pre; }
      .row { margin-top: 0.4rem; gap: 0.4rem; }
      .row button { min-height: 2.1rem; padding: 0.15rem 0.6rem; }
      mark { background: var(--caller-soft); color: var(--caller); border-radius: 4px; padding: 0 0.25em; }
    `,
  ];

  render() {
    return html`<section class="card" aria-labelledby="title">
      <h2 id="title">Suggested replies</h2>
      ${this.cards.length
        ? html`<p class="muted small phrase" title=${this.phrase}>The caller: “${this.phrase}”</p>
            <ol>${this.cards.map((card, n) => html`<li>${this.#card(card, n + 1)}</li>`)}</ol>`
        : html`<p class="muted small">Nothing fits what was said last.</p>`}
    </section>`;
  }

  #card(card, number) {
    const { article, title, reply, words, score, used } = card;
    return html`<header>
        <h3>${title} ${USED[used] ? html`<span>${USED[used]}</span>` : nothing}</h3>
        ${this.foreign
          ? nothing
          : html`<button type="button" aria-label="Dismiss “${title}”" @click=${() => ask(this, "suggestion", { article, how: "dismissed" })}>✕</button>`}
      </header>
      <p class="reply">${reply}</p>
      <p class="muted small why">
        <span class="words" title=${words.join(" ")}>${words.length ? html`Said: ${words.map((word) => html`<mark>${word}</mark> `)}` : "Close in meaning"}</span><span class="match"> · ${Math.round(100 * score)} % match</span>
      </p>
      <div class="row">
        <button type="button" @click=${() => tell(this, "copy", card)}>Copy <kbd>Alt+${number}</kbd></button>
        ${this.voiceless || this.foreign
          ? nothing
          : html`<button type="button" title="Shift+Alt+${number}" @click=${() => ask(this, "speak", { text: reply, article })}>Speak</button>`}
        <button type="button" @click=${() => tell(this, "article", article)}>Article</button>
      </div>`;
  }
}

customElements.define("suggestion-cards", SuggestionCards);
