"""A data directory below a short path, without the store that a killed parent leaves."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.store.embedded import EmbeddedStore


@pytest.fixture
def data_dir() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="gw-"))
    yield place / "data"
    EmbeddedStore(place / "data" / "store").stop()
    shutil.rmtree(place)
