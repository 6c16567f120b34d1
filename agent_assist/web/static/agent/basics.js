// What the parts of the page share: their look, and how they ask for something.

import { css } from "../vendor/lit.min.js";

export const basics = css`
  * { box-sizing: border-box; }
  :host { display: block; min-width: 0; }
  :host([hidden]), [hidden] { display: none !important; }
  h2 { font-size: 1.05rem; margin: 0 0 0.6rem; }
  h3 { font-size: 1rem; margin: 0; }
  p { margin: 0; overflow-wrap: anywhere; }
  ul, ol { list-style: none; margin: 0; padding: 0; }
  :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 8px; }
  .card { background: var(--surface); border: 1px solid var(--line); border-radius: var(--radius); padding: 1rem 1.1rem; box-shadow: var(--shadow); }
  .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; } /* heard all the same */
  .muted { color: var(--muted); }
  .small { font-size: 0.875rem; }
  .row { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: center; }
  .stack { display: grid; gap: 0.6rem; }
  button { font: inherit; font-weight: 550; color: var(--ink); background: var(--surface); border: 1px solid var(--line); border-radius: 10px;
    padding: 0.45rem 0.85rem; min-height: 2.5rem; cursor: pointer; }
  button:hover:enabled { background: var(--sunken); }
  button:disabled { color: var(--muted); background: var(--sunken); cursor: default; }
  button.primary { background: var(--accent); border-color: var(--accent); color: var(--accent-ink); }
  button.primary:hover:enabled { background: var(--accent); filter: brightness(1.08); }
  button.danger { color: var(--danger); border-color: currentColor; }
  button.on, button[aria-pressed="true"], button[aria-expanded="true"] { background: var(--accent-soft); border-color: var(--accent); }
  kbd { font: 0.75rem ui-monospace, "Cascadia Mono", "Liberation Mono", monospace; color: var(--muted); background: var(--sunken); border: 1px solid var(--line);
    border-radius: 5px; padding: 0.05rem 0.35rem; white-space: nowrap; }
  h2:focus { outline: none; }
  button.primary kbd { color: inherit; background: none; border-color: currentColor; }
  label { display: grid; gap: 0.3rem; font-weight: 550; }
  input, select, textarea { font: inherit; font-weight: 400; color: inherit; background: var(--bg); border: 1px solid var(--muted); border-radius: 10px; padding: 0.5rem 0.7rem; width: 100%; min-width: 0; }
  textarea { resize: vertical; min-height: 4.5rem; display: block; }
  input[type="range"] { padding: 0; border: 0; background: none; accent-color: var(--accent); }
`;

/** Fire `ask`: the page asks the desk for `name` with `body`. */
export function ask(element, name, body = {}) {
  tell(element, "ask", { name, body });
}

/** Fire `type` through all parts up to the page. */
export function tell(element, type, detail) {
  element.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
}
