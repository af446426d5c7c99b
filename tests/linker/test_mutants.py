"""Damaged inputs of every kind end in an output or in one clear error, whatever is linked.

The tests try a sample; `make fuzz-link` tries 20,000 (PYLDSO_LINK_MUTANTS).
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest
from linker.mutants import Fields, Mutant, archive_fields, elf_fields, mutate, mutate_text
from linker.workers import try_all

from pyldso.errors import PyldsoError
from pyldso.link import link
from pyldso.linker.options import InputFile, LinkOptions

MUTANTS = int(os.environ.get("PYLDSO_LINK_MUTANTS", "400"))
LONGEST_MESSAGE = 60_000

CPLUSPLUS = r"""
#include <stdexcept>
#include <string>
template <class T> T total(T x) { static T sum; sum += x; if (sum > 5) throw std::string("much");
    return sum; }
thread_local int own = 3;
int common;
const char *words[] = {"abc", "defg"};
int entry(int argc, char **) { try { return total(argc) + own + common; }
    catch (std::string &text) { return words[argc & 1][0] + (int)text.size(); } }
"""
PROGRAM = r"""
extern int shared_data[4]; int shared_call(int); extern __thread int shared_tls;
static __thread int counter = 1; __thread int zeroed; int tentative[7];
__attribute__((weak)) int absent(void);
static int chosen(void) { return 1; }
static void *resolve(void) { return chosen; }
int picked(void) __attribute__((ifunc("resolve")));
const char *const names[] = {"one", "two", "three"}; const char *plain = "two";
__attribute__((section("things"))) int thing = 5; extern int __start_things[], __stop_things[];
__attribute__((constructor)) static void begin(void) { counter++; }
int helper(int); static inline int twice(int x) { return 2 * x; }
int main(int argc, char **argv) { return shared_call(argc) + shared_data[1] + counter + zeroed
    + (absent ? absent() : 0) + picked() + names[argc][0] + tentative[argc] + thing
    + (int)(__stop_things - __start_things) + helper(twice(argc)) + shared_tls; }
void _start(void) { main(1, 0); for (;;); }
"""
HELPER = "int unused_helper(void) { return 3; } int helper(int x) { return x + 1; }"
SHARED = r"""
int shared_data[4] = {1, 2, 3, 4}; int shared_call(int x) { return x; } __thread int shared_tls = 7;
"""
LIBRARY = (
    SHARED
    + r"""
int old_call(int x) { return x; } int new_call(int x) { return -x; }
__asm__(".symver old_call, versioned@V1"); __asm__(".symver new_call, versioned@@V2");
"""
)
LIBRARY_VERSIONS = "V1 { global: shared_*; local: old_call; new_call; }; V2 { } V1;"
VERSION_SCRIPT = """V1 { global: main; extern "C++" { "total<int>(int)"; std::*; }; local: *; };
V2 { global: b*; [ab]?; } V1; /* end */
"""
DYNAMIC_LIST = """{ main; help*; extern "C++" { "total<int>(int)"; }; };
"""
SCRIPT = """/* GNU ld script */ OUTPUT_FORMAT(elf64-x86-64)
GROUP ( helper.a AS_NEEDED ( lib.so ) ) INPUT(lib.so)
"""

KINDS: tuple[dict[str, object], ...] = (
    {},
    {"gc_sections": True, "print_gc_sections": True},
    {"is_relocatable": True},
    {"is_shared": True, "version_script": "ok.map", "soname": "s.so"},
    {"is_shared": True, "dynamic_lists": ["ok.list"], "gc_sections": True, "hash_style": "sysv"},
    {"z_options": ["pack-relative-relocs", "now"], "map_file": "out.maptext"},
    {"trace_symbols": ["main"], "trace": True, "dependency_file": "out.d"},
    {"defsym": ["other=main+4"], "strip_debug": True, "is_pie": False},
    {"is_pie": False, "is_static": True},
    {"is_static": True, "strip_all": True},
    {"z_options": ["notext", "noseparate-code", "ibtplt"], "is_shared": True},
    {"wrap": ["helper"], "discard_locals": True, "bsymbolic": True, "is_shared": True},
    {"export_dynamic": True, "allow_shlib_undefined": True, "build_id": "md5"},
)
LIBRARY_NAME = "lib.so"


class Files:
    """The pristine inputs in the current folder, and how each takes part in a link."""

    def __init__(self) -> None:
        names = ("program.o", "cplusplus.o", "helper.a", "thin.a", LIBRARY_NAME)
        self.pristine = {name: Path(name).read_bytes() for name in names}
        readers = {".o": elf_fields, ".so": elf_fields, ".a": archive_fields}
        self.fields: dict[str, Fields] = {
            name: readers[Path(name).suffix](data)
            for name, data in self.pristine.items()
            if name != "thin.a"
        }
        self.texts = {"ok.map": VERSION_SCRIPT, "ok.list": DYNAMIC_LIST, "script": SCRIPT}
        self.names = (*names, *names[:2], *self.texts)

    def mutant(self, name: str, chance: Random) -> Mutant:
        """Return a mutant of one of the files."""
        if name in self.texts:
            return mutate_text(self.texts[name], chance)
        if name == "thin.a":
            text = mutate_text(self.pristine[name].decode("latin-1"), chance)
            return text._replace(
                data=text.data.decode("utf-8", "replace").encode("latin-1", "replace")
            )
        return mutate(self.pristine[name], self.fields[name], chance)

    def try_mutant(self, number: int) -> str:
        """Link one mutant; return what is wrong with what came out."""
        chance = Random(number)
        name = self.names[number % len(self.names)]
        kind = dict(KINDS[number // len(self.names) % len(KINDS)])
        mutant = self.mutant(name, chance)
        changed = f"{os.getpid()}_{name}"
        Path(changed).write_bytes(mutant.data)
        if name == "cplusplus.o":
            kind["ignores_undefined"] = True  # the C++ library is not linked
        if name.endswith(".map"):
            kind |= {"version_script": changed, "is_shared": True, "is_relocatable": False}
        elif name.endswith(".list"):
            kind |= {"dynamic_lists": [changed], "is_relocatable": False}
        problem = self.outcome(self.inputs(name, changed, kind), kind)
        return f"{name} {kind}: {mutant.changes}: {problem}" if problem else ""

    def inputs(self, name: str, changed: str, kind: dict[str, object]) -> list[InputFile]:
        """Return what is linked: the mutant in the place of the file that it was."""
        words = ["program.o", "helper.a", LIBRARY_NAME]
        if kind.get("is_relocatable") or kind.get("is_static"):
            words[-1] = "shared.o"
        if name in ("cplusplus.o", "thin.a", "script"):
            words.insert(1, name)
        if name == LIBRARY_NAME and name not in words:
            words.append(name)
        is_whole = bool(kind.get("is_relocatable"))
        return [InputFile(changed if word == name else word, is_whole=is_whole) for word in words]

    def outcome(self, inputs: list[InputFile], kind: dict[str, object]) -> str:
        """Link, and return what is neither an output nor a clear error."""
        output = Path(f"{os.getpid()}_out")
        output.unlink(missing_ok=True)
        options = LinkOptions(
            output=str(output), inputs=inputs, nostdlib=True, nostartfiles=True, **kind
        )
        try:
            link(options)
        except PyldsoError as error:
            text = error.render()
            if output.exists():
                return "an output although there was an error"
            if not text.startswith("error: ") or len(text) > LONGEST_MESSAGE:
                return f"no clear error: {text[:200]}"
            return ""
        first = output.read_bytes()
        if len(first) % 8 == 0:  # a part of them, to save time
            link(options)
            if output.read_bytes() != first:
                return "another output from the same inputs"
        return ""


@pytest.fixture
def files(bench) -> Files:
    flags = ("-g", "-O1", "-ffunction-sections", "-fPIC")
    bench.compile("cplusplus.o", CPLUSPLUS, *flags, compiler="g++")
    bench.compile("program.o", PROGRAM, *flags, "-fdata-sections")
    bench.compile("helper.o", HELPER, "-g", "-fPIC")
    bench.compile("a_member_with_a_long_name.o", "int long_member(void) { return 1; }", "-fPIC")
    bench.tool("ar", "rcs", "helper.a", "helper.o", "a_member_with_a_long_name.o")
    bench.tool("ar", "rcsT", "thin.a", "helper.o", "a_member_with_a_long_name.o")
    (bench.folder / "versions").write_text(LIBRARY_VERSIONS)
    bench.compile("lib.o", LIBRARY, "-fPIC")
    bench.compile("shared.o", SHARED, "-fPIC")
    bench.tool("gcc", "-shared", "-nostdlib", "-Wl,--hash-style=both,--version-script=versions",
               "-Wl,-soname,lib.so", "-o", LIBRARY_NAME, "lib.o")  # fmt: skip
    for name, text in (("ok.map", VERSION_SCRIPT), ("ok.list", DYNAMIC_LIST), ("script", SCRIPT)):
        (bench.folder / name).write_text(text)
    return Files()


def test_what_is_not_damaged_is_linked_in_every_kind(files) -> None:
    for kind in KINDS:
        for name in ("program.o", "cplusplus.o", "script"):
            if name == "script" and (kind.get("is_static") or kind.get("is_relocatable")):
                continue  # it names a shared object
            if name == "cplusplus.o" and not (kind.get("is_shared") or kind.get("is_relocatable")):
                continue  # a program would want the C++ library
            inputs = files.inputs(name, name, dict(kind))
            link(LinkOptions(output="out", inputs=inputs, nostdlib=True, nostartfiles=True, **kind))


def test_mutants_are_linked_or_refused(files) -> None:
    processes = min(os.cpu_count() or 1, 8) if MUTANTS > 1000 else 1
    problems = try_all(files.try_mutant, MUTANTS, processes)
    assert not problems, "\n".join(problem[-3000:] for problem in problems)


def test_bytecode_of_the_compiler_is_refused(bench, pyldso) -> None:
    bench.compile("m.o", "int main(void) { return 0; }", "-flto", "-fno-fat-lto-objects")
    done = pyldso("link", "m.o")
    assert done.returncode == 1
    assert "m.o: the object holds LTO bytecode" in done.stderr
