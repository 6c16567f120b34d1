// A call's page: transcript, time line and sound move together; erasing asks first.

const audio = document.querySelector("#audio");
const lines = [...document.querySelectorAll("#transcript button")];
const drawing = document.querySelector("#timeline");
const playhead = document.querySelector("#playhead");
const pxPerS = Number(drawing.dataset.pxPerS);

function seek(seconds) {
  if (!audio) return;
  audio.currentTime = Math.max(0, seconds);
  audio.play();
}

/** Mark the line that is being said, and the moment on the drawing. */
function follow() {
  const nowMs = audio.currentTime * 1000;
  const current = lines.findLast((line) => Number(line.dataset.atMs) <= nowMs + 50);
  for (const line of lines) {
    line.parentElement.classList.toggle("now", line === current);
    if (line === current) line.setAttribute("aria-current", "true");
    else line.removeAttribute("aria-current");
  }
  const x = String(audio.currentTime * pxPerS);
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
