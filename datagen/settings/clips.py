"""The [clips] section of a recipe: its images are the frames of clips."""

from pydantic import Field

from datagen.interfaces import Component


class Clips(Component):
    """Image `index` is frame `index % frames` of clip `index // frames`."""

    frames: int = Field(ge=2, le=1000)  # of each clip; one is rolled to from the clip's beginning
    interval: float = Field(default=0.1, gt=0, le=60)  # s from one frame to the next
    # At which what must keep apart or lie inside begins to roll: px or m a second. None: such
    # things rest.
    speed: float | None = Field(default=None, gt=0)

    def place(self, index: int) -> tuple[int, int]:
        """The clip of an image, and its frame in it, both counted from 0."""
        return divmod(index, self.frames)
