"""datagen: labelled synthetic datasets for a place you have only unlabelled photos of."""

__version__ = "0.1.0"
