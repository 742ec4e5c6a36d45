// Reads the public admin API with the session's cookie, and the session itself. It never changes anything else.

/** A refusal, in the API's own words; `status` is 0 where the gateway could not be reached. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, "The gateway cannot be reached.");
  }
  let content = null;
  try {
    content = await answer.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
  }
  if (!answer.ok || content === null) throw new Refusal(answer.status, content?.error?.message ?? `HTTP ${answer.status}`);
  return content;
}

export const whoAmI = () => ask("/dashboard/session");
export const signOut = () => ask("/dashboard/session", { method: "DELETE" });
export const signIn = (key) =>
  ask("/dashboard/session", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ key }),
  });

function query(parameters) {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of [value].flat()) if (each !== null && each !== undefined && each !== "") found.append(name, each);
  }
  return found.toString();
}

/** A reader of one page's data: everything it still waits for ends with `signal`. */
export class Api {
  constructor(signal) {
    this.signal = signal;
  }

  get(path, parameters = {}) {
    return ask(`/v1/organization${path}?${query(parameters)}`, { signal: this.signal });
  }

  /** All buckets of usage or costs: page after page. */
  async buckets(path, parameters) {
    const found = [];
    let page = null;
    do {
      const answer = await this.get(path, { ...parameters, page });
      found.push(...answer.data);
      page = answer.has_more ? answer.next_page : null;
    } while (page);
    return found;
  }

  /** Usage in time buckets. `filters` are those of a place; `tag` splits by the values of that tag. */
  usage(range, filters, groups = [], tag = "") {
    return this.buckets("/usage/completions", {
      start_time: range.start,
      end_time: range.end,
      bucket_width: range.width,
      limit: range.width === "1h" ? 168 : 31,
      "project_ids[]": filters.project,
      "api_key_ids[]": filters.key,
      "models[]": filters.model,
      "group_by[]": groups,
      tag,
    });
  }

  /** Money by day. */
  costs(start, end, filters) {
    return this.buckets("/costs", {
      start_time: start,
      end_time: end,
      limit: 180,
      "project_ids[]": filters.project,
      "api_key_ids[]": filters.key,
      "line_items[]": filters.model,
    });
  }

  rows(range, filters, limit, page = null) {
    return this.get("/ledger", {
      start_time: range.start,
      end_time: range.end,
      "project_ids[]": filters.project,
      "api_key_ids[]": filters.key,
      "models[]": filters.model,
      limit,
      page,
    });
  }

  row(id) {
    return this.get(`/ledger/${encodeURIComponent(id)}`);
  }

  /** A whole list that goes on after its last id. */
  async list(path, parameters = {}) {
    const found = [];
    let after = null;
    do {
      const answer = await this.get(path, { limit: 100, ...parameters, after });
      found.push(...answer.data);
      after = answer.has_more ? lastId(answer) : null;
    } while (after);
    return found;
  }

  /** How fast streams were: all models together first, then each. */
  async pace(range, filters) {
    const answer = await this.get("/pace", {
      start_time: range.start,
      end_time: range.end,
      "project_ids[]": filters.project,
      "models[]": filters.model,
    });
    return answer.data;
  }

  /** Neurons by day: used, free, and their price beside the price book's. */
  neurons(start, end) {
    return this.buckets("/neurons", { start_time: start, end_time: end, limit: 180 });
  }

  health() {
    return this.get("/health");
  }

  acts(limit) {
    return this.get("/audit_logs", { limit });
  }

  limits() {
    return this.list("/spend_limits");
  }

  /** Limits of every kind: a key's own; of a project and its keys; of the organisation and its projects. */
  async allLimits({ isKey, project }) {
    if (isKey) return (await this.get("/limits/me")).data;
    if (!project) return (await this.get("/limits/all")).data;
    const [own, keys] = await Promise.all([
      this.get(`/projects/${project}/limits`),
      this.get(`/projects/${project}/api_keys`, { limit: 100 }),
    ]);
    const limited = keys.data.filter((key) => key.limits.length);
    const found = await Promise.all(limited.map((key) => this.get(`/projects/${project}/api_keys/${key.id}/limits`)));
    return [...own.data, ...found.flatMap((answer) => answer.data)];
  }
}

const lastId = (answer) => answer.last_id;

/** Names of projects and keys, asked for once each and remembered until the page is left. */
export class Names {
  constructor() {
    this.projects = new Map();
    this.keys = new Map();
    this.read = new Set();
  }

  async loadProjects(api) {
    if (this.read.has("projects")) return;
    for (const each of await api.list("/projects", { include_archived: "true" })) this.projects.set(each.id, each.name);
    this.read.add("projects");
  }

  /** The names of `[project id, key id]` pairs: the first hundred keys of a project together, others one by one. */
  async loadKeys(api, pairs) {
    await Promise.all([...new Set(pairs.map(([project]) => project))].map((project) => this.#loadFirst(api, project)));
    const missing = new Map(pairs.filter(([, key]) => !this.keys.has(key)).map((pair) => [pair[1], pair]));
    await Promise.all([...missing.values()].slice(0, 100).map((pair) => this.#loadOne(api, ...pair)));
  }

  async #loadFirst(api, project) {
    if (this.read.has(project)) return;
    const answer = await api.get(`/projects/${project}/api_keys`, { limit: 100, include_revoked: "true" });
    for (const each of answer.data) this.keys.set(each.id, each.name);
    this.read.add(project);
  }

  async #loadOne(api, project, key) {
    const found = await api.get(`/projects/${project}/api_keys/${key}`, { include_revoked: "true" });
    this.keys.set(key, found.name);
  }

  project(id) {
    return this.projects.get(id) ?? id;
  }

  key(id) {
    return this.keys.get(id) ?? id;
  }
}
