"""Where libraries are found, and what LD_DEBUG and ldd show of it: compared with the real ld.so."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Completed, natively_without_aslr

from .conftest import LD_SO, Native
from .test_features import Feature

Pyldso = Callable[..., Completed]
Tool = Callable[..., Completed]


def plain(text: str) -> list[str]:
    """Return the lines without process ids and addresses."""
    lines = [re.sub(r"^ +\d+:\t|0x[0-9a-f]+", "", line) for line in text.splitlines()]
    lines = [line.replace("/./", "/") for line in lines]
    return [line.rstrip() for line in lines if line.strip()]


@pytest.fixture
def tree(tmp_path: Path, tool: Tool) -> Path:
    """Return a folder with the same library, telling its place, in a/, b/ and c/, and programs."""
    (tmp_path / "main.c").write_text(
        "#include <stdio.h>\nconst char *place(void);\n"
        "int main(void) { puts(place()); return 0; }\n"
    )
    for name in "abc":
        (tmp_path / name).mkdir()
        source = f'const char *place(void) {{ return "{name}"; }}\n'
        (tmp_path / name / "place.c").write_text(source)
        out = f"{name}/libplace.so"
        tool("gcc", "-shared", "-fpic", "-o", out, f"{name}/place.c", cwd=tmp_path)
    for program, options in {
        "plain": (),
        "runpath": ("-Wl,-rpath,$ORIGIN/nope:$ORIGIN/b", "-Wl,--enable-new-dtags"),
        "rpath": ("-Wl,-rpath,${ORIGIN}/nope:${ORIGIN}/b", "-Wl,--disable-new-dtags"),
    }.items():
        tool("gcc", "-o", program, "main.c", "-La", "-lplace", *options, cwd=tmp_path)
    return tmp_path


@pytest.mark.parametrize("program", ["plain", "runpath", "rpath"])
@pytest.mark.parametrize("library_path", ["", "a", "nope:c", ":a", "a;c"])
def test_library_search(
    program: str, library_path: str, tree: Path, native: Native, pyldso: Pyldso
) -> None:
    real = native(f"./{program}", LD_LIBRARY_PATH=library_path)
    ours = pyldso("run", f"./{program}", LD_LIBRARY_PATH=library_path)
    assert (ours.stdout, ours.stderr, ours.returncode) == (
        real.stdout,
        real.stderr,
        real.returncode,
    )


def test_library_path_option_and_inhibited_rpath(
    tree: Path, native: Native, pyldso: Pyldso
) -> None:
    for options in (
        ("--library-path", "c"),
        ("--inhibit-rpath", "./rpath", "--library-path", "a"),
        ("--inhibit-rpath", "", "--library-path", "a"),  # the program's own name
        ("--inhibit-rpath", "x:y"),
    ):
        real = native(str(LD_SO), *options, "./rpath")
        ours = pyldso("run", *options, "./rpath")
        assert (ours.stdout, ours.returncode) == (real.stdout, real.returncode)


@pytest.fixture
def suspects(program: Path, tool: Tool) -> Path:
    """Return the program's folder, with an unused library, a lazy reference and a static file."""
    (program.parent / "unused.c").write_text("int absent(void); int f(void) { return absent(); }")
    options = ("-Wl,--no-as-needed", "-Wl,--unresolved-symbols=ignore-all", "-Wl,-z,lazy")
    words = ("gcc", "-shared", "-fpic", "-o", "libunused.so", "unused.c")
    tool(*words, cwd=program.parent)
    libraries = ("./libvector.so", "./libunused.so")
    tool("gcc", *options, "-o", "suspect", "main.c", *libraries, cwd=program.parent)
    return program.parent


@pytest.mark.parametrize(
    "variables",
    [
        "LD_VERBOSE=1",
        "LD_WARN=1",
        "LD_WARN=1 LD_BIND_NOW=1",
        "LD_DEBUG=unused",
        "LD_PRELOAD=./libunused.so",
        "LD_LIBRARY_PATH=/nonexistent",
    ],
)
@pytest.mark.parametrize("name", ["./suspect", "./prog2l"])
def test_listing_variables(
    variables: str, name: str, suspects: Path, native: Native, pyldso: Pyldso
) -> None:
    given = dict(word.split("=") for word in variables.split()) | {"LD_TRACE_LOADED_OBJECTS": ""}
    real = native(name, **given)
    ours = pyldso("run", *(w for k, v in given.items() for w in ("-E", f"{k}={v}")), name)
    assert plain(ours.stdout) == plain(real.stdout)
    assert (ours.stderr, ours.returncode) == (real.stderr, real.returncode)


@pytest.mark.parametrize("option", ["--list", "--verify"])
@pytest.mark.parametrize(
    "name",
    [
        "./libvector.so",
        "./main.c",
        "./missing",
        "/lib64/ld-linux-x86-64.so.2",
        "/bin/ls",
        "./prog2l",
    ],
)
def test_list_and_verify_take_anything(
    option: str, name: str, program: Path, native: Native, pyldso: Pyldso
) -> None:
    real, ours = native(str(LD_SO), option, name), pyldso("run", option, name)
    assert plain(ours.stdout) == plain(real.stdout)
    assert (ours.stderr, ours.returncode) == (real.stderr, real.returncode)


def test_preloads_come_in_the_order_of_ld_so(
    suspects: Path, native: Native, pyldso: Pyldso
) -> None:
    options = ("--preload", "./libunused.so ./no.so:./libvector.so", "--list", "./prog2l")
    real = native(str(LD_SO), *options, LD_PRELOAD="./none.so ./libvector.so")
    ours = pyldso("run", "-E", "LD_PRELOAD=./none.so ./libvector.so", *options)
    assert plain(ours.stdout) == plain(real.stdout)
    assert (ours.stderr, ours.returncode) == (real.stderr, real.returncode)


def test_auxiliary_vector_is_shown(program: Path, native: Native, pyldso: Pyldso) -> None:
    """All that both kernels give; pointers and the size of a signal frame differ."""

    def entries(text: str) -> dict[str, str]:
        rows = (line.split(":", 1) for line in text.splitlines() if line.startswith("AT_"))
        own = ("AT_MINSIGSTKSZ", "AT_HWCAP", "AT_HWCAP2")
        known = {name: value for name, value in rows if name not in own and "?" not in name}
        return {name: re.sub("0x[0-9a-f]{6,}", "0x", value) for name, value in known.items()}

    real = native("./prog2l", LD_SHOW_AUXV="")
    ours = pyldso("run", "-E", "LD_SHOW_AUXV=", "./prog2l")
    assert entries(ours.stdout) == entries(real.stdout)
    assert ours.stdout.endswith("\nz = [4 6]\n")


def test_file_for_a_better_cpu_is_refused(
    program: Path, tool: Tool, native: Native, pyldso: Pyldso
) -> None:
    """The words are those of glibc's dl-prop.h: the tests' own CPU may be good enough."""
    for level, is_fit in (("v2", True), ("v3", False), ("v4", False)):
        words = ("-shared", "-fpic", f"-Wl,-z,x86-64-{level}", "-o", "libvector.so", "vector.c")
        tool("gcc", *words, cwd=program.parent)
        completed = pyldso("run", "./prog2l")
        if is_fit:
            assert completed.stdout == "z = [4 6]\n"
        else:
            text = "./libvector.so: CPU ISA level is lower than required\n"
            assert (completed.stderr, completed.returncode) == (text, 127)


def test_list_prints_what_ldd_prints(tree: Path, native: Native, pyldso: Pyldso) -> None:
    for program in ("./plain", "./runpath", "/bin/ls"):
        real = native("ldd", program)
        ours = pyldso("run", "--list", program)
        assert plain(ours.stdout) == plain(real.stdout)
        assert ours.returncode == real.returncode


def test_list_gives_addresses(program: Path, pyldso: Pyldso) -> None:
    lines = pyldso("run", "--list", "./prog2l").stdout.splitlines()
    assert re.fullmatch(r"\tlinux-vdso\.so\.1 \(0x00007ffff7[0-9a-f]{6}\)", lines[0])
    assert re.fullmatch(r"\t\./libvector\.so \(0x00007ffff7[0-9a-f]{6}\)", lines[1])


@natively_without_aslr
def test_addresses_are_those_without_randomisation(
    program: Path, native: Native, pyldso: Pyldso
) -> None:
    listing = ("setarch", "-R", "env", "LD_TRACE_LOADED_OBJECTS=1")
    for name in ("./prog2l", "/bin/ls", "/usr/bin/bash"):
        real = native(*listing, name)
        assert real.returncode == 0
        assert pyldso("run", "--list", name).stdout == real.stdout


def test_addresses_stay_and_aslr_moves_them(program: Path, pyldso: Pyldso) -> None:
    def addresses(*options: str) -> str:
        return pyldso("run", *options, "--list", "./prog2l").stdout

    assert addresses() == addresses()
    assert addresses("--aslr=1") == addresses("--aslr=1")
    assert len({addresses(), addresses("--aslr=1"), addresses("--aslr=2")}) == 3
    moved = pyldso("run", "--aslr", "./prog2l")
    assert (moved.stdout, moved.returncode) == ("z = [4 6]\n", 0)


@pytest.mark.parametrize("word", ["files", "versions", "scopes", "bindings", "reloc", "libs"])
def test_debug_prints_what_ld_debug_prints(
    word: str, program: Path, native: Native, pyldso: Pyldso
) -> None:
    """Lines of each topic agree; lookups that the real one keeps in its cache may come twice."""
    real = plain(native("./prog2l", LD_DEBUG=word).stderr)
    ours = plain(pyldso("run", f"--debug={word}", "./prog2l").stderr)
    if word == "libs":  # later glibcs have no tls/ and x86_64/ folders, and no AVX here
        real = [line for line in real if "/tls" not in line and "/x86_64/" not in line]
    # The real ld.so binds malloc and its kin for itself, and its own code is not entered here.
    own = ("to /lib64/ld-linux", "`malloc'", "`calloc'", "`realloc'", "`free'")
    allowed = {line for line in real if any(text in line for text in own)}
    assert set(ours) - set(real) == set()
    assert set(real) - set(ours) - allowed == set()


@pytest.mark.parametrize(
    ("feature", "words", "arguments"),
    [
        ("order", ("files", "scopes", "bindings", "libs"), ("./dl", "./libb.so", "./libarr.so")),
        ("unloading", ("files", "scopes", "bindings"), ("./main",)),
        ("namespaces", ("files", "versions", "reloc", "libs"), ("./main",)),
    ],
)
def test_debug_follows_dlopen_and_dlclose(
    feature: str,
    words: tuple[str, ...],
    arguments: tuple[str, ...],
    tmp_path: Path,
    tool: Tool,
    native: Native,
    pyldso: Pyldso,
) -> None:
    """Line by line, but for what ld.so does for itself and folders of other glibcs and CPUs."""
    own = (
        "ld-linux",
        "`malloc'",
        "`calloc'",
        "`realloc'",
        "`free'",
        "/tls",
        "/x86_64/",
        "v3",
        "v4",
    )

    def lines(text: str) -> list[str]:
        return [line for line in plain(text) if not any(word in line for word in own)]

    Feature(Path(__file__).parent / "features" / f"{feature}.c").build(tmp_path, tool)
    for word in words:
        real = native(*arguments, LD_DEBUG=word)
        ours = pyldso("run", f"--debug={word}", *arguments)
        assert lines(ours.stderr) == lines(real.stderr), word


def test_bindings_come_lazily_and_in_order(program: Path, native: Native, pyldso: Pyldso) -> None:
    def of_program(text: str) -> list[str]:
        return [line for line in plain(text) if line.startswith("binding file ./prog2l")]

    lazy = pyldso("run", "--debug=bindings", "./prog2l")
    assert (
        of_program(lazy.stderr)[-2:]
        == of_program(native("./prog2l", LD_DEBUG="bindings").stderr)[-2:]
    )
    assert "`addvec'" in of_program(lazy.stderr)[-2]
    early = pyldso("run", "--debug=libs,bindings", "--bind-now", "./prog2l").stderr
    assert early.index("symbol `addvec'") < early.index("transferring control")
    late = pyldso("run", "--debug=libs,bindings", "./prog2l").stderr
    assert late.index("symbol `addvec'") > late.index("transferring control")


def test_statistics_count_relocations(program: Path, pyldso: Pyldso) -> None:
    text = pyldso("run", "--debug=statistics", "./prog2l").stderr
    start, final = re.findall(r"number of relocations: (\d+)", text)
    assert int(final) >= int(start) + 2  # addvec and printf at least are bound lazily


def test_debug_output_goes_to_a_file(program: Path, pyldso: Pyldso) -> None:
    completed = pyldso("run", "--debug=libs", "--debug-output=trace", "./prog2l")
    assert completed.stderr == ""
    (written,) = program.parent.glob("trace.*")
    assert "transferring control: ./prog2l" in written.read_text()


def test_interp_is_the_kernels_way(program: Path, pyldso: Pyldso) -> None:
    completed = pyldso("run", "--interp", "-E", "LD_DEBUG=libs", "./prog2l")
    assert completed.stdout == "z = [4 6]\n"
    assert "transferring control: ./prog2l" in completed.stderr


def test_library_text_is_mapped_from_the_file(
    tmp_path: Path, tool: Tool, native: Native, pyldso: Pyldso
) -> None:
    """/proc/self/maps shows the files with the permissions that the real ld.so gives them."""
    source = '#include <stdio.h>\nint main(void) { FILE *f = fopen("/proc/self/maps", "r"); int c;'
    source += "while ((c = getc(f)) != EOF) putchar(c); return 0; }"
    (tmp_path / "maps.c").write_text(source)
    tool("gcc", "-o", "maps", "maps.c", cwd=tmp_path)

    def files(text: str) -> list[tuple[str, str, str]]:
        rows = [line.split() for line in text.splitlines()]
        return [(row[1], row[2], row[5]) for row in rows if len(row) > 5 and row[5][0] == "/"]

    def places(text: str) -> list[str]:
        return [line.split("-")[0] for line in text.splitlines() if "/maps" in line]

    real = native("setarch", "-R", "./maps").stdout
    ours = pyldso("run", "./maps").stdout
    assert sorted(files(ours)) == sorted(files(real))
    assert places(ours) == places(real)


def test_libc_that_cannot_be_probed_is_left_to_its_own_ld_so(
    program: Path, native: Native, pyldso: Pyldso
) -> None:
    """Here dladdr of libc.so.6 only returns: where ld.so's hook for it would be does not show."""
    lines = pyldso("run", "--list", "./prog2l").stdout.splitlines()
    path = next(line.split()[2] for line in lines if "libc.so.6" in line)
    table = native("readelf", "-sW", "--dyn-syms", path).stdout
    row = next(line.split() for line in table.splitlines() if " dladdr@@" in line)
    data = bytearray(Path(path).read_bytes())
    offset = int(row[1], 16)  # text is mapped where it stands in the file
    data[offset : offset + 3] = b"\x31\xc0\xc3"  # xor %eax,%eax; ret
    (program.parent / "libc.so.6").write_bytes(data)
    completed = pyldso("run", "--library-path", ".", "./prog2l")
    assert (completed.stdout, completed.returncode) == ("z = [4 6]\n", 0)
    (line,) = completed.stderr.splitlines()
    assert line.startswith("pyldso: warning: ./libc.so.6: dladdr does not read")
    assert line.endswith("starting the program's own dynamic linker")
