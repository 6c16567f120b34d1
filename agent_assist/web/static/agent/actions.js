// What keys ask for (see keys.js); each does nothing where it does not fit.

export class Actions {
  #session;
  #part;
  #copy;

  /** `part(name)` is the page's element of that name, if it is there; `copy(card)` puts a reply on the clipboard. */
  constructor(session, part, copy) {
    this.#session = session;
    this.#part = part;
    this.#copy = copy;
  }

  answer() {
    this.#offered("answer");
  }

  decline() {
    if (this.#session.screen.me?.calling) this.#session.ask("callout/cancel");
    this.#offered("decline");
  }

  togglePresence() {
    const { me } = this.#session.screen;
    if (!me) return;
    const ready = me.presence === "ready" || this.#session.preparing || (me.presence !== "away" && me.next === "ready");
    this.#session.setPresence(ready ? "away" : "ready");
  }

  toggleMute() {
    const { audio, byPhone } = this.#session;
    this.#inOurs(() => byPhone || audio.mute(!audio.muted));
  }

  toggleHold() {
    this.#inOurs((call) => this.#session.ask("hold", { on: !call.onHold }));
  }

  togglePause() {
    this.#inOurs((call) => this.#session.ask("pause", { on: !call.paused }));
  }

  toggleKeypad() {
    this.#inOurs(() => this.#session.byPhone || this.#part("call-bar").toggle("keypad"));
  }

  toggleTransfer() {
    this.#inOurs(({ third }) => third || this.#part("call-bar").toggle("transfer"));
  }

  putThrough() {
    this.#inOurs(({ third }) => third?.joined && this.#session.ask("third/putthrough"));
  }

  dropThird() {
    this.#inOurs(({ third }) => third && this.#session.ask("third/drop"));
  }

  handBack() {
    this.#inOurs(({ third }) => third || this.#session.ask("handback"));
  }

  hangUp() {
    this.#inOurs(() => this.#session.ask("hangup"));
    this.#supervise("none");
  }

  listen() {
    this.#supervise("listen");
  }

  whisper() {
    this.#supervise("whisper");
  }

  join() {
    this.#supervise("join");
  }

  copy(number) {
    this.#withCard(number, this.#copy);
  }

  speak(number) {
    this.#inOurs(() => this.#withCard(number, ({ reply, article }) => this.#session.ask("speak", { text: reply, article })));
  }

  dismissAll() {
    this.#inCall(({ cards, of }) => of || cards.forEach(({ article }) => this.#session.ask("suggestion", { article, how: "dismissed" })));
  }

  focusNote() {
    this.#part("note-pad")?.focus();
  }

  focusSearch() {
    this.#part("article-search")?.focus();
  }

  disposition(number) {
    this.#part("wrap-up-form")?.choose(number);
  }

  help() {
    this.#part("help-overlay").show();
  }

  #offered(name) {
    const { offer } = this.#session.screen;
    if (offer) this.#session.ask(name, { call_id: offer.call_id });
  }

  #inCall(act) {
    if (this.#session.screen.call) act(this.#session.screen.call);
  }

  /** In a call that can be talked in here, and is the agent's own. */
  #inOurs(act) {
    this.#inCall((call) => !call.observed && !call.of && act(call));
  }

  #withCard(number, act) {
    this.#inCall(({ cards }) => cards[number - 1] && act(cards[number - 1]));
  }

  #supervise(how) {
    this.#inCall(({ of, supervised }) => of && how !== supervised && this.#session.ask("supervise", { agent: of, how }));
  }
}
