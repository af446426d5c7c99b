"""What is asked of a link: the inputs in command-line order, and the options that hold for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from pyldso.elf.constants import PAGE_SIZE, STV
from pyldso.errors import Diagnostic, PyldsoError


class InputFile(NamedTuple):
    """A file named by its path: assembly, C, object, archive or shared object.

    The switches are those of Library, for a shared object or an archive.
    """

    path: str
    is_as_needed: bool = False
    is_whole: bool = False
    is_binary: bool = False
    """Take the file as data, whatever it holds (`-b binary`)."""


class Library(NamedTuple):
    """A library named by `-lNAME`; `:libc.so.6` (ld's `-l:FILE`) names the file itself.

    `is_static` leaves shared objects out of the search, `is_as_needed` drops the library again
    when no reference is bound to it, `is_whole` takes all members of an archive.
    """

    name: str
    is_static: bool = False
    is_as_needed: bool = False
    is_whole: bool = False


LinkInput = InputFile | Library

FIXED_BASE = 0x400000
MAX_PAGE_SIZE = "max-page-size="
EDGE_VISIBILITY = "start-stop-visibility="
STACK_SIZE = "stack-size="
MAX_MAX_PAGE_SIZE = 1 << 30

Z_WORDS = frozenset((
    "combreloc", "common-page-size", "defs", "execstack", "global", "ibt", "ibtplt", "initfirst",
    "interpose", "lazy", "max-page-size", "muldefs", "nodefaultlib", "nodelete", "nodlopen",
    "noexecstack", "nopack-relative-relocs", "norelro", "noseparate-code", "notext", "now",
    "origin", "pack-relative-relocs", "relro", "separate-code", "shstk", "text", "undefs",
    "nodump", "loadfltr", "globalaudit", "stack-size", "nocopyreloc", "copyreloc", "baseline",
    "x86-64-baseline", "x86-64-v2", "x86-64-v3", "x86-64-v4", "dynamic-undefined-weak",
    "nodynamic-undefined-weak", "start-stop-visibility", "start-stop-gc", "nostart-stop-gc",
    "unique-symbol", "nounique-symbol",
    # what tunes or checks, and changes nothing here
    "common", "nocommon", "nocombreloc", "call-nop", "cet-report", "lam-u48", "lam-u57",
    "lam-u48-report", "lam-u57-report", "lam-report", "report-relative-reloc", "bndplt",
    "extern-protected-data", "noextern-protected-data", "indirect-extern-access",
    "noindirect-extern-access",
))  # fmt: skip
"""The words of `-z` that are understood; a value may follow after `=`."""

Z_PAIRS = (
    ("now", "lazy"), ("relro", "norelro"), ("defs", "undefs"), ("text", "notext"),
    ("execstack", "noexecstack"), ("separate-code", "noseparate-code"),
    ("pack-relative-relocs", "nopack-relative-relocs"), ("nocopyreloc", "copyreloc"),
    ("start-stop-gc", "nostart-stop-gc"), ("dynamic-undefined-weak", "nodynamic-undefined-weak"),
)  # fmt: skip
Z_CONTRARIES = dict(Z_PAIRS) | {second: first for first, second in Z_PAIRS}


def ignore_warning(warning: Diagnostic) -> None:
    """Let nobody hear of a warning."""


def ignore_line(line: str) -> None:
    """Let nobody read a line."""


class LinkOptions(NamedTuple):
    """The options of a link, in the words of ld(1)."""

    output: str = "a.out"
    inputs: Sequence[LinkInput] = ()
    is_shared: bool = False
    is_pie: bool = True
    """For an executable: ET_DYN if true, ET_EXEC at `image_base` if not."""
    is_relocatable: bool = False
    """Make one object of all (`-r`)."""
    is_static: bool = False
    """Take archives only; with `is_pie` a program that relocates itself (static-pie)."""
    soname: str | None = None
    entry: str | None = None
    library_path: Sequence[str] = ()
    takes_versioned_names: bool = True
    """Let `-lNAME` mean libNAME.so.1 where there is no libNAME.so; plain ld does not."""
    dynamic_linker: str | None = "/lib64/ld-linux-x86-64.so.2"
    rpath: Sequence[str] = ()
    uses_runpath: bool = True
    """DT_RUNPATH, or DT_RPATH where `--disable-new-dtags` asks for it."""
    wrap: Sequence[str] = ()
    undefined: Sequence[str] = ()
    """Names that `-u` makes undefined from the start."""
    export_dynamic: bool = False
    z_options: Sequence[str] = ()
    """The words of `-z`: now, lazy, relro, norelro, execstack, defs, nodelete, notext ..."""
    require_defined: Sequence[str] = ()
    """Names of `undefined` kind that something must define."""
    no_undefined: bool = False
    ignores_undefined: bool = False
    """Let a program leave its undefined symbols to the dynamic linker, and say nothing."""
    warns_of_undefined: bool = False
    """Let it, and say so."""
    allow_shlib_undefined: bool = False
    """Let the libraries of a program need what nothing in the link defines."""
    bsymbolic: bool = False
    bsymbolic_functions: bool = False
    version_script: str | None = None
    dynamic_lists: Sequence[str] = ()
    export_dynamic_symbols: Sequence[str] = ()
    """Names and patterns of `--export-dynamic-symbol`."""
    dynamic_list_globs: Sequence[str] = ()
    """Patterns of readable C++ names on the dynamic list."""
    dynamic_list_data: bool = False
    """Let the dynamic list have all variables."""
    export_dynamic_symbol_lists: Sequence[str] = ()
    """Files of such names."""
    filters: Sequence[str] = ()
    auxiliary: Sequence[str] = ()
    audit: Sequence[str] = ()
    depaudit: Sequence[str] = ()
    is_group: bool = False
    """`-Bgroup`: DF_1_GROUP."""
    eh_frame_header: bool = True
    relax: bool = True
    exclude_libs: Sequence[str] = ()
    """Archives whose symbols stay inside; `ALL` means all."""
    defsym: Sequence[str] = ()
    """`NAME=EXPRESSION` each."""
    gc_sections: bool = False
    print_gc_sections: bool = False
    gc_keep_exported: bool = False
    """Collect nothing that a program might export."""
    package_metadata: str | None = None
    """JSON for .note.package."""
    nostdlib: bool = False
    """Leave out libc."""
    nostartfiles: bool = False
    """Leave out pyldso's own `_start`."""
    build_id: str = "sha1"
    """`sha1`, `md5`, `uuid`, `none`, or `0x` and hexadecimal digits."""
    hash_style: str = "both"
    init: str = "_init"
    """The function of DT_INIT, where it is defined."""
    fini: str = "_fini"
    allow_multiple_definition: bool = False
    """Let the first of several definitions count."""
    image_base: int | None = None
    """Where the output starts: by default 0, or FIXED_BASE for a program at fixed addresses."""
    section_starts: Mapping[str, int] = MappingProxyType({})
    """By section the vaddr that `-Ttext`, `-Tdata`, `-Tbss` or `--section-start` gives it."""
    sort_section: str = ""
    """How the input sections of one output stand: `name` or `alignment`, else as they come."""
    emit_relocs: bool = False
    """Keep the relocations of the inputs in the output (`-q`)."""
    compress_debug: str = "none"
    """`zlib`, `zlib-gnu` (the form of old) or `none`."""
    cref: bool = False
    """Tell which files define and use each symbol."""
    strip_all: bool = False
    strip_debug: bool = False
    discard_locals: bool = False
    """Leave local symbols out of .symtab (`-x`)."""
    map_file: str | None = None
    """Where to tell what stands where; `-` is the standard output."""
    dependency_file: str | None = None
    """Where to write a rule for make that names all files which were read."""
    trace: bool = False
    trace_symbols: Sequence[str] = ()
    error_limit: int = 20
    demangles: bool = True
    """Show C++ names in messages as their source has them."""
    fatal_warnings: bool = False
    """Let the first warning be an error."""
    warns_of_text_relocations: bool = False
    warns_of_commons: bool = False
    verify: bool = False
    pic: bool = False
    """How sources among the inputs are compiled."""
    compiler_flags: tuple[str, ...] = ()
    warn: Callable[[Diagnostic], None] = ignore_warning
    """Called with each warning, in the order in which they are found."""
    say: Callable[[str], None] = ignore_line
    """Called with each line that an option asks to see."""

    @property
    def page_size(self) -> int:
        """The largest page that the output must do with (`-z max-page-size=`).

        Raises PyldsoError for what is no size of a page.
        """
        sizes = [word for word in self.z_options if word.startswith(MAX_PAGE_SIZE)]
        if not sizes:
            return PAGE_SIZE
        try:
            size = int(sizes[-1].removeprefix(MAX_PAGE_SIZE), 0)
        except ValueError:
            size = 0
        if not PAGE_SIZE <= size <= MAX_MAX_PAGE_SIZE or size & (size - 1):
            raise PyldsoError(f"-z {sizes[-1]}: use a power of two from 0x1000 to 0x40000000")
        return size

    @property
    def edge_visibility(self) -> int:
        """STV_* of `__start_NAME` and `__stop_NAME` (`-z start-stop-visibility=`)."""
        words = [word for word in self.z_options if word.startswith(EDGE_VISIBILITY)]
        name = words[-1].removeprefix(EDGE_VISIBILITY) if words else "protected"
        if name.upper() not in STV.__members__ or name != name.lower():
            raise PyldsoError(f"-z {words[-1]}: use default, internal, hidden or protected")
        return int(STV[name.upper()])

    @property
    def stack_size(self) -> int:
        """The size of the stack that the output asks for (`-z stack-size=`), 0 for any."""
        sizes = [word for word in self.z_options if word.startswith(STACK_SIZE)]
        try:
            size = int(sizes[-1].removeprefix(STACK_SIZE), 0) if sizes else 0
        except ValueError:
            size = -1
        if not 0 <= size < 1 << 63:
            raise PyldsoError(f"-z {sizes[-1]}: use a number of bytes")
        return size

    @property
    def search_path(self) -> str:
        """All of `rpath` in one, without what is there already, as GNU ld writes it."""
        path = ""
        for word in self.rpath:
            if f":{word}:" not in f":{path}:":
                path = f"{path}:{word}" if path else word
        return path

    @property
    def interpreter(self) -> str | None:
        """The program that PT_INTERP names, None where the output has none."""
        return None if self.is_shared or self.is_static else self.dynamic_linker

    def has_z(self, word: str) -> bool:
        """Tell whether `-z word` was given, and not its contrary after it."""
        contrary = Z_CONTRARIES.get(word)
        chosen = [one for one in self.z_options if one in (word, contrary)]
        return chosen[-1:] == [word]
