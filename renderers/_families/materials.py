"""What surfaces are made of: one table for the shader, the textures and the ray caster."""

from dataclasses import dataclass
from enum import IntEnum, auto


class Material(IntEnum):
    """Of each vertex. Its colour is that of the vertex, times a tint and a texture (see FINISH)."""

    PLAIN = 0
    PAINT = auto()  # of vehicles, in the piece's first colour
    PAINT_2 = auto()
    GLASS = auto()
    METAL = auto()
    RUBBER = auto()
    LAMP = auto()  # shines in its own colour
    CLOTH = auto()
    CLOTH_2 = auto()
    BARK = auto()
    # In metres: the texture is laid over the surface whatever its size.
    ASPHALT = auto()
    PAVING = auto()
    GRASS = auto()
    EARTH = auto()
    CONCRETE = auto()
    MARKING = auto()
    BRICK = auto()
    PLASTER = auto()
    ROOF = auto()
    # By the vertices' texture coordinates: one tile is one bay of one storey.
    WINDOW_TERRACE = auto()
    WINDOW_SASH = auto()
    WINDOW_OFFICE = auto()
    WINDOW_MODERN = auto()
    SHOP_A = auto()
    SHOP_B = auto()
    SHOP_C = auto()
    DOOR = auto()
    SKY = auto()  # neither lit nor in the haze
    CONTACT = auto()  # the darkness under a thing; u is its opacity, and it is nobody's pixel
    WINDOW_TERRACE_B = auto()  # the same windows with other curtains
    WINDOW_SASH_B = auto()
    WINDOW_OFFICE_B = auto()
    WINDOW_MODERN_B = auto()
    DOOR_B = auto()
    FOLIAGE = auto()  # leaves too small to be triangles, laid over larger ones
    POLISHED = auto()  # smooth metal or lacquer in the piece's first colour


@dataclass(frozen=True)
class Finish:
    """How a material looks. Its texture's alpha says where the tint colours it."""

    texture: str | None = None
    tint: int = 0  # 0 none, 1 the piece's first colour, 2 its second
    gloss: float = 0.0  # share of the sky that it mirrors where it faces the eye
    glow: float = 0.0  # share of light that is its own
    through: float = 0.0  # share of light from behind
    metres: float = 0.0  # side of a texture tile laid by position; 0: by texture coordinates


FINISH: dict[Material, Finish] = {
    Material.PLAIN: Finish(),
    Material.PAINT: Finish(tint=1, gloss=0.10),
    Material.PAINT_2: Finish(tint=2, gloss=0.10),
    Material.GLASS: Finish(gloss=0.04),
    Material.METAL: Finish(gloss=0.12),
    Material.RUBBER: Finish(),
    Material.LAMP: Finish(glow=0.9),
    Material.CLOTH: Finish(tint=1),
    Material.CLOTH_2: Finish(tint=2),
    Material.BARK: Finish(),
    Material.ASPHALT: Finish("asphalt", metres=6.0),
    Material.PAVING: Finish("paving", metres=4.0),
    Material.GRASS: Finish("grass", metres=8.0),
    Material.EARTH: Finish("earth", metres=8.0),
    Material.CONCRETE: Finish("concrete", metres=4.0),
    Material.MARKING: Finish("marking", metres=4.0),
    Material.BRICK: Finish("brick", tint=1, metres=2.0),
    Material.PLASTER: Finish("plaster", tint=1, metres=6.0),
    Material.ROOF: Finish("roof", tint=2, metres=3.0),
    Material.WINDOW_TERRACE: Finish("window_terrace", tint=1, gloss=0.12),
    Material.WINDOW_SASH: Finish("window_sash", tint=1, gloss=0.12),
    Material.WINDOW_OFFICE: Finish("window_office", tint=1, gloss=0.18),
    Material.WINDOW_MODERN: Finish("window_modern", tint=1, gloss=0.14),
    Material.SHOP_A: Finish("shop_a", tint=2, gloss=0.12),
    Material.SHOP_B: Finish("shop_b", tint=2, gloss=0.12),
    Material.SHOP_C: Finish("shop_c", tint=2, gloss=0.12),
    Material.DOOR: Finish("door", tint=1, gloss=0.10),
    Material.SKY: Finish(tint=1, glow=1.0),
    Material.CONTACT: Finish(),
    Material.WINDOW_TERRACE_B: Finish("window_terrace_b", tint=1, gloss=0.25),
    Material.WINDOW_SASH_B: Finish("window_sash_b", tint=1, gloss=0.25),
    Material.WINDOW_OFFICE_B: Finish("window_office_b", tint=1, gloss=0.35),
    Material.WINDOW_MODERN_B: Finish("window_modern_b", tint=1, gloss=0.30),
    Material.DOOR_B: Finish("door_b", tint=1, gloss=0.10),
    Material.FOLIAGE: Finish("foliage", tint=1, through=0.45, metres=2.0),
    Material.POLISHED: Finish(tint=1, gloss=0.35),
}
