"""The catalogue: what is built in, and how a configuration changes it."""

from pathlib import Path

import pytest

from gateway.config.load import load
from gateway.config.problems import ConfigErrors
from gateway.core.catalog import Catalog, Model, Price, Range, Route

FP8 = "@cf/meta/llama-3.1-8b-instruct-fp8"
FAST = "@cf/meta/llama-3.1-8b-instruct-fast"
FP8_FAST = "@cf/meta/llama-3.1-8b-instruct-fp8-fast"
HF = "@hf/meta-llama/meta-llama-3-8b-instruct"
OLD = "@cf/meta/llama-3.1-8b-instruct"


def catalog(text: str = "", *, demo: bool = False) -> Catalog:
    return load(text, {}, Path("/etc/gw"), demo=demo).catalog


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        catalog(text)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("model_id", "window", "nano_in", "nano_out", "neurons", "certain", "deprecated_on"),
    [
        (FP8, 32_000, 152_000_000, 287_000_000, (13_778, 26_128), True, None),
        (FAST, 128_000, 45_000_000, 384_000_000, (4_119, 34_868), False, None),
        (FP8_FAST, 128_000, 45_000_000, 384_000_000, (4_119, 34_868), True, None),
        (HF, 8_192, 282_000_000, 827_000_000, (25_608, 75_147), False, 1_780_099_200),
        (OLD, 16_000, 20_000_000, 50_000_000, (25_608, 75_147), False, 1_780_099_200),
    ],
)
def test_built_in_model_has_published_figures(
    model_id: str,
    window: int,
    nano_in: int,
    nano_out: int,
    neurons: tuple[int, int],
    certain: bool,
    deprecated_on: int | None,
) -> None:
    model = catalog().models[model_id]
    (price,) = model.prices
    assert model.window_tokens == window
    assert (price.input_nano_per_mtok, price.output_nano_per_mtok) == (nano_in, nano_out)
    assert price.cached_nano_per_mtok is None
    assert price.is_certain is certain
    assert (model.neurons_in_per_mtok, model.neurons_out_per_mtok) == neurons
    assert model.deprecated_on == deprecated_on
    assert model.id.rsplit("/", 1)[1] in model.names


def test_built_in_prices_agree_with_neurons_where_certain() -> None:
    """A thousand neurons cost 0.011 dollars; the published columns agree to three digits."""
    for model in catalog().models.values():
        price = model.prices[0]
        if price.is_certain:
            assert model.neurons_in_per_mtok is not None
            assert model.neurons_out_per_mtok is not None
            assert abs(model.neurons_in_per_mtok * 11_000 - price.input_nano_per_mtok) < 1_000_000
            assert abs(model.neurons_out_per_mtok * 11_000 - price.output_nano_per_mtok) < 1_000_000


@pytest.mark.parametrize(
    ("model_id", "parameter", "expected"),
    [
        (FP8, "top_p", Range(0, 2)),
        (FP8, "frequency_penalty", Range(0, 2)),
        (FAST, "presence_penalty", Range(0, 2)),
        (HF, "top_p", Range(0.001, 1)),
        (HF, "frequency_penalty", Range(-2, 2)),
        (OLD, "seed", Range(1, 9_999_999_999)),
        (OLD, "top_k", Range(1, 50)),
        (FP8_FAST, "temperature", Range(0, 5)),
    ],
)
def test_built_in_model_has_published_ranges(model_id: str, parameter: str, expected: Range) -> None:
    assert catalog().models[model_id].ranges[parameter] == expected


def test_built_in_catalog_template_content_limit_and_sources() -> None:
    models = catalog().models
    assert {model.id for model in models.values() if model.template == "llama3"} == {HF}
    assert {model.id for model in models.values() if model.max_content_chars == 131_072} == {FAST, OLD}
    assert models[FP8_FAST].window_source == "inferred"
    assert models[OLD].prices[0].source.startswith("disputed: model card")
    assert models[FAST].prices[0].source.startswith("inferred")
    assert models[HF].prices[0].source.startswith("inferred")
    assert {model.successor for model in models.values()} - {None} <= models.keys()


def test_built_in_route_auto_is_cheapest_of_three() -> None:
    assert catalog().routes == {"auto": Route("auto", (FP8, FAST, HF), "cheapest", 3)}


def test_built_in_aliases_are_on_in_the_demo_only() -> None:
    assert catalog().aliases == {}
    demo = catalog(demo=True)
    assert demo.resolve("gpt-4o-mini") == demo.routes["auto"]


SIXTH = """
models:
  "@cf/qwen/qwen3-30b-a3b-fp8":
    names: [qwen3]
    window_tokens: 32768
    prices:
      - {from: 2026-06-01, source: new, input_usd_per_mtok: 0.06, output_usd_per_mtok: 0.34, cached_usd_per_mtok: 0.01}
      - {from: 2026-01-01, source: old, input_usd_per_mtok: 0.05, output_usd_per_mtok: 0.33}
routes:
  large: {policy: largest_window, models: [qwen3, llama-3.1-8b-instruct-fast], max_attempts: 2}
aliases:
  big: large
  q: qwen3
"""


def test_given_model_needs_window_and_prices_only() -> None:
    found = catalog(SIXTH)
    assert found.models["@cf/qwen/qwen3-30b-a3b-fp8"] == Model(
        id="@cf/qwen/qwen3-30b-a3b-fp8",
        window_tokens=32_768,
        window_source="configured",
        prices=(
            Price("qwen3-30b-a3b-fp8@2026-01-01", 1_767_225_600, "old", 50_000_000, 330_000_000),
            Price("qwen3-30b-a3b-fp8@2026-06-01", 1_780_272_000, "new", 60_000_000, 340_000_000, 10_000_000),
        ),
        names=("qwen3-30b-a3b-fp8", "qwen3"),
        template="other",
    )
    assert found.routes["large"] == Route("large", ("@cf/qwen/qwen3-30b-a3b-fp8", FAST), "largest_window", 2)
    assert found.resolve("big") == found.routes["large"]
    assert found.resolve("q") == Route("@cf/qwen/qwen3-30b-a3b-fp8", ("@cf/qwen/qwen3-30b-a3b-fp8",))
    assert len(found.models) == 6


def test_given_keys_change_a_built_in_model_one_by_one() -> None:
    text = f'models: {{"{FP8}": {{window_tokens: 24000, ranges: {{top_p: [0, 1]}}, max_content_chars: null}}}}'
    before, after = catalog().models[FP8], catalog(text).models[FP8]
    assert (after.window_tokens, after.window_source) == (24_000, "configured")
    assert after.ranges == {**before.ranges, "top_p": Range(0, 1)}
    assert (after.prices, after.names, after.template) == (before.prices, before.names, before.template)


def test_given_enabled_false_removes_model_and_its_place_in_the_built_in_route() -> None:
    found = catalog(f'models: {{"{HF}": {{enabled: false}}}}')
    assert HF not in found.models
    assert found.routes["auto"].models == (FP8, FAST)
    assert found.resolve("llama-3-8b-instruct") is None


def test_given_enabled_false_for_all_of_a_built_in_route_removes_it() -> None:
    text = "models:\n" + "".join(f'  "{model_id}": {{enabled: false}}\n' for model_id in (FP8, FAST, HF))
    assert catalog(text).routes == {}


def test_given_policy_changes_the_built_in_route() -> None:
    assert catalog("routes: {auto: {policy: ordered}}").routes["auto"] == Route("auto", (FP8, FAST, HF), "ordered", 3)


def test_given_short_name_in_two_ids_stands_for_neither() -> None:
    price = "prices: [{from: 2026-01-01, source: s, input_usd_per_mtok: 1, output_usd_per_mtok: 1}]"
    found = catalog(f'models: {{"@hf/x/llama-3.1-8b-instruct-fp8": {{window_tokens: 9, {price}}}}}')
    assert found.resolve("llama-3.1-8b-instruct-fp8") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'models:\n  "@cf/x/y": {}',
            [
                'line 2: models["@cf/x/y"]: needs the key window_tokens (the model is not built in)',
                'line 2: models["@cf/x/y"]: needs the key prices (the model is not built in)',
            ],
        ),
        (
            f'models:\n  "{FP8}":\n    names: [llama-3-8b-instruct, auto8]\n    prices: []',
            [f'line 4: models["{FP8}"].prices: needs at least 1'],
        ),
        (
            f'models:\n  "{FP8}":\n    names: [llama-3.1-8b-instruct]',
            [f'line 3: models["{FP8}"].names: llama-3.1-8b-instruct already stands for {OLD}'],
        ),
        (
            "models:\n  '@cf/../x': {enabled: false}",
            ['line 2: models["@cf/../x"]: the name must be a model id such as @cf/author/name'],
        ),
        (
            "routes:\n  mine:\n    models: [llama-3.1-8b-instruct-fp9]",
            [
                "line 3: routes.mine.models[0]: there is no model llama-3.1-8b-instruct-fp9 "
                "(did you mean llama-3.1-8b-instruct-fp8?)"
            ],
        ),
        ("routes:\n  mine: {policy: ordered}", ["line 2: routes.mine: needs the key models"]),
        (
            "routes: {auto: {policy: cheap}}",
            [
                "line 1: routes.auto.policy: must be one of cheapest, fastest, balanced, ordered, weighted, "
                "largest_window, smallest_sufficient_window, not 'cheap' (did you mean cheapest?)"
            ],
        ),
        (
            "routes:\n  auto:\n    weights: {cost: 1}",
            ["line 3: routes.auto.weights: weights are of models under `weighted`, of cost and speed under `balanced`"],
        ),
        (
            "routes:\n  auto:\n    policy: balanced\n    weights: {cost: 1, sped: 2}",
            ["line 4: routes.auto.weights: weights are of models under `weighted`, of cost and speed under `balanced`"],
        ),
        (
            "routes:\n  auto:\n    policy: weighted\n    weights: {lama: 1}",
            ["line 4: routes.auto.weights.lama: there is no model lama"],
        ),
        ("routes:\n  auto: {max_cost_usd: cheap}", ["line 2: routes.auto.max_cost_usd: must be dollars, not 'cheap'"]),
        (
            f"models: {{'{HF}': {{enabled: false}}}}\nroutes:\n  mine: {{models: [llama-3-8b-instruct]}}",
            ["line 3: routes.mine: has no models"],
        ),
        (
            f"models: {{'{HF}': {{enabled: false}}}}\naliases: {{x: llama-3-8b-instruct}}",
            ["line 2: aliases.x: there is no route or model llama-3-8b-instruct (did you mean llama-3.1-8b-instruct?)"],
        ),
        ("aliases:\n  auto: auto", ["line 2: aliases.auto: is a route already"]),
        ("aliases: {x: gpt}", ["line 1: aliases.x: there is no route or model gpt"]),
        (
            f"models:\n  '{FP8}':\n    prices:\n"
            + "      - {from: 2026-01-01, source: s, input_usd_per_mtok: 1, output_usd_per_mtok: 1}\n" * 2,
            [f'line 3: models["{FP8}"].prices: two prices start on the same day'],
        ),
    ],
)
def test_given_mistake_names_line_and_path(text: str, expected: list[str]) -> None:
    found = problems(text)
    assert [problem for problem in found if problem in expected] == expected


def test_routes_take_weights_ceiling_and_fallbacks() -> None:
    text = (
        f"routes:\n  shared: {{policy: weighted, models: [llama-3-8b-instruct, '{FP8}'], "
        "weights: {llama-3-8b-instruct: 0, llama-3.1-8b-instruct-fp8: 2.5}}\n"
        "  both: {policy: balanced, models: [llama-3-8b-instruct], weights: {speed: 3}}\n"
        "  auto: {max_cost_usd: 0.000000001, fallback_for_pinned: true}\n"
    )
    routes = load(text, {}, Path("/"), demo=False).catalog.routes
    assert routes["shared"].weights == {HF: 0.0, FP8: 2.5}
    assert routes["both"].weights == {"speed": 3.0}
    assert (routes["auto"].max_cost_nano, routes["auto"].fallback_for_pinned) == (1, True)
