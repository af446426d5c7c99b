"""Subscribers to the event stream: LD_DEBUG text, strace text."""
