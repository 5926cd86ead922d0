"""Where networks of pictures and layouts are trained."""

import torch


def found_device() -> str:
    """A GPU where torch finds one, else the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"
