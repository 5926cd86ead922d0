"""Procedural families of things in three dimensions: geometry that the mesh renderer draws."""
