"""Describes the request parameters for people: the parameter table and the message fields as a Markdown page.

The page is docs/parameters.md; a test compares the two. It states what this surface does with a parameter; the bounds
of each model come from the catalogue it is given.
"""

from collections.abc import Iterable, Sequence

from gateway.core.catalog import Model
from gateway.surfaces.chat.parameters import PARAMETERS, Parameter

_HEAD = """\
# Parameters of `POST /v1/chat/completions`

Generated from `gateway/surfaces/chat/parameters.py` and the built-in models.

Every member of a request is one of these, and none vanishes silently:

- **carried**: it reaches the model (or, for tags, the ledger), translated where the upstream has another name for it;
- **emulated**: the upstream does not have it, the gateway does it instead;
- **refused**: 400 with `param` naming it, because leaving it out would change the answer. The value given as accepted
  asks for nothing and passes;
- **ignored**: accepted, without effect, and named in the response header `x-gateway-ignored`.

`null` means absent, for every parameter. A parameter that is not listed is ignored. Wrong types, words and ranges are
a 400 in OpenAI's words, with the path in `param` and a code such as `invalid_type`, `invalid_value`,
`decimal_above_max_value` or `missing_required_parameter`.
"""

_MESSAGES = """\
## Members of a message

| member | roles | what becomes of it |
|---|---|---|
| `role` | | `system`, `developer` (= system), `user`, `assistant`, `tool`, `function` (= tool) |
| `content` | all | a string, or an array of `text` and `refusal` parts, joined with a line break; null or absent \
only for `assistant`, `tool` and `function`. `image_url`, `input_audio` and `file` parts: 400 |
| `name` | all | carried; required with `function` |
| `refusal` | assistant | carried as text of the turn |
| `tool_calls` | assistant | carried; `arguments` may be a JSON string or an object; every call needs a `tool` message \
with its `tool_call_id` right after the turn |
| `function_call` | assistant | the older form of `tool_calls`, carried |
| `tool_call_id` | tool | required; must be the id of a call in the assistant turn just before |
| anything else | all | ignored, named `messages[].<member>` in `x-gateway-ignored` |
"""

_RANGED = (
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "repetition_penalty",
    "frequency_penalty",
    "presence_penalty",
)


def describe_parameters(models: Sequence[Model]) -> str:
    """The whole page, for these models, ending in a line break."""
    rows = [_row(_words(parameter)) for parameter in PARAMETERS]
    table = "\n".join(["| parameter | | accepts | |", "|---|---|---|---|", *rows])
    return f"{_HEAD}\n{table}\n\n{_MESSAGES}\n{_describe_models(models)}"


def _words(parameter: Parameter) -> tuple[str, ...]:
    return f"`{parameter.name}`", parameter.effect, parameter.accepts, parameter.meaning


def _describe_models(models: Sequence[Model]) -> str:
    intro = "## By model\n\nWhat a model's schema accepts; values outside of it are clamped and named in the header.\n"
    head = [_row(("model", *(f"`{name}`" for name in _RANGED), "tools", "JSON", "raw", "lora"))]
    head.append("|" + "---|" * (len(_RANGED) + 5))
    return "\n".join([intro, *head, *(_row(_model_cells(model)) for model in models), ""])


def _model_cells(model: Model) -> Iterable[str]:
    yield f"`{model.id}`"
    for name in _RANGED:
        bounds = model.ranges.get(name)
        yield "any" if bounds is None else f"{bounds.minimum:.10g} … {bounds.maximum:.10g}"
    yield "yes" if "tools" in model.capabilities else "400"
    is_native = model.json_mode == "native" or (model.json_mode == "auto" and "json" in model.capabilities)
    yield "native" if is_native else "in the prompt"
    yield "yes" if "raw" in model.capabilities else "400"
    yield "yes" if "lora" in model.capabilities else "400"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
