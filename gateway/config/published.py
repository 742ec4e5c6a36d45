"""What docs/ says about configuration, models and routing, written from the tables and functions that decide it.

`python -m gateway.config.published` rewrites docs/config.schema.json, docs/teams.schema.json and the marked tables in
docs/configuration.md, docs/models.md and docs/routing.md; a test fails where they are not current.
"""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from gateway.config.kinds import Bounds, Kind, ListOf, MapOf, Scalar
from gateway.config.load import load
from gateway.config.schema import described_keys, json_schema
from gateway.config.teams import teams_schema
from gateway.config.worked_examples import policy_costs, policy_examples, shape_table
from gateway.core.catalog import Model
from gateway.core.policies import POLICIES

_DOCS = Path("docs")


def schema_texts() -> dict[str, str]:
    """The schemas of files that people write, by their names in docs/."""
    schemas = {"config.schema.json": json_schema(), "teams.schema.json": teams_schema()}
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def key_table() -> str:
    """Every key of a configuration: what it takes, its default, what it means."""
    rows = ["| key | takes | default | meaning |", "|---|---|---|---|"]
    for path, key in described_keys():
        name = f"`{path}`" + (f", `{key.name}_file`" if key.has_file else "")
        default = f"`{key.default}`" if key.default and " " not in key.default else key.default
        rows.append(f"| {name} | {_takes(key.kind)} | {default} | {key.about.replace('|', '&#124;')} |")
    return "\n".join(rows)


def model_table() -> str:
    """The built-in models: window, price, and what makes each special."""
    rows = ["| model | window | $ / M in | $ / M out | status | source of the price |", "|---|---|---|---|---|---|"]
    for model in load("", {}, Path("/"), demo=False).catalog.models.values():
        price = model.prices[-1]
        window = f"{model.window_tokens:,}" + (
            "" if model.window_source == "published" else f" ({model.window_source})"
        )
        rows.append(
            f"| `{model.id}` | {window} | {_usd(price.input_nano_per_mtok)} | {_usd(price.output_nano_per_mtok)} "
            f"| {_status(model)} | {price.source} |"
        )
    return "\n".join(rows)


def with_block(page: str, name: str, block: str) -> str:
    """The page with the part between `<!-- name -->` and `<!-- /name -->` replaced."""
    pattern = re.compile(rf"<!-- {name} -->\n.*?<!-- /{name} -->", re.DOTALL)
    return pattern.sub(lambda _: f"<!-- {name} -->\n{block}\n<!-- /{name} -->", page)


def main(docs: Path = _DOCS) -> None:
    """Rewrite the published files; by default below the current directory."""
    for name, text in schema_texts().items():
        (docs / name).write_text(text, encoding="utf-8")
    for file, name, block in published_blocks():
        page = (docs / file).read_text(encoding="utf-8")
        (docs / file).write_text(with_block(page, name, block), encoding="utf-8")


def published_blocks() -> list[tuple[str, str, str]]:
    """Page, block, text of everything that is written into pages."""
    return [
        ("configuration.md", "keys", key_table()),
        ("models.md", "models", model_table()),
        ("routing.md", "about", policy_table()),
        ("routing.md", "policies", policy_examples()),
        ("routing.md", "shapes", shape_table()),
        ("routing.md", "costs", policy_costs()),
    ]


def policy_table() -> str:
    """The policies and what each puts first."""
    rows = [f"| `{name}` | {policy.about} |" for name, policy in POLICIES.items()]
    return "\n".join(["| policy | first is |", "|---|---|", *rows])


def _takes(kind: Kind) -> str:
    if isinstance(kind, Scalar):
        return kind.meaning
    if isinstance(kind, Bounds):
        return "[minimum, maximum]"
    if isinstance(kind, ListOf):
        return f"list: {kind.item.meaning}" if isinstance(kind.item, Scalar) else "list"
    if isinstance(kind, MapOf):
        return f"{kind.name.meaning}: {kind.value.meaning}" if isinstance(kind.value, Scalar) else "mapping"
    return "section"


def _usd(nano: int) -> str:
    return f"{nano // 10**9}.{nano % 10**9:09d}".rstrip("0").ljust(5, "0")


def _status(model: Model) -> str:
    if model.deprecated_on is None:
        return "active"
    return f"deprecated {datetime.fromtimestamp(model.deprecated_on, UTC).date().isoformat()}"


if __name__ == "__main__":
    main()
