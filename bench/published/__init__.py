"""What did others report? Reference results with their sources and flags, shipped as package data."""

from bench.published.reference_data import Reference, find, load

__all__ = ["Reference", "find", "load"]
