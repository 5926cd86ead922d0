"""Detectors at work: trained on labelled pictures, asked what is in others."""
