"""ObjectFiles and shared objects to an ELF image: what `ld` does."""
