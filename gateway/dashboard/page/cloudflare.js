// Cloudflare's side of the money: the day's free neurons and what the ledger says beside what Cloudflare would charge.

import { bucketName, chart, NEURONS_LEFT } from "./chart.js";
import { bar, el } from "./dom.js";
import { columnDecimals, isoDay, neurons, percent } from "./format.js";
import { card, fileName, levelOf, moneyColumn, numberColumn } from "./panels.js";
import { today } from "./place.js";
import { byTime } from "./sums.js";
import { table } from "./table.js";

const DAY = 86400;
const COMPARED_DAYS = 7;

/** What is left of the day's free neurons, hour by hour; and the ledger's money beside what Cloudflare would charge. */
export function cloudflareCard(page) {
  return card("Cloudflare", page.leave, async () => {
    const start = today();
    const first = start - (COMPARED_DAYS - 1) * DAY;
    const [days, hours] = await Promise.all([
      page.api.neurons(first, start + DAY),
      page.api.usage({ start, end: start + DAY, width: "1h" }, {}).then(byTime),
    ]);
    const free = days.at(-1).free_neurons;
    let used = 0;
    const left = hours.filter((each) => each.start <= Date.now() / 1000).map((each) => {
      used += each.neurons;
      return { ...each, left: Math.max(0, free - used) };
    });
    const drawn = chart(left, "1h", NEURONS_LEFT);
    page.signal.addEventListener("abort", drawn.stop, { once: true });
    return [el("h3", {}, "Free neurons left today"), drawn.element, el("h3", {}, "Ledger against Cloudflare"), neuronDays(page, days)];
  }, { className: "wide" });
}

function neuronDays(page, days) {
  const nanos = days.flatMap((each) => [each.cost_nano, each.neuron_cost_nano]);
  const decimals = columnDecimals(nanos);
  return table({
    caption: `The last ${COMPARED_DAYS} days, UTC`,
    name: fileName("neurons", { range: `${COMPARED_DAYS}d` }),
    rows: [...days].reverse(),
    columns: [
      { label: "Day", value: (each) => each.start_time, csv: (each) => isoDay(each.start_time), show: (each) => bucketName(each.start_time, "1d") },
      { ...numberColumn("Neurons", (each) => each.neurons), show: (each) => neurons(each.neurons) },
      { label: "Of the free ones", class: "share", value: shareOfFree, csv: (each) => shareOfFree(each).toFixed(4), show: (each) => [bar(shareOfFree(each), levelOf(shareOfFree(each))), el("span", {}, percent(shareOfFree(each)))] },
      moneyColumn("$ by price book", (each) => each.cost_nano, decimals),
      moneyColumn("$ by neurons", (each) => each.neuron_cost_nano, decimals),
      moneyColumn("Difference", (each) => each.difference_nano, decimals),
      moneyColumn("Beyond the free ones", (each) => each.billed_nano, decimals),
    ],
  }).element;
}

const shareOfFree = (each) => (each.free_neurons ? each.neurons / each.free_neurons : 1);
