// The microphone: asked for, chosen, and its absence told in words a person can act on.

/** An error with a stable `code`; `words` below says it to people. */
export class CallError extends Error {
  constructor(code, detail = "") {
    super(detail || code);
    this.code = code;
  }
}

const WORDS = {
  insecure:
    "This page was not loaded over a secure connection, so the browser gives it no microphone. Open it with https://, or on this machine as http://localhost.",
  unsupported: "This browser cannot place calls. A current Firefox, Chrome, Edge or Safari can.",
  refused:
    "The browser was told not to let this page use the microphone. Allow it in the address bar's site settings, then try again.",
  missing: "No microphone was found. Plug one in, then try again.",
  taken: "Another program is holding the microphone. Close it there, then try again.",
  full: "All lines are busy. Please try again in a moment.",
  unreachable: "The server does not answer. Please check your connection and try again.",
  failed: "The audio could not be set up. Please try again.",
};

/** What to tell people about an error's code. */
export function words(code) {
  return WORDS[code] ?? WORDS.failed;
}

const CODES = {
  NotAllowedError: "refused",
  SecurityError: "refused",
  NotFoundError: "missing",
  OverconstrainedError: "missing",
  NotReadableError: "taken",
  AbortError: "taken",
};

/** Why no call can be placed from this page at all, or "" when one can. */
export function obstacle() {
  if (!window.isSecureContext) return "insecure";
  return navigator.mediaDevices?.getUserMedia && window.RTCPeerConnection ? "" : "unsupported";
}

/** A mono stream of the chosen microphone ("" for the browser's choice). Throws CallError. */
export async function openMicrophone(deviceId) {
  const code = obstacle();
  if (code) throw new CallError(code);
  const audio = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  if (deviceId) audio.deviceId = { exact: deviceId };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    throw new CallError(CODES[error.name] ?? "failed", error.message);
  }
}

/** The microphones by name; names are only told once one was allowed. */
export async function microphones() {
  if (obstacle()) return [];
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices
    .filter((device) => device.kind === "audioinput" && device.deviceId)
    .map(({ deviceId, label }) => ({ deviceId, label: label || "Microphone" }));
}
