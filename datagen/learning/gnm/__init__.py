"""Objects and their layout learned from pictures without labels: GNM."""
