// Names of the desk in the agent's words.

/** What an agent is doing. */
export const PRESENCE = {
  offline: "Offline",
  away: "Away",
  ready: "Ready",
  ringing: "Ringing",
  talking: "In a call",
  wrapping: "Wrapping up",
};

/** A caller's address as people say it: the number of sip:+3225550123@host. */
export function callerName(caller) {
  return caller.replace(/^(sips?|tel):/, "").replace(/@.*$/, "") || "Unknown caller";
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
