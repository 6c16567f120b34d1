// Journal records to lines of text: a pure function of what was told so far.

/** No call yet. A line is {id, side: "caller" | "agent" | "third" | "bot" | "note", who, text, partial, cut}; `who` is the speaker's name, where it is known. */
export const BLANK = Object.freeze([]);

/** The id of the line of an utterance; each speaker counts their own. */
export function utteranceId({ utterance, speaker = "caller" }) {
  return `${speaker}${utterance}`;
}

/** The lines after `record`; the array given is not changed. */
export function told(lines, { seq, event }) {
  // Who hears whom is another way now: what was not said to its end is heard no further.
  const note = (text, of) => put(finished(lines), { id: `n${seq}`, side: "note", text, ...of });
  switch (event.type) {
    case "speech_started":
      return put(lines, { ...utterance(lines, event), text: "…", partial: true });
    case "partial_heard":
      return put(lines, { ...utterance(lines, event), text: event.text || "…", partial: true });
    case "final_heard":
      return event.readings.length
        ? put(lines, { ...utterance(lines, event), text: event.readings[0].text })
        : without(lines, utteranceId(event));
    case "speech_discarded":
      return without(lines, utteranceId(event));
    case "keys_pressed":
      return put(lines, { id: `k${seq}`, side: "caller", text: `Keyed ${event.digits}` });
    case "playback_started":
      return put(lines, { id: `b${event.playback}`, side: "bot", text: event.text });
    case "playback_ended":
      return event.interrupted ? patch(lines, `b${event.playback}`, { cut: true }) : lines;
    case "handoff_requested":
      return note("A person is asked for.");
    case "call_queued":
      return place(lines, { id: `q${seq}`, side: "note", text: `Waiting for a person, place ${event.position}.` });
    case "turned_away":
      return note("Nobody can take the call now.");
    case "agent_joined":
      return note(`${event.agent || "A person"} is in the call.`, { who: event.agent });
    case "agent_left":
      return note(`${event.agent || "The person"} is no longer in the call.`);
    case "hold_changed":
      return note(event.on ? "On hold." : "No longer on hold.");
    case "third_called":
      return aside(lines, seq, `${event.target || "Somebody else"} is called.`);
    case "third_joined":
      return note(`${event.target || "Somebody else"} is in the call.`, { thirds: [...thirds(lines), event.target] });
    case "third_left":
      return note(`${event.target || "Somebody else"} ${thirds(lines).includes(event.target) ? "is no longer in the call" : "was not reached"}.`, {
        thirds: thirds(lines).filter((name) => name !== event.target),
      });
    case "caller_put_through":
      return note(`The caller is left with ${event.target || "somebody else"}.`);
    case "supervision_changed":
      return supervised(lines, seq, event);
    case "recording_paused":
      return note(pausedText(event));
    case "bot_returned":
      return note("The bot goes on.");
    case "machine_heard":
      return aside(lines, seq, MACHINES[event.what]);
    case "callback_requested":
      return note("A call back is asked for.");
    default:
      return lines;
  }
}

const MACHINES = {
  answering_machine: "An answering machine: after its beep it keeps what is said.",
  fax: "A fax is at the other end.",
  busy: "The line is busy.",
  congestion: "The telephone network is busy.",
  unobtainable: "The number cannot be reached.",
};

function pausedText({ on, by }) {
  if (by === "agent") return on ? "The recording is paused." : "Recorded again.";
  return on ? "Nothing is heard for now." : "Heard again.";
}

/** The lines that are said to their end. */
export function finished(lines) {
  return lines.filter(({ partial }) => !partial);
}

/** An agent speaks by the name under which the last one joined; of two thirds it may be either. */
function utterance(lines, event) {
  const side = event.speaker ?? "caller";
  const who = { agent: () => lines.findLast(({ side, who }) => side === "note" && who)?.who, third: () => thirds(lines).filter(Boolean).join(" or ") };
  return { id: utteranceId(event), side, who: who[side]?.() };
}

/** Who else is in the call, so that all hear them. */
function thirds(lines) {
  return lines.findLast(({ thirds }) => thirds)?.thirds ?? [];
}

/** Who only listens or whispers leaves the others to hear each other as before. */
function supervised(lines, seq, { supervisor, how }) {
  const name = supervisor || "Somebody else";
  const others = thirds(lines).filter((third) => third !== supervisor);
  const text = { listen: `${name} listens.`, whisper: `${name} whispers to the agent.`, join: `${name} is in the call, too.`, none: `${name} is no longer in the call.` }[how];
  return aside(lines, seq, text, { thirds: how === "join" ? [...others, supervisor] : others });
}

/** A note that cuts nobody off. */
function aside(lines, seq, text, of) {
  return put(lines, { id: `n${seq}`, side: "note", text, ...of });
}

/** One line tells the place in the queue, however often it changes. */
function place(lines, line) {
  return put(lines.at(-1)?.id.startsWith("q") ? lines.slice(0, -1) : lines, line);
}

function put(lines, line) {
  const whole = { partial: false, cut: false, ...line };
  return lines.some(({ id }) => id === line.id)
    ? lines.map((old) => (old.id === line.id ? whole : old))
    : [...lines, whole];
}

function patch(lines, id, change) {
  return lines.map((line) => (line.id === id ? { ...line, ...change } : line));
}

function without(lines, id) {
  return lines.filter((line) => line.id !== id);
}
