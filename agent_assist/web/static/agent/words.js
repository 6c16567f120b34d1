// Names of the desk in the agent's words.

/** What an agent is doing. */
export const PRESENCE = {
  offline: "Offline",
  away: "Away",
  ready: "Ready",
  ringing: "Ringing",
  calling: "Calling",
  talking: "In a call",
  wrapping: "Wrapping up",
};

/** A caller's address as people say it: the number of sip:+3225550123@host. */
export function callerName(caller) {
  return caller.replace(/^(sips?|tel):/, "").replace(/@.*$/, "") || "Unknown caller";
}

const GONE = {
  dropped: (number) => `You hung up on ${number}.`,
  hung_up: (number) => `${number} hung up.`,
  no_answer: (number) => `${number} did not answer.`,
  not_allowed: (number) => `${number} may not be called from here.`,
  busy: () => "No more calls can be made right now. Please try again in a moment.",
  failed: (number) => `${number} could not be reached.`,
  ended: (number) => `The call with ${number} has ended.`,
};

/** Why somebody whom the node called is not in a call; `why` as in the event third_left. */
export function goneText(number, why) {
  return GONE[why]?.(number) ?? `${number} could not be reached: ${why}.`;
}

/** A call in a line: who, and why. */
export function callText({ caller, reason }) {
  return `${callerName(caller)}: ${reason}`;
}

/** An identifier as words: account_number is "account number". */
export function plain(name) {
  return name.replaceAll(/[_.]/g, " ");
}

/** With a capital letter. */
export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
