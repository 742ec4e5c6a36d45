"""LangChain against a gateway: an answer, a stream with its usage, a tool, structured output."""

import os

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel


class City(BaseModel):
    """A city."""

    name: str
    inhabitants: int


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


model = ChatOpenAI(model="auto", base_url=os.environ["OPENAI_BASE_URL"], api_key=os.environ["OPENAI_API_KEY"])
answer = model.invoke("Say hello.")
assert answer.content
assert answer.usage_metadata
assert answer.usage_metadata["output_tokens"] > 0

pieces = list(model.stream("Count to five.", stream_usage=True))
assert len(pieces) > 3
assert "".join(piece.text for piece in pieces)
assert any(piece.usage_metadata for piece in pieces)

called = model.bind_tools([get_weather], tool_choice="required").invoke("What is the weather in Oslo?")
assert called.tool_calls[0]["name"] == "get_weather", called
assert "city" in called.tool_calls[0]["args"]

found = model.with_structured_output(City, method="json_schema").invoke("Name a city.")
assert isinstance(found, City)
print("answer, stream, usage, tool, structured output")
