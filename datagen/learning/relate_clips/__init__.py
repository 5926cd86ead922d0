"""RELATE learns from clips how objects move."""
