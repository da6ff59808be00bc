"""What others made lies here as they made it: each file has the hash that its README names."""

import hashlib
import re
from pathlib import Path

import pytest

from tests.world.servers import ROOT

FOLDERS = [ROOT / "app" / "dashboard" / "static" / "vendored", ROOT / "tests" / "vendored" / "axe"]
NAMED = re.compile(r"`([\w.-]+\.(?:js|css))`")
HASHES = re.compile(r"\b[0-9a-f]{64}\b")


def list_files(folder: Path) -> list[Path]:
    """What browsers run or are dressed by."""
    return [path for path in sorted(folder.iterdir()) if path.suffix in (".js", ".css")]


def test_it_works() -> None:
    assert sum(len(list_files(folder)) for folder in FOLDERS) == 5


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_each_file_is_named_with_its_hash_and_its_licence_lies_beside_it(folder: Path) -> None:
    told = (folder / "README.md").read_text()
    files = list_files(folder)

    assert {path.name for path in files} == set(NAMED.findall(told))
    hashes = {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    assert hashes == set(HASHES.findall(told))
    licences = [path for path in folder.iterdir() if "LICENSE" in path.name]
    assert licences
    for licence in licences:
        assert licence.name in told
