"""Attribute learning: Meta-Sim's distribution transformer against MMD."""
