"""Compare pyldso's linker with GNU ld, lld and mold, feature by feature.

    python -m conformance.gnu_ld [NAME...] [--beside LINKER] [--report FILE] [--keep FOLDER]

Each file of tests/linker/features is linked by each linker that is installed; what the programs
print, and what of the files the ABI does not leave to the linker, must be the same
(ld_features.py, elf_facts.py). Prints a table in Markdown, and what differs with the reason that
the feature's file gives. Exits with 1 where something differs without a reason.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from conformance.ld_features import (
    FEATURES,
    OF_GNU_LD,
    OURS,
    Feature,
    Result,
    differences,
    installed_linkers,
    try_linker,
)

SAME, DIFFERS, LACKS = "same", "differs", "-"


class Verdict(NamedTuple):
    """How a feature did: a cell of the table for each linker, and lines of what is not as meant."""

    feature: Feature
    cells: dict[str, str]
    reasons: list[str]
    wrong: list[str]


def judge(path: Path, linkers: list[str], folder: Path) -> Verdict:
    """Try one feature with every linker and compare."""
    feature = Feature(path)
    if missing := feature.missing():
        return Verdict(feature, {}, [f"skipped: {', '.join(missing)} not installed"], [])
    built = folder / "built"
    built.mkdir(parents=True)
    try:
        feature.prepare(built)
    except RuntimeError as error:
        return Verdict(feature, {}, [], [str(error)])
    ours = try_linker(feature, OURS, built, folder / OURS)
    verdict = Verdict(feature, {}, [], [f"pyldso: {line}" for line in ours.wrong])
    for linker in linkers:
        if linker in feature.lacks:
            verdict.cells[linker] = LACKS
            verdict.reasons.append(f"{linker} cannot: {feature.lacks[linker]}")
        elif linker != OURS:
            theirs = try_linker(feature, linker, built, folder / linker)
            compare(verdict, ours, theirs, linker)
    return verdict


def compare(verdict: Verdict, ours: Result, theirs: Result, linker: str) -> None:
    """Fill in the cell of one linker."""
    declared = verdict.feature.differs
    verdict.cells[linker] = SAME
    compared = [
        (one.aspect, f"of `{one.where}`: pyldso {one.ours}, theirs {one.theirs}")
        for one in differences(ours, theirs, ignored_of(linker))
    ]
    unlike = [("output", line) for line in theirs.wrong]
    is_expected = not unlike or (linker, "output") in declared
    for aspect, line in unlike + compared if is_expected else unlike:
        verdict.cells[linker] = DIFFERS
        reason = declared.get((linker, aspect))
        if reason is None:
            verdict.wrong.append(f"{linker} {aspect} {line}")
        elif (text := f"{linker}, {aspect}: {reason}") not in verdict.reasons:
            verdict.reasons.append(text)


def ignored_of(linker: str) -> tuple[str, ...]:
    """Return how lines begin that do not matter beside a linker."""
    return () if linker == "ld" else OF_GNU_LD


def main() -> int:
    """Print the table and the differences; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("names", nargs="*", help="only these features")
    parser.add_argument("--beside", action="append", help="only this linker: ld, lld or mold")
    parser.add_argument("--report", type=Path, help="write the table there too")
    parser.add_argument("--keep", type=Path, help="work in this folder, and keep it")
    arguments = parser.parse_args()
    paths = [
        p for p in sorted(FEATURES.iterdir()) if not arguments.names or p.stem in arguments.names
    ]
    linkers = [
        name for name in installed_linkers() if name in (arguments.beside or [name]) or name == OURS
    ]
    if not paths:
        print("no features", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(2) as pool:
        root = arguments.keep or Path(name)
        verdicts = list(pool.map(lambda path: judge(path, linkers, root / path.stem), paths))
    lines = report(verdicts, [linker for linker in linkers if linker != OURS])
    print("\n".join(lines))
    if arguments.report is not None:
        arguments.report.write_text("\n".join(lines) + "\n")
    wrong = [f"{v.feature.name}: {line}" for v in verdicts for line in v.wrong]
    for line in wrong:
        print(line, file=sys.stderr)
    return int(bool(wrong))


def report(verdicts: list[Verdict], others: list[str]) -> list[str]:
    """Return the table and its counts."""
    lines = [f"| feature | {' | '.join(others)} |", f"|---|{'---|' * len(others)}"]
    for verdict in verdicts:
        cells = [verdict.cells.get(linker, "skipped") for linker in others]
        lines.append(f"| {verdict.feature.about} | {' | '.join(cells)} |")
    lines.append("")
    for linker in others:
        counts = Counter(verdict.cells.get(linker, "skipped") for verdict in verdicts)
        lines.append(
            f"- beside {linker}, of {len(verdicts)} features: {counts[SAME]} the same, "
            f"{counts[DIFFERS]} differ, {counts[LACKS]} that {linker} cannot, "
            f"{counts['skipped']} skipped"
        )
    lines.append("")
    for verdict in verdicts:
        lines += [f"- {verdict.feature.name}: {reason}" for reason in verdict.reasons]
    return lines


if __name__ == "__main__":
    sys.exit(main())
