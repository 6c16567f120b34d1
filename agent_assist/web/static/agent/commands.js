// What the agent asks of the desk. An answer says that it was taken; what came of it is told by the feed.

const CONFLICT = {
  answer: "This call is no longer yours to answer: the caller is gone, or somebody else has it.",
  decline: "This call rings here no more.",
  pick: "Somebody else was faster, or the caller is gone.",
  wrapup: "That call was finished already.",
};
const STATUS = {
  401: "You are signed out. Please sign in again.",
  403: "You are not allowed to do that. Loading the page again may help.",
  404: "There is no such thing any more.",
  429: "That was too much at once. Please wait a moment.",
  503: "The server cannot do that right now. Please try again in a moment.",
};

/** A refusal in words for the agent; `status` is HTTP's, 0 where nothing answered. */
export class Refusal extends Error {
  constructor(text, status) {
    super(text);
    this.status = status;
  }
}

/** The session's token, which every request that changes something carries. */
export function csrfHeader() {
  return { "X-CSRF-Token": document.querySelector("meta[name=csrf]").content };
}

/** Ask for `name` with `body`; throws Refusal. */
export async function command(name, body = {}) {
  const headers = { ...csrfHeader(), "Content-Type": "application/json" };
  await request(name, { method: "POST", headers, body: JSON.stringify(body) });
}

/** Read `path` below /api/agent/; throws Refusal. */
export async function read(path) {
  return (await request(path, {})).json();
}

async function request(path, options) {
  let answer;
  try {
    answer = await fetch(`/api/agent/${path}`, options);
  } catch {
    throw new Refusal("The server does not answer. Please check your connection.", 0);
  }
  if (!answer.ok) throw new Refusal(await words(path, answer), answer.status);
  return answer;
}

async function words(name, answer) {
  const { status } = answer;
  if (status !== 409) return STATUS[status] ?? `That did not work (${status}).`;
  const { detail } = await answer.json().catch(() => ({}));
  return CONFLICT[name] ?? `That is not possible right now${detail ? `: ${detail}` : ""}.`;
}
