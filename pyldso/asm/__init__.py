"""Assembly text to ObjectFile: what `as` does."""
