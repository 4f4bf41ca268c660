"""What may be claimed of a part? From `bench.statistics`, as frames, and as the tables that page and Markdown show."""
