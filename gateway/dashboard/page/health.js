// How things stand: the models by their own answers, why requests went where they went, the books, the administrators' acts.

import { el } from "./dom.js";
import { count, instant, milliseconds, modelName, percent, rounded } from "./format.js";
import { card, fileName, link, nothing, numberColumn, tile } from "./panels.js";
import { readRange } from "./place.js";
import { table } from "./table.js";

const LATEST_ROWS = 100;
const LATEST_ACTS = 25;
const STALE_SECONDS = 3600; // since the books were last found right

export function showHealth(page) {
  let reading = null;
  const health = () => (reading ??= page.api.health().catch((error) => {
    reading = null;
    throw error;
  }));
  return [
    card("Account and books", page.leave, async () => standing(await health()), { className: "wide tiles-card" }),
    card("Models", page.leave, async () => modelsTable(await health()), { className: "wide" }),
    el("div", { class: "columns" }, card("Routes", page.leave, async () => routesTable(await health())), reasonsCard(page)),
    card("Acts of administrators", page.leave, async () => actsTable((await page.api.acts(LATEST_ACTS)).data), { className: "wide" }),
  ];
}

function standing({ books, stopped, stopped_until: until, created_at: now }) {
  const age = books.verified_at === null ? null : Math.max(0, now - books.verified_at);
  const isLate = age === null || age > STALE_SECONDS;
  const time = (seconds) => instant(seconds * 1000).slice(11, 16);
  return el(
    "dl",
    { class: "tiles" },
    tile("Cloudflare account", stopped ? "not asked" : "open", stopped ? `${stopped.replaceAll("_", " ")}, until ${time(until)} UTC` : "requests go through"),
    tile("Drift", count(books.drift), books.drift ? "places disagree: gateway verify" : "rows, roll-ups, counters agree", { number: books.drift, level: books.drift ? "bad" : "" }),
    tile("Books verified", age === null ? "not yet" : `${Math.round(age / 60)} min ago`, isLate ? "the check is still on its way" : `at ${time(books.verified_at)} UTC`),
    tile("Receipts waiting", count(books.waiting), "for the store, of this worker", { number: books.waiting }),
  );
}

const LEVELS = { active: "", deprecated: "warn", probation: "warn", resting: "bad", retired: "bad" };

function modelsTable({ models }) {
  return table({
    caption: "Models by their own answers",
    name: fileName("models", { range: "now" }),
    rows: models,
    columns: [
      { label: "Model", value: (each) => each.id, show: (each) => link(modelName(each.id), { view: "overview", model: each.id }, each.id) },
      { label: "State", value: (each) => each.status, show: (each) => el("span", { class: `state ${LEVELS[each.status]}` }, each.status) },
      { label: "What of it", class: "wraps", value: remark, show: remark },
      { label: "First token", number: true, value: (each) => each.first_token_seconds, show: (each) => milliseconds(each.first_token_seconds === null ? null : Math.round(each.first_token_seconds * 1000)) },
      { label: "Tokens/s", number: true, value: (each) => each.tokens_per_second, show: (each) => rounded(each.tokens_per_second) },
      { label: "Measured", value: (each) => each.measured_at, csv: (each) => time(each.measured_at), show: (each) => time(each.measured_at) || "not yet" },
      { ...numberColumn("Window", (each) => each.context_window) },
      { label: "Window known by", value: (each) => each.context_window_source, show: (each) => each.context_window_source },
    ],
  }).element;
}

const time = (seconds) => (seconds === null ? "" : instant(seconds * 1000));

function remark(each) {
  const successor = each.successor ? `, followed by ${modelName(each.successor)}` : "";
  if (each.status === "retired") return `since ${time(each.retired_at)}${successor}`;
  if (each.status === "resting") return `after failures, until ${time(each.resting_until)}`;
  if (each.status === "probation") return "tried with one request";
  if (each.deprecated_on) return `deprecated ${each.deprecated_on * 1000 <= Date.now() ? "since" : "from"} ${time(each.deprecated_on).slice(0, 10)}${successor}`;
  return "";
}

function routesTable({ routes }) {
  if (!routes.length) return nothing("No routes are configured.");
  return table({
    caption: "Routes",
    name: fileName("routes", { range: "now" }),
    rows: routes,
    columns: [
      { label: "Route", value: (each) => each.name, show: (each) => each.name },
      { label: "Policy", value: (each) => each.policy, show: (each) => each.policy.replaceAll("_", " ") },
      { label: "Models", class: "wraps", value: (each) => each.models.join(" "), show: (each) => each.models.map(modelName).join(", ") },
      numberColumn("Most attempts", (each) => each.max_attempts),
    ],
  }).element;
}

function reasonsCard(page) {
  return card("Why requests went where they went", page.leave, async () => {
    const { data: rows } = await page.api.rows(readRange(page.place), page.place, LATEST_ROWS);
    if (!rows.length) return nothing("No requests in this time.");
    const groups = new Map();
    for (const row of rows) {
      const model = row.model;
      const reason = row.reason.replace(/\$?\d[\d.,]*/g, "…"); // each request has figures of its own
      const name = `${model}|${reason}`;
      groups.set(name, { model, reason, requests: (groups.get(name)?.requests ?? 0) + 1 });
    }
    return table({
      caption: `The latest ${count(rows.length)} requests, by model and reason`,
      name: fileName("reasons", page.place),
      rows: [...groups.values()].sort((one, other) => other.requests - one.requests),
      columns: [
        { label: "Model", value: (each) => each.model, show: (each) => link(modelName(each.model), { view: "requests", model: each.model }, each.model) },
        { label: "Reason", class: "wraps", value: (each) => each.reason, show: (each) => each.reason || "–" },
        numberColumn("Requests", (each) => each.requests),
        { label: "Share", number: true, value: (each) => each.requests / rows.length, csv: (each) => (each.requests / rows.length).toFixed(4), show: (each) => percent(each.requests / rows.length) },
      ],
    }).element;
  });
}

function actsTable(acts) {
  if (!acts.length) return nothing("Nobody has changed anything yet.");
  return table({
    caption: `The latest ${count(acts.length)} acts, newest first, UTC`,
    name: fileName("audit", { range: "latest" }),
    rows: acts,
    columns: [
      { label: "Time", value: (each) => each.effective_at, csv: (each) => time(each.effective_at), show: (each) => time(each.effective_at) },
      { label: "Act", value: (each) => each.type, show: (each) => each.type },
      { label: "Who", value: actorOf, show: actorOf },
      { label: "From", value: addressOf, show: addressOf },
      { label: "Project", value: (each) => each.project?.name ?? "", show: (each) => each.project?.name ?? "–" },
      { label: "What changed", class: "wraps", value: changesOf, show: changesOf },
      { label: "Outcome", value: (each) => each.outcome, show: (each) => el("span", { class: `state ${each.outcome === "succeeded" ? "" : "bad"}` }, each.outcome) },
    ],
  }).element;
}

const actorOf = ({ actor }) => actor.api_key?.name ?? actor.name ?? actor.api_key?.id ?? actor.type ?? "–";
const addressOf = ({ actor }) => actor.ip_address ?? "–";
const changesOf = ({ changes }) => [...new Set(changes.flatMap(({ before, after }) => Object.keys(before && after ? after : {})))].join(", ");
