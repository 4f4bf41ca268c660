"""What each command does, a file per command; `bench.cli` puts them together.

torch and Ray take seconds to import, so whatever needs them is imported inside the function that does.
"""
