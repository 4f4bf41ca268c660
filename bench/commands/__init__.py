"""What the commands do, a file per subject; `bench.cli` puts them together.

torch and Ray take seconds to import, so whatever needs them is imported inside the function that does.
"""
