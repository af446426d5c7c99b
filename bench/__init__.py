"""Measurements of whole processes, table by table: `python -m bench [TABLE ...]`."""
