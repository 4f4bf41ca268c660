"""Runs on a Ray cluster: brought up by Ray's launcher, shipped there, followed from here, records fetched home."""
