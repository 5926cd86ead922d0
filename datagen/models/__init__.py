"""Torch networks and their losses only; one paper, one file."""
