"""Copies of an assembly file in one: `python -m bench.copies SOURCE COUNT TARGET`.

Every label of copy number k gets the suffix `_k`, so that the copies do not clash: a program that
is k times as large, to see how time grows. It is a process of its own because what a process
measures must not be larger than what is measured (measuring.py).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

_LABEL = re.compile(r"^([A-Za-z_.][\w.$]*):", re.MULTILINE)
_LOCAL = re.compile(r"^\s*\.(?:comm|lcomm|set)\s+([A-Za-z_.][\w.$]*),", re.MULTILINE)
_WORD = re.compile(r'"(?:[^"\\\n]|\\.)*"|(?<![\w.$@%])[A-Za-z_.][\w.$]*')


def copies(text: str, count: int) -> str:
    """Return `count` copies of a source; the first is the source as it is."""
    names = {*_LABEL.findall(text), *_LOCAL.findall(text)}

    def copy(number: int) -> str:
        def rename(match: re.Match[str]) -> str:
            return f"{match[0]}_{number}" if match[0] in names else match[0]

        return _WORD.sub(rename, text)

    return "".join([text, *map(copy, range(1, count))])


def main() -> None:
    """Write the copies."""
    source, count, target = sys.argv[1:]
    Path(target).write_text(copies(Path(source).read_text(), int(count)))


if __name__ == "__main__":
    main()
