// Who spent what: every project, key or model of a time range in one table.

import { el } from "./dom.js";
import { count } from "./format.js";
import { card, fileName, link, nothing, sumsTable } from "./panels.js";
import { readRange } from "./place.js";
import { readGroups, SHOWN_GROUPS, TITLES } from "./overview.js";
import { total } from "./sums.js";

export function showBreakdown(page) {
  const by = Object.hasOwn(TITLES, page.place.by) ? page.place.by : page.isKey ? "model" : "project";
  const range = readRange(page.place);
  const choices = el(
    "div",
    { class: "segments", role: "group", "aria-label": "What a line stands for" },
    Object.entries(TITLES).map(([name, title]) => {
      const choice = link(title, { by: name });
      if (name === by) choice.setAttribute("aria-current", "true");
      return choice;
    }),
  );
  const section = card(`By ${by}`, page.leave, async () => {
    const sums = await readGroups(page, range, by);
    if (!sums.length) return nothing("No requests in this time.", "Choose a longer time range or fewer filters.");
    const shown = sums.slice(0, SHOWN_GROUPS);
    const caption = `By ${by}, ${page.rangeName}`;
    const name = fileName(TITLES[by].toLowerCase(), page.place);
    const rest = `The ${SHOWN_GROUPS} dearest of ${count(sums.length)}. Choose a project to see its own.`;
    return [
      sumsTable({ caption, name, by, sums: shown, spent: total(sums).nano, names: page.names }),
      sums.length > shown.length ? el("p", { class: "more hint" }, rest) : "",
    ];
  }, { className: "wide" });
  section.querySelector("h2").after(choices);
  return [section];
}
