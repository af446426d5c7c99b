"""One small source for each directive group, compared with GNU as byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.asm.compare import differences, gnu_object, our_object

CASES = Path(__file__).parent / "sources"


@pytest.mark.parametrize("name", sorted(path.name for path in CASES.glob("*.s")))
def test_a_directive_group_gives_the_bytes_of_gnu_as(
    name: str, tmp_path: Path, gnu_as: str
) -> None:
    source = tmp_path / name
    source.write_bytes((CASES / name).read_bytes())
    assert differences(our_object(source), gnu_object(source, gnu_as)) == []
