"""load: defaults, the example, the demo, and any text at all."""

import re
import string
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.config.load import load
from gateway.config.problems import ConfigErrors
from gateway.config.settings import MetricsSettings, ServerSettings, Settings, StoreSettings, UpstreamSettings

BASE = Path("/etc/gw")
EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"


def settings(text: str = "", environ: dict[str, str] | None = None, *, demo: bool = False) -> Settings:
    return load(text, environ or {}, BASE, demo=demo)


def problems(text: str, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        settings(text, environ)
    return [str(problem) for problem in caught.value.problems]


def test_load_empty_text_gives_defaults() -> None:
    found = settings()
    assert found.server == ServerSettings("127.0.0.1", 8080, 1, 4_194_304)
    assert found.upstream == UpstreamSettings("https://api.cloudflare.com/client/v4")
    assert found.store == StoreSettings("embedded", "gw:")
    assert found.metrics == MetricsSettings()
    assert found.data_dir == Path("/etc/gw/data")
    assert (found.admin_key, found.tokenizer_path, found.is_demo) == ("", None, False)


def test_load_example_file_gives_exactly_the_defaults() -> None:
    assert settings(EXAMPLE.read_text(encoding="utf-8")) == settings()


def test_load_example_file_without_its_comment_signs_is_valid() -> None:
    text = EXAMPLE.read_text(encoding="utf-8").replace("models: {}", "models:").replace("aliases: {}", "aliases:")
    text = re.sub(r"(?m)^#(  [ \"a-z].*)$", r"\1", text)
    text = re.sub(r"(?m)^( *)# (account_id|proxy|ca_file|tokenizer|admin_key):", r"\1\2:", text)
    found = settings(text.replace("#   path", "  path"), {"GATEWAY_ADMIN_KEY": "a" * 8, "CLOUDFLARE_API_TOKEN": "t"})
    demo = settings(demo=True)
    assert found.catalog.aliases == demo.catalog.aliases
    assert "@cf/qwen/qwen3-30b-a3b-fp8" in found.catalog.models
    assert "@hf/meta-llama/meta-llama-3-8b-instruct" not in found.catalog.models
    assert found.catalog.models["@cf/meta/llama-3.1-8b-instruct"].window_tokens == 7_968
    assert found.catalog.models["@cf/meta/llama-3.1-8b-instruct"].prices[0].is_certain
    assert (found.admin_key, found.upstream.proxy) == ("a" * 8, "http://proxy.example:3128")
    assert found.tokenizer_path == BASE / "tokenizer.model"


def test_load_every_key_is_taken() -> None:
    found = load(
        """
server: {host: 0.0.0.0, port: 9, workers: 4, max_body_bytes: 2048, drain_seconds: 0.5}
upstream: {base_url: "http://127.0.0.1:1/v4/", account_id: acc, api_token: tok, client: httpx2, connect_seconds: 1,
  first_byte_seconds: 2, read_seconds: 3, total_seconds: 4, max_connections: 5, proxy: "http://p:1", ca_file: ca.pem}
store: {url_file: url, prefix: "x:"}
data_dir: ../var
admin_key: ${KEY}
metrics: {listen: ""}
tokenizer: {path: /t.model}
""",
        {"KEY": "admin-key"},
        BASE,
        demo=False,
        read_secret=lambda path: f"redis://h/{path.name}\n",
    )
    assert found.server == ServerSettings("0.0.0.0", 9, 4, 2_048, 0.5)
    assert found.upstream == UpstreamSettings(
        "http://127.0.0.1:1/v4", "acc", "tok", "httpx2", 1, 2, 3, 4, 5, "http://p:1", "/etc/gw/ca.pem"
    )
    assert found.store == StoreSettings("redis://h/url", "x:")
    assert (found.data_dir, found.admin_key) == (Path("/etc/var"), "admin-key")
    assert (found.metrics.listen, found.tokenizer_path) == ("", Path("/t.model"))


def test_load_demo_lies_apart_without_credentials() -> None:
    found = settings(environ={"CLOUDFLARE_ACCOUNT_ID": "acc"}, demo=True)
    assert (found.data_dir, found.is_demo) == (Path("/etc/gw/data/demo"), True)
    assert found.upstream == UpstreamSettings()
    assert "gpt-4o" in found.catalog.aliases


def test_load_external_store_without_admin_key_is_refused() -> None:
    expected = ["admin_key: must be given with an external store (all replicas share it)"]
    assert problems("store: {url: redis://h}") == expected
    assert problems("store: {url: redis://h}\nadmin_key: ''") == [f"line 2: {expected[0]}"]


def test_load_refused_admin_key_is_named_once() -> None:
    assert problems("store: {url: redis://h}\nadmin_key: short") == [
        "line 2: admin_key: must be 8 or more characters without blanks, or empty"
    ]


def test_load_many_mistakes_are_named_at_once() -> None:
    text = "sever: {}\nserver:\n  prot: 1\n  port: x\nstore:\n  url: http://h\nupstream: [1]\n"
    assert problems(text, {"CLOUDFLARE_ACCOUNT_ID": "a"}) == [
        "line 1: sever: unknown key (did you mean server?)",
        "line 3: server.prot: unknown key (did you mean port?)",
        "line 4: server.port: must be a whole number from 0 to 65535, not 'x'",
        "line 6: store.url: must be embedded, or a redis://, rediss:// or unix:// URL",
        "line 7: upstream: must be a mapping of names to values, not a list",
        "line 7: upstream.api_token: an account id is set, but no API token "
        "(set CLOUDFLARE_API_TOKEN or CLOUDFLARE_AUTH_TOKEN)",
    ]


def test_load_secrets_are_in_no_repr_and_no_message() -> None:
    text = "store: {url: redis://u:sesame@h}\nadmin_key: sesame-sesame\nupstream: {account_id: a, api_token: sesame}"
    assert "sesame" not in repr(settings(text))
    assert "sesame" not in "".join(problems(text.replace("sesame", "ses ame")))


WORDS = (
    "server",
    "models",
    "routes",
    "aliases",
    "prices",
    "from",
    "port",
    "upstream",
    "base_url",
    "store",
    "url",
    "auto",
)
SCALARS = st.sampled_from(
    ("1", "-1", "0.5", "x", "'q'", "~", "true", "${X}", "${", "2025-01-01", "[]", "{}", "http://[:]")
)
KEYS = st.sampled_from((*WORDS, '"@cf/meta/llama-3.1-8b-instruct-fp8"', "<<", "1", "&a k"))


def flow(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(KEYS, children), max_size=4)
    return pairs.map(lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items) + "}") | st.lists(
        children, max_size=3
    ).map(lambda items: f"[{', '.join(items)}]")


@given(st.text() | st.text(string.printable) | st.recursive(SCALARS, flow, max_leaves=20))
@example("&a [*a]")
@example("models: &a {x: *a}")
@example('data_dir: "\\0"')
@example('server: {"\\ud800": 1}')
@example("models: {'@cf/meta/llama-3.1-8b-instruct-fp8': {ranges: ~, prices: ~, names: ~}}")
@example("routes: {auto: ~}")
@example("0001-01-01: {}")
def test_load_any_text_gives_settings_or_config_errors(text: str) -> None:
    with suppress(ConfigErrors):
        assert settings(text).data_dir.is_absolute()


@given(
    st.recursive(SCALARS, flow, max_leaves=20), st.sampled_from(("server", "upstream", "models", "routes", "aliases"))
)
def test_load_any_section_gives_settings_or_config_errors(value: str, section: str) -> None:
    with suppress(ConfigErrors):
        settings(f"{section}: {value}")
