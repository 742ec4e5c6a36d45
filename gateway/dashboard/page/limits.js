// Spend limits, and how close each scope is: used and held of this month's budget.

import { bar, el } from "./dom.js";
import { columnDecimals, instant, nanoOfCents, percent } from "./format.js";
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

export function showLimits(page) {
  return [
    card("Spend limits of this month", page.leave, async () => {
      const limits = await readLimits(page);
      if (!limits.length) return nothing("No spend limits are set.", page.isKey ? "" : el("code", {}, "gateway limits set --project … --usd 25"));
      return limitsTable("Spend limits, calendar month, UTC", fileName("limits", { range: "month" }), limits);
    }, { className: "wide" }),
  ];
}
