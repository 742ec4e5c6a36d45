// Limits, and how close each scope is to them: this month's budgets, and those of every other kind.

import { bar, el } from "./dom.js";
import { columnDecimals, count, exactDollars, instant, money, nanoOfCents, percent } from "./format.js";
import { card, fileName, levelOf, link, moneyColumn, nothing } from "./panels.js";
import { table } from "./table.js";

/** All limits that may be seen, the closest first. */
export async function readLimits(page) {
  const limits = (await page.api.limits()).map((each) => ({
    id: each.id,
    isProject: each.scope === "project",
    name: each.scope === "project" ? each.name : "Whole gateway",
    limit: nanoOfCents(each.threshold_amount),
    used: nanoOfCents(each.used_amount),
    held: nanoOfCents(each.held_amount),
    resetsAt: each.resets_at,
  }));
  for (const each of limits) each.share = each.limit ? (each.used + each.held) / each.limit : 1;
  return limits.sort((one, other) => other.share - one.share);
}

export function limitsTable(caption, name, limits) {
  const places = columnDecimals(limits.map((each) => each.limit));
  const left = (each) => Math.max(0, each.limit - each.used - each.held);
  return table({
    caption,
    name,
    rows: limits,
    columns: [
      {
        label: "Scope",
        value: (each) => each.name,
        show: (each) => (each.isProject ? link(each.name, { view: "overview", project: each.id, key: "" }, each.id) : each.name),
      },
      {
        label: "Reached",
        class: "share",
        value: (each) => each.share,
        csv: (each) => each.share.toFixed(4),
        show: (each) => [bar(each.share, levelOf(each.share)), el("span", { class: `${levelOf(each.share)}-text` }, percent(each.share))],
      },
      moneyColumn("Used", (each) => each.used, places),
      moneyColumn("Held", (each) => each.held, places),
      moneyColumn("Left", left, places),
      moneyColumn("Limit", (each) => each.limit, places),
      {
        label: "Starts again",
        value: (each) => each.resetsAt,
        csv: (each) => (each.resetsAt === null ? "" : instant(each.resetsAt * 1000)),
        show: (each) => (each.resetsAt === null ? "never" : instant(each.resetsAt * 1000).slice(0, 10)),
      },
      {
        label: "State",
        value: (each) => stateOf(each),
        show: (each) => el("span", { class: `state ${levelOf(each.share)}` }, stateOf(each)),
      },
    ],
  }).element;
}

const stateOf = (each) => ({ bad: "refusing requests", warn: "nearly reached" })[levelOf(each.used >= each.limit ? 1 : Math.min(each.share, 0.999))] ?? "open";

const ENDLESS = { total: "never", now: "as requests end" };
const UNITS = { money: "USD", tokens: "tokens", requests: "requests", concurrency: "at once" };

/** Limits of every kind, the closest first. What is in flight takes part: it may be all that is in the way. */
async function readAllLimits(page) {
  const [limits] = await Promise.all([page.api.allLimits({ isKey: page.isKey, project: page.place.project }), page.names.loadProjects(page.api)]);
  const { project } = page.place;
  const keys = limits.filter((each) => each.scope === "key");
  if (project) await page.names.loadKeys(page.api, keys.map((each) => [project, each.id]));
  return limits
    .map((each) => ({ ...each, name: nameOf(page, each), share: each.limit ? (each.used + each.held) / each.limit : 1 }))
    .sort((one, other) => other.share - one.share);
}

function nameOf(page, { scope, id }) {
  if (scope === "organization") return "Whole gateway";
  return scope === "project" ? page.names.project(id) : `Key ${page.names.key(id)}`;
}

function allLimitsTable(page, limits) {
  const amount = (each, number) => (each.kind === "money" ? money(number, columnDecimals([each.limit])) : count(number));
  const column = (label, value) => ({ label, number: true, value, csv: (each) => (each.kind === "money" ? exactDollars(value(each)) : value(each)), show: (each) => amount(each, value(each)) });
  const windows = { now: "now", total: "in total" };
  return table({
    caption: "Limits of every kind",
    name: fileName("all-limits", { range: "now" }),
    rows: limits,
    columns: [
      { label: "Scope", value: (each) => each.name, show: (each) => (each.scope === "project" ? link(each.name, { view: "limits", project: each.id }, each.id) : each.name) },
      { label: "Kind", value: (each) => each.kind, show: (each) => each.kind },
      { label: "Window", value: (each) => each.window, show: (each) => windows[each.window] ?? `per ${each.window}` },
      {
        label: "Reached",
        class: "share",
        value: (each) => each.share,
        csv: (each) => each.share.toFixed(4),
        show: (each) => [bar(each.share, levelOf(each.share)), el("span", { class: `${levelOf(each.share)}-text` }, percent(each.share))],
      },
      column("Used", (each) => each.used),
      column("Held", (each) => each.held),
      column("Left", (each) => each.remaining),
      column("Limit", (each) => each.limit),
      { label: "Unit", value: (each) => UNITS[each.kind], show: (each) => UNITS[each.kind] },
      {
        label: "Starts again",
        value: (each) => each.resets_at,
        csv: (each) => (each.resets_at === null ? "" : instant(each.resets_at * 1000)),
        show: (each) => (each.resets_at === null ? (ENDLESS[each.window] ?? "rolls") : instant(each.resets_at * 1000).slice(0, 16)),
      },
    ],
  }).element;
}

export function showLimits(page) {
  return [
    card("Spend limits of this month", page.leave, async () => {
      const limits = await readLimits(page);
      if (!limits.length) return nothing("No spend limits are set.", page.isKey ? "" : el("code", {}, "gateway limits set --project … --usd 25"));
      return limitsTable("Spend limits, calendar month, UTC", fileName("limits", { range: "month" }), limits);
    }, { className: "wide" }),
    card("Every kind", page.leave, async () => {
      const limits = await readAllLimits(page);
      const hint = page.isKey || page.place.project ? "" : "Choose a project to see the limits of its keys, too.";
      if (!limits.length) return nothing("No limits are set.", hint);
      return [allLimitsTable(page, limits), hint && el("p", { class: "hint more" }, hint)].filter(Boolean);
    }, { className: "wide" }),
  ];
}
