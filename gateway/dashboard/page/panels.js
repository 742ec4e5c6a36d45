// Pieces that several views share: cards that load by themselves, tiles, links, tables of sums, file names.

import { bar, el } from "./dom.js";
import { columnDecimals, count, exactDollars, modelName, money, neurons, percent, shortCount } from "./format.js";
import { hrefOf } from "./place.js";
import { table } from "./table.js";

/**
 * A card that shows that it loads, then what `load` gives, or why it could not and a way to try again. `leave` is called
 * instead where the session has ended.
 */
export function card(title, leave, load, { level = "h2", className = "" } = {}) {
  const content = el("div", { class: "content" });
  const section = el("section", { class: `card ${className}`, "aria-busy": "true" }, title && el(level, {}, title), content);
  const run = async () => {
    section.setAttribute("aria-busy", "true");
    content.replaceChildren(el("div", { class: "loading" }, el("span", { class: "unseen" }, "Loading…")));
    try {
      content.replaceChildren(...[await load()].flat());
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 401) return leave();
      const again = el("button", { type: "button", onclick: run }, "Try again");
      content.replaceChildren(el("div", { class: "problem", role: "alert" }, el("p", {}, error.message), again));
      if (error.status === undefined) console.error(error);
    }
    section.setAttribute("aria-busy", "false");
  };
  section.ready = run();
  return section;
}

/** A number with its name and a line of explanation. `nano` is kept in the page for whoever reads it by program. */
export function tile(label, value, detail, { nano = null, number = null, share = null, level = "" } = {}) {
  const amount = nano === null ? {} : { "data-nano": nano, title: `$${exactDollars(nano)}` };
  return el(
    "div",
    { class: "tile" },
    el("dt", {}, label),
    el("dd", { class: "value", ...amount, "data-number": number }, value),
    share === null ? null : el("dd", { class: "tile-bar" }, bar(share, level)),
    el("dd", { class: "detail" }, detail),
  );
}

export const nothing = (text, hint = "") => el("div", { class: "empty" }, el("p", {}, text), hint && el("p", { class: "hint" }, hint));

export const link = (text, changes, title = null) => el("a", { href: hrefOf(changes), title }, text);

/** How serious a share of a limit is. */
export const levelOf = (share) => (share >= 1 ? "bad" : share >= 0.8 ? "warn" : "");

/** What a table of sums is about, per dimension: columns that name a line, and where its link leads. */
export function nameColumns(by, names) {
  const project = {
    label: "Project",
    value: (sum) => names.project(sum.project_id),
    show: (sum) => link(names.project(sum.project_id), { view: "overview", project: sum.project_id, key: "" }, sum.project_id),
  };
  const key = {
    label: "Key",
    value: (sum) => names.key(sum.api_key_id),
    show: (sum) =>
      link(names.key(sum.api_key_id), { view: "overview", project: sum.project_id, key: sum.api_key_id }, sum.api_key_id),
  };
  const model = {
    label: "Model",
    value: (sum) => sum.model,
    show: (sum) => link(modelName(sum.model), { view: "overview", model: sum.model }, sum.model),
  };
  const value = { label: by.slice(by.indexOf(":") + 1), value: (sum) => sum.tag ?? "", show: (sum) => sum.tag ?? "–" };
  return { project: [project], key: [key, { ...project }], model: [model] }[by] ?? [value];
}

/** A table of sums with their share of `spent`, all that was. */
export function sumsTable({ caption, name, by, sums, spent, names, isShort = false }) {
  const decimals = columnDecimals(sums.map((sum) => sum.nano));
  const share = (sum) => (spent ? sum.nano / spent : 0);
  const columns = [
    ...nameColumns(by, names),
    moneyColumn("Spend", (sum) => sum.nano, decimals),
    { label: "Share", class: "share", value: share, csv: (sum) => share(sum).toFixed(4), show: (sum) => [bar(share(sum)), el("span", {}, percent(share(sum)))] },
    numberColumn("Requests", (sum) => sum.requests),
    { ...numberColumn("Failed", (sum) => sum.failed), show: (sum) => failedCell(sum) },
    ...(isShort
      ? [{ ...numberColumn("Tokens", tokens), show: (sum) => el("span", { title: count(tokens(sum)) }, shortCount(tokens(sum))) }]
      : [
          numberColumn("Input tokens", (sum) => sum.input),
          numberColumn("Output tokens", (sum) => sum.output),
          { ...numberColumn("Neurons", (sum) => Math.round(sum.neurons * 1e6) / 1e6), show: (sum) => neurons(sum.neurons) },
        ]),
  ];
  return table({ caption, name, columns, rows: sums }).element;
}

const tokens = (sum) => sum.input + sum.output;

const failedCell = (sum) =>
  sum.failed ? el("span", { class: "bad-text", title: percent(sum.failed / sum.requests) }, count(sum.failed)) : "0";

export const numberColumn = (label, value) => ({ label, number: true, value, show: (row) => count(value(row)) });

export const moneyColumn = (label, nano, decimals) => ({
  label,
  number: true,
  value: nano,
  csv: (row) => exactDollars(nano(row)),
  show: (row) => el("span", { "data-nano": nano(row), title: `$${exactDollars(nano(row))}` }, money(nano(row), decimals)),
});

/** What a saved file is called: what it shows, and from when to when. */
export const fileName = (what, place) => ["gateway", what, place.range === "custom" ? `${place.from}-${place.to}` : place.range].join("-");
