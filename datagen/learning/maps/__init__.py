"""Learning from label maps: layouts, and what layouts look like."""
