"""Learning a grammar's structure from unlabelled pictures."""
