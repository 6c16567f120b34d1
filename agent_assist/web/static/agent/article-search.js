// The knowledge base: looked into while the caller waits, so it answers as one types.

import { LitElement, css, html, nothing } from "../vendor/lit.min.js";
import { ask, basics, tell } from "./basics.js";
import { markdown } from "./markdown.js";

const PAUSE_MS = 250;

class ArticleSearch extends LitElement {
  /** `find(query)` and `read(article)` are the session's; `talking`: a reply can be spoken. */
  static properties = {
    find: { attribute: false },
    read: { attribute: false },
    talking: { type: Boolean },
    query: { state: true },
    found: { state: true },
    shown: { state: true },
  };

  static styles = [
    basics,
    css`
      .results { margin-top: 0.6rem; }
      li > button { width: 100%; text-align: left; border: 0; padding: 0.5rem 0.6rem; background: none; }
      li > button span { display: block; font-weight: 400; font-size: 0.9rem; color: var(--muted); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
      article { margin-top: 0.75rem; }
      article :is(ul, ol) { list-style: revert; padding-left: 1.3rem; }
      article > :is(p, ul, ol, h4) { margin: 0.6rem 0 0; }
      a { color: var(--accent); }
      .reply { background: var(--sunken); border-radius: 10px; padding: 0.6rem 0.8rem; }
      code { font: 0.92em ui-monospace, monospace; }
      .row { margin-top: 0.6rem; }
    `,
  ];

  #timer = 0;

  constructor() {
    super();
    this.query = "";
    this.found = null;
    this.shown = null;
  }

  /** Go to the field. */
  focus() {
    this.renderRoot.querySelector("input").select();
  }

  /** Show one article. */
  async show(article) {
    this.shown = await this.read(article);
    await this.updateComplete;
    this.renderRoot.querySelector("article")?.focus();
  }

  render() {
    return html`<section class="card" aria-labelledby="title">
      <h2 id="title">Articles</h2>
      <label><span class="small muted">Search <kbd>/</kbd></span>
        <input type="search" autocomplete="off" maxlength="200" .value=${this.query} @input=${this.#typed} @keydown=${this.#key}>
      </label>
      ${this.shown ? this.#article(this.shown) : this.#results()}
    </section>`;
  }

  #results() {
    if (!this.found) return nothing;
    return html`<div class="results" role="status">
      ${this.found.length
        ? html`<ul>${this.found.map(({ article, title, reply }) => html`<li><button type="button" @click=${() => this.show(article)}>${title}<span>${reply}</span></button></li>`)}</ul>`
        : html`<p class="muted small">No article is found.</p>`}
    </div>`;
  }

  #article({ article, title, reply, body }) {
    return html`<article tabindex="-1" aria-labelledby="article-title" @keydown=${(event) => event.key === "Escape" && this.#back()}>
      <h3 id="article-title">${title}</h3>
      <p class="reply">${reply}</p>
      ${markdown(body)}
      <div class="row">
        <button type="button" @click=${this.#back}>Back</button>
        <button type="button" @click=${() => tell(this, "copy", { reply, article: "" })}>Copy the reply</button>
        ${this.talking ? html`<button type="button" @click=${() => ask(this, "speak", { text: reply, article })}>Speak it</button>` : nothing}
      </div>
    </article>`;
  }

  #typed({ target }) {
    this.query = target.value;
    this.shown = null;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), PAUSE_MS);
  }

  #key({ key }) {
    if (key === "Enter" && this.found?.length) this.show(this.found[0].article);
  }

  async #look() {
    const query = this.query.trim();
    const found = query ? await this.find(query) : null;
    if (query === this.query.trim()) this.found = found; // else another was asked for meanwhile
  }

  #back() {
    this.shown = null;
    this.focus();
  }
}

customElements.define("article-search", ArticleSearch);
