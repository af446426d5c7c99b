"""The numbers of the gABI and its supplements: `PT.LOAD` is the specification's PT_LOAD."""

from __future__ import annotations

from enum import IntEnum, IntFlag

ELFMAG = b"\x7fELF"
ELFCLASS32, ELFCLASS64 = 1, 2
ELFDATA2LSB, ELFDATA2MSB = 1, 2
EV_CURRENT = 1
ELFOSABI_NONE, ELFOSABI_GNU = 0, 3

PAGE_SIZE = 0x1000


class ET(IntEnum):
    """e_type (gABI ch. 4, ELF header)."""

    NONE = 0
    REL = 1
    EXEC = 2
    DYN = 3
    CORE = 4


class EM(IntEnum):
    """e_machine, of the machines worth naming in a message."""

    I386 = 3
    ARM = 40
    X86_64 = 62
    AARCH64 = 183
    RISCV = 243


class PT(IntEnum):
    """p_type (gABI ch. 5, program header)."""

    NULL = 0
    LOAD = 1
    DYNAMIC = 2
    INTERP = 3
    NOTE = 4
    PHDR = 6
    TLS = 7
    GNU_EH_FRAME = 0x6474E550
    GNU_STACK = 0x6474E551
    GNU_RELRO = 0x6474E552
    GNU_PROPERTY = 0x6474E553


class PF(IntFlag):
    """p_flags."""

    X = 1
    W = 2
    R = 4


class SHT(IntEnum):
    """sh_type (gABI ch. 4, sections)."""

    NULL = 0
    PROGBITS = 1
    SYMTAB = 2
    STRTAB = 3
    RELA = 4
    HASH = 5
    DYNAMIC = 6
    NOTE = 7
    NOBITS = 8
    REL = 9
    DYNSYM = 11
    INIT_ARRAY = 14
    FINI_ARRAY = 15
    PREINIT_ARRAY = 16
    GROUP = 17
    SYMTAB_SHNDX = 18
    RELR = 19
    GNU_HASH = 0x6FFFFFF6
    GNU_VERDEF = 0x6FFFFFFD
    GNU_VERNEED = 0x6FFFFFFE
    GNU_VERSYM = 0x6FFFFFFF
    X86_64_UNWIND = 0x70000001


class SHF(IntFlag):
    """sh_flags."""

    WRITE = 0x1
    ALLOC = 0x2
    EXECINSTR = 0x4
    MERGE = 0x10
    STRINGS = 0x20
    INFO_LINK = 0x40
    LINK_ORDER = 0x80
    GROUP = 0x200
    TLS = 0x400
    COMPRESSED = 0x800
    GNU_RETAIN = 0x200000
    X86_64_LARGE = 0x10000000
    EXCLUDE = 0x80000000


class SHN(IntEnum):
    """Special section indices of st_shndx."""

    UNDEF = 0
    LORESERVE = 0xFF00
    X86_64_LCOMMON = 0xFF02
    ABS = 0xFFF1
    COMMON = 0xFFF2
    XINDEX = 0xFFFF


class STB(IntEnum):
    """Symbol binding, the upper half of st_info."""

    LOCAL = 0
    GLOBAL = 1
    WEAK = 2
    GNU_UNIQUE = 10


class STT(IntEnum):
    """Symbol type, the lower half of st_info."""

    NOTYPE = 0
    OBJECT = 1
    FUNC = 2
    SECTION = 3
    FILE = 4
    COMMON = 5
    TLS = 6
    GNU_IFUNC = 10


class STV(IntEnum):
    """Symbol visibility, the low bits of st_other."""

    DEFAULT = 0
    INTERNAL = 1
    HIDDEN = 2
    PROTECTED = 3


class DT(IntEnum):
    """d_tag (gABI ch. 5, dynamic section; the GNU ones from glibc's elf.h)."""

    NULL = 0
    NEEDED = 1
    PLTRELSZ = 2
    PLTGOT = 3
    HASH = 4
    STRTAB = 5
    SYMTAB = 6
    RELA = 7
    RELASZ = 8
    RELAENT = 9
    STRSZ = 10
    SYMENT = 11
    INIT = 12
    FINI = 13
    SONAME = 14
    RPATH = 15
    SYMBOLIC = 16
    REL = 17
    RELSZ = 18
    RELENT = 19
    PLTREL = 20
    DEBUG = 21
    TEXTREL = 22
    JMPREL = 23
    BIND_NOW = 24
    INIT_ARRAY = 25
    FINI_ARRAY = 26
    INIT_ARRAYSZ = 27
    FINI_ARRAYSZ = 28
    RUNPATH = 29
    FLAGS = 30
    PREINIT_ARRAY = 32
    PREINIT_ARRAYSZ = 33
    RELRSZ = 35
    RELR = 36
    RELRENT = 37
    GNU_HASH = 0x6FFFFEF5
    TLSDESC_PLT = 0x6FFFFEF6
    TLSDESC_GOT = 0x6FFFFEF7
    VERSYM = 0x6FFFFFF0
    RELACOUNT = 0x6FFFFFF9
    FLAGS_1 = 0x6FFFFFFB
    VERDEF = 0x6FFFFFFC
    VERDEFNUM = 0x6FFFFFFD
    VERNEED = 0x6FFFFFFE
    VERNEEDNUM = 0x6FFFFFFF
    DEPAUDIT = 0x6FFFFEFB
    AUDIT = 0x6FFFFEFC
    AUXILIARY = 0x7FFFFFFD
    FILTER = 0x7FFFFFFF


class DF(IntFlag):
    """DT_FLAGS."""

    ORIGIN = 1
    SYMBOLIC = 2
    TEXTREL = 4
    BIND_NOW = 8
    STATIC_TLS = 16


class DF1(IntFlag):
    """DT_FLAGS_1 (glibc's elf.h, DF_1_*)."""

    NOW = 0x1
    GLOBAL = 0x2
    GROUP = 0x4
    NODELETE = 0x8
    LOADFLTR = 0x10
    INITFIRST = 0x20
    NOOPEN = 0x40
    ORIGIN = 0x80
    INTERPOSE = 0x400
    NODEFLIB = 0x800
    NODUMP = 0x1000
    GLOBAUDIT = 0x1000000
    PIE = 0x8000000


VERSYM_HIDDEN = 0x8000
VERSYM_VERSION = 0x7FFF
VER_NDX_LOCAL, VER_NDX_GLOBAL = 0, 1
VER_FLG_BASE, VER_FLG_WEAK = 1, 2

NT_FDO_PACKAGING_METADATA = 0xCAFE1A7E
NT_GNU_ABI_TAG, NT_GNU_BUILD_ID, NT_GNU_PROPERTY_TYPE_0 = 1, 3, 5
GNU_PROPERTY_X86_FEATURE_1_AND = 0xC0000002
GNU_PROPERTY_X86_ISA_1_NEEDED = 0xC0008002
GNU_PROPERTY_1_NEEDED, GNU_PROPERTY_1_NEEDED_INDIRECT_EXTERN_ACCESS = 0xB0008000, 1


def spec_name(member: IntEnum) -> str:
    """Return the specification's name of `member`: `PT_LOAD` for `PT.LOAD`."""
    prefix = {"DF1": "DF_1"}.get(type(member).__name__, type(member).__name__)
    return f"{prefix}_{member.name}"
