"""How a start under audit libraries begins: they are loaded and run before all else (LD_AUDIT)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyldso.elf.constants import DT
from pyldso.ldso import glibc, link_map
from pyldso.ldso.audit import Audit
from pyldso.ldso.audit_calls import PltCalls
from pyldso.ldso.lookup import find_in
from pyldso.ldso.relocate import relocate_interpreter

if TYPE_CHECKING:
    from pyldso.kernel.exec import InitialStack
    from pyldso.kernel.guest_calls import Calls
    from pyldso.ldso.dso import Dso
    from pyldso.ldso.namespace import Namespace
    from pyldso.ldso.personality import Personality

SURPLUS = 1 << 16
"""Bytes of static TLS for the auditors' files and for the program's, which come later."""


def audit_names(namespace: Namespace, variable: str) -> Sequence[str]:
    """Return the audit libraries that LD_AUDIT and the program (DT_AUDIT, DT_DEPAUDIT) name."""
    program = namespace.program
    tags = (DT.AUDIT, DT.DEPAUDIT)
    texts = [variable, *(program.text(tag) for tag in tags if tag in program.dynamic)]
    return [
        namespace.search.expand(name, program) for text in texts for name in text.split(":") if name
    ]


def audited_personality(namespace: Namespace) -> Personality:
    """Return what kind of glibc the program's ld.so is of, before its libc is loaded."""
    if find_in(namespace, namespace.interpreter, b"_dl_get_tls_static_info"):
        from pyldso.ldso.old_glibc import OLD_GLIBC  # start-up: seldom needed

        return OLD_GLIBC
    return glibc.GLIBC


def begin_audit(
    namespace: Namespace, names: Sequence[str], personality: Personality, stack: InitialStack
) -> Calls:
    """Load the audit libraries, and tell them of the program and of ld.so.

    The first C library that runs is an auditor's; what it reads of ld.so is filled in for it.
    """
    interpreter = namespace.interpreter
    if interpreter is not None:
        relocate_interpreter(namespace, interpreter)
        interpreter.is_relocated = True
        if not interpreter.link_map:
            link_map.add_link_map(namespace, interpreter)
    usual = namespace.call_early_init

    def prepare(libc: Dso) -> None:
        personality.prepare(libc.owner, stack)
        usual(libc)

    namespace.call_early_init = prepare
    audit = Audit(namespace)
    audit.calls = PltCalls(namespace, audit)
    for name in names:
        yield from audit.load(name)
    namespace.call_early_init = usual
    if not audit.auditors:
        return None
    namespace.audit = audit
    # libc calls it before the program's own initialisers.
    namespace.overrides[b"_dl_audit_preinit"] = namespace.process.stubs.add_trap(
        audit.before_program
    )
    audit.opened(namespace, namespace.program)
    if interpreter is not None:
        audit.opened(namespace, interpreter)
    audit.changing(namespace)
    if namespace.vdso is not None:
        audit.opened(namespace, namespace.vdso)
    return None
