"""From a table of scores to all that is said of it: levels, subgroups, comparisons."""
