// How loud both sides are, ten times a second, for the meters.

const EVERY_MS = 100;
const FLOOR_DB = -60;

/** Measures streams and calls `tell({mic, bot})` with 0 (silence) to 1 (full scale) each. */
export class Loudness {
  #context = new AudioContext();
  #taps = { mic: null, bot: null };
  #timer;
  // A page that is loaded again may not measure before the first click or key.
  #wake = () => this.#context.resume();

  constructor(tell) {
    window.addEventListener("pointerdown", this.#wake);
    window.addEventListener("keydown", this.#wake);
    this.#timer = setInterval(() => tell({ mic: this.#level("mic"), bot: this.#level("bot") }), EVERY_MS);
  }

  /** Measure `stream` as `side` from now on. */
  listen(side, stream) {
    this.#taps[side]?.source.disconnect();
    const source = this.#context.createMediaStreamSource(stream);
    const analyser = this.#context.createAnalyser();
    analyser.fftSize = 1024;
    source.connect(analyser);
    this.#taps[side] = { source, analyser, samples: new Float32Array(analyser.fftSize) };
  }

  close() {
    clearInterval(this.#timer);
    window.removeEventListener("pointerdown", this.#wake);
    window.removeEventListener("keydown", this.#wake);
    this.#context.close();
  }

  #level(side) {
    const tap = this.#taps[side];
    if (!tap) return 0;
    tap.analyser.getFloatTimeDomainData(tap.samples);
    const power = tap.samples.reduce((sum, sample) => sum + sample * sample, 0) / tap.samples.length;
    return Math.min(1, Math.max(0, 1 - (10 * Math.log10(power + 1e-12)) / FLOOR_DB));
  }
}
