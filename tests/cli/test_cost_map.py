"""The map says for every shape what the plan says, and is a picture."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from support.command_line import ROOT, Command

from gateway.cli.cost_map import COLUMNS, ROWS, cost_map, draw
from gateway.config.load import load
from gateway.core.catalog import Catalog

CATALOG = load("", {}, Path("/"), demo=False).catalog
FP8 = "@cf/meta/llama-3.1-8b-instruct-fp8"
FAST = "@cf/meta/llama-3.1-8b-instruct-fast"
NOW = 1.79e9


def test_cost_map_corners_are_what_the_prices_say() -> None:
    found = cost_map(CATALOG, CATALOG.routes["auto"], NOW)
    assert (len(found.winners), {len(row) for row in found.winners}) == (ROWS, {COLUMNS})
    assert found.winners[0][-8] == FAST  # much to read, nothing to write: the cheap reader
    assert found.winners[-1][0] == FP8  # much to write: the cheap writer
    assert found.winners[-1][-1] is None  # more than any window


def test_draw_is_an_svg_with_a_legend() -> None:
    route = replace(CATALOG.routes["auto"], name="a<b", models=(FP8,))
    lone = Catalog(CATALOG.models, {"a<b": route}, {})
    picture = ElementTree.fromstring(draw(cost_map(lone, route, NOW), "a<b"))
    texts = [node.text for node in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a<b", FP8, "no window is large enough", "prompt tokens", "answer tokens", "10,000"} <= set(texts)


def test_models_map_writes_the_picture_of_the_documentation(bare: Command, tmp_path: Path) -> None:
    drawn = bare("models", "--map", "cheapest.svg")
    assert drawn.returncode == 0, drawn.stderr
    current = (tmp_path / "cheapest.svg").read_text(encoding="utf-8")
    assert current == (ROOT / "docs" / "cheapest.svg").read_text(encoding="utf-8"), "gateway models --map it again"


def test_models_map_of_no_route_or_into_no_folder_says_so(bare: Command) -> None:
    assert "There are: auto" in bare("models", "--map", "x.svg", "--route", "nope").stderr
    failed = bare("models", "--map", "no/such/x.svg")
    assert (failed.returncode, "Cannot write" in failed.stderr) == (2, True)
