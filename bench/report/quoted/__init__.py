"""How do published results compare with ours? Each with the configuration that repeats it (`bench published`)."""
