"""The x86-64 CPU: relocations, PLT and start code, registers, TLS layout, system calls."""
