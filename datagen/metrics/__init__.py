"""What generated pictures are worth, one measure a module; the gap to a target is learning.gap."""
