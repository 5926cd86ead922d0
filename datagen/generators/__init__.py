"""Generators start from noise; each module holds one class `Generator`."""
