// Who spent what: every project, key, model or value of a tag in a time range in one table.

import { el } from "./dom.js";
import { count } from "./format.js";
import { card, fileName, link, nothing, sumsTable } from "./panels.js";
import { readRange } from "./place.js";
import { readGroups, SHOWN_GROUPS, TAG, TITLES } from "./overview.js";
import { total } from "./sums.js";

export function showBreakdown(page) {
  const isKnown = Object.hasOwn(TITLES, page.place.by) || (page.place.by.startsWith(TAG) && !page.isKey);
  const by = isKnown ? page.place.by : page.isKey ? "model" : "project";
  const what = by.startsWith(TAG) ? by.slice(TAG.length) : by;
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
  const section = card(`By ${what}`, page.leave, async () => {
    const sums = await readGroups(page, range, by);
    if (!sums.length) return nothing("No requests in this time.", "Choose a longer time range or fewer filters.");
    const shown = sums.slice(0, SHOWN_GROUPS);
    const caption = `By ${what}, ${page.rangeName}`;
    const name = fileName((TITLES[by] ?? what).toLowerCase(), page.place);
    const rest = `The ${SHOWN_GROUPS} dearest of ${count(sums.length)}. Choose a project to see its own.`;
    return [
      sumsTable({ caption, name, by, sums: shown, spent: total(sums).nano, names: page.names }),
      sums.length > shown.length ? el("p", { class: "more hint" }, rest) : "",
    ];
  }, { className: "wide" });
  section.querySelector("h2").after(choices);
  if (page.isAdmin) addTags(page, choices, by);
  return [section];
}

/** The tags that usage can be split by are the configuration's; they come a moment later. */
async function addTags(page, choices, by) {
  try {
    const { rollup_tags: tags } = await page.api.health();
    for (const tag of tags) {
      const choice = link(`Tag ${tag}`, { by: TAG + tag });
      if (by === TAG + tag) choice.setAttribute("aria-current", "true");
      choices.append(choice);
    }
  } catch {
    return; // the table says what is wrong
  }
}
