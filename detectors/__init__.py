"""Detectors: labelled pictures in, weights out; pictures in, detections out. One module each."""
