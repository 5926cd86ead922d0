"""Layouts learned from label maps: SemGAN."""
