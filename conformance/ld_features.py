"""A feature of a linker as one small source that carries its commands and what they print.

A file of tests/linker/features holds several sources, each behind a line `//// FILE name`, after
lines that say

    //// ABOUT one line for the table
    //// BUILD gcc -c -fpic x.c           once, by a shell: what all linkers get
    //// LINK gcc -shared -o libx.so x.o  by each linker; `ld` as first word starts it directly
    //// FAILS gcc -o m m.o               a link that must fail
    //// SAYS text                        what pyldso says to it (the others have their own words)
    //// RUN VAR=VALUE ./m arguments      natively, by a shell; output and status are compared
    //// SHOW readelf -SW m | grep ...    the same, of what is to be seen in the files
    //// PRINTS text                      a line of what the RUN, SHOW or LINK before it prints
    //// COMPARE m libx.so                the files to compare instead of all that were linked
    //// DIFFERS mold dynamic: why        an aspect that a linker has a right to do its own way
    //// LACKS lld: why                   a linker that cannot do it
    //// NEEDS clang                      what must be installed

What a RUN or SHOW prints is the aspect `output`; those of files are in elf_facts.py.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from conformance.elf_facts import Facts, complaints_of, facts_of

ROOT = Path(__file__).parent.parent
FEATURES = ROOT / "tests" / "linker" / "features"
OURS = "pyldso"
PROGRAMS = {"ld": "ld.bfd", "lld": "ld.lld", "mold": "mold", OURS: str(ROOT / "cli" / "bin" / "ld")}
"""By the name of a linker its program."""
SECONDS = 30
_COMMANDS = ("LINK", "FAILS", "RUN", "SHOW")


class Step(NamedTuple):
    """A command, and what the feature's file says that it prints."""

    kind: str
    command: str
    prints: list[str]
    says: list[str]


class Feature:
    """A feature file taken apart."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self.about = ""
        self.builds: list[str] = []
        self.steps: list[Step] = []
        self.compared: list[str] = []
        self.differs: dict[tuple[str, str], str] = {}
        """By linker and aspect the reason."""
        self.lacks: dict[str, str] = {}
        self.needs: list[str] = []
        self.files: dict[str, str] = {}
        for line in path.read_text().splitlines(keepends=True):
            word, _, rest = line.strip().removeprefix("//// ").partition(" ")
            if not line.startswith("//// "):
                self.files[list(self.files)[-1]] += line
            elif word == "FILE":
                self.files[rest] = ""
            else:
                self._read(word, rest)

    def _read(self, word: str, rest: str) -> None:
        head, _, reason = rest.partition(": ")
        if word == "ABOUT":
            self.about = rest
        elif word == "BUILD":
            self.builds.append(rest)
        elif word in _COMMANDS:
            self.steps.append(Step(word, rest, [], []))
        elif word == "PRINTS":
            self.steps[-1].prints.append(rest)
        elif word == "SAYS":
            self.steps[-1].says.append(rest)
        elif word == "COMPARE":
            self.compared += rest.split()
        elif word == "DIFFERS":
            linker, *aspects = head.split()
            self.differs.update({(linker, aspect): reason for aspect in aspects})
        elif word == "LACKS":
            self.lacks.update(dict.fromkeys(head.split(), reason))
        elif word == "NEEDS":
            self.needs += rest.split()
        else:
            raise ValueError(f"{self.name}: what is //// {word}?")

    def missing(self) -> list[str]:
        """Return the programs that it needs and that are not installed."""
        return [name for name in ("gcc", "readelf", *self.needs) if shutil.which(name) is None]

    def prepare(self, folder: Path) -> None:
        """Write the sources and build what all linkers get; raises RuntimeError."""
        for name, text in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        for build in self.builds:
            done = run(["sh", "-ec", build], folder)
            if done.returncode:
                raise RuntimeError(f"{self.name}: {build}: {done.stdout}{done.stderr}")


class Result(NamedTuple):
    """What one linker made of a feature."""

    outputs: list[tuple[str, list[str]]]
    """By RUN or SHOW the lines that it printed."""
    facts: dict[str, Facts]
    """By file."""
    wrong: list[str]
    """What is not as the feature's file says, and complaints of readers."""


def installed_linkers() -> list[str]:
    """Return the names of the linkers that are there, ours last."""
    return [name for name, program in PROGRAMS.items() if shutil.which(program)]


def run(words: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with nothing of LD_* in its environment and our Python first."""
    kept = {name: value for name, value in os.environ.items() if name[:3] != "LD_"}
    kept["PATH"] = f"{Path(sys.executable).parent}:{kept.get('PATH', '')}"
    try:
        return subprocess.run(
            words, cwd=folder, env={**kept, "LC_ALL": "C"}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 124, "", f"no end after {SECONDS} seconds\n")


def link_words(command: str, linker: str, folder: Path) -> list[str]:
    """Return the words of a LINK for one linker, with --verify for our own."""
    words = shlex.split(command)
    if words[0] == "ld":
        return [str(folder / "tools" / "ld"), *words[1:], *["--verify"] * (linker == OURS)]
    verify = ["-Wl,--verify"] * (linker == OURS)
    return [words[0], f"-B{folder / 'tools'}", *words[1:], *verify]


def output_name(words: Sequence[str]) -> str:
    """Return the file that a link writes."""
    return words[words.index("-o") + 1] if "-o" in words else "a.out"


def try_linker(feature: Feature, linker: str, built: Path, folder: Path) -> Result:
    """Carry out the steps of a feature with one linker in a folder of its own."""
    shutil.copytree(built, folder)
    (folder / "tools").mkdir()
    (folder / "tools" / "ld").symlink_to(Path(shutil.which(PROGRAMS[linker]) or "").absolute())
    result = Result([], {}, [])
    linked: list[str] = []
    for step in feature.steps:
        if step.kind in ("RUN", "SHOW"):
            done = run(["sh", "-c", f'PATH="$PWD/tools:$PATH"; {step.command}'], folder)
        else:
            words = link_words(step.command, linker, folder)
            done = run(words, folder)
            linked.append(output_name(words))
            failed = bool(done.returncode)
            said = (done.stdout + done.stderr).strip()
            if failed != (step.kind == "FAILS"):
                result.wrong.append(f"`{step.command}` gave {done.returncode}: {said[:600]}")
                if failed:
                    return result
            if failed and linked[-1] != "a.out" and (folder / linked[-1]).exists():
                result.wrong.append(f"`{step.command}` failed and left {linked[-1]}")
            if linker == OURS:
                missing = [text for text in step.says if text not in said]
                result.wrong.extend(
                    f"`{step.command}` does not say {text!r}: {said[:600]}" for text in missing
                )
            if failed:
                linked.pop()
        lines = (done.stdout + done.stderr).splitlines()
        if step.kind in ("RUN", "SHOW"):
            status = done.returncode
            lines += [f"status {status}"] if status and step.kind == "RUN" else []
            result.outputs.append((step.command, lines))
        if step.prints and lines != step.prints:
            result.wrong.append(f"`{step.command}` prints {lines}, not {step.prints}")
    for name in feature.compared or dict.fromkeys(linked):
        if (folder / name).read_bytes()[:4] == b"\x7fELF":
            result.facts[name] = facts_of(folder / name)
            if linker == OURS:
                result.wrong.extend(f"{name}: {line}" for line in complaints_of(folder / name))
    return result


class Difference(NamedTuple):
    """An aspect in which two linkers do not agree, and the lines of either alone."""

    aspect: str
    where: str
    ours: list[str]
    theirs: list[str]


OF_GNU_LD = ("PHDR", "GNU_EH_FRAME")
"""Segments about which lld and mold have minds of their own: they load the headers of libraries,
and leave out the tables of nothing."""


def differences(ours: Result, theirs: Result, ignored: tuple[str, ...]) -> list[Difference]:
    """Return where two linkers' results are not the same, but for lines that begin as `ignored`."""
    found = [
        Difference("output", command, lines, others)
        for (command, lines), (_, others) in zip(ours.outputs, theirs.outputs, strict=False)
        if lines != others
    ]
    for name, facts in ours.facts.items():
        for aspect, lines in facts.items():
            others = theirs.facts.get(name, {}).get(aspect, [])
            if ignored:
                lines, others = (
                    [line for line in some if not line.startswith(ignored)]
                    for some in (lines, others)
                )
            if lines != others:
                ours_alone = [line for line in lines if line not in others]
                theirs_alone = [line for line in others if line not in lines]
                found.append(Difference(aspect, name, ours_alone, theirs_alone))
    return found
