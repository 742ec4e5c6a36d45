"""docs/parameters.md says what the code does."""

from pathlib import Path

from gateway.config.load import load
from gateway.surfaces.chat.document import describe_parameters
from gateway.surfaces.chat.parameters import PARAMETERS

PAGE = Path(__file__).parents[3] / "docs" / "parameters.md"
REWRITE = """python -c "
from pathlib import Path
from gateway.config.load import load
from gateway.surfaces.chat.document import describe_parameters
models = load('', {}, Path('/'), demo=False).catalog.models.values()
Path('docs/parameters.md').write_text(describe_parameters(tuple(models)), encoding='utf-8')" """


def test_describe_parameters_is_what_docs_say() -> None:
    models = tuple(load("", {}, Path("/"), demo=False).catalog.models.values())
    assert PAGE.read_text(encoding="utf-8") == describe_parameters(models), f"to bring it up to date:\n{REWRITE}"


def test_describe_parameters_names_each_parameter_and_model() -> None:
    models = tuple(load("", {}, Path("/"), demo=False).catalog.models.values())
    page = describe_parameters(models)
    assert all(f"| `{parameter.name}` | {parameter.effect} |" in page for parameter in PARAMETERS)
    assert all(f"| `{model.id}` |" in page for model in models)
