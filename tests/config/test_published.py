"""What docs/ says about configuration and models is what the code does."""

from pathlib import Path

import pytest

from gateway.config.published import main, published_blocks, schema_texts, with_block

DOCS = Path(__file__).parents[2] / "docs"
HINT = "not current; run: python -m gateway.config.published"


@pytest.mark.parametrize(("name", "text"), schema_texts().items())
def test_schema_file_is_current(name: str, text: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == text, HINT


@pytest.mark.parametrize(("file", "name", "block"), published_blocks())
def test_page_table_is_current(file: str, name: str, block: str) -> None:
    page = (DOCS / file).read_text(encoding="utf-8")
    assert f"<!-- {name} -->\n{block}\n<!-- /{name} -->" in page, HINT


def test_with_block_replaces_only_its_own_part() -> None:
    page = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n"
    assert with_block(page, "x", r"new\1") == "a\n<!-- x -->\nnew\\1\n<!-- /x -->\nb\n"
    assert with_block(page, "y", "new") == page


def test_main_rewrites_pages_below_a_root(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    blocks = published_blocks()
    empty = "".join(f"<!-- {name} -->\n<!-- /{name} -->\n" for _, name, _ in blocks)
    for file in {file for file, _, _ in blocks}:
        (tmp_path / "docs" / file).write_text(empty)
    main(tmp_path / "docs")
    for file, _, block in blocks:
        assert block in (tmp_path / "docs" / file).read_text(encoding="utf-8")
    for name, text in schema_texts().items():
        assert (tmp_path / "docs" / name).read_text(encoding="utf-8") == text
