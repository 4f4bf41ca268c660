"""Is one result as good as another? Two configurations or ledgers (`bench compare`), a trial and its repetition."""
