"""A dynamically linked program without a C library: the ABI alone."""

from __future__ import annotations

from pyldso.ldso import tls
from pyldso.ldso.personality import Personality, initialise_all

CONTROL_BLOCK = 256
"""Room behind the thread pointer for a program that looks at %fs:0x28 and the like."""

BARE = Personality(
    threads=tls.GLIBC_THREADS,
    adjusts_dynamic=False,
    control_block_size=lambda namespace: CONTROL_BLOCK,
    install=tls.install_get_addr,
    prepare=lambda namespace, stack: None,
    initialise=initialise_all,
)
