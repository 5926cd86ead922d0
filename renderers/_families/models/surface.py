"""Colours and normals at the corners of a mesh's faces, from its textures and materials."""

import numpy as np
import PIL.Image
import trimesh
from trimesh.visual import ColorVisuals
from trimesh.visual.material import PBRMaterial, SimpleMaterial
from trimesh.visual.texture import TextureVisuals

from .limits import LARGEST_TEXTURE, MOST_TEXELS
from .refusing import Refusal

_GREY = 204  # of what has no colour

# How far a corner's colour is looked up towards the middle of its face: a corner that lies on the
# border between two areas of a texture takes the colour of its own.
_INWARD = 1 / 50


def corner_normals(mesh: trimesh.Trimesh) -> np.ndarray:
    """float64 [F, 3, 3]: as the file has them; zero where it has none, or they are not finite."""
    if "vertex_normals" not in mesh._cache:  # asking for them would make smooth ones
        return np.zeros((len(mesh.faces), 3, 3))
    return np.nan_to_num(np.asarray(mesh.vertex_normals), posinf=0.0, neginf=0.0)[mesh.faces]


def corner_colours(mesh: trimesh.Trimesh, linear: bool) -> tuple[np.ndarray, list[str]]:
    """uint8 [F, 3, 3], sRGB, and warnings. `linear`: factors and vertex colours are linear."""
    visual = mesh.visual
    if isinstance(visual, TextureVisuals):
        return _material_colours(mesh, visual, linear)
    grey = np.full((len(mesh.faces), 3, 3), _GREY, np.uint8)
    if not isinstance(visual, ColorVisuals) or visual.kind is None:
        return grey, []
    if visual.kind == "face":
        return np.repeat(visual.face_colors[:, None, :3], 3, axis=1).astype(np.uint8), []
    colours = np.asarray(visual.vertex_colors)[mesh.faces][..., :3] / 255
    return _bytes(_encoded(colours) if linear else colours), []


def _material_colours(
    mesh: trimesh.Trimesh, visual: TextureVisuals, linear: bool
) -> tuple[np.ndarray, list[str]]:
    image, factor = _base(visual.material)
    colours = np.ones((len(mesh.faces), 3, 3))
    warnings: list[str] = []
    if image is not None and visual.uv is not None and len(visual.uv) == len(mesh.vertices):
        image, warnings = _bounded(image)
        colours = _texels(image, np.asarray(visual.uv, float)[mesh.faces]) / 255
    own = visual.vertex_attributes.get("color")
    if own is not None and len(own) == len(mesh.vertices):
        factor = factor * _shares(np.asarray(own))[mesh.faces][..., :3]
    if linear and not np.all(factor == 1.0):
        colours = _encoded(_decoded(colours) * factor)
    elif not linear:
        colours = colours * factor
    return _bytes(colours), warnings


def _base(material: object) -> tuple[PIL.Image.Image | None, np.ndarray]:
    """A material's texture, and the factor that its colours are multiplied with, float [3]."""
    if isinstance(material, PBRMaterial):
        factor = material.baseColorFactor
        white = np.ones(3)
        return material.baseColorTexture, white if factor is None else _shares(factor)[:3]
    image = material.image if isinstance(material, SimpleMaterial) else None
    if image is not None and image.format is not None:  # trimesh's own for want of one has none
        return image, np.ones(3)  # exporters write any Kd beside a texture
    if isinstance(material, SimpleMaterial) and "kd" in material.kwargs:
        return None, _shares(np.asarray(material.diffuse))[:3]
    return None, np.full(3, _GREY / 255)


def _bounded(image: PIL.Image.Image) -> tuple[PIL.Image.Image, list[str]]:
    """The texture in RGB, made smaller when it is too large; its pixels are not decoded before."""
    width, height = image.size
    if width * height > MOST_TEXELS:
        raise Refusal(
            f"a texture of {width} x {height} px; the most are {LARGEST_TEXTURE} on a side; "
            "make it smaller"
        )
    if max(width, height) <= LARGEST_TEXTURE:
        return image.convert("RGB"), []
    scale = LARGEST_TEXTURE / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    note = f"a texture of {width} x {height} px made {size[0]} x {size[1]}"
    return image.convert("RGB").resize(size, PIL.Image.Resampling.BOX), [note]


def _texels(image: PIL.Image.Image, uv: np.ndarray) -> np.ndarray:
    """uint8 [F, 3, 3]: the texels at uv [F, 3, 2], whose v goes up; beyond 0 to 1 it repeats."""
    uv = np.nan_to_num(uv, posinf=0.0, neginf=0.0)
    uv = uv + (uv.mean(axis=1, keepdims=True) - uv) * _INWARD
    uv = np.where((uv < 0) | (uv > 1), uv % 1.0, uv)
    pixels = np.asarray(image)
    height, width = pixels.shape[:2]
    column = np.minimum((uv[..., 0] * width).astype(int), width - 1)
    row = np.minimum(((1 - uv[..., 1]) * height).astype(int), height - 1)
    return pixels[row, column]


def _shares(colours: np.ndarray) -> np.ndarray:
    """Colours from 0 to 1."""
    top = 1.0 if colours.dtype.kind == "f" else float(np.iinfo(colours.dtype).max)
    return np.clip(np.nan_to_num(colours.astype(float)) / top, 0.0, 1.0)


def _decoded(srgb: np.ndarray) -> np.ndarray:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _encoded(light: np.ndarray) -> np.ndarray:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def _bytes(shares: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(shares, 0.0, 1.0) * 255).astype(np.uint8)
