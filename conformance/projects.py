"""Build real projects with pyldso as gcc's assembler and linker: their own tests must do the same.

    python -m conformance.projects CORPUS [--only NAME,NAME] [--way NAME] [--report FILE]

CORPUS is a folder that conformance/fetch.sh has filled. Each project is built by its own build
system with gcc's default flags and tested by its own tests: with GNU as and ld, with pyldso as
both, and with pyldso as ld alone. `gcc -B` finds them in a folder of scripts that keep the calls.
Status and the tests that pass must be the same as with GNU's, and so must be how often ld was
called and which programs and libraries there are. readelf and eu-elflint must find no more in these
than in GNU ld's, and objcopy and strip must take them. Prints a table in Markdown and what differs
below it; exits with 1 where something does.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from pyldso.elf.constants import ET

JOBS = 2
_END = "end of the call"
_TOOLS = Path(__file__).resolve().parent.parent / "cli" / "bin"
_GNU = {name: Path(shutil.which(name) or name) for name in ("as", "ld")}


class Way(NamedTuple):
    """A name, and the programs that gcc takes for its assembler and linker."""

    name: str
    tools: dict[str, Path]


WAYS = (
    Way("gnu", _GNU),
    Way("as+ld", {"as": _TOOLS / "as", "ld": _TOOLS / "ld"}),
    Way("ld", {"as": _GNU["as"], "ld": _TOOLS / "ld"}),
)
"""The first is what the others are compared with."""
RELINKED = Way("relinked", {})
"""What GNU as and ld have built, each program and library of it linked again by pyldso."""


class Project(NamedTuple):
    """How to build a project, and to test it.

    Commands are the shell's, in a copy of the project's source; $CC and $CXX are gcc and g++ with
    -B. `passed` finds each test that passes in what is printed; where it has a group, that tells
    how many. `volatile` finds what is another at each run.
    """

    name: str
    build: str
    test: str
    passed: str
    volatile: str = r"(?!)"
    extras: tuple[tuple[str, str], ...] = ()
    """Folders of other sources, and where in the tree they are put."""
    needs: tuple[str, ...] = ()
    """Programs beyond gcc, make and what every Debian has."""
    seconds: int = 1800


CMAKE = (
    "cmake -S . -B build -DCMAKE_C_COMPILER=gcc -DCMAKE_CXX_COMPILER=g++ -DBUILD_SHARED_LIBS=ON"
    ' -DCMAKE_C_FLAGS="${CC#gcc}" -DCMAKE_CXX_FLAGS="${CXX#g++}"'
)

PROJECTS = (
    Project(
        "bzip2",
        build='make -j$JOBS CC="$CC" && make -f Makefile-libbz2_so -B CC="$CC"',
        # The libraries are one; the programs are tested twice, with the archive and with it.
        test='make CC="$CC" test && cp bzip2-shared bzip2'
        ' && LD_LIBRARY_PATH=. make -o bzip2 CC="$CC" test',
        passed=r"^cmp .*",
    ),
    Project(
        "zlib",
        build='CC="$CC" ./configure && make -j$JOBS && make -j$JOBS shared',
        test="make check && make install DESTDIR=$PWD/installed",
        passed=r"\*\*\* zlib .*test OK \*\*\*",
    ),
    Project(
        "lua",
        extras=(("lua-lpeg", "lpeg"), ("lua5.1/test", "test")),
        build=r"""
            make -j$JOBS linux CC="$CC -std=gnu99" MYCFLAGS=-fPIC
            cd src
            $CC -shared -Wl,-soname,liblua.so.5.4 -o liblua.so -Wl,--whole-archive liblua.a \
              -Wl,--no-whole-archive -lm -ldl
            ln -s liblua.so liblua.so.5.4
            $CC -o lua-shared lua.o -L. -llua -Wl,-rpath,'$ORIGIN'
            make -C ../lpeg linux CC="$CC" LUADIR=$PWD""",
        test=r"""
            make test
            cd test
            for lua in lua lua-shared; do
              for program in bisect cf echo env factorial fibfor hello life sieve sort \
                table; do
                status=0; timeout 20 ../src/$lua $program.lua 12 < cf.lua > out 2>&1 || status=$?
                echo "$lua $program ($status): $(sed "s/$lua//" < out | md5sum)"
                ../src/luac -l -l $program.lua | sed 's/0x[0-9a-f]*//g' | md5sum
              done
              (cd ../lpeg && ../src/$lua test.lua)
            done""",
        passed=r"^lua\S* \w+ \(0\).*|^OK$|^\S+  -$",
    ),
    Project(
        "libjsoncpp",
        build=CMAKE + " -DJSONCPP_WITH_POST_BUILD_UNITTEST=OFF -DJSONCPP_WITH_EXAMPLE=ON"
        " && make -C build -j$JOBS",
        test="build/bin/jsoncpp_test && cd build && ctest -V",
        passed=r"^(?:Testing .*: OK|.*test input: .*OK|.* Passed|All \d+ tests passed)",
        volatile=r" +[\d.]+ sec$",
        needs=("cmake", "python3"),
    ),
    Project(
        "yaml-cpp",
        extras=(("googletest", "test/gtest-1.10.0"),),
        build=CMAKE + " -DYAML_BUILD_SHARED_LIBS=ON -DYAML_CPP_BUILD_TESTS=ON"
        " && make -C build -j$JOBS",
        test="build/test/yaml-cpp-tests",
        needs=("cmake",),
        passed=r"^\[       OK \] \S+",
    ),
    Project(
        "sqlite",
        # without its -g, which makes five times 2.2 million lines of assembly of it
        build="CFLAGS=-O2 ./configure && make -j$JOBS && make -j$JOBS testfixture fuzzcheck",
        test="""
            ./fuzzcheck test/fuzzdata[468].db
            for name in alter expr fts3 func join json loadext select shell trigger where with; do
              for test in test/$name*.test; do
                ./testfixture $test || echo "$test ends with status $?"
              done
            done
            make install HAVE_TCL= DESTDIR=$PWD/installed
            cd installed/usr/local
            LD_LIBRARY_PATH=lib bin/sqlite3 :memory: "select 'installed... Ok'" """,
        passed=r"^\S+\.\.\. Ok$|^0 errors",
        # how often memory can run out in a test is not the same at each run
        volatile=r"^\S*(?:transient|persistent)\.\d+\.\.\. Ok$",
        needs=("tclsh",),
    ),
    Project(
        "redis",
        build='make -j$JOBS CC="$CC" CXX="$CXX"',
        test="./runtest --clients 2 --single unit/type/list --single unit/type/hash"
        " --single unit/type/set --single unit/type/zset --single unit/type/string"
        " --single unit/scripting --single unit/multi --single unit/expire --single unit/sort",
        passed=r"^\[ok\]: .*",
        volatile=r" \(\d+ ms\)$|\x1b\[[\d;]*m",
        needs=("tclsh",),
    ),
    Project(
        "perl",
        # miniperl, then some fifty libraries that perl opens as they are used
        build='./Configure -des -Duseshrplib -Dcc="$CC" && make -j$JOBS test_prep',
        test="""
            export LD_LIBRARY_PATH=$PWD TEST_JOBS=$JOBS
            cd t
            ./perl harness base/*.t cmd/*.t io/*.t op/*.t re/*.t ../ext/POSIX/t/*.t \
              ../cpan/Digest-*/t/*.t ../cpan/Scalar-List-Utils/t/*.t ../dist/Storable/t/*.t \
              ../cpan/Encode/t/*.t ../ext/File-Glob/t/*.t ../cpan/Socket/t/*.t""",
        passed=r"^\S+\.t \.+ ok$|^Files=\d+, Tests=(\d+)",
        volatile=r"[ \b]*\r",
        seconds=3600,
    ),
)


def sources(project: Project) -> list[str]:
    """Return what fetch.sh is to fetch for a project."""
    return [project.name, *(folder.partition("/")[0] for folder, _ in project.extras)]


def choose(names: list[str], corpus: Path) -> Iterator[Project]:
    """Yield the projects of these names, or all, of which this machine has what they take."""
    for project in PROJECTS:
        missing = [name for name in project.needs if not shutil.which(name)]
        missing += [name for name in sources(project) if not (corpus / name).is_dir()]
        if names and project.name not in names:
            continue
        if missing:
            print(f"skipped: {project.name}: there is no {', '.join(missing)}", file=sys.stderr)
        else:
            yield project


class Built(NamedTuple):
    """What became of a project in one way: `problem` is empty where all went well."""

    problem: str
    passed: list[str]
    files: dict[str, list[str]]
    """Programs and libraries by their paths, and what readers of ELF files have against each."""
    calls: dict[str, int]
    """How often gcc called each of its tools."""
    seconds: tuple[float, float]
    """The time of building and of testing."""


class Stage(NamedTuple):
    """How a list of commands ended."""

    output: str
    status: int
    seconds: float


def make_tools(way: Way, folder: Path) -> None:
    """Write scripts that keep each call of a tool as a file, and make it."""
    for name, target in way.tools.items():
        calls = folder / f"{name}.calls"
        calls.mkdir(parents=True)
        script = folder / name
        # each process appends to a file of its own, as numbers of processes come again
        script.write_text(
            f"#!/bin/sh\nprintf '%s\\0' \"$PWD\" \"$@\" '{_END}' >> {calls}/$$\n"
            f'exec {target} "$@"\n'
        )
        script.chmod(0o755)


def calls_of(tools: Path, name: str) -> list[list[str]]:
    """Return the calls of a tool in their order: the folder it was called in, and its words."""
    files = sorted((tools / f"{name}.calls").iterdir(), key=lambda file: file.stat().st_mtime_ns)
    calls = "".join(file.read_text(errors="surrogateescape") for file in files)
    return [call.split("\0")[:-1] for call in calls.split(f"{_END}\0")[:-1]]


def run_stage(commands: str, folder: Path, tools: Path, seconds: int) -> Stage:
    """Run commands of the shell, all that they started ended with them or after `seconds`."""
    environment = {name: value for name, value in os.environ.items() if name[:3] != "LD_"}
    environment |= {
        "LC_ALL": "C", "JOBS": str(JOBS), "CC": f"gcc -B{tools}", "CXX": f"g++ -B{tools}",
    }  # fmt: skip
    begin = time.perf_counter()
    log = folder.with_name("log")
    with log.open("wb") as out:
        shell = subprocess.Popen(
            ["bash", "-e", "-c", commands], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
            stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            status = shell.wait(seconds)
        except subprocess.TimeoutExpired:
            status = -signal.SIGALRM
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
    return Stage(log.read_text(errors="replace"), status, time.perf_counter() - begin)


def build(project: Project, way: Way, corpus: Path, folder: Path) -> Built:
    """Build and test a project in one way, in a new folder."""
    shutil.rmtree(folder, ignore_errors=True)
    tools, tree = folder / "tools", folder / "tree"
    make_tools(way, tools)
    shutil.copytree(corpus / project.name, tree, symlinks=True)
    for source, place in project.extras:
        shutil.copytree(corpus / source, tree / place, symlinks=True)
    building = run_stage(project.build, tree, tools, project.seconds)
    (folder / "log").rename(folder / "build.log")
    if building.status:
        return failed("does not build", building)
    files = dict(linked_files(tree))
    testing = run_stage(project.test, tree, tools, project.seconds)
    (folder / "log").rename(folder / "test.log")
    passed = passed_tests(project, testing.output.replace(str(folder), ""))
    calls = {name: len(calls_of(tools, name)) for name in way.tools}
    problem = f"tests end with status {testing.status}" if testing.status else ""
    return Built(problem, passed, files, calls, (building.seconds, testing.seconds))


def relink(project: Project, folder: Path, model: Path) -> Built:
    """Have pyldso link again what GNU ld did in the folder `model`, and test it there."""
    begin = time.perf_counter()
    tree, tools = model / "tree", model / "tools"
    before = {path: (tree / path).read_bytes() for path in dict(linked_files(tree))}
    folder.mkdir(parents=True, exist_ok=True)
    calls = {
        os.path.realpath(os.path.join(place, output_of(words))): (place, words)
        for place, *words in calls_of(tools, "ld")
    }
    problems: list[str] = []
    links = 0
    for output, (place, words) in calls.items():
        if Path(output).is_relative_to(tree) and Path(output).exists():
            links += 1
            done = subprocess.run(
                [_TOOLS / "ld", *words], cwd=place, capture_output=True, text=True, check=False
            )
            if done.returncode:
                problems.append(done.stderr.partition("\n")[0])
    seconds = time.perf_counter() - begin
    files = dict(linked_files(tree))
    problems += [
        f"{path} is still GNU ld's" for path in files if (tree / path).read_bytes() == before[path]
    ]
    testing = run_stage(project.test, tree, tools, project.seconds)
    (model / "log").rename(folder / "test.log")
    passed = passed_tests(project, testing.output.replace(str(model), ""))
    if testing.status:
        problems.insert(0, f"tests end with status {testing.status}")
    return Built("; ".join(problems), passed, files, {"ld": links}, (seconds, testing.seconds))


def output_of(words: list[str]) -> str:
    """Return the output that words of ld name."""
    return words[words.index("-o") + 1] if "-o" in words[:-1] else "a.out"


def passed_tests(project: Project, text: str) -> list[str]:
    """Return the lines of tests that pass, without what is another at each run."""
    text = re.sub(project.volatile, "", text, flags=re.MULTILINE)
    return [match[0] for match in re.finditer(project.passed, text, re.MULTILINE)]


def failed(problem: str, stage: Stage) -> Built:
    """Return what became of a project that did not come to its tests."""
    end = "; ".join(stage.output.strip().splitlines()[-3:])
    return Built(f"{problem} (status {stage.status}): {end}", [], {}, {}, (stage.seconds, 0.0))


def linked_files(tree: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the programs and libraries of a tree, each with what readers say against it."""
    for path in sorted(tree.rglob("*")):
        if path.is_symlink() or not path.is_file() or path.stat().st_size < 64:
            continue
        with path.open("rb") as file:
            header = file.read(18)
        if header[:4] == b"\x7fELF" and header[16] in (ET.EXEC, ET.DYN):
            yield str(path.relative_to(tree)), complaints(path, tree)


def complaints(path: Path, tree: Path) -> list[str]:
    """Return what other readers of ELF files say against a file."""
    copy = tree.with_name("copy")
    said = [
        *lines_of("readelf", "-aW", path, only_errors=True),
        *lines_of("objcopy", path, copy),
        *lines_of("strip", "-o", copy, path),
    ]
    if shutil.which("eu-elflint"):
        lint = lines_of("eu-elflint", "--gnu-ld", path)
        said += [re.sub(r"\d+", "N", line) for line in lint if line != "No errors"]
    copy.unlink(missing_ok=True)
    return sorted(set(said))


def lines_of(*words: str | Path, only_errors: bool = False) -> list[str]:
    """Return what a command prints."""
    done = subprocess.run(
        words, capture_output=True, text=True, errors="replace", check=False, timeout=300
    )
    text = done.stderr if only_errors else done.stderr + done.stdout
    return [line.replace(str(words[-1]), "") for line in text.splitlines()]


def count_passed(project: Project, passed: list[str]) -> int:
    """Return how many tests passed."""
    pattern = re.compile(project.passed, re.MULTILINE)
    if not pattern.groups:
        return len(passed)
    matches = filter(None, map(pattern.search, passed))
    return sum(int(match[1]) for match in matches if match[1])


def built_before(folder: Path) -> Built | None:
    """Return what a former run has found."""
    result = folder / "result.json"
    return Built(*json.loads(result.read_text())) if result.exists() else None


def differences(built: Built, model: Built) -> Iterator[str]:
    """Yield how a project that pyldso built differs from what GNU as and ld built."""
    if built.problem != model.problem:
        yield built.problem or f"nothing is wrong, but with GNU ld: {model.problem}"
        return
    mine, its = Counter(built.passed), Counter(model.passed)
    for line in its - mine:
        yield f"does not pass: {line}"
    for line in mine - its:
        yield f"passes, but not with GNU ld: {line}"
    if built.files.keys() != model.files.keys():
        yield f"other files: {sorted(built.files.keys() ^ model.files.keys())}"
    for path, said in built.files.items():
        known = model.files.get(path, [])
        for line in said:
            if line not in known:
                yield f"{path}: {line}"
    if built.calls.keys() == model.calls.keys() and built.calls != model.calls:
        yield f"{built.calls} calls, {model.calls} with GNU ld"


def row(project: Project, way: Way, built: Built, model: Built, is_same: bool) -> str:
    """Return a line of the table."""
    ratios = [f"{x / y:.1f}" for x, y in zip(built.seconds, model.seconds, strict=True) if y]
    outcome = "same" if is_same else "differs"
    cells = (
        project.name, way.name, len(built.files), built.calls.get("ld", 0),
        count_passed(project, built.passed), outcome, "/".join(ratios),
    )  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def compare(
    project: Project, ways: list[Way], corpus: Path, resume: bool, show: Callable[[str], None]
) -> Iterator[str]:
    """Build and test a project in all ways; show the rows, and yield what differs."""
    model = None
    for way in ways:
        folder = corpus / "projects" / project.name / way.name
        built = built_before(folder) if resume else None
        if built is None and way is RELINKED:
            built = relink(project, folder, folder.with_name(WAYS[0].name))
        elif built is None:
            built = build(project, way, corpus, folder)
        (folder / "result.json").write_text(json.dumps(built))
        model = model or built
        found = list(differences(built, model)) if built.files else [built.problem]
        show(row(project, way, built, model, not found))
        yield from (f"- {project.name}, {way.name}: {line}" for line in found)


def read_arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("corpus", type=Path, help="the folder that fetch.sh has filled")
    parser.add_argument("--only", default="", help="only these projects: NAME,NAME")
    parser.add_argument(
        "--way", choices=[way.name for way in (*WAYS[1:], RELINKED)],
        help="only this way, beside gnu; relinked: link again what was built so",
    )  # fmt: skip
    parser.add_argument("--report", type=Path, help="write table and differences there too")
    parser.add_argument("--resume", action="store_true", help="do not build again what was built")
    parser.add_argument("--sources", action="store_true", help="print what fetch.sh is to fetch")
    arguments = parser.parse_args()
    arguments.only = [name for name in arguments.only.split(",") if name]
    if unknown := set(arguments.only) - {project.name for project in PROJECTS}:
        parser.error(f"no such project: {', '.join(sorted(unknown))}")
    return arguments


def main() -> int:
    """Print the table and what differs; return the exit status."""
    arguments = read_arguments()
    if arguments.sources:
        chosen = [one for one in PROJECTS if not arguments.only or one.name in arguments.only]
        print(*dict.fromkeys(name for one in chosen for name in sources(one)))
        return 0
    corpus = arguments.corpus.resolve()
    projects = list(choose(arguments.only, corpus))
    if not projects:
        print(f"no projects in {corpus}: run conformance/fetch.sh", file=sys.stderr)
        return 1
    ways = [way for way in (*WAYS, RELINKED) if way is WAYS[0] or way.name == arguments.way]
    table: list[str] = []
    report: list[str] = []

    def show(line: str) -> None:
        table.append(line)
        print(line, flush=True)

    show("| project | way | programs, libraries | calls of ld | tests passed | outcome | time |")
    show("|---|---|---:|---:|---:|---|---:|")
    for project in projects:
        report += compare(
            project, ways if arguments.way else [*WAYS], corpus, arguments.resume, show
        )
    for line in report:
        show(line)
    if arguments.report is not None:
        arguments.report.write_text("\n".join([*table, ""]))
    return int(bool(report))


if __name__ == "__main__":
    sys.exit(main())
