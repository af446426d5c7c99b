"""Comparisons with GNU tools over large corpora, run by hand with `make conformance-as`."""
