// Journal records to lines of text: a pure function of what was told so far.

/** No call yet. A line is {id, side: "caller" | "bot" | "note", text, partial, cut}. */
export const BLANK = Object.freeze([]);

/** The lines after `record`; the array given is not changed. */
export function told(lines, { seq, event }) {
  switch (event.type) {
    case "speech_started":
      return put(lines, { id: `c${event.utterance}`, side: "caller", text: "…", partial: true });
    case "partial_heard":
      return put(lines, { id: `c${event.utterance}`, side: "caller", text: event.text || "…", partial: true });
    case "final_heard":
      return event.readings.length
        ? put(lines, { id: `c${event.utterance}`, side: "caller", text: event.readings[0].text })
        : without(lines, `c${event.utterance}`);
    case "speech_discarded":
      return without(lines, `c${event.utterance}`);
    case "keys_pressed":
      return put(lines, { id: `k${seq}`, side: "caller", text: `Keyed ${event.digits}` });
    case "playback_started":
      return put(lines, { id: `b${event.playback}`, side: "bot", text: event.text });
    case "playback_ended":
      return event.interrupted ? patch(lines, `b${event.playback}`, { cut: true }) : lines;
    case "handoff_requested":
      return put(lines, { id: `n${seq}`, side: "note", text: "A person is asked for." });
    default:
      return lines;
  }
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
