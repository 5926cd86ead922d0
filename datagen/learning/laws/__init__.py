"""Readable laws for values: what a learned attribute is written down as."""
