"""ELF dynamic linking in readable Python: build shared objects, link, load and run."""

__version__ = "0.1.0"
