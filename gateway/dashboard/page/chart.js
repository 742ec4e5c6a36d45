// Bars over time, drawn by uPlot on a canvas in the page's own colours; the same numbers stand in a table below.

import { el } from "./dom.js";
import { day, hour, money, shortCount, count } from "./format.js";

export const METRICS = {
  spend: { label: "Spend", value: (sum) => sum.nano, show: money, axis: moneyTicks },
  requests: { label: "Requests", value: (sum) => sum.requests, show: count, axis: countTicks },
  tokens: { label: "Tokens", value: (sum) => sum.input + sum.output, show: count, axis: countTicks },
  failed: { label: "Failed", value: (sum) => sum.failed, show: count, axis: countTicks, colour: "--bad" },
};
export const NEURONS_LEFT = { label: "Free neurons left", isLevel: true, value: (sum) => sum.left, show: (left) => count(Math.round(left)), axis: countTicks };
const HEIGHT = 220;
// Steps of the axis: 1, 2 and 5 times every power of ten.
const STEPS = Array.from({ length: 17 }, (_, power) => [1, 2, 5].map((first) => first * 10 ** power)).flat();

/** As few places as tell the ticks apart, the same for all. */
function moneyTicks(ticks) {
  const decimals = [0, 2, 3, 4, 5, 6, 7, 8, 9].find((places) => ticks.every((nano) => nano % 10 ** (9 - places) === 0)) ?? 9;
  return ticks.map((nano) => (nano === 0 ? "$0" : money(nano, decimals)));
}

function countTicks(ticks) {
  return ticks.map((number) => (Number.isInteger(number) ? shortCount(number) : ""));
}

export const bucketName = (start, width) => (width === "1h" ? `${day(start)} ${hour(start)}` : day(start));

/** The chart's element, of one of METRICS or its like; it follows the width of its parent and the colour scheme. */
export function chart(sums, width, measure) {
  const { label, value, show, isLevel = false } = measure;
  const values = sums.map(value);
  const all = values.reduce((sum, each) => sum + each, 0);
  const readout = el("p", { class: "readout", "aria-hidden": "true" });
  const say = (index) => {
    readout.textContent =
      index === null || index === undefined ? "" : `${bucketName(sums[index].start, width)} · ${show(values[index])}`;
  };
  const drawing = el("div", {
    class: "chart",
    role: "img",
    "aria-label": `${label} per ${width === "1h" ? "hour" : "day"}, ${isLevel ? `${show(values.at(-1) ?? 0)} now` : `${show(all)} in all`}. The table below has the numbers.`,
  });
  let plot = null;
  const draw = () => {
    if (!drawing.isConnected || !drawing.clientWidth) return;
    plot?.destroy();
    plot = new window.uPlot(options(drawing, sums, width, measure, say), [sums.map((_, index) => index), values], drawing);
  };
  const watcher = new ResizeObserver(() => (plot ? plot.setSize({ width: drawing.clientWidth, height: HEIGHT }) : draw()));
  watcher.observe(drawing);
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", draw);
  const stop = () => {
    watcher.disconnect();
    scheme.removeEventListener("change", draw);
    plot?.destroy();
  };
  return { element: el("div", { class: "chart-box" }, readout, drawing), stop };
}

function options(drawing, sums, width, measure, say) {
  const style = getComputedStyle(drawing);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = { stroke: colour("--muted"), font: "12px system-ui, sans-serif", ticks: { show: false } };
  const fill = colour(measure.colour ?? "--accent");
  return {
    width: drawing.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    padding: [8, 8, 0, 0],
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: { x: { time: false, range: () => [-0.5, sums.length - 0.5] }, y: { range: (_, __, most) => [0, most * 1.05 || 1] } },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 30,
        splits: (plot) => splits(sums, width, plot.width),
        values: (_, indexes) => indexes.map((index) => tick(sums[index].start, width)),
      },
      {
        ...axis,
        size: (_, texts) => 16 + 7 * Math.max(4, ...(texts ?? []).map((text) => text.length)),
        grid: { stroke: colour("--line"), width: 1 },
        incrs: STEPS,
        values: (_, ticks) => measure.axis(ticks),
      },
    ],
    series: [{}, { fill, stroke: fill, width: 0, points: { show: false }, paths: window.uPlot.paths.bars({ size: [0.72, 48], radius: 0.15 }) }],
    hooks: { setCursor: [(plot) => say(plot.cursor.idx)] },
  };
}

const tick = (start, width) => (width === "1h" ? (hour(start) === "00:00" ? day(start) : hour(start)) : day(start));

function splits(sums, width, pixels) {
  const room = Math.max(2, Math.floor(pixels / 80));
  const steps = width === "1h" ? [1, 2, 3, 4, 6, 12, 24] : [1, 2, 3, 5, 7, 10, 14, 30, 60];
  const step = steps.find((each) => sums.length / each <= room) ?? steps.at(-1);
  return sums.map((_, index) => index).filter((index) => index % step === 0);
}
