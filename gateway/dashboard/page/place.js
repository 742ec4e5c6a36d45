// Where the reader is: view, time range and filters, all of it in the URL, so that a link shows what was seen.

const DAY = 86400;
export const RANGES = {
  today: "Today",
  yesterday: "Yesterday",
  "7d": "Last 7 days",
  "30d": "Last 30 days",
  "90d": "Last 90 days",
  month: "This month",
  "last-month": "Last month",
  custom: "Custom…",
};
const FALLBACK = { view: "overview", range: "7d" };
const NAMES = ["view", "range", "from", "to", "project", "key", "model", "metric", "by", "row", "every"];
const LONGEST_DAYS = 366;

/** The URL as an object; what it does not say has its default, or is an empty text. */
export function readPlace() {
  const query = new URLSearchParams(location.search);
  const place = Object.fromEntries(NAMES.map((name) => [name, query.get(name) || FALLBACK[name] || ""]));
  if (!Object.hasOwn(RANGES, place.range)) place.range = FALLBACK.range;
  return place;
}

/** The address of a place: the present one with these changes. */
export function hrefOf(changes, from = readPlace()) {
  const query = new URLSearchParams();
  const place = { ...from, ...changes };
  for (const name of NAMES) if (place[name] && place[name] !== FALLBACK[name]) query.set(name, place[name]);
  const text = query.toString();
  return text ? `/dashboard?${text}` : "/dashboard";
}

export const today = (now = Date.now() / 1000) => Math.floor(now / DAY) * DAY;

/** First seconds of the month that `offset` months away, UTC. */
export function monthStart(seconds, offset = 0) {
  const date = new Date(seconds * 1000);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + offset, 1) / 1000;
}

/** `{start, end, width}` of a place: whole UTC days, unix seconds, end exclusive; hours where there are few days. */
export function readRange(place) {
  const start = today();
  const end = start + DAY;
  const days = { "7d": 7, "30d": 30, "90d": 90 }[place.range];
  if (days) return widened(end - days * DAY, end);
  if (place.range === "yesterday") return widened(start - DAY, start);
  if (place.range === "month") return widened(monthStart(start), end);
  if (place.range === "last-month") return widened(monthStart(start, -1), monthStart(start));
  if (place.range === "custom") return custom(place, start);
  return widened(start, end);
}

function custom(place, start) {
  const from = Date.parse(`${place.from}T00:00:00Z`) / 1000 || start - 6 * DAY;
  const to = Date.parse(`${place.to}T00:00:00Z`) / 1000 || start;
  const first = Math.max(from, to - (LONGEST_DAYS - 1) * DAY);
  return widened(Math.min(first, to), to + DAY);
}

const widened = (start, end) => ({ start, end, width: end - start <= 2 * DAY ? "1h" : "1d" });
