"""Renderers: a Scene or a Layout in, a Frame out. One module per renderer, named in a recipe."""
