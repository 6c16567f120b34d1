// The agent's working session: the feed, the audio, the ring and what is asked of the desk, held together.

import { CallError, words } from "../call/microphone.js";
import { AgentAudio } from "./agent-audio.js";
import { Refusal, command, read } from "./commands.js";
import { BLANK_DEVICES, devices, keep } from "./devices.js";
import { Feed } from "./feed.js";
import { Ringer } from "./ringer.js";
import { BLANK, shown } from "./screen.js";
import { callText } from "./words.js";

const WORKING = ["ready", "ringing", "calling", "talking", "wrapping"];
const CALLBACKS_MS = 60_000;
const MISSED = ["no_answer", "gone"];
const ERRAND_OVER = ["not_reached", "snapshot"]; // also where the feed was away as it began
const NEEDS_PERSON = ["elsewhere", "failed"]; // states of the audio that do not end by themselves
const WISH = "centralino-wish"; // outlives a reload of the page, not the tab

/** Fires `change` whenever one of its fields is another. Moments are in ms of `performance.now()`. */
export class DeskSession extends EventTarget {
  screen = BLANK;
  link = "joining"; // the feed's state
  trouble = ""; // what was refused last, in words
  callbacks = [];
  settings = BLANK_DEVICES;
  audio = new AgentAudio();
  ringer = new Ringer();
  #feed = new Feed();
  #wish = "away"; // what the agent wants: the desk has them away after every loss of the page or the feed
  #asked = false; // the desk was told
  #asking = new Set();
  #errand = null; // {name, body, asked}: what needs audio, and waits for it where there is none
  #polling = 0;

  constructor() {
    super();
    this.#feed.addEventListener("message", ({ detail }) => this.#told(detail));
    this.#feed.addEventListener("state", ({ detail }) => this.#linked(detail));
    this.audio.addEventListener("state", () => this.#settle());
    // A page that is loaded again takes up where it was; one that is opened anew waits for its agent.
    const [{ type }] = performance.getEntriesByType("navigation");
    if (type === "reload") this.#wish = sessionStorage.getItem(WISH) ?? "away";
  }

  start() {
    this.apply(devices());
    this.#feed.start();
    this.#polling = setInterval(() => this.readCallbacks(), CALLBACKS_MS);
    this.readCallbacks();
  }

  stop() {
    this.#feed.stop();
    this.audio.close();
    this.ringer.stop();
    clearInterval(this.#polling);
  }

  /** Whether leaving the page would leave somebody alone. */
  get busy() {
    const { me, call, offer } = this.screen;
    return Boolean((call && !call.observed && !call.of) || offer || me?.calling);
  }

  /** Ask the desk for `name`; a refusal is told by `trouble`. Resolves with whether it was taken. */
  async ask(name, body = {}) {
    const wish = JSON.stringify([name, body]);
    if (this.#asking.has(wish)) return false; // pressed twice
    this.#asking.add(wish);
    this.trouble = "";
    const taken = await this.#try(() => command(name, body).then(() => true));
    this.#asking.delete(wish);
    return taken ?? false;
  }

  /** Be ready or away from now on, or after the call that is on. */
  async setPresence(presence) {
    this.#wish = presence;
    this.#asked = false;
    if (presence === "away") this.#errand = null;
    if (presence === "ready" && NEEDS_PERSON.includes(this.audio.state)) this.audio.close();
    if (presence === "away" || WORKING.includes(this.screen.me?.presence)) await this.ask("presence", { presence });
    this.#settle();
  }

  /** Whether the agent waits to become ready. */
  get preparing() {
    return this.#wish === "ready" && this.screen.me?.presence === "away";
  }

  /** Whether something is about to begin for which the audio is opened. */
  get beginning() {
    return this.#errand !== null;
  }

  /** Whether calls are taken by the phone that is registered: it rings, and what is said goes by it. */
  get byPhone() {
    return Boolean(this.screen.me?.phone) && this.audio.state === "closed";
  }

  /** Take the audio from the other tab that has it. */
  async stealAudio() {
    await this.audio.open({ steal: true });
  }

  /** Use other devices, and remember them. */
  async apply(settings) {
    this.settings = settings;
    keep(settings);
    this.ringer.volume = settings.volume / 100;
    try {
      await this.audio.useMicrophone(settings.microphone);
      await this.audio.useLoudspeaker(settings.loudspeaker);
      await this.ringer.useLoudspeaker(settings.ringer);
    } catch (error) {
      this.trouble = error instanceof CallError ? words(error.code) : "That device cannot be used right now.";
    }
    this.#changed();
  }

  async readCallbacks() {
    if (this.link === "out") return;
    try {
      this.callbacks = await read("callbacks");
    } catch (error) {
      if (error.status === 401) this.#signOut(); // what else fails, the feed tells
    }
    this.#changed();
  }

  async finishCallback(id) {
    if (await this.ask(`callbacks/${encodeURIComponent(id)}/done`)) await this.readCallbacks();
  }

  /** Let the node call who is to be called back. */
  callBack(id) {
    this.#run(`callbacks/${encodeURIComponent(id)}/call`);
  }

  /** Be in the call of a colleague; to begin with, nobody hears it. */
  supervise(agent) {
    this.#run("supervise", { agent, how: "listen" });
  }

  /** Articles for what the agent types. */
  async search(query) {
    return (await this.#try(() => read(`articles?q=${encodeURIComponent(query)}`))) ?? [];
  }

  /** One article as a whole, or null. */
  async article(name) {
    return (await this.#try(() => read(`articles/${encodeURIComponent(name)}`))) ?? null;
  }

  /** Tell something that went wrong on this side. */
  complain(trouble) {
    this.trouble = trouble;
    this.#changed();
  }

  /** Ask for what needs audio, which stays open until that is over. */
  #run(name, body = {}) {
    if (this.#errand) return; // pressed twice
    this.#errand = { name, body, asked: false };
    if (NEEDS_PERSON.includes(this.audio.state)) this.audio.close();
    this.#settle();
  }

  async #pursue(errand) {
    errand.asked = true;
    // What came of it is told by the feed; until then the audio is kept.
    if (!(await this.ask(errand.name, errand.body))) this.#errand = null;
    this.#settle();
  }

  /** What `act` resolves with; undefined where it was refused. */
  async #try(act) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.trouble = error.message;
      if (error.status === 401) this.#signOut();
      return undefined;
    } finally {
      this.#changed();
    }
  }

  #told(message) {
    const before = this.screen;
    this.screen = shown(before, message, performance.now());
    if (before.offer?.call_id !== this.screen.offer?.call_id) this.#ring();
    if (before.call && !this.screen.call) this.audio.mute(false); // the next caller is to hear the agent
    if (message.type === "offer_withdrawn" && MISSED.includes(message.why)) this.#wish = "away";
    if (this.#errand?.asked && (this.screen.me?.calling || this.screen.call?.of || ERRAND_OVER.includes(message.type))) this.#errand = null;
    if (["presence", "audio", "phone"].some((fact) => before.me?.[fact] !== this.screen.me?.[fact])) this.#asked = false;
    this.#settle();
  }

  #ring() {
    const { offer } = this.screen;
    if (!offer || this.audio.state === "elsewhere") return this.ringer.stop();
    this.ringer.ring(callText(offer.brief), offer.expires_s);
  }

  /** Bring audio and presence to where they are to be. Who has a phone needs no audio here, but for an errand. */
  #settle() {
    const { me, call, offer } = this.screen;
    const working = this.#wish === "ready" || WORKING.includes(me?.presence);
    const wanted = (working && !me?.phone) || this.#errand || call?.of;
    sessionStorage.setItem(WISH, this.#wish);
    if (wanted && this.audio.state === "closed") this.audio.open();
    if (!wanted && me && !this.busy && !NEEDS_PERSON.includes(this.audio.state)) this.audio.close();
    if (this.#errand && !this.#errand.asked) {
      if (me?.audio && this.audio.state === "open") this.#pursue(this.#errand);
      else if (NEEDS_PERSON.includes(this.audio.state)) this.#errand = null; // the strip tells why
    }
    // While an offer is on the screen the desk is not done yet with telling what became of it.
    if (this.preparing && (me.audio || me.phone) && !offer && !this.#asked) {
      this.#asked = true;
      this.ask("presence", { presence: "ready" });
    }
    this.#changed();
  }

  #linked(state) {
    if (this.link === "out") return;
    this.link = state;
    if (state === "live" || state === "away") this.readCallbacks(); // also tells a lost network from a lost session
    this.#changed();
  }

  #signOut() {
    this.link = "out";
    this.#feed.stop();
    this.ringer.stop();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
