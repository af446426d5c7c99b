"""Print tables of whole processes measured side by side: `python -m bench [TABLE ...]`.

Each table is a module of this folder with a `show(Workshop)`, listed below; without a name all are
printed. The machine's noise is in every figure alike, so read the ratios. Tools that are not
installed are left out. CORPUS in the environment is the folder that conformance/fetch.sh fills;
ROUNDS is how often each command is measured, where a table does not know better.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench import assembler, linker, running, startup
from bench.measuring import CORPUS, MissingSourcesError, Workshop

TABLES: dict[str, Callable[[Workshop], None]] = {
    "startup": startup.show,
    "assembler": assembler.show,
    "linker": linker.show,
    "running": running.show,
}


def main() -> None:
    """Print the tables that the command line names, or all."""
    unknown = [name for name in sys.argv[1:] if name not in TABLES]
    if unknown:
        sys.exit(f"bench: no table {unknown[0]}: there are {', '.join(TABLES)}")
    for name in sys.argv[1:] or TABLES:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                TABLES[name](Workshop(Path(folder), CORPUS))
            except MissingSourcesError as error:
                print(f"{name}: {error}")
            os.chdir("/")
        print(flush=True)


if __name__ == "__main__":
    main()
