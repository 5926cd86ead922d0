"""Datasets on disk: how they are written, read, checked and exported."""
