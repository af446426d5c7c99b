from __future__ import annotations

import shutil

import pytest


@pytest.fixture
def gnu_as() -> str:
    found = shutil.which("as")
    if not found:
        pytest.skip("GNU as is not installed")
    return found


@pytest.fixture
def gcc() -> str:
    found = shutil.which("gcc")
    if not found:
        pytest.skip("gcc is not installed")
    return found
