"""LlamaIndex against a gateway: an answer, a streamed chat, a tool."""

import os

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike


def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


model = OpenAILike(
    model="auto",
    api_base=os.environ["OPENAI_BASE_URL"],
    api_key=os.environ["OPENAI_API_KEY"],
    is_chat_model=True,
    is_function_calling_model=True,
    context_window=32_000,
)
assert model.complete("Say hello.").text
pieces = list(model.stream_chat([ChatMessage(role="user", content="Count to five.")]))
assert len(pieces) > 3
assert pieces[-1].message.content

tools = [FunctionTool.from_defaults(get_weather)]
called = model.chat_with_tools(tools, user_msg="What is the weather in Oslo?", tool_required=True)
(call,) = model.get_tool_calls_from_response(called)
assert call.tool_name == "get_weather"
print("answer, stream, tool")
