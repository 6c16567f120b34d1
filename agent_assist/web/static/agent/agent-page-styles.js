// Where the parts of the agent's page lie: three columns on a desk's screen, one in a side panel.

import { css } from "../vendor/lit.min.js";

export const styles = css`
  :host { display: flex; flex-direction: column; }
  .strip { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 0.5rem 1.5rem; padding: 0.6rem 1rem;
    background: var(--surface); border-bottom: 1px solid var(--line); min-height: 4rem; }
  .tools { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem 0.75rem; }
  .words { padding: 0.6rem 1rem 0; display: grid; gap: 0.5rem; }
  .words:not(:has(p)) { display: none; }
  .words p { display: flex; justify-content: space-between; align-items: center; gap: 1rem; padding: 0.5rem 0.9rem; border-radius: 10px; background: var(--sunken); border: 1px solid var(--line); }
  .words .trouble { background: var(--danger-soft); color: var(--danger); border-color: currentColor; }
  .words a { color: inherit; }
  .words button { min-height: 2rem; padding: 0.1rem 0.6rem; }
  .columns { flex: 1; min-height: 0; display: grid; grid-template-columns: minmax(0, 1fr); gap: 1rem; padding: 1rem; }
  .column { display: grid; gap: 1rem; align-content: start; min-width: 0; }
  .idle { text-align: center; padding: 2.5rem 1rem; }
  .idle h2 { font-size: 1.2rem; }
  transcript-view { display: flex; }
  .talk { min-height: 18rem; height: 26rem; }

  @media (min-width: 1000px) {
    :host { height: 100%; }
    .columns { grid-template-columns: minmax(18rem, 22rem) minmax(0, 1fr) minmax(21rem, 25rem); padding-bottom: 0; overflow: clip; }
    .column { overflow-y: auto; overscroll-behavior: contain; padding: 4px 4px 1rem; margin: -4px; }
    .two { grid-column: span 2; }
    .column:has(> .talk) { grid-template-rows: minmax(0, 1fr); overflow: hidden; align-content: stretch; }
    .column > .talk { height: auto; min-height: 0; }
  }
  @media (max-width: 999.9px) {
    .strip { padding-block: 0.5rem; }
    call-bar, supervision-bar { position: sticky; top: 0; }
    .column { display: contents; }
    note-pad { order: 1; }
    article-search { order: 2; }
  }
`;
