"""What did others report? Reference results with their sources and flags, shipped as package data."""

from bench.published.catalogue import Reference, find, load

__all__ = ["Reference", "find", "load"]
