"""The chat templates of Llama 3 and 3.1: how many tokens a prompt has under each, and the prompt as text.

Pure arithmetic over token counts somebody else provides. All models share one vocabulary and the templates differ
only in fixed parts, so the texts of a call are tokenised once for every model. How Workers AI writes tools into the
prompt of an 8B model is unknown: with tools, and with `raw`, the count is an estimate, and the upstream's own number
wins wherever it gives one.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import get_args

import msgspec

from gateway.core.answer import ToolCall
from gateway.core.call import Call, Message, Role, Tool
from gateway.core.catalog import Template
from gateway.core.demands import allowed_tools, describe_demands

TEMPLATES: tuple[Template, ...] = get_args(Template)

_BEGIN_TOKENS = 1  # <|begin_of_text|>
_HEADER_TOKENS = 4  # <|start_header_id|>, the role, <|end_header_id|>, a blank line
_END_TOKENS = 1  # <|eot_id|>
_IPYTHON_TOKENS = 1  # the 3.1 header of a tool result reads "ipython", which is one token more than any other role
_DATES_TOKENS = 20  # the dates 3.1 puts before the system text, whatever the day
_ENVIRONMENT_TOKENS = 5  # "Environment: ipython" before the dates, once there are tools
_INSTRUCTION_TOKENS = 51  # what 3.1 says before the tools in the first user turn

# The date is fixed: the same call has to make the same prompt, or no prefix of it would ever be cached.
_DATES = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"
_SPECIAL = re.compile(
    r"<\|(begin_of_text|end_of_text|start_header_id|end_header_id|eot_id|eom_id|python_tag|"
    r"finetune_right_pad_id|reserved_special_token_\d+)\|>"
)
_encode = msgspec.json.Encoder().encode

ContentTokens = Sequence[tuple[Role, int]]
"""Role and tokens of the stripped text, for each message in order."""


def show_call(call: ToolCall) -> str:
    """A tool call the way Llama 3.1 writes it itself; templates that know only roles and contents keep it so."""
    return f'{{"name": {_encode(call.name).decode()}, "parameters": {call.arguments}}}'


def show_message(message: Message) -> str:
    """Everything a message says, as text: its content, and its tool calls below, one a line."""
    if not message.tool_calls:
        return message.content
    return "\n".join(filter(None, (message.content, *(show_call(call) for call in message.tool_calls))))


def show_tools(tools: Sequence[Tool]) -> str:
    """The tools as the template of Llama 3.1 lists them: indented JSON, a blank line after each."""
    return "".join(f"{_show_tool(tool)}\n\n" for tool in tools)


def _show_tool(tool: Tool) -> str:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return msgspec.json.format(_encode({"type": "function", "function": function}), indent=4).decode()


def join_raw(messages: Sequence[Message]) -> str:
    """The prompt of a `raw` call: the contents, a line each, and no template."""
    return "\n".join(message.content for message in messages)


def render_prompt(template: Template, messages: Sequence[Message]) -> str:
    """The conversation as the template's text, up to where the assistant speaks, for calls in prompt form.

    Special tokens somebody wrote into a content are spaced apart, so that nobody speaks in another one's role.
    """
    if template == "llama3":
        turns = [_render_turn(message.role, show_message(message)) for message in messages]
    else:
        system, rest = _split_system(messages)
        turns = [_render_turn("system", _DATES + (_neutral(system) if system else ""), is_plain=True)]
        turns += [_render_turn("ipython" if m.role == "tool" else m.role, show_message(m)) for m in rest]
    return f"<|begin_of_text|>{''.join(turns)}{_render_header('assistant')}"


def _split_system(messages: Sequence[Message]) -> tuple[str, Sequence[Message]]:
    if messages and messages[0].role == "system":
        return messages[0].content, messages[1:]
    return "", messages


def _render_turn(role: str, text: str, *, is_plain: bool = False) -> str:
    return f"{_render_header(role)}{text if is_plain else _neutral(text)}<|eot_id|>"


def _render_header(role: str) -> str:
    return f"<|start_header_id|>{role}<|end_header_id|>\n\n"


def _neutral(text: str) -> str:
    return _SPECIAL.sub(r"<| \1 |>", text.strip())


def texts_to_count(call: Call) -> tuple[str, ...]:
    """What has to be tokenised to count the call for any model, in this order: each message's text, the sentences
    added for what the call demands (if any), and its tools (if they may be called).
    """
    if call.raw:
        return (join_raw(call.messages),)
    texts = tuple(show_message(message).strip() for message in call.messages)
    demands = describe_demands(call, describe_format=True)
    tools = allowed_tools(call)
    if demands:
        texts = (*texts, demands)
    return (*texts, show_tools(tools)) if tools else texts


def count_prompt(template: Template, content_tokens: ContentTokens, tools_tokens: int) -> int:
    """Prompt tokens under a template. `tools_tokens` are those of `show_tools`, 0 without tools.

    Llama 3 has no place for tools; whoever puts them there needs about as many words as Llama 3.1.
    """
    turns = sum(_HEADER_TOKENS + tokens + _END_TOKENS for _, tokens in content_tokens)
    total = _BEGIN_TOKENS + turns + _HEADER_TOKENS
    if tools_tokens:
        total += _INSTRUCTION_TOKENS + tools_tokens
    if template == "llama3":
        return total
    total += _DATES_TOKENS + sum(_IPYTHON_TOKENS for role, _ in content_tokens if role == "tool")
    if tools_tokens:
        total += _ENVIRONMENT_TOKENS
    has_system = bool(content_tokens) and content_tokens[0][0] == "system"
    return total if has_system else total + _HEADER_TOKENS + _END_TOKENS


def count_call(template: Template, call: Call, tokens: Sequence[int]) -> int:
    """Prompt tokens of a call under a template, from the tokens of `texts_to_count`, in its order."""
    if call.raw:
        return _BEGIN_TOKENS + sum(tokens)
    return count_prompt(template, *_take_apart(call, tokens))


def count_prompts(call: Call, texts: Sequence[str], count: Callable[[str], int]) -> Mapping[Template, int]:
    """Prompt tokens of a call under every template, with one pass of the tokenizer `count` over `texts_to_count`.

    A model of another family is counted like Llama 3.1, for want of better.
    """
    tokens = [count(text) for text in texts]
    if call.raw:
        return dict.fromkeys(TEMPLATES, _BEGIN_TOKENS + sum(tokens))
    contents, tools_tokens = _take_apart(call, tokens)
    newer = count_prompt("llama3.1", contents, tools_tokens)
    return {"llama3": count_prompt("llama3", contents, tools_tokens), "llama3.1": newer, "other": newer}


def _take_apart(call: Call, tokens: Sequence[int]) -> tuple[ContentTokens, int]:
    """Roles with their tokens, and the tokens of the tools.

    Demands count as a system message of their own; where they join one they are fewer by its header.
    """
    said = len(call.messages)
    contents = [(message.role, count) for message, count in zip(call.messages, tokens, strict=False)]
    if len(tokens) == said:
        return contents, 0
    tools_tokens = tokens[-1] if allowed_tools(call) else 0
    if len(tokens) > said + bool(tools_tokens):
        contents.insert(0, ("system", tokens[said]))
    return contents, tools_tokens
