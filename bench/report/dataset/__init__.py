"""A look at a data set, as a page and in the terminal (`bench data show`)."""
