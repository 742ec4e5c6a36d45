// The bar above every view: time range, project, and what else is filtered by. Each change is a new address.

import { el } from "./dom.js";
import { isoDay, modelName } from "./format.js";
import { hrefOf, RANGES, readRange } from "./place.js";

const EVERY_NAMES = { "": "by hand", "10s": "every 10 s", "1m": "every minute", "5m": "every 5 min" };

export function filterBar(page) {
  const { place } = page;
  const form = el("form", { class: "filters", "aria-label": "Filters", onsubmit: (event) => event.preventDefault() });
  form.append(rangeField(page), ...customFields(page));
  if (!page.isKey) form.append(projectField(page));
  const chips = el("ul", { class: "chips", "aria-label": "Further filters" });
  if (place.key && !page.isKey) chips.append(chip("Key", page.names.key(place.key), { key: "" }));
  if (place.model) chips.append(chip("Model", modelName(place.model), { model: "" }));
  if (chips.childElementCount) form.append(chips);
  form.append(
    el("span", { class: "refreshed hint" }),
    field("Refresh", select("every", Object.entries(EVERY_NAMES), page.place.every, (value) => page.go(hrefOf({ every: value }), ".refresh"))),
    el("button", { type: "button", class: "quiet refresh", onclick: page.refresh }, "Refresh now"),
  );
  if (!page.isKey) fillProjects(page, form);
  return form;
}

function field(label, control) {
  control.id = `filter-${control.name}`;
  return el("div", { class: "field" }, el("label", { for: control.id }, label), control);
}

function select(name, options, chosen, onchange) {
  const control = el("select", { name, onchange: () => onchange(control.value) });
  for (const [value, label] of options) control.append(el("option", { value, selected: value === chosen }, label));
  return control;
}

function rangeField(page) {
  const range = readRange(page.place);
  const custom = { from: isoDay(range.start), to: isoDay(range.end - 1) };
  return field(
    "Time",
    select("range", Object.entries(RANGES), page.place.range, (value) =>
      page.go(hrefOf({ range: value, from: "", to: "", ...(value === "custom" ? custom : {}) })),
    ),
  );
}

function customFields(page) {
  if (page.place.range !== "custom") return [];
  const range = readRange(page.place);
  const date = (name, label, value) => {
    const control = el("input", { type: "date", name, value, onchange: () => control.value && page.go(hrefOf({ [name]: control.value })) });
    return field(label, control);
  };
  return [date("from", "From", isoDay(range.start)), date("to", "To", isoDay(range.end - 1))];
}

function projectField(page) {
  const known = [["", "All projects"]];
  if (page.place.project) known.push([page.place.project, page.names.project(page.place.project)]);
  return field("Project", select("project", known, page.place.project, (value) => page.go(hrefOf({ project: value, key: "", row: "" }))));
}

/** The names come later than the bar, which does not wait for them. */
async function fillProjects(page, form) {
  try {
    await page.names.loadProjects(page.api);
    if (page.place.key && page.place.project) await page.names.loadKeys(page.api, [[page.place.project, page.place.key]]);
  } catch {
    return; // the cards say what is wrong
  }
  const control = form.elements.project;
  const names = [...page.names.projects].sort((one, other) => one[1].localeCompare(other[1]));
  control.replaceChildren(el("option", { value: "" }, "All projects"), ...names.map(([id, name]) => el("option", { value: id }, name)));
  control.value = page.place.project;
  const key = form.querySelector(".chips [data-filter=Key]");
  if (key) key.textContent = page.names.key(page.place.key);
}

const chip = (label, text, without) =>
  el(
    "li",
    {},
    `${label}: `,
    el("strong", { "data-filter": label }, text),
    el("a", { href: hrefOf(without), "aria-label": `Remove the filter ${label}` }, "×"),
  );
