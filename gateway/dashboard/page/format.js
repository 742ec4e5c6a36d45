// Numbers and times as people read them. Money is whole nano-dollars everywhere until it is written here.

const NANO = 1e9;
const counts = new Intl.NumberFormat("en-US");
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Nano-dollars of an API amount: dollars as a decimal number. Exact below nine million dollars. */
export const nanoOfDollars = (dollars) => Math.round(dollars * NANO);
/** Nano-dollars of an API amount in cents. */
export const nanoOfCents = (cents) => Math.round(cents * 1e7);

function decimalsFor(nano) {
  const dollars = Math.abs(nano) / NANO;
  if (dollars === 0 || dollars >= 100) return 2;
  if (dollars >= 1) return 3;
  if (dollars >= 0.01) return 4;
  return Math.min(9, Math.ceil(-Math.log10(dollars)) + 1);
}

/** Dollars with as many places as the amount needs, or with those given. */
export function money(nano, decimals = decimalsFor(nano)) {
  if (nano !== 0 && Math.abs(nano) / NANO < 0.5 * 10 ** -decimals) return `<$${(10 ** -decimals).toFixed(decimals)}`;
  const text = new Intl.NumberFormat("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return `${nano < 0 ? "−" : ""}$${text.format(Math.abs(nano) / NANO)}`;
}

/** One number of places for a whole column: what its largest amount needs, so that the points stand in a line. */
export const columnDecimals = (nanos) => decimalsFor(Math.max(0, ...nanos)) + 1;

/** Dollars with every digit there is, for titles and files. */
export function exactDollars(nano) {
  const digits = String(Math.abs(nano)).padStart(10, "0");
  const fraction = digits.slice(-9).replace(/0+$/, "");
  return `${nano < 0 ? "-" : ""}${digits.slice(0, -9)}${fraction ? `.${fraction}` : ""}`;
}

export const count = (number) => counts.format(number);
export const shortCount = (number) => (number < 10000 ? counts.format(number) : compact.format(number));
export const neurons = (number) => (number < 100 ? String(Math.round(number * 100) / 100) : counts.format(Math.round(number)));

/** A share as per cent; small ones are not rounded away. */
export function percent(share) {
  if (!Number.isFinite(share)) return "–";
  const value = share * 100;
  if (value === 0) return "0%";
  if (value < 0.1) return "<0.1%";
  return `${value < 10 ? value.toFixed(1) : Math.round(value)}%`;
}

export const milliseconds = (ms) => (ms === null ? "–" : ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s`);

/** A speed or a duration with as many digits as say something. */
export const rounded = (number) => (number === null ? "–" : number < 10 ? number.toFixed(1) : counts.format(Math.round(number)));

const two = (number) => String(number).padStart(2, "0");

/** `17 Nov` of unix seconds, UTC. */
export function day(seconds) {
  const date = new Date(seconds * 1000);
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
}

/** `14:00`, UTC. */
export function hour(seconds) {
  const date = new Date(seconds * 1000);
  return `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
}

/** `2026-11-17`, UTC. */
export const isoDay = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);

/** `2026-11-17 14:03:22` of unix milliseconds, UTC. */
export const instant = (ms) => new Date(ms).toISOString().slice(0, 19).replace("T", " ");

/** `17 Nov 14:03:22` of unix milliseconds, UTC. */
export const moment = (ms) => `${day(ms / 1000)} ${new Date(ms).toISOString().slice(11, 19)}`;

/** A model's name without its vendor's path; the whole of it goes into the title. */
export const modelName = (model) => (model ? model.split("/").pop() : "–");
