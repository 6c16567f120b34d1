// The page an agent looks at all day: it shows the session's screen, and turns keys and clicks into asking.

import { LitElement, html, nothing } from "../vendor/lit.min.js";
import "../call/transcript-view.js";
import { Actions } from "./actions.js";
import { styles } from "./agent-page-styles.js";
import "./article-search.js";
import { basics } from "./basics.js";
import "./brief-card.js";
import "./call-bar.js";
import "./callback-list.js";
import "./calling-card.js";
import "./help-overlay.js";
import { asked } from "./keys.js";
import "./note-pad.js";
import "./offer-card.js";
import "./presence-switch.js";
import "./queue-list.js";
import { DeskSession } from "./session.js";
import "./sound-strip.js";
import "./suggestion-cards.js";
import "./supervision-bar.js";
import "./supervision-list.js";
import { callText } from "./words.js";
import "./wrap-up-form.js";

const LINK = {
  away: "The desk cannot be reached: what you see may be old. Trying again …",
  replaced: "This page was opened too often elsewhere. Load it again to use it here.",
};
const FREE = ["away", "ready"]; // somebody may be called, or a colleague listened to
const IDLE = {
  offline: "Joining the desk …",
  away: "You are away: no call rings here.",
  ready: "You are ready. The next call rings here.",
};

class AgentPage extends LitElement {
  static styles = [basics, styles];

  #session = new DeskSession();
  #actions = new Actions(this.#session, (name) => this.#part(name), (card) => this.#copy(card));
  #onChange = () => this.requestUpdate();
  #onAsk = ({ detail: { name, body } }) => this.#session.ask(name, body);
  #onKey = (event) => this.#typed(event);
  #onLeave = () => this.#session.stop();
  #onShow = ({ persisted }) => persisted && location.reload(); // kept by the browser, and long since out of step
  #onUnload = (event) => this.#session.busy && event.preventDefault();
  // Handed to parts: one function each, so that nothing is painted anew without need.
  #find = (query) => this.#session.search(query);
  #read = (article) => this.#session.article(article);
  #note = (text) => (this.#session.screen.call ? this.#session.ask("note", { text }) : false); // else it was cut short
  #wrapUp = (body) => this.#session.ask("wrapup", body);

  connectedCallback() {
    super.connectedCallback();
    this.#session.addEventListener("change", this.#onChange);
    this.addEventListener("ask", this.#onAsk);
    window.addEventListener("keydown", this.#onKey);
    window.addEventListener("pagehide", this.#onLeave);
    window.addEventListener("pageshow", this.#onShow);
    window.addEventListener("beforeunload", this.#onUnload);
    this.#session.start();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#session.removeEventListener("change", this.#onChange);
    this.removeEventListener("ask", this.#onAsk);
    window.removeEventListener("keydown", this.#onKey);
    window.removeEventListener("pagehide", this.#onLeave);
    window.removeEventListener("pageshow", this.#onShow);
    window.removeEventListener("beforeunload", this.#onUnload);
    this.#session.stop();
  }

  render() {
    const { screen, audio, settings, preparing, byPhone } = this.#session;
    return html`
      <div class="strip">
        <presence-switch .me=${screen.me} ?preparing=${preparing} @presence=${({ detail }) => this.#session.setPresence(detail)}></presence-switch>
        <div class="tools">
          <sound-strip .audio=${audio} .state=${byPhone ? "phone" : audio.state} .code=${audio.code} .settings=${settings}
            @settings=${({ detail }) => this.#session.apply(detail)} @steal=${() => this.#session.stealAudio()} @test-ring=${() => this.#session.ringer.test()}></sound-strip>
          <button type="button" @click=${() => this.#actions.help()}>Keys <kbd>?</kbd></button>
        </div>
      </div>
      ${screen.call ? this.#bar(screen) : nothing}
      <div class="words">${this.#words()}</div>
      <p class="unseen" aria-live="assertive">${screen.offer ? `A call for you: ${callText(screen.offer.brief)}. ${byPhone ? "Pick up your phone" : "Alt+A answers"}.` : ""}</p>
      <div class="columns" @copy=${({ detail }) => this.#copy(detail)} @article=${({ detail }) => this.#part("article-search").show(detail)} @called-back=${({ detail }) => this.#session.finishCallback(detail)}
        @call-back=${({ detail }) => this.#session.callBack(detail)} @supervise=${({ detail }) => this.#session.supervise(detail)}>
        ${screen.call ? this.#talking(screen) : screen.wrapUp ? this.#wrapping(screen) : this.#waiting(screen)}
      </div>
      <help-overlay></help-overlay>
    `;
  }

  #words() {
    const { screen, link, trouble } = this.#session;
    const out = html`<p class="trouble" role="alert">You are signed out. <a href="/signin?next=/agent">Sign in again</a></p>`;
    return html`
      ${link === "out" ? out : LINK[link] ? html`<p class="trouble" role="alert">${LINK[link]}</p>` : nothing}
      ${trouble && link !== "out"
        ? html`<p class="trouble" role="alert">${trouble} <button type="button" @click=${() => this.#session.complain("")}>OK</button></p>`
        : nothing}
      ${screen.notice ? html`<p role="status">${screen.notice}</p>` : nothing}
    `;
  }

  #bar({ me, call, colleagues }) {
    const { audio, byPhone } = this.#session;
    if (call.of) return html`<supervision-bar .call=${call}></supervision-bar>`;
    return html`<call-bar .call=${call} .colleagues=${colleagues} ?phone=${byPhone} ?muted=${audio.muted} ?silent=${!me.audio}
      @mute=${() => this.#actions.toggleMute()} @hold=${() => this.#actions.toggleHold()} @pause=${() => this.#actions.togglePause()} @keys=${({ detail }) => audio.sendKeys(detail)}></call-bar>`;
  }

  #waiting({ me, offer, queue, colleagues }) {
    const { callbacks, byPhone, beginning } = this.#session;
    const free = FREE.includes(me?.presence) && !beginning;
    const others = queue.filter(({ call_id }) => call_id !== offer?.call_id);
    const lists = html`<queue-list .queue=${others} ?free=${me?.presence === "ready"}></queue-list><callback-list .callbacks=${callbacks} ?free=${free}></callback-list>`;
    if (offer) return html`<div class="column two"><offer-card .offer=${offer} ?phone=${byPhone}></offer-card></div><div class="column">${lists}</div>`;
    if (me?.calling) return html`<div class="column two">${this.#placing(me.calling, callbacks)}</div><div class="column">${lists}</div>`;
    const supervision = me?.supervisor ? html`<supervision-list .colleagues=${colleagues} ?free=${free}></supervision-list>` : nothing;
    return html`<div class="column two"><div class="card idle"><h2>${IDLE[me?.presence ?? "offline"] ?? ""}</h2></div>${lists}</div><div class="column">${supervision}${this.#search(false)}</div>`;
  }

  #placing(calling, callbacks) {
    return html`<calling-card .number=${calling} .reason=${callbacks.find(({ number }) => number === calling)?.reason}></calling-card>`;
  }

  #talking({ me, call }) {
    return html`
      <div class="column">
        <brief-card class="card" .brief=${call.brief}></brief-card>
        ${call.of ? nothing : html`<note-pad .callId=${call.call_id} .notes=${call.notes} .save=${this.#note}></note-pad>`}
      </div>
      <div class="column">${this.#said(call.lines, call.of || me.agent)}</div>
      <div class="column"><suggestion-cards .cards=${call.cards} .phrase=${call.phrase} ?voiceless=${call.observed} ?foreign=${Boolean(call.of)}></suggestion-cards>${this.#search(!call.of)}</div>
    `;
  }

  #wrapping({ me, wrapUp }) {
    return html`
      <div class="column"><brief-card class="card" .brief=${wrapUp.brief}></brief-card></div>
      <div class="column"><wrap-up-form .wrapUp=${wrapUp} .save=${this.#wrapUp}></wrap-up-form></div>
      <div class="column">${wrapUp.lines.length ? this.#said(wrapUp.lines, me.agent) : this.#search(false)}</div>
    `;
  }

  #said(lines, agent) {
    const names = { caller: "Caller", bot: "Bot", agent, third: "Somebody else" };
    return html`<transcript-view class="card talk" mine="agent" .lines=${lines} .names=${names}></transcript-view>`;
  }

  #search(talking) {
    return html`<article-search .find=${this.#find} .read=${this.#read} ?talking=${talking}></article-search>`;
  }

  async #copy({ reply, article }) {
    try {
      await navigator.clipboard.writeText(reply);
    } catch {
      return this.#session.complain("The browser did not let this page copy the reply.");
    }
    if (article && !this.#session.screen.call?.of) this.#session.ask("suggestion", { article, how: "copied" });
  }

  #typed(event) {
    const wish = asked(event);
    if (!wish) return;
    event.preventDefault();
    this.#actions[wish.action](wish.digit);
  }

  #part(name) {
    return this.renderRoot.querySelector(name);
  }
}

customElements.define("agent-page", AgentPage);
