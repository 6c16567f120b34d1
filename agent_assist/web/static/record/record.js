// A call's page: transcript, time line and sound move together; erasing asks first.

const audio = document.querySelector("#audio");
const lines = [...document.querySelectorAll("#transcript button")];
const drawing = document.querySelector("#timeline");
const playhead = document.querySelector("#playhead");
const pxPerS = Number(drawing.dataset.pxPerS);

const skipped = JSON.parse(audio?.dataset.skipped ?? "[]"); // [from, to] in ms of the call, which the recording does not have

function seek(seconds) {
  if (!audio) return;
  audio.currentTime = Math.max(0, recordedMs(seconds * 1000) / 1000);
  audio.play();
}

/** Where a moment of the call is in the recording; of one that is not in it, what comes next. */
function recordedMs(callMs) {
  return callMs - skipped.reduce((sum, [from, to]) => sum + Math.max(0, Math.min(callMs, to) - from), 0);
}

/** When in the call a moment of the recording was. */
function calledMs(audioMs) {
  return skipped.reduce((ms, [from, to]) => (ms >= from ? ms + to - from : ms), audioMs);
}

/** Mark the line that is being said, and the moment on the drawing. */
function follow() {
  const nowMs = calledMs(audio.currentTime * 1000);
  const current = lines.findLast((line) => Number(line.dataset.atMs) <= nowMs + 50);
  for (const line of lines) {
    line.parentElement.classList.toggle("now", line === current);
    if (line === current) line.setAttribute("aria-current", "true");
    else line.removeAttribute("aria-current");
  }
  const x = String((nowMs / 1000) * pxPerS);
  playhead.setAttribute("x1", x);
  playhead.setAttribute("x2", x);
  playhead.setAttribute("visibility", "visible");
}

for (const line of lines) line.addEventListener("click", () => seek(Number(line.dataset.atMs) / 1000));
drawing.addEventListener("click", (event) => seek((event.clientX - drawing.getBoundingClientRect().left) / pxPerS));
audio?.addEventListener("timeupdate", follow);
audio?.addEventListener("seeking", follow);

const dialog = document.querySelector("#erase-dialog");
const erase = document.querySelector("#erase"); // for administrators alone
const trouble = document.querySelector("#erase-trouble");
erase?.addEventListener("click", () => dialog.showModal());
document.querySelector("#erase-now")?.addEventListener("click", async () => {
  const csrf = document.querySelector("meta[name=csrf]").content;
  const url = `/api/calls/${encodeURIComponent(erase.dataset.call)}`;
  const answer = await fetch(url, { method: "DELETE", headers: { "X-CSRF-Token": csrf } }).catch(() => null);
  if (answer?.ok) {
    location.assign("/calls");
    return;
  }
  trouble.textContent = answer ? `The call could not be erased (${answer.status}).` : "The server does not answer.";
  trouble.hidden = false;
});
