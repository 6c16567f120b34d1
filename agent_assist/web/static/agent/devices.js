// Which microphone and loudspeakers the agent uses, remembered by the browser.

const KEY = "centralino-devices";

/** The browser's choice of each, and a ring that is heard. */
export const BLANK_DEVICES = Object.freeze({ microphone: "", loudspeaker: "", ringer: "", volume: 60 });

/** Whether the browser leaves the choice of a loudspeaker to pages. */
export const CHOOSES_LOUDSPEAKER = "setSinkId" in HTMLMediaElement.prototype;

/** What was chosen last. */
export function devices() {
  try {
    return { ...BLANK_DEVICES, ...JSON.parse(localStorage.getItem(KEY)) };
  } catch {
    return BLANK_DEVICES; // written by something else
  }
}

/** Remember the choice. */
export function keep(chosen) {
  localStorage.setItem(KEY, JSON.stringify(chosen));
}

/** The loudspeakers by name; names are only told once a microphone was allowed. */
export async function loudspeakers() {
  if (!CHOOSES_LOUDSPEAKER || !navigator.mediaDevices) return [];
  const all = await navigator.mediaDevices.enumerateDevices();
  return all
    .filter(({ kind, deviceId }) => kind === "audiooutput" && deviceId)
    .map(({ deviceId, label }) => ({ deviceId, label: label || "Loudspeaker" }));
}
