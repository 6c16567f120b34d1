// The look of the caller's page.

import { css } from "../vendor/lit.min.js";

export const styles = css`
  :host { display: block; }
  * { box-sizing: border-box; }
  .columns { display: grid; grid-template-columns: minmax(18rem, 22rem) 1fr; gap: 1.25rem; align-items: stretch; }
  .card { background: var(--surface); border: 1px solid var(--line); border-radius: var(--radius); padding: 1.5rem; box-shadow: var(--shadow); }
  .phone { display: grid; gap: 1rem; justify-items: stretch; align-content: start; }
  transcript-view { height: 0; min-height: 100%; } /* as tall as the phone, however much is said */
  .call { justify-self: center; width: 9rem; height: 9rem; border-radius: 50%; border: 0; cursor: pointer; font: inherit; font-weight: 650;
    display: grid; place-content: center; justify-items: center; gap: 0.35rem; color: var(--accent-ink); background: var(--accent); }
  .call svg { width: 2.4rem; height: 2.4rem; fill: currentColor; transition: transform 0.2s; }
  .call.on { background: var(--danger); color: var(--surface); }
  .call.on svg { transform: rotate(135deg); }
  .call:hover:enabled { filter: brightness(1.08); }
  .call:disabled { background: var(--sunken); color: var(--muted); cursor: default; }
  :focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
  p { margin: 0; }
  .status { text-align: center; min-height: 1.5em; }
  .clock { text-align: center; font-variant-numeric: tabular-nums; color: var(--muted); margin-top: -0.75rem; }
  .trouble { background: var(--danger-soft); color: var(--danger); padding: 0.7rem 0.9rem; border-radius: 10px; }
  .meters { display: grid; gap: 0.4rem; }
  label { display: grid; gap: 0.3rem; font-weight: 550; }
  select { font: inherit; font-weight: 400; color: inherit; background: var(--bg); border: 1px solid var(--muted); border-radius: 10px; padding: 0.55rem 0.7rem; width: 100%; min-width: 0; }
  .keyed { text-align: center; min-height: 1.5em; font-variant-numeric: tabular-nums; letter-spacing: 0.08em; overflow-wrap: anywhere; }
  .hint { color: var(--muted); font-size: 0.85rem; letter-spacing: 0; }
  @media (max-width: 760px) {
    .columns { grid-template-columns: minmax(0, 1fr); }
    transcript-view { height: auto; min-height: 20rem; max-height: 36rem; }
  }
  @media (prefers-reduced-motion: reduce) { * { transition: none !important; } }
`;
