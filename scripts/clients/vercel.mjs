// The Vercel AI SDK against a gateway: an answer, a stream with its usage, a tool, an object.
import assert from "node:assert/strict";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { createOpenAI } from "@ai-sdk/openai";
import { generateObject, generateText, jsonSchema, streamText, tool } from "ai";

const baseURL = process.env.OPENAI_BASE_URL;
const apiKey = process.env.OPENAI_API_KEY;
const gateway = createOpenAICompatible({ name: "gateway", baseURL, apiKey, supportsStructuredOutputs: true });

const { text, usage } = await generateText({ model: gateway("auto"), prompt: "Say hello." });
assert.ok(text);
assert.ok(usage.outputTokens > 0);

const streamed = streamText({ model: gateway("auto"), prompt: "Count to five." });
let pieces = 0;
for await (const piece of streamed.textStream) pieces += piece.length > 0;
assert.ok(pieces > 3);

const weather = tool({
  description: "The weather in a city.",
  inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" } }, required: ["city"] }),
});
const called = await generateText({
  model: gateway("auto"), prompt: "What is the weather in Oslo?", tools: { weather }, toolChoice: "required",
});
assert.equal(called.toolCalls[0].toolName, "weather");

const schema = jsonSchema({
  type: "object",
  properties: { name: { type: "string" } },
  required: ["name"],
  additionalProperties: false,
});
const { object } = await generateObject({ model: gateway("auto"), prompt: "Name a city.", schema });
assert.equal(typeof object.name, "string");

const other = await generateText({ model: createOpenAI({ baseURL, apiKey }).chat("auto"), prompt: "Say hello." });
assert.ok(other.text);
console.log("answer, stream, usage, tool, object, @ai-sdk/openai");
