// How a call stands, in words: who hears whom, and who else is there.

const SUPERVISES = {
  listen: (agent) => `${agent} listens.`,
  whisper: (agent) => `${agent} whispers: you alone hear it.`,
  join: (agent) => `${agent} has joined: all hear ${agent}.`,
};

/** What a supervisor in the call of a colleague, `of`, has to know. */
export const SUPERVISING = {
  listen: () => "You listen: nobody hears you.",
  whisper: (of) => `You whisper: ${of} alone hears you.`,
  join: () => "You have joined: all hear you.",
};

/** Sentences about an agent's own call, what matters most first. `muted` and `silent` are the agent's sound. */
export function statesOf({ onHold, paused, transferringTo, third, supervisors, observed }, { muted, silent }) {
  if (observed) return ["On your telephone. This page listens and suggests; hold, transfer and hang up there."];
  return [
    ...supervisors.map(({ agent, how }) => SUPERVISES[how](agent)),
    silent && "Your audio is away: the caller hears music until it is back.",
    paused && "The recording is paused: nothing that is said or keyed is kept.",
    third ? thirdText(third, onHold) : onHold && "On hold: the caller hears music, and you nothing.",
    muted && (third ? "Muted: nobody hears you." : "Muted: the caller does not hear you."),
    transferringTo && `Ringing ${transferringTo}: the caller stays with you until that is answered.`,
  ].filter(Boolean);
}

function thirdText({ number, joined }, onHold) {
  if (!joined) return onHold ? `Calling ${number}: the caller hears music.` : `Calling ${number}: the caller is with you.`;
  return onHold ? `You speak with ${number} alone; the caller hears music.` : `All three hear each other: you, the caller and ${number}.`;
}
