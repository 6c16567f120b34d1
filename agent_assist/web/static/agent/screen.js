// What the agent sees, as a pure function of what the feed told: `shown(screen, message, now)` is the screen after it.

import { BLANK as NO_LINES, finished, told, utteranceId } from "../call/transcript.js";
import { goneText } from "./words.js";

/** Nothing told yet. `now` and all moments kept are in ms, by whatever clock the caller reads. */
export const BLANK = Object.freeze({
  me: null,
  colleagues: [],
  queue: [], // {call_id, reason, skill, since}
  offer: null, // {call_id, brief, by, seconds, until}
  call: null, // see joined()
  ended: null, // {call_id, lines} of the last call, as far as this page saw it
  wrapUp: null, // {call_id, brief, dispositions, lines}
  notice: "", // what just happened, in words
});

const WITHDRAWN = {
  no_answer: "You did not answer in time, so you are away now.",
  gone: "Your audio was away: the call went on to somebody else.",
  taken: "A colleague took the call.",
  caller: "The caller hung up, or chose something else.",
};
const LEFT = {
  hung_up: "You hung up.",
  handed_back: "The bot has the caller again.",
  transferred: "The caller has been transferred.",
  lost: "Your connection was away for too long: the caller waits for the next free agent.",
  caller: "The caller hung up.",
  ended: "The call has ended.",
};
const LEFT_COLLEAGUE = {
  left: (agent) => `You are no longer in the call of ${agent}.`,
  over: (agent) => `${agent} is no longer in that call, and neither are you.`,
};
const THIRD = "third_"; // before why whoever was called in is not there
const TROUBLE = {
  declined: "Your colleague declined.",
  no_answer: "Your colleague did not answer.",
  gone: "Your colleague's audio was away.",
  refused: "The call could not do that.",
  not_allowed: "Callers may not be transferred to that number.",
  browser: "A caller in a browser cannot be transferred to a number.",
  busy: "The call cannot be transferred right now.",
  failed: "That number did not take the caller.",
};

/** The screen after `message`; the one given is not changed. */
export function shown(screen, message, now) {
  switch (message.type) {
    case "snapshot":
      return {
        ...BLANK,
        me: message.me,
        colleagues: message.colleagues,
        queue: waiting(message.queue, now),
        offer: message.offer && ringing(message.offer, now),
        call: message.call && joined(message.call, now),
        ended: screen.ended,
        wrapUp: message.wrap_up && { ...message.wrap_up, lines: linesOf(screen, message.wrap_up) },
      };
    case "me_changed":
      return { ...screen, me: message.me };
    case "colleagues_changed":
      return { ...screen, colleagues: message.colleagues };
    case "queue_changed":
      return { ...screen, queue: waiting(message.queue, now) };
    case "offered":
      return { ...screen, offer: ringing(message.offer, now), notice: "" };
    case "offer_withdrawn":
      return screen.offer?.call_id === message.call_id
        ? { ...screen, offer: null, notice: WITHDRAWN[message.why] ?? "" }
        : screen;
    case "call_joined":
      return { ...screen, offer: null, call: joined(message.call, now), notice: "" };
    case "call_changed":
      return ofCall(screen, message, (call) => ({
        ...screen,
        call: { ...call, ...state(message) },
        notice: troubleText(call, message.trouble),
      }));
    case "supervised_changed":
      return ofCall(screen, message, (call) => ({ ...screen, call: { ...call, supervised: message.how } }));
    case "not_reached":
      return { ...screen, notice: goneText(message.number, message.why) };
    case "recorded":
      return ofCall(screen, message.record, (call) => ({ ...screen, call: recorded(call, message.record) }));
    case "call_left":
      return ofCall(screen, message, (call) => ({
        ...screen,
        call: null,
        ended: { call_id: call.call_id, lines: finished(call.lines) },
        notice: call.of ? (LEFT_COLLEAGUE[message.why]?.(call.of) ?? "") : (LEFT[message.why] ?? ""),
      }));
    case "wrap_up_due":
      return { ...screen, wrapUp: { ...message.wrap_up, lines: linesOf(screen, message.wrap_up) } };
    case "wrap_up_done":
      return screen.wrapUp?.call_id === message.call_id ? { ...screen, wrapUp: null, notice: "" } : screen;
    default:
      return screen;
  }
}

function waiting(queue, now) {
  return queue.map((line) => ({ ...line, since: now - line.waited_s * 1000 }));
}

function ringing(offer, now) {
  return { ...offer, seconds: offer.expires_s, until: now + offer.expires_s * 1000 };
}

/** How a call stands; `third` is {number, joined}, `supervisors` are [{agent, how}]. */
function state({ on_hold, paused, transferring_to, third, supervisors }) {
  return { onHold: on_hold, paused, transferringTo: transferring_to, third, supervisors };
}

function troubleText({ third }, trouble) {
  if (!trouble) return "";
  if (trouble.startsWith(THIRD)) return goneText(third?.number ?? "That number", trouble.slice(THIRD.length));
  return TROUBLE[trouble] ?? `That failed: ${trouble}.`;
}

/** A call from its journal so far; `since` is when its agent came into it. */
function joined(view, now) {
  const { call_id, brief, records, observed, supervised, of } = view;
  const start = {
    ...state(view),
    call_id,
    brief,
    observed, // the agent has it by another telephone
    supervised, // how this supervisor is in the call
    of, // that colleague
    since: now,
    seen: -1, // number of the last record told
    lines: NO_LINES,
    notes: [], // {id, agent, text}
    cards: [], // suggestions for the caller's last phrase: {...Suggestion, used}
    phrase: "", // that phrase
  };
  const call = records.reduce(recorded, start);
  const entered = records.findLast(({ event }) => event.type === "agent_joined");
  return entered ? { ...call, since: now - (records.at(-1).at_ms - entered.at_ms) } : call;
}

function recorded(call, record) {
  if (record.seq <= call.seen) return call;
  const next = { ...call, seen: record.seq, lines: told(call.lines, record) };
  const { event } = record;
  switch (event.type) {
    case "note_written":
      return { ...next, notes: [...call.notes, { id: record.seq, agent: event.agent, text: event.text }] };
    case "suggestions_shown":
      // A phrase that leads to nothing leaves what is there: the agent may be reading it.
      return event.suggestions.length
        ? { ...next, cards: event.suggestions.map((card) => ({ ...card, used: "" })), phrase: phraseOf(next, event) }
        : next;
    case "suggestion_taken":
      return { ...next, cards: call.cards.map((card) => (card.article === event.article ? { ...card, used: event.how } : card)) };
    case "suggestion_dismissed":
      return { ...next, cards: call.cards.filter(({ article }) => article !== event.article) };
    default:
      return next;
  }
}

function phraseOf(call, event) {
  return call.lines.find(({ id }) => id === utteranceId(event))?.text ?? "";
}

function ofCall(screen, { call_id }, then) {
  return screen.call?.call_id === call_id ? then(screen.call) : screen;
}

/** The transcript stays beside the wrap-up. */
function linesOf({ call, ended }, { call_id }) {
  return [call, ended].find((each) => each?.call_id === call_id)?.lines ?? NO_LINES;
}
