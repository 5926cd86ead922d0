"""What to make more of, and how much more: evaluations of a detector turned into a new recipe."""
