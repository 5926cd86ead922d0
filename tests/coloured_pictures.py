"""Small labelled pictures for detectors: red and blue rectangles on a grey that flickers."""

import numpy as np
from PIL import Image
from structures import rng

from datagen import rle
from datagen.labelled import ANY, Labelled, Picture, Thing

RED, BLUE = 0, 1
COLOURS = {RED: (220, 40, 40), BLUE: (40, 60, 220), ANY: (128, 128, 128)}


def rectangle(category, box, size, **more):
    """A thing whose mask fills its box, x, y, width, height in whole px, of a (width, height)."""
    x, y, w, h = box
    mask = np.zeros(size[::-1], bool)
    mask[y : y + h, x : x + w] = True
    return Thing(category, tuple(map(float, box)), float(w * h), rle.encode(mask), **more)


def picture(folder, name, things, size=(64, 64), seed=0):
    """The things drawn into a file, the later over the earlier."""
    image = rng(seed).integers(100, 150, (*size[::-1], 3)).astype(np.uint8)
    for thing in things:
        x, y, w, h = map(int, thing.box)
        image[y : y + h, x : x + w] = COLOURS[thing.category]
    Image.fromarray(image).save(folder / name)
    return Picture(name, folder / name, *size, tuple(things))


def labelled(folder, pictures, masks=True):
    return Labelled(folder, "coco", ("red", "blue"), tuple(pictures), masks)


def scattered(folder, count, size=(64, 64), masks=True):
    """Two or three rectangles a picture, apart from each other."""
    pictures = []
    for k in range(count):
        draw = rng(k)
        things = []
        for quarter in draw.permutation(4)[: draw.integers(2, 4)]:
            w, h = draw.integers(10, 20, 2)
            x, y = (quarter % 2) * 32 + draw.integers(2, 10), (quarter // 2) * 32 + 4
            box = (int(x), int(y), int(w), int(h))
            things.append(rectangle(int(draw.integers(2)), box, size))
        pictures.append(picture(folder, f"{k}.png", things, size, k))
    return labelled(folder, pictures, masks)
