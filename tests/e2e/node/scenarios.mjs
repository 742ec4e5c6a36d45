// What users do with the official Node SDK. Reads OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_ADMIN_KEY; prints one JSON
// object of scenario → result. The tests run it and compare.
import OpenAI from "openai";

const FAST = "@cf/meta/llama-3.1-8b-instruct-fast";
const FP8 = "@cf/meta/llama-3.1-8b-instruct-fp8";
const HELLO = [{ role: "user", content: "Hello, who are you?" }];
const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Current weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};
const client = (changes = {}) => new OpenAI({ maxRetries: 0, timeout: 30_000, ...changes });

const scenarios = {
  async complete() {
    const answer = await client().chat.completions.create({ model: "auto", messages: HELLO, max_tokens: 64 });
    return {
      text: answer.choices[0].message.content,
      finish: answer.choices[0].finish_reason,
      usage: [answer.usage.prompt_tokens, answer.usage.completion_tokens],
      request_id: answer._request_id,
    };
  },
  async stream() {
    let text = "";
    const finishes = [];
    const stream = await client().chat.completions.create({ model: FP8, messages: HELLO, max_tokens: 64, stream: true });
    for await (const chunk of stream) {
      text += chunk.choices[0].delta.content ?? "";
      if (chunk.choices[0].finish_reason) finishes.push(chunk.choices[0].finish_reason);
    }
    return { text, finishes };
  },
  async stream_with_usage() {
    const usages = [];
    const stream = await client().chat.completions.create({
      model: "auto", messages: HELLO, max_tokens: 64, stream: true, stream_options: { include_usage: true },
    });
    for await (const chunk of stream) if (chunk.usage) usages.push([chunk.usage.prompt_tokens, chunk.usage.completion_tokens]);
    return { usages };
  },
  async stream_accumulated() {
    const runner = client().chat.completions.stream({ model: "auto", messages: HELLO, max_tokens: 64 });
    const final = await runner.finalChatCompletion();
    const { role, content } = final.choices[0].message;
    return { role, text: content, finish: final.choices[0].finish_reason };
  },
  async tools() {
    const messages = [{ role: "user", content: "Use get_weather for the weather of Paris" }];
    const first = await client().chat.completions.create({ model: "auto", messages, tools: [WEATHER] });
    const calls = first.choices[0].message.tool_calls ?? [];
    messages.push(first.choices[0].message);
    for (const call of calls) messages.push({ role: "tool", tool_call_id: call.id, content: '{"celsius": 21}' });
    const second = await client().chat.completions.create({ model: "auto", messages, tools: [WEATHER] });
    return {
      finish: first.choices[0].finish_reason,
      names: calls.map((call) => call.function.name),
      second: second.choices[0].finish_reason,
    };
  },
  async parallel_tools() {
    const prompt = "Use get_weather for Paris and for Rome [[sim: tool_call=get_weather calls=2]]";
    const runner = client().chat.completions.stream({
      model: FP8, messages: [{ role: "user", content: prompt }], tools: [WEATHER],
    });
    const calls = (await runner.finalChatCompletion()).choices[0].message.tool_calls ?? [];
    return {
      names: calls.map((call) => call.function.name),
      distinct: new Set(calls.map((call) => call.id)).size,
      arguments: calls.map((call) => typeof JSON.parse(call.function.arguments) === "object"),
    };
  },
  async parse() {
    const schema = {
      type: "object",
      properties: { city: { type: "string" }, celsius: { type: "integer" } },
      required: ["city", "celsius"],
      additionalProperties: false,
    };
    const completion = await client().chat.completions.parse({
      model: FAST,
      messages: [{ role: "user", content: "The weather of Paris, as JSON" }],
      response_format: { type: "json_schema", json_schema: { name: "weather", strict: true, schema } },
    });
    const answer = JSON.parse(completion.choices[0].message.content);
    return { is_weather: typeof answer.city === "string" && Number.isInteger(answer.celsius) };
  },
  async models() {
    const listed = [];
    for await (const model of client().models.list()) listed.push(model.id);
    return { listed, retrieved: (await client().models.retrieve(FP8)).id };
  },
  async errors() {
    const refusals = {
      wrong_key: () => client({ apiKey: "sk-wrong" }).models.list(),
      unknown_model: () => client().chat.completions.create({ model: "gpt-9", messages: HELLO }),
      empty_messages: () => client().chat.completions.create({ model: "auto", messages: [] }),
      bad_temperature: () => client().chat.completions.create({ model: "auto", messages: HELLO, temperature: 9 }),
    };
    const found = {};
    for (const [name, refuse] of Object.entries(refusals)) {
      try {
        await refuse();
      } catch (error) {
        found[name] = [error.constructor.name, error.status, error.code ?? null, error.param ?? null];
      }
    }
    return found;
  },
  async admin() {
    const { organization } = client({ adminAPIKey: process.env.OPENAI_ADMIN_KEY }).admin;
    const project = await organization.projects.create({ name: "made by Node" });
    const account = await organization.projects.serviceAccounts.create(project.id, { name: "robot" });
    const answer = await client({ apiKey: account.api_key.value }).chat.completions.create({
      model: "auto", messages: HELLO, max_tokens: 16,
    });
    const listed = [];
    for await (const entry of organization.projects.list()) listed.push(entry.id);
    return { project: project.id, listed: listed.includes(project.id), answered: answer.choices[0].finish_reason };
  },
};

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(scenarios);
const results = {};
for (const name of wanted) results[name] = await scenarios[name]();
console.log(JSON.stringify(results));
