"""Where and when do many trials run? Ray Tune or this process, pruning, progress; not how a net trains."""
