// Adds up usage buckets. Whole numbers only, except neurons, so nothing is lost on the way to the page.

export const empty = () => ({ requests: 0, failed: 0, input: 0, output: 0, nano: 0, neurons: 0 });

export function add(sum, result) {
  sum.requests += result.num_model_requests;
  sum.failed += result.num_failed_requests;
  sum.input += result.input_tokens;
  sum.output += result.output_tokens;
  sum.nano += result.cost_nano;
  sum.neurons += result.neurons;
  return sum;
}

/** One sum per bucket. */
export const byTime = (buckets) =>
  buckets.map((bucket) => ({ start: bucket.start_time, ...bucket.results.reduce(add, empty()) }));

/** One sum per group, the dearest first; `fields` are what a result is grouped by. */
export function byGroup(buckets, fields) {
  const groups = new Map();
  for (const bucket of buckets) {
    for (const result of bucket.results) {
      const name = fields.map((field) => result[field]).join("|");
      if (!groups.has(name)) groups.set(name, { ...empty(), ...Object.fromEntries(fields.map((f) => [f, result[f]])) });
      add(groups.get(name), result);
    }
  }
  return [...groups.values()].sort((one, other) => other.nano - one.nano || other.requests - one.requests);
}

export const total = (sums) =>
  sums.reduce((all, sum) => {
    for (const name of Object.keys(all)) all[name] += sum[name];
    return all;
  }, empty());

/** The value below which `share` of the sorted numbers lie; null of none. */
export function percentile(numbers, share) {
  if (!numbers.length) return null;
  const sorted = [...numbers].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
}
