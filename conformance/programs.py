"""Run a machine's programs natively and by pyldso: what they do must be the same.

    python -m conformance.programs [--only GROUP[,GROUP]] [--every N] [--report FILE]

The commands are the rows of conformance/programs.txt. Each runs twice in a folder of the same name
with the same files, environment and input (the file `text`). Standard output and error, the status
(128+N for signal N), and the files left behind must be equal. What a program prints natively
otherwise each time (a process id, a time) is compared with all numbers in it replaced. Prints a
table in Markdown, and what differs below it; exits with 1 where something does.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "conformance" / "programs.txt"
SECONDS = 900
_NUMBERS = re.compile(rb" *[0-9]+(\.[0-9]+)?")
"""With what a column is filled up, which is less where the number is larger."""
_TIMES = re.compile(rb"\bin [0-9.]+s\b")
"""How long something took, as unittest tells it."""
_MOST_SHOWN = 600

_TEXT = """The quick brown fox jumps over the lazy dog.
\tA line with a tab, and some  spaces.
Zwei flinke Boxer jagen die quirlige Eva und ihren Mops.

The last line: pack my box with five dozen liquor jugs.
"""
_FILES = {
    "text": _TEXT,
    "numbers": "".join(f"{n * 7919 % 101}\n" for n in range(60)),
    "sorted1": "apple\nbanana\ncherry\ncherry\nfig\n",
    "sorted2": "banana\ncherry\ndate\nfig\ngrape\n",
    "table": "root:x:0:admin\nuser:x:1000:people\nguest:x:1001:people\n",
    "table2": "root:one\nguest:three\n",
    "pairs": "a b\nb c\na d\nd c\n",
    "sums": "d41d8cd98f00b204e9800998ecf8427e  empty_file\n",
    "empty_file": "",
    "tree/one.c": "int one;\n",
    "tree/deep/two.c": "int two; /* quick */\n",
    "tree/deep/three.txt": "three\n",
    "makefile": "all: a b\n\t@echo done $(words $^)\na b: text\n\tcp text $@\nwrong:\n\tfalse\n",
    "x.c": "#include <stdio.h>\n#include <math.h>\nint square(int n) { return n * n; }\n"
    'int main(int c, char **v) { printf("%d %s\\n", square(c + 11), *v); return c + 2; }\n',
    "broken.c": "int main(void) { return x }\n",
    "throw.cc": "#include <stdexcept>\n#include <string>\n"
    "struct Guard { int *n; ~Guard() { ++*n; } };\n"
    "void fail(int n, int *left) { Guard g{left}; if (n) fail(n - 1, left);\n"
    'else throw std::runtime_error("deep " + std::to_string(*left)); }\n',
    "main.cc": "#include <iostream>\n#include <stdexcept>\nvoid fail(int, int *);\nint main() {\n"
    "int left = 0; try { fail(5, &left); } catch (const std::exception &e) {\n"
    'std::cout << e.what() << " " << left << std::endl; }\n'
    'try { throw 5; } catch (int n) { std::cout << n << "\\n"; } return left; }\n',
    "stl.cc": "#include <algorithm>\n#include <iostream>\n#include <map>\n#include <regex>\n"
    "#include <thread>\n#include <vector>\nint main() { std::map<std::string, int> m;\n"
    'for (auto w : {"b", "a", "b"}) m[w]++; for (auto &[k, v] : m) std::cout << k << v << " ";\n'
    "std::vector<int> v{3, 1, 2}; std::sort(v.begin(), v.end());\n"
    'std::thread t([&] { v[0] = 9; }); t.join();\n'
    'std::cout << v[0] << std::regex_replace("abc", std::regex("b"), "-") << "\\n"; }\n',
    "modern.cc": r"""#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>
#include <regex>
#include <thread>
#include <vector>
int main() {
    std::cout << std::async(std::launch::async, [] { return 6 * 7; }).get() << "\n";
    std::promise<int> promise;
    auto future = promise.get_future();
    std::thread thrower([&] {
        try { throw std::runtime_error("carried"); }
        catch (...) { promise.set_exception(std::current_exception()); }
    });
    try { future.get(); } catch (std::exception &e) { std::cout << e.what() << "\n"; }
    thrower.join();
    std::uintmax_t size = 0;
    for (auto &entry : std::filesystem::recursive_directory_iterator("tree"))
        if (entry.is_regular_file()) size += entry.file_size();
    std::smatch match;
    std::string text = "key=value";
    std::regex_match(text, match, std::regex("(\\w+)=(\\w+)"));
    std::cout << size << " " << match[2] << "\n";
    std::mutex mutex;
    std::condition_variable condition;
    bool ready = false;
    std::thread waiter([&] {
        std::unique_lock lock(mutex);
        condition.wait(lock, [&] { return ready; });
        std::cout << "woken\n";
    });
    { std::lock_guard lock(mutex); ready = true; }
    condition.notify_one();
    waiter.join();
    std::atomic<int> count{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back([&] { for (int j = 0; j < 1000; j++) count++; });
    for (auto &thread : threads) thread.join();
    std::ifstream in("text");
    std::getline(in, text);
    std::cout << count << text << std::hex << 255 << std::fixed << 3.14159 << std::endl;
    std::set_terminate([] { std::_Exit(4); });
    std::thread([] { throw 1; }).join();
}
""",
}  # fmt: skip


class Row(NamedTuple):
    """A command, the group that it belongs to, and what `run` allows the programs of that."""

    group: str
    words: list[str]
    text: str
    options: tuple[str, ...] = ()


class Outcome(NamedTuple):
    """What a command did; `files` are the names left behind with what is in them."""

    status: int
    output: bytes
    error: bytes
    files: dict[str, str]


def rows() -> Iterator[Row]:
    """Yield the rows of the table."""
    group, options = "", []
    for line in TABLE.read_text().splitlines():
        if line.startswith("["):
            group, *options = line[1 : line.index("]")].split()
        elif line and not line.startswith("#"):
            words = ["/bin/bash", "-c", line[2:]] if line.startswith("$ ") else words_of(line)
            yield Row(group, words, line, tuple(options))


def words_of(line: str) -> list[str]:
    """Split a command at its spaces, but for those between backquotes."""
    return [quoted or plain for quoted, plain in re.findall(r"`([^`]*)`|(\S+)", line)]


def packages() -> dict[str, list[str]]:
    """Return the Debian packages that each group needs."""
    heads = re.findall(r"^\[([^\s\]]+)[^\]]*\] (.*)$", TABLE.read_text(), re.MULTILINE)
    return {group: names.split() for group, names in heads}


def is_installed(package: str) -> bool:
    """Tell whether a Debian package is there."""
    done = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Status}", package],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.endswith(" installed")


def fill(folder: Path) -> None:
    """Make the files that commands find in their folder, all of one time."""
    for name, content in _FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (folder / "bytes").write_bytes(bytes(range(256)) * 4)
    (folder / "empty").mkdir()
    (folder / "tree" / "link").symlink_to("one.c")
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (1_000_000_000, 1_000_000_000), follow_symlinks=False)


def left_behind(folder: Path) -> dict[str, str]:
    """Return the files of a folder with a digest of each."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[name] = "folder" if path.is_dir() else "other"
    return found


def run(words: list[str], prefix: list[str], folder: Path) -> Outcome:
    """Run a command in a new folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    fill(folder)
    environment = {
        "PATH": "/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8", "TZ": "UTC",
        "PYTHONPATH": str(ROOT) if prefix else "", "PYTHONHASHSEED": "0",
        **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
           for what, value in (("NAME", "A"), ("EMAIL", "a@b"), ("DATE", "1000000000 +0000"))},
    }  # fmt: skip
    if prefix:
        prefix = [*prefix, "-E", "PYTHONPATH="]
    with (folder / "text").open("rb") as text:
        try:
            done = subprocess.run(
                [*prefix, *words], cwd=folder, env=environment, stdin=text, capture_output=True,
                timeout=SECONDS, check=False, start_new_session=True,
            )  # fmt: skip
        except subprocess.TimeoutExpired as expired:
            return Outcome(-1, expired.stdout or b"", b"does not end", {})
        except OSError as error:
            return Outcome(-2, b"", str(error).encode(), {})
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    output, error = (_TIMES.sub(b"in Ns", text) for text in (done.stdout, done.stderr))
    return Outcome(status, output, error, left_behind(folder))


def compare(row: Row, folder: Path) -> str:
    """Run a row in both ways and return what differs, "" where nothing does."""
    native = run(row.words, [], folder)
    ours = run(row.words, [sys.executable, "-m", "cli", "run", *row.options], folder)
    if ours == native:
        return ""
    again = run(row.words, [], folder)
    if again != native:  # a process id, a time, a random key: it differs natively, too
        numberless = [_without_numbers(outcome) for outcome in (native, again, ours)]
        if numberless[0] != numberless[1]:
            numberless = [_shape(outcome) for outcome in (native, again, ours)]
        if numberless[2] == numberless[0]:
            return ""
    lines = [row.text]
    for field, ours_field, native_field in zip(Outcome._fields, ours, native, strict=True):
        if ours_field != native_field:
            lines.append(f"    {field}: natively {native_field!r}"[:_MOST_SHOWN])
            lines.append(f"    {field}: by pyldso {ours_field!r}"[:_MOST_SHOWN])
    return "\n".join(lines)


def _without_numbers(outcome: Outcome) -> Outcome:
    output, error = (_NUMBERS.sub(b"N", text) for text in (outcome.output, outcome.error))
    return outcome._replace(output=output, error=error, files=dict.fromkeys(outcome.files, ""))


def _shape(outcome: Outcome) -> Outcome:
    """Return what remains of an outcome whose words are random: its status and its lines."""
    output, error = (b"%d" % text.count(b"\n") for text in (outcome.output, outcome.error))
    return Outcome(outcome.status, output, error, {})


def main() -> int:
    """Compare the rows and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", help="groups, separated by commas")
    parser.add_argument("--every", type=int, default=1, help="take one row of so many")
    parser.add_argument("--report", type=Path, help="write the table to this file, too")
    options = parser.parse_args()
    wanted = set(filter(None, options.only.split(",")))
    lines = ["| group | commands | same | differ |", "|---|---:|---:|---:|"]
    differences, totals = [], [0, 0]
    all_rows = list(rows())
    with tempfile.TemporaryDirectory(prefix="programs") as name:
        for group, needs in packages().items():
            if wanted and group not in wanted:
                continue
            missing = [package for package in needs if not is_installed(package)]
            if missing:
                lines.append(f"| {group} | skipped: no {', '.join(missing)} | | |")
                continue
            chosen = [row for row in all_rows if row.group == group][:: options.every]
            found = [compare(row, Path(name) / "work") for row in chosen]
            differing = [text for text in found if text]
            differences += differing
            same = len(chosen) - len(differing)
            totals = [totals[0] + len(chosen), totals[1] + same]
            lines.append(f"| {group} | {len(chosen)} | {same} | {len(differing)} |")
            print(lines[-1], *differing, sep="\n", file=sys.stderr, flush=True)
    lines.append(f"| all | {totals[0]} | {totals[1]} | {totals[0] - totals[1]} |")
    report = "\n".join([*lines, "", *differences])
    print(report)
    if options.report:
        options.report.write_text(report + "\n")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
