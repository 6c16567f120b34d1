// Put before a page's own scripts: records what every RTCPeerConnection hears, 16 kHz mono.
(() => {
  const chunks = [];
  let context;
  const record = (stream) => {
    context ??= new AudioContext({ sampleRate: 16000 });
    const element = new Audio();  // Chromium feeds an audio graph from a remote stream only while an element plays it
    element.srcObject = stream;
    element.muted = true;
    element.play().catch(() => {});
    const tap = context.createScriptProcessor(1024, 1, 1);
    tap.onaudioprocess = (event) => {
      const input = event.inputBuffer.getChannelData(0);
      const pcm = new Int16Array(input.length);
      for (let i = 0; i < input.length; i++) pcm[i] = Math.max(-1, Math.min(1, input[i])) * 32767;
      chunks.push(pcm);
    };
    context.createMediaStreamSource(stream).connect(tap).connect(context.destination);
    window.__keepAlive = [...(window.__keepAlive ?? []), element, tap];
  };
  const Original = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Original {
    constructor(...parameters) {
      super(...parameters);
      window.__peerConnections = [...(window.__peerConnections ?? []), this];
      this.addEventListener("track", (event) => record(new MediaStream([event.track])));
    }
  };
  window.__samples = () => chunks.reduce((sum, { length }) => sum + length, 0);
  window.__heard = async () => {
    const bytes = await new Blob(chunks).arrayBuffer();
    const url = await new Promise((done) => {
      const reader = new FileReader();
      reader.onload = () => done(reader.result);
      reader.readAsDataURL(new Blob([bytes]));
    });
    return url.slice(url.indexOf(",") + 1);
  };
})();
