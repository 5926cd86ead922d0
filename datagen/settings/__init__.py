"""The sections of a recipe: every setting that has a default, and the default that was measured."""
