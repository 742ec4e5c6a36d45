// The ledger: one row per request, newest first, and one row with its attempts.

import { announce, bar, el } from "./dom.js";
import { columnDecimals, count, exactDollars, instant, milliseconds, modelName, moment, money, neurons } from "./format.js";
import { card, fileName, link, moneyColumn, nothing, numberColumn } from "./panels.js";
import { readRange } from "./place.js";
import { percentile } from "./sums.js";
import { table } from "./table.js";

const PAGE_ROWS = 50;

export function showRequests(page) {
  if (page.place.row) return [rowCard(page)];
  return [
    card("Rows, newest first", page.leave, async () => {
      const answer = await readRows(page, null);
      if (!answer.data.length) return nothing("No requests in this time.", "Choose a longer time range or fewer filters.");
      return rowsList(page, answer);
    }, { className: "wide" }),
  ];
}

async function readRows(page, cursor) {
  const [answer] = await Promise.all([
    page.api.rows(readRange(page.place), page.place, PAGE_ROWS, cursor),
    page.names.loadProjects(page.api),
  ]);
  await page.names.loadKeys(page.api, answer.data.map((row) => [row.project_id, row.api_key_id]));
  return answer;
}

function rowsList(page, first) {
  const rows = [...first.data];
  let cursor = first.next_page;
  const grid = rowsTable(page, rows);
  const figures = el("p", { class: "figures" }, describe(rows));
  const older = el("button", { type: "button" }, "Older");
  const foot = el("p", { class: "more" }, older);
  foot.hidden = !first.has_more;
  older.addEventListener("click", async () => {
    older.disabled = true;
    try {
      const answer = await readRows(page, cursor);
      rows.push(...answer.data);
      grid.add(answer.data);
      cursor = answer.next_page;
      foot.hidden = !answer.has_more;
      figures.textContent = describe(rows);
      announce(`${rows.length} rows are shown`);
    } catch (error) {
      if (error.status === 401) page.leave();
      else if (error.name !== "AbortError") announce(error.message);
    }
    older.disabled = false;
  });
  return [figures, grid.element, foot];
}

function describe(rows) {
  const speeds = rows.filter((row) => row.ttft_ms !== null && row.latency_ms > row.ttft_ms && row.completion_tokens > 1)
    .map((row) => row.completion_tokens / ((row.latency_ms - row.ttft_ms) / 1000));
  const pair = (numbers) => `${milliseconds(percentile(numbers, 0.5))} / ${milliseconds(percentile(numbers, 0.95))}`;
  const parts = [
    `${count(rows.length)} rows, ${money(rows.reduce((sum, row) => sum + row.cost_nano, 0))}`,
    `latency p50 / p95 ${pair(rows.map((row) => row.latency_ms))}`,
  ];
  const firsts = rows.map((row) => row.ttft_ms).filter((each) => each !== null);
  if (firsts.length) parts.push(`first token ${pair(firsts)}`);
  if (speeds.length) parts.push(`${Math.round(percentile(speeds, 0.5))} tokens/s`);
  return parts.join(" · ");
}

function rowsTable(page, rows) {
  return table({
    caption: `Requests, ${page.rangeName}, UTC`,
    name: fileName("requests", page.place),
    rows,
    columns: [
      {
        label: "Time",
        value: (row) => row.created_ms,
        csv: (row) => new Date(row.created_ms).toISOString(),
        show: (row) => link(moment(row.created_ms), { view: "requests", row: row.id }, row.id),
      },
      {
        label: "Project",
        value: (row) => page.names.project(row.project_id),
        show: (row) => link(page.names.project(row.project_id), { project: row.project_id, key: "" }, row.project_id),
      },
      {
        label: "Key",
        value: (row) => page.names.key(row.api_key_id),
        show: (row) => link(page.names.key(row.api_key_id), { project: row.project_id, key: row.api_key_id }, row.api_key_id),
      },
      { label: "Model", value: (row) => row.model, show: (row) => link(modelName(row.model), { model: row.model }, row.model) },
      numberColumn("In", (row) => row.prompt_tokens),
      numberColumn("Out", (row) => row.completion_tokens),
      moneyColumn("Cost", (row) => row.cost_nano, columnDecimals(rows.map((row) => row.cost_nano))),
      { label: "End", value: (row) => row.end_reason, show: (row) => ending(row.end_reason) },
      { label: "Tries", number: true, value: (row) => row.attempts.length, show: (row) => String(row.attempts.length) },
      { label: "Took", number: true, value: (row) => row.latency_ms, show: (row) => milliseconds(row.latency_ms) },
      { label: "Id", value: (row) => row.id, class: "id", show: (row) => row.id.slice(0, 12) },
      { label: "Why there", value: (row) => row.reason, class: "cut", show: (row) => el("span", { title: row.reason }, row.reason || "–") },
    ],
  });
}

const GOOD_ENDS = new Set(["stop", "length", "tool_calls"]);
const ending = (reason) => el("span", { class: `state ${GOOD_ENDS.has(reason) ? "" : reason === "failed" ? "bad" : "warn"}` }, reason.replaceAll("_", " "));

function rowCard(page) {
  const section = card("One request", page.leave, async () => {
    const row = await page.api.row(page.place.row);
    await Promise.all([page.names.loadProjects(page.api), page.names.loadKeys(page.api, [[row.project_id, row.api_key_id]])]);
    return [facts(page, row), attemptsTable(page, row)];
  }, { className: "wide" });
  section.prepend(el("p", { class: "back" }, link("← All requests", { row: "" })));
  return section;
}

function facts(page, row) {
  const pairs = [
    ["Id", el("code", {}, row.id)],
    ["Time", `${instant(row.created_ms)} UTC`],
    ["Project", link(page.names.project(row.project_id), { row: "", project: row.project_id, key: "" }, row.project_id)],
    ["Key", link(page.names.key(row.api_key_id), { row: "", project: row.project_id, key: row.api_key_id }, row.api_key_id)],
    ["Asked for", row.requested_model],
    ["Answered by", el("span", { title: row.model }, modelName(row.model))],
    ["Route", row.route || "–"],
    ["Reason", row.reason || "–"],
    ["Cost", el("span", { "data-nano": row.cost_nano }, `$${exactDollars(row.cost_nano)}`)],
    ["Neurons", row.neurons === null ? "not reported" : neurons(row.neurons)],
    ["Tokens", `${count(row.prompt_tokens)} in (${count(row.cached_tokens)} cached), ${count(row.completion_tokens)} out`],
    ["Counted by", row.usage_source],
    ["Prices", row.price_source || "–"],
    ["End", ending(row.end_reason)],
    ["HTTP status", `${row.status}${row.stream ? ", streamed" : ""}`],
    ["First token", milliseconds(row.ttft_ms)],
    ["Took", milliseconds(row.latency_ms)],
    ["Upstream", row.upstream],
    ["Surface", row.surface],
    ...Object.entries(row.tags).map(([name, value]) => [`Tag ${name}`, value]),
  ];
  return el("dl", { class: "facts" }, pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

function attemptsTable(page, row) {
  if (!row.attempts.length) return nothing("No attempts are recorded.", "The row was written for a request whose process went away.");
  const whole = Math.max(1, row.latency_ms, ...row.attempts.map((each) => each.started_ms + each.latency_ms));
  const decimals = columnDecimals(row.attempts.map((each) => each.cost_nano));
  const attempts = row.attempts.map((attempt, index) => ({ ...attempt, number: index + 1 }));
  const span = (attempt) => {
    const timeline = bar(attempt.latency_ms / whole, GOOD_ENDS.has(attempt.end) ? "" : "bad");
    timeline.firstChild.style.marginLeft = `${(attempt.started_ms / whole) * 100}%`;
    return timeline;
  };
  return table({
    caption: "Upstream attempts",
    name: `gateway-${row.id}`,
    rows: attempts,
    isSortable: false,
    columns: [
      { label: "#", value: (each) => each.number, show: (each) => String(each.number) },
      { label: "Model", value: (each) => each.model, show: (each) => el("span", { title: each.model }, modelName(each.model)) },
      { label: "End", value: (each) => each.end, show: (each) => ending(each.end) },
      { label: "When", class: "when", value: (each) => each.started_ms, show: span },
      { label: "Began", number: true, value: (each) => each.started_ms, show: (each) => milliseconds(each.started_ms) },
      { label: "Took", number: true, value: (each) => each.latency_ms, show: (each) => milliseconds(each.latency_ms) },
      numberColumn("In", (each) => each.prompt_tokens),
      numberColumn("Out", (each) => each.completion_tokens),
      moneyColumn("Cost", (each) => each.cost_nano, decimals),
      { label: "Counted by", value: (each) => each.usage_source, show: (each) => each.usage_source },
      { label: "Upstream code", value: (each) => each.upstream_code, show: (each) => String(each.upstream_code ?? "–") },
    ],
  }).element;
}

export const requestsTitle = (place) => (place.row ? `Request ${place.row.slice(0, 12)}` : "Requests");
