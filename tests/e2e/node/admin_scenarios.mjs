// An administrator's day with the official Node SDK: the same steps as ../admin_scenarios.py, which have to say the
// same. Reads OPENAI_BASE_URL, OPENAI_ADMIN_KEY; prints one JSON object of step → result.
import OpenAI from "openai";

const HELLO = [{ role: "user", content: "Hello" }];
const CHANNEL = { type: "email", recipients: ["team@example.org"] };
const MONTHLY = { currency: "USD", interval: "month" };
const DAY = 86_400;
const connect = (changes) => new OpenAI({ maxRetries: 0, timeout: 30_000, apiKey: "unused", ...changes });
const administer = (key) => connect({ adminAPIKey: key }).admin.organization;
const admin = administer(process.env.OPENAI_ADMIN_KEY);
const seconds = () => Math.floor(Date.now() / 1000);

const refusal = async (ask) => {
  try {
    await ask();
  } catch (error) {
    return [error.constructor.name, error.status, error.code ?? null, error.param ?? null];
  }
  return ["nothing was refused"];
};
const all = async (pages) => {
  const found = [];
  for await (const entry of pages) found.push(entry);
  return found;
};
const chat = async (key) => {
  const answer = await connect({ apiKey: key }).chat.completions.create({ model: "auto", messages: HELLO, max_tokens: 16 });
  return answer.choices[0].finish_reason;
};
const project = async (name) => (await admin.projects.create({ name })).id;
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
const byText = (one, other) => (String(one) < String(other) ? -1 : 1);

const steps = {
  async projects() {
    const ids = [];
    for (const number of [0, 1, 2]) ids.push(await project(`day ${number}`));
    const renamed = await admin.projects.update(ids[0], { name: "renamed" });
    const archived = await admin.projects.archive(ids[1]);
    const listed = (await all(admin.projects.list({ limit: 2 }))).map((each) => each.id).filter((id) => ids.includes(id));
    const everything = await all(admin.projects.list({ include_archived: true }));
    return {
      paged: same(new Set(listed).size, 2) && listed.includes(ids[0]) && listed.includes(ids[2]),
      with_archived: everything.filter((each) => ids.includes(each.id)).length,
      retrieved: (await admin.projects.retrieve(ids[0])).name === renamed.name && renamed.name === "renamed",
      archived: [archived.status, archived.archived_at !== null],
      change_archived: await refusal(() => admin.projects.update(ids[1], { name: "x" })),
      unknown: await refusal(() => admin.projects.retrieve("proj_none")),
      nameless: await refusal(() => admin.projects.create({ name: "" })),
    };
  },
  async service_accounts() {
    const id = await project("accounts");
    const accounts = admin.projects.serviceAccounts;
    const first = await accounts.create(id, { name: "first" });
    const bare = await accounts.create(id, { name: "bare", create_service_account_only: true });
    const second = await accounts.apiKeys.create(first.id, { project_id: id, name: "second", expires_in_seconds: 3600 });
    const renamed = await accounts.update(first.id, { project_id: id, name: "robot" });
    const worked = [await chat(first.api_key.value), await chat(second.value)];
    const gone = await accounts.delete(first.id, { project_id: id });
    return {
      roles: [first.role, bare.role],
      bare: bare.api_key === null,
      renamed: renamed.name,
      listed: (await all(accounts.list(id))).map((each) => each.name),
      worked,
      deleted: [gone.object, gone.deleted, gone.id === first.id],
      keys_of_deleted: [await refusal(() => chat(first.api_key.value)), await refusal(() => chat(second.value))],
      retrieve_deleted: await refusal(() => accounts.retrieve(first.id, { project_id: id })),
    };
  },
  async api_keys() {
    const id = await project("keys");
    const keys = admin.projects.apiKeys;
    const made = [];
    for (const name of ["k0", "k1", "k2"]) made.push((await admin.projects.serviceAccounts.create(id, { name })).api_key);
    const found = await keys.retrieve(made[0].id, { project_id: id });
    const expiring = await keys.update(made[0].id, { project_id: id, expires_in_seconds: 60 });
    const before = await chat(made[1].value);
    const gone = await keys.delete(made[1].id, { project_id: id });
    const elsewhere = await project("other");
    return {
      redacted: found.redacted_value === `sk-…${made[0].value.slice(-4)}`,
      owner: [found.owner.type, found.owner.service_account.name],
      access: found.owner_project_access,
      expires: expiring.expires_at - seconds() > 0 && expiring.expires_at - seconds() < 90,
      before,
      deleted: [gone.object, gone.deleted, gone.id === made[1].id],
      after: await refusal(() => chat(made[1].value)),
      listed: (await all(keys.list(id, { limit: 1 }))).map((each) => each.name).sort(byText),
      elsewhere: await refusal(() => keys.retrieve(made[0].id, { project_id: elsewhere })),
    };
  },
  async admin_api_keys() {
    const made = await admin.adminAPIKeys.create({ name: "deputy", expires_in_seconds: 3600 });
    const deputy = administer(made.value);
    const { id } = await deputy.projects.create({ name: "by the deputy" });
    const [entry] = await all(admin.auditLogs.list({ resource_ids: [id] }));
    const used = await admin.adminAPIKeys.retrieve(made.id);
    const gone = await admin.adminAPIKeys.delete(made.id);
    const left = (await all(admin.adminAPIKeys.list({ limit: 1, order: "desc" }))).map((each) => each.id);
    return {
      value: [made.value.startsWith("sk-admin-"), made.object],
      expires: made.expires_at !== null,
      acted: entry.actor.api_key.id === made.id,
      used: used.last_used_at !== null,
      redacted: !JSON.stringify(used).includes(made.value),
      deleted: [gone.object, gone.deleted, gone.id === made.id],
      after: await refusal(() => deputy.projects.list()),
      left: left.includes(made.id),
      virtual_key: await refusal(() => administer("sk-wrong").projects.list()),
    };
  },
  async rate_limits() {
    const id = await project("rates");
    const limits = admin.projects.rateLimits;
    const listed = await all(limits.listRateLimits(id, { limit: 2 }));
    const changed = await limits.updateRateLimit(listed[0].id, { project_id: id, max_requests_per_1_minute: 1 });
    const [kept] = (await limits.listRateLimits(id, { limit: 1 })).data;
    return {
      objects: [...new Set(listed.map((each) => each.object))].sort(byText),
      several: new Set(listed.map((each) => each.model)).size === listed.length && listed.length > 2,
      changed: [changed.id === listed[0].id, changed.max_requests_per_1_minute],
      kept: kept.max_requests_per_1_minute,
      unknown: await refusal(() => limits.updateRateLimit("rl_none", { project_id: id, max_requests_per_1_minute: 1 })),
    };
  },
  async spend_limits() {
    const id = await project("budget");
    const limits = admin.projects.spendLimit;
    const { value } = (await admin.projects.serviceAccounts.create(id, { name: "spender" })).api_key;
    const none = await refusal(() => limits.retrieve(id));
    const limit = await limits.update(id, { threshold_amount: 0, ...MONTHLY });
    const over = await refusal(() => chat(value));
    await limits.update(id, { threshold_amount: 500, ...MONTHLY });
    const gone = await limits.delete(id);
    const whole = await admin.spendLimit.update({ threshold_amount: 90_000, ...MONTHLY });
    const wholeRead = await admin.spendLimit.retrieve();
    const wholeGone = await admin.spendLimit.delete();
    return {
      none,
      limit: [limit.object, limit.threshold_amount, limit.interval, limit.currency, limit.enforcement.status],
      over,
      deleted: [gone.object, gone.deleted],
      after: await chat(value),
      organization: [whole.object, wholeRead.threshold_amount, wholeGone.object, wholeGone.deleted],
      euros: await refusal(() => limits.update(id, { threshold_amount: 1, currency: "EUR", interval: "month" })),
    };
  },
  async spend_alerts() {
    const id = await project("alerts");
    const { spendAlerts: alerts } = admin.projects;
    const body = (amount) => ({ threshold_amount: amount, notification_channel: CHANNEL, ...MONTHLY });
    const made = [];
    for (const amount of [100, 200, 300]) made.push(await alerts.create(id, body(amount)));
    const changed = await alerts.update(made[0].id, { project_id: id, ...body(150) });
    const gone = await alerts.delete(made[1].id, { project_id: id });
    const top = await admin.spendAlerts.create(body(100_000));
    const read = await admin.spendAlerts.retrieve(top.id);
    const topGone = await admin.spendAlerts.delete(top.id);
    return {
      made: [made[0].object, made[0].threshold_amount, made[0].notification_channel.recipients],
      changed: [changed.threshold_amount, (await alerts.retrieve(made[0].id, { project_id: id })).threshold_amount],
      deleted: [gone.object, gone.deleted],
      listed: (await all(alerts.list(id, { limit: 1 }))).map((each) => each.threshold_amount).sort(byText),
      organization: [read.object, read.threshold_amount, topGone.object, topGone.deleted],
      gone: await refusal(() => alerts.retrieve(made[1].id, { project_id: id })),
      nothing: await refusal(() => alerts.create(id, body(0))),
    };
  },
  async usage_and_costs() {
    const id = await project("usage");
    const keys = [];
    for (const name of ["u0", "u1"]) keys.push((await admin.projects.serviceAccounts.create(id, { name })).api_key);
    for (const key of [keys[0], keys[0], keys[1]]) await chat(key.value);
    const start = seconds() - DAY;
    const deadline = Date.now() + 20_000;
    let results;
    do {
      const report = await admin.usage.completions({ start_time: start, project_ids: [id], group_by: ["api_key_id"] });
      results = report.data.flatMap((bucket) => bucket.results);
    } while (results.reduce((sum, each) => sum + each.num_model_requests, 0) !== 3 && Date.now() < deadline);
    const costs = await admin.usage.costs({ start_time: start, project_ids: [id], group_by: ["line_item"] });
    const amounts = costs.data.flatMap((bucket) => bucket.results);
    const days = { start_time: start - 5 * DAY, bucket_width: "1d", limit: 2 };
    const first = await admin.usage.completions(days);
    const second = await admin.usage.completions({ ...days, page: first.next_page });
    return {
      requests: results.map((each) => each.num_model_requests).sort(byText),
      tokens: results.every((each) => each.input_tokens > 0 && each.output_tokens > 0),
      keys: same(results.map((each) => each.api_key_id).sort(byText), keys.map((key) => key.id).sort(byText)),
      money: [
        amounts.reduce((sum, each) => sum + each.amount.value, 0) > 0,
        amounts.every((each) => each.amount.currency === "usd"),
      ],
      line_items: amounts.every((each) => each.line_item.startsWith("@cf/")),
      pages: [first.has_more, second.data[0].start_time === first.data.at(-1).end_time],
      no_start: await refusal(() => admin.usage.completions({})),
    };
  },
  async audit_logs() {
    const before = seconds() - 1;
    const id = await project("audited");
    await admin.projects.update(id, { name: "audited twice" });
    await admin.projects.spendLimit.update(id, { threshold_amount: 700, ...MONTHLY });
    await admin.projects.archive(id);
    const logs = await all(admin.auditLogs.list({ project_ids: [id], limit: 2 }));
    const created = await all(admin.auditLogs.list({ project_ids: [id], event_types: ["project.created"] }));
    const later = await all(admin.auditLogs.list({ project_ids: [id], effective_at: { gt: before + 600 } }));
    return {
      types: logs.map((entry) => entry.type),
      project: [logs[0].project.id === id, logs[0].project.name],
      actor: [logs[0].actor.type, logs[0].actor.api_key.id, logs[0].actor.ip_address],
      outcomes: [...new Set(logs.map((entry) => entry.outcome))].sort(byText),
      change: logs[2].changes[0].after,
      member: [created[0]["project.created"].id === id, created.length],
      recent: logs.every((entry) => entry.effective_at >= before),
      later: later.length,
    };
  },
};

const results = {};
const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(steps);
for (const name of wanted) results[name] = await steps[name]();
console.log(JSON.stringify(results));
