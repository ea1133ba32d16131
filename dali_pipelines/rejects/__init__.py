"""Why inputs gave no image: the table, its codes in words, and how many there may be."""
