// The ring: a sound, the tab's title, and a notification where the tab is hidden and that was allowed.

const EVERY_S = 3;
const NOTES = [
  { hz: 587, at_s: 0 },
  { hz: 740, at_s: 0.28 },
];
const NOTE_S = 0.9;
const TITLE_MS = 1000;

export class Ringer {
  volume = 0.6;
  #context = null;
  #player = new Audio();
  #sources = [];
  #title = document.title;
  #turning = 0;
  #notification = null;

  /** Ring for `seconds`; `text` tells who and why. */
  ring(text, seconds) {
    this.stop();
    this.#sound(seconds);
    this.#turning = setInterval(() => this.#turn(text), TITLE_MS);
    this.#turn(text);
    if (document.hidden && globalThis.Notification?.permission === "granted") this.#notify(text);
  }

  stop() {
    for (const source of this.#sources) source.stop();
    this.#sources = [];
    clearInterval(this.#turning);
    document.title = this.#title;
    this.#notification?.close();
    this.#notification = null;
  }

  /** One ring, to hear whether it is heard. */
  test() {
    this.stop();
    this.#sound(EVERY_S);
  }

  /** Ring by the loudspeaker `deviceId`, where the browser leaves the choice to pages. */
  async useLoudspeaker(deviceId) {
    await this.#player.setSinkId?.(deviceId);
  }

  /** Every note is scheduled ahead: timers of a hidden tab are late. */
  #sound(seconds) {
    this.#context ??= this.#opened();
    const { currentTime } = this.#context;
    this.#context.resume();
    this.#player.play().catch(() => {}); // not before the first click or key: title and notification still tell
    for (let from = 0; from < seconds; from += EVERY_S) {
      for (const { hz, at_s } of NOTES) this.#note(hz, currentTime + from + at_s);
    }
  }

  #opened() {
    const context = new AudioContext();
    const out = context.createMediaStreamDestination();
    this.#player.srcObject = out.stream;
    return Object.assign(context, { out });
  }

  #note(hz, at) {
    const source = this.#context.createOscillator();
    const gain = this.#context.createGain();
    source.frequency.value = hz;
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(0.5 * this.volume, at + 0.03);
    gain.gain.exponentialRampToValueAtTime(0.001, at + NOTE_S);
    source.connect(gain).connect(this.#context.out);
    source.start(at);
    source.stop(at + NOTE_S);
    this.#sources.push(source);
  }

  #turn(text) {
    document.title = document.title === this.#title ? `☎ ${text}` : this.#title;
  }

  #notify(text) {
    this.#notification = new Notification("A call for you", { body: text, tag: "centralino-ring", icon: "/static/icon.svg" });
    this.#notification.onclick = () => window.focus();
  }
}
