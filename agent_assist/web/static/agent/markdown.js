// The little Markdown articles are written in, as templates: nothing in it becomes markup of its own.

import { html } from "../vendor/lit.min.js";

const INLINE = /\*\*(.+?)\*\*|\*(.+?)\*|`(.+?)`|\[(.+?)\]\((https?:\/\/[^\s)]+)\)/;

/** Paragraphs, headings, lists, bold, italics, code and links to the web. */
export function markdown(text) {
  return text.trim().split(/\n\s*\n/).map(block);
}

function block(text) {
  const lines = text.trim().split("\n");
  const [, marks, heading] = lines[0].match(/^(#{1,6})\s+(.*)$/) ?? [];
  if (marks) {
    const rest = lines.slice(1).join("\n");
    return html`<h4>${inline(heading)}</h4>${rest.trim() ? block(rest) : ""}`;
  }
  const item = /^\s*([-*]|\d+\.)\s+/;
  if (!item.test(lines[0])) return html`<p>${inline(lines.join(" "))}</p>`;
  const items = lines.reduce((all, line) => (item.test(line) ? [...all, line.replace(item, "")] : [...all.slice(0, -1), `${all.at(-1)} ${line.trim()}`]), []);
  const content = items.map((each) => html`<li>${inline(each)}</li>`);
  return /^\s*\d/.test(lines[0]) ? html`<ol>${content}</ol>` : html`<ul>${content}</ul>`;
}

function inline(text) {
  const found = INLINE.exec(text);
  if (!found) return text;
  const [all, bold, italic, code, label, url] = found;
  const middle = bold
    ? html`<strong>${inline(bold)}</strong>`
    : italic
      ? html`<em>${inline(italic)}</em>`
      : code
        ? html`<code>${code}</code>`
        : html`<a href=${url} target="_blank" rel="noreferrer">${label}</a>`;
  return [text.slice(0, found.index), middle, inline(text.slice(found.index + all.length))];
}
