"""Bytes to records and back, as the gABI defines them; no policy."""
