// The first page: what was spent, where it ends by the end of the month, by whom and on what, and how close limits are.

import { bucketName, chart, METRICS } from "./chart.js";
import { cloudflareCard } from "./cloudflare.js";
import { el } from "./dom.js";
import { count, hour, milliseconds, money, nanoOfDollars, neurons, percent, rounded, shortCount } from "./format.js";
import { limitsTable, readLimits } from "./limits.js";
import { card, fileName, levelOf, link, moneyColumn, nothing, numberColumn, sumsTable, tile } from "./panels.js";
import { hrefOf, monthStart, readRange, today } from "./place.js";
import { byGroup, byTime, total } from "./sums.js";
import { table } from "./table.js";

const DAY = 86400;
const SHOWN_LIMITS = 5;
const FORECAST_DAYS = 7;

export function showOverview(page) {
  const { place } = page;
  const range = readRange(place);
  const inTime = shared(() => page.api.usage(range, place).then(byTime));
  const by = place.project || page.isKey ? "key" : "project";
  const cards = [
    el("div", { class: "tiles-row" }, spendTiles(page), rangeTiles(page, inTime)),
    chartCard(page, range, inTime),
    el(
      "div",
      { class: "columns" },
      groupCard(page, range, by),
      groupCard(page, range, "model"),
    ),
    limitsCard(page),
    page.isAdmin ? cloudflareCard(page) : "",
  ];
  return cards;
}

/** Reads once for all that ask, and again for whoever asks after a failure. */
function shared(read) {
  let reading = null;
  return () => {
    reading ??= read().catch((error) => {
      reading = null;
      throw error;
    });
    return reading;
  };
}

/** Month to date, and the mean of the last seven whole days for every day that is left of the month. */
export function forecast(days, now) {
  const start = today(now);
  const amount = (from, to) => days.filter((each) => each.start >= from && each.start < to).reduce((sum, each) => sum + each.nano, 0);
  const month = amount(monthStart(start), Infinity);
  const mean = amount(start - FORECAST_DAYS * DAY, start) / FORECAST_DAYS;
  const daysLeft = (monthStart(start, 1) - now) / DAY;
  return { today: amount(start, Infinity), month, mean, daysLeft, end: Math.round(month + mean * daysLeft) };
}

function spendTiles(page) {
  return card("Money", page.leave, async () => {
    const now = Date.now() / 1000;
    const start = today(now);
    const first = Math.min(monthStart(start), start - FORECAST_DAYS * DAY);
    const buckets = await page.api.costs(first, start + DAY, page.place);
    const days = buckets.map((bucket) => ({
      start: bucket.start_time,
      nano: bucket.results.reduce((sum, result) => sum + nanoOfDollars(result.amount.value), 0),
    }));
    const found = forecast(days, now);
    return el(
      "dl",
      { class: "tiles" },
      tile("Spent today", money(found.today), "since 00:00 UTC", { nano: found.today }),
      tile("Spent this month", money(found.month), "since the 1st, UTC", { nano: found.month }),
      tile("Month’s forecast", money(found.end), `+ ${money(Math.round(found.mean))} × ${found.daysLeft.toFixed(1)} days left`, { nano: found.end }),
      await neuronTile(page, start),
    );
  }, { className: "tiles-card" });
}

/** The account's neurons for who may see them; else those of what may be seen. */
async function neuronTile(page, start) {
  if (!page.isAdmin) {
    const sum = total(byTime(await page.api.usage({ start, end: start + DAY, width: "1d" }, page.place)));
    return tile("Neurons today", neurons(sum.neurons), page.isKey ? "by this key" : "by this project", { number: sum.neurons });
  }
  const [found] = await page.api.neurons(start, start + DAY);
  const share = found.free_neurons ? found.neurons / found.free_neurons : 1;
  const detail = `${percent(share)} of ${count(found.free_neurons)} free · ${outlook(found)}`;
  return tile("Neurons today", neurons(found.neurons), detail, { number: found.neurons, share, level: levelOf(share) });
}

/** Where the day's free neurons go at the present pace. */
function outlook({ exhausted_at: end, forecast_neurons: ahead }) {
  if (end !== null && end <= Date.now() / 1000) return `used up since ${hour(end)}`;
  if (end !== null) return `last until ${hour(end)}`;
  return ahead === null ? "" : `${neurons(ahead)} by midnight`;
}

function rangeTiles(page, inTime) {
  return card("Traffic", page.leave, async () => {
    const [sums, pace] = await Promise.all([inTime(), page.isKey ? null : page.api.pace(readRange(page.place), page.place)]);
    const sum = total(sums);
    return el(
      "dl",
      { class: "tiles" },
      tile("Spend", money(sum.nano), page.rangeName, { nano: sum.nano }),
      tile("Requests", shortCount(sum.requests), sum.requests ? `${money(Math.round(sum.nano / sum.requests))} each` : "none yet", { number: sum.requests }),
      tile("Tokens", shortCount(sum.input + sum.output), `${shortCount(sum.input)} in · ${shortCount(sum.output)} out`, { number: sum.input + sum.output }),
      tile("Error rate", percent(sum.requests ? sum.failed / sum.requests : 0), `${count(sum.failed)} failed; refused ones: see metrics`, { number: sum.failed, level: sum.failed ? "warn" : "" }),
      ...(pace ? paceTiles(page, pace[0]) : []),
    );
  }, { className: "tiles-card" });
}

/** Percentiles of streams; they are counted by project and model, not by key. */
function paceTiles(page, pace) {
  const whose = page.place.key ? "all keys of the project" : `${count(pace.requests)} streams`;
  const whole = (ms) => (ms === null ? null : Math.round(ms));
  return [
    tile("First token, p50", milliseconds(whole(pace.first_token_ms_p50)), `p95 ${milliseconds(whole(pace.first_token_ms_p95))}`, { number: pace.first_token_ms_p50 }),
    tile("Tokens/s, p50", rounded(pace.tokens_per_second_p50), `95 % reach ${rounded(pace.tokens_per_second_p95)} · ${whose}`, { number: pace.tokens_per_second_p50 }),
  ];
}

function chartCard(page, range, inTime) {
  const metric = Object.hasOwn(METRICS, page.place.metric) ? page.place.metric : "spend";
  const choices = el(
    "div",
    { class: "segments", role: "group", "aria-label": "What the chart shows" },
    Object.entries(METRICS).map(([name, each]) =>
      el("a", { href: hrefOf({ metric: name === "spend" ? "" : name }), "aria-current": name === metric ? "true" : null, "data-keep": "metric" }, each.label),
    ),
  );
  const name = `${METRICS[metric].label} per ${range.width === "1h" ? "hour" : "day"}`;
  const section = card(name, page.leave, async () => {
    const sums = await inTime();
    if (!total(sums).requests) return nothing("No requests in this time.", "Choose a longer time range, or send one.");
    const drawn = chart(sums, range.width, METRICS[metric]);
    page.signal.addEventListener("abort", drawn.stop, { once: true });
    return [drawn.element, el("details", {}, el("summary", {}, "The numbers"), timeTable(page, range, sums))];
  }, { className: "wide" });
  section.querySelector("h2").after(choices);
  return section;
}

function timeTable(page, range, sums) {
  return table({
    caption: `By ${range.width === "1h" ? "hour" : "day"}, UTC`,
    name: fileName("time", page.place),
    rows: [...sums].reverse(),
    columns: [
      {
        label: range.width === "1h" ? "Hour" : "Day",
        value: (sum) => sum.start,
        csv: (sum) => new Date(sum.start * 1000).toISOString(),
        show: (sum) => bucketName(sum.start, range.width),
      },
      moneyColumn("Spend", (sum) => sum.nano),
      numberColumn("Requests", (sum) => sum.requests),
      numberColumn("Failed", (sum) => sum.failed),
      numberColumn("Input tokens", (sum) => sum.input),
      numberColumn("Output tokens", (sum) => sum.output),
    ],
  }).element;
}

const GROUPS = { project: ["project_id"], key: ["project_id", "api_key_id"], model: ["model"] };
export const SHOWN_GROUPS = 200; // more is nothing to look at; filters and the API have the rest
export const TITLES = { project: "Projects", key: "Keys", model: "Models" };
export const TAG = "tag:"; // how a dimension begins that is a tag

/** The sums of a dimension in a range, with the names that its table needs. */
export async function readGroups(page, range, by) {
  if (by.startsWith(TAG)) return byGroup(await page.api.usage(range, page.place, [], by.slice(TAG.length)), ["tag"]);
  const [sums] = await Promise.all([
    page.api.usage(range, page.place, GROUPS[by]).then((buckets) => byGroup(buckets, GROUPS[by])),
    by === "model" ? null : page.names.loadProjects(page.api),
  ]);
  if (by === "key") await page.names.loadKeys(page.api, sums.slice(0, SHOWN_GROUPS).map((sum) => [sum.project_id, sum.api_key_id]));
  return sums;
}

function groupCard(page, range, by) {
  return card(TITLES[by], page.leave, async () => {
    const sums = await readGroups(page, range, by);
    if (!sums.length) return nothing("Nothing in this time.");
    const shown = sums.slice(0, 8);
    const caption = `By ${by}, ${page.rangeName}`;
    const more = sums.length > shown.length ? `All ${sums.length}` : "More columns";
    return [
      sumsTable({ caption, name: fileName(TITLES[by].toLowerCase(), page.place), by, sums: shown, spent: total(sums).nano, names: page.names, isShort: true }),
      el("p", { class: "more" }, link(more, { view: "breakdown", by })),
    ];
  });
}

function limitsCard(page) {
  return card("Limits", page.leave, async () => {
    const limits = await readLimits(page);
    if (!limits.length) return nothing("No spend limits are set.", page.isKey ? "" : el("code", {}, "gateway limits set --project … --usd 25"));
    return [
      limitsTable("Closest to their limit, this month", fileName("limits", page.place), limits.slice(0, SHOWN_LIMITS)),
      limits.length > SHOWN_LIMITS && el("p", { class: "more" }, link(`All ${limits.length}`, { view: "limits" })),
    ].filter(Boolean);
  }, { className: "wide" });
}
