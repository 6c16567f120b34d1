// Every key of the page, once: the page obeys this table and the help shows it.

/** `typing` keys also work while a field has the focus; `action` is a method of `Actions`, given the digit if any. */
export const KEYS = [
  { keys: "Alt+A", does: "Answer the call that rings", action: "answer", typing: true },
  { keys: "Alt+X", does: "Decline it; stop calling back", action: "decline", typing: true },
  { keys: "Alt+R", does: "Ready or away; during a call: what follows it", action: "togglePresence", typing: true },
  { keys: "Alt+M", does: "Mute the microphone, or open it again", action: "toggleMute", typing: true },
  { keys: "Alt+H", does: "Put the caller on hold, or take them back", action: "toggleHold", typing: true },
  { keys: "Alt+S", does: "Pause the recording, or go on with it", action: "togglePause", typing: true },
  { keys: "Alt+K", does: "Show or hide the keypad; then 0 to 9, * and #", action: "toggleKeypad", typing: true },
  { keys: "Alt+T", does: "Show or hide the colleagues to transfer to", action: "toggleTransfer", typing: true },
  { keys: "Alt+P", does: "Leave the caller with whom you called in", action: "putThrough", typing: true },
  { keys: "Alt+D", does: "Hang up on whom you called in, or stop calling", action: "dropThird", typing: true },
  { keys: "Alt+B", does: "Hand the caller back to the bot", action: "handBack", typing: true },
  { keys: "Alt+E", does: "End the call; a supervisor leaves it", action: "hangUp", typing: true },
  { keys: "Alt+L", does: "As a supervisor in a call: listen", action: "listen", typing: true },
  { keys: "Alt+W", does: "Whisper to the agent", action: "whisper", typing: true },
  { keys: "Alt+J", does: "Join, so that all hear you", action: "join", typing: true },
  { keys: "Alt+1 … 3", does: "Copy the suggested reply of that number", action: "copy", typing: true },
  { keys: "Shift+Alt+1 … 3", does: "Have the bot's voice say it", action: "speak", typing: true },
  { keys: "Alt+0", does: "Dismiss all suggestions", action: "dismissAll", typing: true },
  { keys: "Alt+N", does: "Write a note; Ctrl+Enter saves it", action: "focusNote", typing: true },
  { keys: "/", does: "Search the articles", action: "focusSearch" },
  { keys: "1 … 9", does: "After a call: how it ended; Ctrl+Enter saves it", action: "disposition" },
  { keys: "?", does: "Show this help; Escape closes it", action: "help" },
];

const NOT_TEXT = ["radio", "checkbox", "range", "button"];
const TABLE = new Map(KEYS.flatMap((row) => chordsOf(row.keys).map((chord) => [chord, row])));

/** What `event` asks for: {action, digit}, or null. Digits are NaN where the key is none. */
export function asked(event) {
  const row = TABLE.get(chord(event));
  if (!row || event.repeat || (!row.typing && isTyping(event))) return null;
  return { action: row.action, digit: Number.parseInt(chord(event).at(-1), 10) };
}

/** Whether the key goes into a field. */
export function isTyping(event) {
  const at = event.composedPath()[0];
  return at.matches?.("textarea, select, input") && !NOT_TEXT.includes(at.type);
}

function chordsOf(keys) {
  const [, before, first, last] = keys.match(/^(.*?)(\d) … (\d)$/) ?? [];
  if (!first) return [keys];
  return Array.from({ length: last - first + 1 }, (_, n) => `${before}${Number(first) + n}`);
}

function chord({ key, code, altKey, shiftKey, ctrlKey, metaKey }) {
  if (ctrlKey || metaKey) return "";
  if (!altKey) return key;
  // With Alt some keyboards make other letters of the keys; the key cap is meant.
  const cap = /^[a-z]$/i.test(key) ? key : code.replace(/^(Key|Digit)/, "");
  return `${shiftKey ? "Shift+" : ""}Alt+${cap.toUpperCase()}`;
}
