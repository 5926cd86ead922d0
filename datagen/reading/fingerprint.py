"""One name for the labels and the bytes of a set of pictures, wherever its folder lies."""

import hashlib

from datagen.digest import canonical
from datagen.errors import InputError
from datagen.files import sha256_of
from datagen.labelled import Labelled, Picture, Thing


def digest(labelled: Labelled) -> str:
    """sha256 over categories, labels and image files, in their order."""
    total = hashlib.sha256(canonical([list(labelled.categories), labelled.masks]))
    for picture in labelled.pictures:
        total.update(canonical(_picture(picture)))
    return total.hexdigest()


def _picture(picture: Picture) -> list[object]:
    try:
        content = sha256_of(picture.file)
    except OSError as error:
        raise InputError(f"{picture.file}: cannot be read ({error.strerror})") from error
    things = [_thing(thing) for thing in picture.things]
    return [picture.name, content, picture.width, picture.height, things]


def _thing(thing: Thing) -> list[object]:
    mask = None if thing.mask is None else dict(thing.mask)
    return [thing.category, thing.box, thing.area, mask, thing.ignored, dict(thing.facts)]
