// Tables: a caption, sortable columns, and the same cells as CSV.

import { announce, el } from "./dom.js";

/**
 * A table in a region that scrolls sideways by itself: its `element`, and `add(rows)`. `columns`: {label, show(row) → node or text, value(row) → text or
 * number for sorting and CSV, number: aligned right}.
 * `rows` are shown in their order until a heading is pressed.
 */
export function table({ caption, columns, rows, name, foot = null, isSortable = true }) {
  const body = el("tbody");
  const shown = [...rows];
  const sorted = { column: null, descending: false };
  const headings = columns.map((column) => heading(column, isSortable, () => sortBy(column)));
  const fill = () => body.replaceChildren(...shown.map((row) => line(columns, row)));

  function sortBy(column) {
    sorted.descending = sorted.column === column ? !sorted.descending : Boolean(column.number);
    sorted.column = column;
    const sign = sorted.descending ? -1 : 1;
    shown.sort((one, other) => sign * compare(column.value(one), column.value(other)));
    headings.forEach((each, number) => {
      if (columns[number] !== column) each.removeAttribute("aria-sort");
      else each.setAttribute("aria-sort", sorted.descending ? "descending" : "ascending");
    });
    fill();
    announce(`Sorted by ${column.label}`);
  }

  fill();
  const grid = el("table", {}, el("caption", {}, caption), el("thead", {}, el("tr", {}, headings)), body);
  if (foot) grid.append(el("tfoot", {}, foot));
  const region = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, grid);
  const add = (added) => {
    shown.push(...added);
    fill();
  };
  return { element: el("div", { class: "table-box" }, csvButton(name, caption, columns, () => shown), region), add };
}

function heading(column, isSortable, onclick) {
  const content = isSortable ? el("button", { type: "button", onclick }, column.label) : column.label;
  return el("th", { scope: "col", class: column.number ? "number" : null }, content);
}

function line(columns, row) {
  return el(
    "tr",
    {},
    columns.map((column, number) =>
      el(
        number === 0 ? "th" : "td",
        { scope: number === 0 ? "row" : null, class: column.number ? "number" : column.class ?? null },
        column.show(row),
      ),
    ),
  );
}

function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one ?? "").localeCompare(String(other ?? ""));
}

function csvButton(name, caption, columns, rows) {
  const save = () => {
    const lines = [columns.map((column) => column.label), ...rows().map((row) => columns.map((c) => (c.csv ?? c.value)(row)))];
    const text = lines.map((cells) => cells.map(csvCell).join(",")).join("\r\n");
    const url = URL.createObjectURL(new Blob([`${text}\r\n`], { type: "text/csv" }));
    el("a", { href: url, download: `${name}.csv` }).click();
    URL.revokeObjectURL(url);
    announce(`${caption}: saved as ${name}.csv`);
  };
  return el("button", { type: "button", class: "quiet csv", "aria-label": `Save as CSV: ${caption}`, onclick: save }, "CSV");
}

/** A cell as spreadsheets read it; a text that would be a formula there gets a mark in front. */
export function csvCell(value) {
  const text = value === null || value === undefined ? "" : String(value);
  const safe = typeof value !== "number" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
