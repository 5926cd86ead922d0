"""Conditional IMLE: many pictures for each layout, learned from pairs of label map and photo."""
