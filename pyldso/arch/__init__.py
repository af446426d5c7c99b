"""All that differs between CPUs."""
