// A bar that shows how loud a side is.

import { LitElement, css, html, svg } from "../vendor/lit.min.js";

const BARS = 24;

class LevelMeter extends LitElement {
  static properties = { level: { type: Number }, label: { type: String }, side: { type: String } };

  static styles = css`
    .row { display: grid; grid-template-columns: var(--label, 6rem) 1fr; align-items: center; gap: 0.75rem; font-size: 0.9rem; color: var(--muted); }
    svg { width: 100%; height: 14px; }
    rect { fill: var(--line); }
    .lit.caller { fill: var(--caller); }
    .lit.bot { fill: var(--bot); }
    .lit.agent { fill: var(--agent); }
  `;

  constructor() {
    super();
    this.level = 0;
    this.label = "";
    this.side = "caller";
  }

  render() {
    const lit = Math.round(this.level * BARS);
    return html`<div class="row">
      <span id="label">${this.label}</span>
      <svg viewBox="0 0 ${BARS * 10} 14" preserveAspectRatio="none" role="meter" aria-labelledby="label"
        aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.round(this.level * 100)}>
        ${Array.from(
          { length: BARS },
          (_, n) => svg`<rect class=${n < lit ? `lit ${this.side}` : ""} x=${n * 10} y="0" width="7" height="14" rx="2"></rect>`,
        )}
      </svg>
    </div>`;
  }
}

customElements.define("level-meter", LevelMeter);
