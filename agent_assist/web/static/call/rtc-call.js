// One call by WebRTC: WHIP-style signalling, one audio track each way, the journal on a data channel.
//
// OPTIONS -> the STUN and TURN servers; POST the offer -> 201, the answer, Location; PATCH Location with a new offer
// takes the same call over by a new peer connection (reconnect); DELETE Location ends it. Candidates are gathered
// first: nothing trickles. An agent's audio is such a call too, at an endpoint of its own whose requests carry the
// session's token in `headers`.

import { iceServers } from "./ice-servers.js";
import { Loudness } from "./loudness.js";
import { CallError, openMicrophone } from "./microphone.js";

const GATHER_MS = 2000;
const CONNECT_MS = 10000;
const DISCONNECTED_MS = 2000; // ICE often recovers by itself
const RECONNECT_MS = 15000; // as long as the server keeps the call
const RETRY_MS = 1000;
const TONE_MS = 120;

const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * A call, used once. States: idle, asking (for the microphone), connecting, talking, reconnecting, ended.
 *
 * Events, all with a `detail`: `state` {state, cause}; `record` (a journal record, each once and in order);
 * `level` {mic, bot} in 0..1; `error` {code, message, status}, after which the state is ended.
 */
export class RtcCall extends EventTarget {
  state = "idle";
  #endpoint;
  #headers;
  #location = "";
  #peer = null;
  #channel = null;
  #sender = null;
  #stream = null;
  #loudness = null;
  #player = new Audio();
  #seen = -1;
  #patience = 0;
  #muted = false;

  constructor({ endpoint = "/api/whip", headers = {} } = {}) {
    super();
    this.#endpoint = endpoint;
    this.#headers = headers;
  }

  /** Ask for the microphone and place the call. Never throws: what fails is told by `error`. */
  async start(deviceId = "") {
    try {
      this.#become("asking");
      this.#stream = await openMicrophone(deviceId);
      if (this.state === "ended") return this.#release();
      this.#loudness = new Loudness((level) => this.#tell("level", level));
      this.#loudness.listen("mic", this.#stream);
      this.mute(this.#muted);
      this.#become("connecting");
      await this.#connect("POST", this.#endpoint);
      if (this.state === "connecting") this.#become("talking");
    } catch (error) {
      this.#fail(error);
    }
  }

  /** End the call from this side. */
  hangup(cause = "you_hung_up") {
    if (this.state === "ended") return;
    this.#dropLine();
    this.#end(cause);
  }

  /** Send silence instead of the microphone, or the microphone again. */
  mute(on) {
    this.#muted = on;
    for (const track of this.#stream?.getAudioTracks() ?? []) track.enabled = !on;
  }

  /** Speak by another microphone from now on; throws CallError and keeps the old one where that fails. */
  async useMicrophone(deviceId) {
    if (!this.#stream) return;
    const stream = await openMicrophone(deviceId);
    const before = this.#stream;
    this.#stream = stream;
    if (this.state === "ended") return this.#release();
    this.mute(this.#muted);
    this.#loudness.listen("mic", stream);
    await this.#sender?.replaceTrack(stream.getAudioTracks()[0]);
    for (const track of before.getTracks()) track.stop();
  }

  /** Hear the other side by the loudspeaker `deviceId`, where the browser leaves the choice to pages. */
  async useLoudspeaker(deviceId) {
    await this.#player.setSinkId?.(deviceId);
  }

  /** Key `digits` (0-9, *, #): as telephone events, or by the data channel where those were not agreed. */
  sendKeys(digits) {
    if (this.state !== "talking") return;
    const tones = this.#sender?.dtmf;
    if (tones?.canInsertDTMF) {
      tones.insertDTMF(tones.toneBuffer + digits, TONE_MS);
    } else if (this.#channel?.readyState === "open") {
      this.#channel.send(JSON.stringify({ keys: digits }));
    }
  }

  async #connect(method, url) {
    const peer = new RTCPeerConnection({ iceServers: await iceServers(this.#endpoint, this.#headers) });
    if (this.state === "ended") return peer.close();
    this.#peer?.close();
    this.#peer = peer;
    clearTimeout(this.#patience);
    const connected = this.#watch(peer);
    connected.catch(() => {}); // it may fail before anyone waits for it
    this.#sender = peer.addTrack(this.#stream.getAudioTracks()[0], this.#stream);
    this.#channel = peer.createDataChannel("journal");
    this.#channel.onmessage = (event) => this.#heard(event.data);
    peer.ontrack = ({ track }) => this.#play(new MediaStream([track]));
    await peer.setLocalDescription(await peer.createOffer());
    await gathered(peer);
    if (this.state === "ended") return;
    const answer = await this.#signal(method, url, peer.localDescription.sdp);
    if (this.state === "ended") {
      this.#dropLine();
      return;
    }
    await peer.setRemoteDescription({ type: "answer", sdp: answer });
    await Promise.race([connected, after(CONNECT_MS).then(() => Promise.reject(new CallError("unreachable")))]);
  }

  /** Resolves once `peer` is connected; later losses start a reconnect. */
  #watch(peer) {
    return new Promise((resolve, reject) => {
      peer.onconnectionstatechange = () => {
        if (peer !== this.#peer) return reject(new CallError("failed"));
        clearTimeout(this.#patience);
        if (peer.connectionState === "connected") {
          resolve();
        } else if (peer.connectionState === "failed" || peer.connectionState === "closed") {
          reject(new CallError("unreachable"));
          this.#lost();
        } else if (peer.connectionState === "disconnected") {
          this.#patience = setTimeout(() => this.#lost(), DISCONNECTED_MS);
        }
      };
    });
  }

  async #signal(method, url, sdp) {
    let answer;
    try {
      answer = await fetch(url, { method, headers: { ...this.#headers, "Content-Type": "application/sdp" }, body: sdp });
    } catch {
      throw new CallError("unreachable");
    }
    if (!answer.ok) {
      const code = answer.status === 503 || answer.status === 429 ? "full" : "failed";
      throw Object.assign(new CallError(code, `${method} ${answer.status}`), { status: answer.status });
    }
    this.#location = answer.headers.get("Location") ?? this.#location;
    return answer.text();
  }

  async #lost() {
    if (this.state !== "talking") return;
    this.#become("reconnecting");
    const deadline = performance.now() + RECONNECT_MS;
    while (this.state === "reconnecting" && performance.now() < deadline) {
      try {
        await this.#connect("PATCH", this.#location);
        if (this.state === "reconnecting") this.#become("talking");
        return;
      } catch (error) {
        // The server knows the call no more: it ended while we were away.
        if (error.status === 404 || error.status === 410) return this.#end("over");
        await after(RETRY_MS);
      }
    }
    if (this.state === "reconnecting") this.hangup("connection_lost");
  }

  #heard(text) {
    const record = JSON.parse(text);
    if (record.seq <= this.#seen) return; // told again after a reconnect
    this.#seen = record.seq;
    this.#tell("record", record);
    if (record.event.type === "call_ended") this.#end(record.event.cause);
  }

  #play(stream) {
    this.#player.srcObject = stream;
    this.#player.play().catch(() => {}); // stopped before it began
    this.#loudness?.listen("bot", stream);
  }

  #dropLine() {
    // keepalive: it also goes out while the page is being left.
    if (this.#location) fetch(this.#location, { method: "DELETE", headers: this.#headers, keepalive: true }).catch(() => {});
    this.#location = "";
  }

  #fail(error) {
    if (this.state === "ended") return;
    this.#dropLine();
    this.#tell("error", { code: error.code ?? "failed", message: error.message, status: error.status ?? 0 });
    this.#end("error");
  }

  #end(cause) {
    if (this.state === "ended") return;
    this.#become("ended", cause);
    this.#release();
  }

  #release() {
    clearTimeout(this.#patience);
    this.#loudness?.close();
    this.#peer?.close();
    this.#player.srcObject = null;
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
  }

  #become(state, cause = "") {
    if (this.state === "ended") return;
    this.state = state;
    this.#tell("state", { state, cause });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Resolves when every candidate is known, or after a while: a dead interface must not hold the call up. */
function gathered(peer) {
  if (peer.iceGatheringState === "complete") return Promise.resolve();
  const complete = new Promise((resolve) => {
    peer.addEventListener("icegatheringstatechange", () => peer.iceGatheringState === "complete" && resolve());
  });
  return Promise.race([complete, after(GATHER_MS)]);
}
