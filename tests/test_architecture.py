"""The layers of the house, checked over every import statement of every module.

Imports go downward only, rooms on one line do not know each other, and each native library has one
importer. A line of LAYERS may import from the lines below it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LAYERS = [
    {"cli"},
    {"pyldso.mkso"},  # assembles, and lets link make the shared object
    {"pyldso.link", "pyldso.run"},
    {"pyldso.sources", "pyldso.verify"},
    {"pyldso.trace"},
    {"pyldso.ldso"},
    {"pyldso.asm", "pyldso.linker", "pyldso.kernel"},
    {"pyldso.arch"},
    {"pyldso.elf"},
    {"pyldso.output"},
    {"pyldso.events"},
    {"pyldso.spelling"},
    {"pyldso.errors"},
    {"pyldso"},
]

SOLE_IMPORTERS = {
    "keystone": None,
    "unicorn": None,
    "lief": "pyldso.verify",
    "click": "cli.front",
    "numpy": None,
}

FILES = sorted((ROOT / "pyldso").rglob("*.py")) + sorted((ROOT / "cli").rglob("*.py"))
MODULES = {path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."): path
           for path in FILES}  # fmt: skip
MODULES = {name.removesuffix(".__init__"): path for name, path in MODULES.items()}


def imported_names(module: str) -> Iterator[tuple[str, int]]:
    """Yield the full name of everything that `module` imports, wherever the import stands."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            origin = ".".join(part for part in (base, node.module or "") if part)
            for alias in node.names:
                name = f"{origin}.{alias.name}"
                yield (name if name in MODULES else origin), node.lineno


def room(name: str) -> str | None:
    """Return the room of LAYERS that a module is in, or None where it is not ours."""
    rooms = [room for layer in LAYERS for room in layer if f"{name}.".startswith(f"{room}.")]
    return max(rooms, key=len, default=None)


def depth(room_name: str) -> int:
    return next(index for index, layer in enumerate(LAYERS) if room_name in layer)


def test_every_module_stands_in_a_room_of_its_own() -> None:
    strangers = [name for name in MODULES if room(name) == "pyldso" and name != "pyldso"]
    assert strangers == []


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_go_downward_only(module: str) -> None:
    own = room(module)
    assert own is not None
    wrong = []
    for name, line in imported_names(module):
        other = room(name)
        if other is not None and other != own and depth(other) <= depth(own):
            wrong.append(f"{MODULES[module]}:{line}: {own} imports {name}")
    assert wrong == []


@pytest.mark.parametrize("library", sorted(SOLE_IMPORTERS))
def test_a_native_library_has_one_importer(library: str) -> None:
    importers = {
        module
        for module in MODULES
        for name, _ in imported_names(module)
        if name.split(".")[0] == library
    }
    assert importers <= {SOLE_IMPORTERS[library]}


def test_only_the_command_line_prints_or_exits() -> None:
    wrong = []
    for module, path in MODULES.items():
        if room(module) == "cli":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called in {"print", "sys.exit", "exit", "quit"}:
                    wrong.append(f"{path}:{node.lineno}: {called}")
    assert wrong == []


def test_an_assertion_never_guards_an_input() -> None:
    wrong = [
        f"{path}:{node.lineno}"
        for path in MODULES.values()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assert)
    ]
    assert wrong == []


def test_packages_keep_nothing_but_a_docstring_in_their_init() -> None:
    for path in FILES:
        if path.name == "__init__.py" and path.parent != ROOT / "pyldso":
            statements = ast.parse(path.read_text()).body
            assert len(statements) == 1
            assert isinstance(statements[0], ast.Expr)


def test_every_package_is_installed() -> None:
    import tomllib

    with (ROOT / "pyproject.toml").open("rb") as file:
        packages = set(tomllib.load(file)["tool"]["setuptools"]["packages"])
    found = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    assert packages == {name.replace("cli", "pyldso_cli", 1) if name == "cli" else name
                        for name in found}  # fmt: skip
