"""Every parameter of a chat completion request and what becomes of it: the one table that parsing and docs share.

A parameter is *carried* to the upstream, *emulated* by the gateway, *refused* by name, or *ignored* and named in
`x-gateway-ignored`. What is not in the table is ignored the same way. Bounds that differ between models are not here
but in the catalogue.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.surfaces.chat import formats, messages, readers, tools
from gateway.surfaces.chat.readers import Reader, decimal, integer, read_bool, text_up_to

Effect = Literal["carried", "emulated", "refused", "ignored"]

MAX_CHOICES = 128  # OpenAI's; `chat.max_choices` is lower
_MAX_TOKENS = 2**31 - 1  # larger than any window; keeps arithmetic behind it exact
_INT64 = 2**63


@dataclass(slots=True, frozen=True)
class Parameter:
    """One member of the request body.

    `accepts` and `meaning` are for people. `read` checks a value; None accepts any. `neutral` are values of an
    ignored parameter that ask for nothing, so that ignoring them need not be told.
    """

    name: str
    effect: Effect
    accepts: str
    meaning: str
    read: Reader | None = None
    neutral: tuple[object, ...] = ()


def _max_tokens(name: str, meaning: str) -> Parameter:
    return Parameter(name, "carried", "integer ≥ 1", meaning, integer(1, _MAX_TOKENS))


def _penalty(name: str) -> Parameter:
    meaning = "Values a model does not know are clamped to its range, and named in `x-gateway-ignored`."
    return Parameter(name, "carried", "-2 … 2", meaning, decimal(-2, 2))


PARAMETERS: tuple[Parameter, ...] = (
    Parameter("model", "carried", "string", "Required. A model id, a short name, a route such as `auto`, or an alias."),
    Parameter(
        "messages",
        "carried",
        f"array of 1 … {messages.MAX_MESSAGES} messages",
        "Required. `developer` counts as `system`, `function` as `tool`. Parts of text and refusal are joined with a "
        "line break; images, audio and files are refused. An assistant's `content` may be null or absent.",
        messages.read_messages,
    ),
    _max_tokens("max_completion_tokens", "Wins over `max_tokens`. Absent: what the window leaves, at most 4,096."),
    _max_tokens("max_tokens", "The older name of `max_completion_tokens`."),
    Parameter(
        "temperature", "carried", "0 … 2", "Absent: Workers AI's own default, 0.6 (OpenAI's is 1).", decimal(0, 2)
    ),
    Parameter("top_p", "carried", "0 … 1", "Clamped to the model's range where that starts above 0.", decimal(0, 1)),
    _penalty("frequency_penalty"),
    _penalty("presence_penalty"),
    Parameter(
        "seed",
        "carried",
        "64-bit integer",
        "Sent as ((seed − 1) mod 9,999,999,999) + 1, because Workers AI takes 1 … 9,999,999,999.",
        integer(-_INT64, _INT64 - 1),
    ),
    Parameter(
        "top_k",
        "carried",
        "integer",
        "Not OpenAI's; Workers AI has it. 0 and below mean no limit. Clamped to the model's range.",
        readers.read_top_k,
    ),
    Parameter("repetition_penalty", "carried", "0 … 2", "Not OpenAI's; Workers AI has it.", decimal(0, 2)),
    Parameter(
        "raw",
        "carried",
        "boolean",
        "Not OpenAI's. The contents are joined and sent as a prompt without a template; 400 on models without it.",
        read_bool,
    ),
    Parameter(
        "lora",
        "carried",
        "string",
        "Not OpenAI's. The name of a fine-tune; the gateway renders the template itself. 400 on models without it.",
        readers.read_word,
    ),
    Parameter("stream", "carried", "boolean", "Server-sent events instead of one JSON object.", read_bool),
    Parameter(
        "stream_options",
        "emulated",
        "object, only with `stream`",
        "`include_usage` adds a last chunk with the usage. Other members are ignored.",
        readers.read_object,
    ),
    Parameter(
        "stop",
        "emulated",
        f"string or array of at most {readers.MAX_STOPS} strings",
        "Found by the gateway, across chunks; never part of the answer. Empty strings and arrays stop nothing.",
        readers.read_stop,
    ),
    Parameter(
        "n",
        "emulated",
        f"1 … {MAX_CHOICES}",
        "As many upstream calls, billed each, in one answer.",
        integer(1, MAX_CHOICES),
    ),
    Parameter(
        "tools",
        "carried",
        f"array of at most {tools.MAX_TOOLS} functions",
        'Both `{"type": "function", "function": {…}}` and the flat `{"name": …}`. An empty array is as good as none. '
        "`custom` tools and entries with `code` are refused. `strict` is ignored.",
        tools.read_tools,
    ),
    Parameter(
        "tool_choice",
        "emulated",
        "`none`, `auto`, `required`, `any`, one function, or `allowed_tools`",
        "Only with `tools`. `any` means `required`.",
        tools.read_tool_choice,
    ),
    Parameter(
        "parallel_tool_calls", "emulated", "boolean", "false: the first call is kept, others dropped.", read_bool
    ),
    Parameter(
        "functions",
        "carried",
        f"array of at most {tools.MAX_TOOLS} functions",
        "The older form of `tools`; answered in the older form. Ignored beside `tools`.",
        tools.read_functions,
    ),
    Parameter(
        "function_call",
        "emulated",
        "`none`, `auto` or one function",
        "Only with `functions`.",
        tools.read_function_call,
    ),
    Parameter(
        "response_format",
        "emulated",
        "`text`, `json_object` or `json_schema`",
        "Answers are validated. Any valid schema (draft 2020-12) without references to other documents and without "
        "`unevaluated…` keywords; `strict` adds nothing. A `pattern` that could take for ever to match is told to the "
        "model but not enforced. `json_object` needs the word json in a message.",
        formats.read_response_format,
    ),
    Parameter("user", "carried", "string, at most 512 characters", "A tag on the ledger's row.", text_up_to(512)),
    Parameter(
        "safety_identifier", "carried", "string, at most 64 characters", "A tag on the ledger's row.", text_up_to(64)
    ),
    Parameter(
        "metadata",
        "carried",
        "at most 16 strings: keys of at most 64, values of at most 512 characters",
        "Tags on the ledger's row, named `metadata.<key>`.",
        readers.read_metadata,
    ),
    Parameter("modalities", "carried", '`["text"]`', "Audio is refused.", readers.read_modalities),
    Parameter("logprobs", "refused", "false", "Workers AI does not tell.", readers.refuse_true),
    Parameter("top_logprobs", "refused", "0", "Workers AI does not tell.", readers.refuse_positive),
    Parameter("logit_bias", "refused", "`{}`", "Workers AI has no such control.", readers.refuse_filled),
    Parameter("audio", "refused", "nothing", "Llama 8B models write text.", readers.refuse),
    Parameter("web_search_options", "refused", "nothing", "There is no web search.", readers.refuse),
    Parameter("reasoning_effort", "ignored", "anything", "These models do not reason apart.", neutral=("none",)),
    Parameter("verbosity", "ignored", "anything", "Ask for it in a message."),
    Parameter("store", "ignored", "anything", "Nothing said is stored.", neutral=(False,)),
    Parameter("service_tier", "ignored", "anything", "Answered with `default`.", neutral=("auto", "default")),
    Parameter("prediction", "ignored", "anything", "Only ever a hint."),
    Parameter("prompt_cache_key", "ignored", "anything", "Workers AI caches by its own rules."),
    Parameter("prompt_cache_options", "ignored", "anything", "Workers AI caches by its own rules."),
    Parameter("prompt_cache_retention", "ignored", "anything", "Workers AI caches by its own rules."),
    Parameter("moderation", "ignored", "anything", "There is none."),
)

BY_NAME: Mapping[str, Parameter] = {parameter.name: parameter for parameter in PARAMETERS}
