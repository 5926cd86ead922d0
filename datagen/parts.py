"""What a recipe names outside itself: content by place and sha256, plug-ins by name."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, JsonValue

from datagen import freezing, plugins
from datagen.decoding import decode
from datagen.errors import RecipeError
from datagen.interfaces import Component


class Source(Component):
    """Where content lies and what it must be; without a sha256 it names something built in."""

    source: str
    sha256: str | None = None

    def check(self, name: str) -> None:
        """Refuses content that is gone, or is not what the recipe was made with."""
        if self.sha256 is None:
            return
        found = freezing.digest_of(Path(self.source), name)
        if found != self.sha256:
            raise RecipeError(
                f"{name}: {self.source} is not what this recipe was made with "
                f"(sha256 {found[:12]}, expected {self.sha256[:12]})"
            )


class Part(Component):
    """A plug-in by name, with its options; `weights` is the file of a learned one."""

    use: str
    weights: Source | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)

    def described(self, kind: str) -> type[BaseModel]:
        """The class of the plug-in, whose fields are its options."""
        found = plugins.load(kind, self.use)
        if not issubclass(found, BaseModel):
            raise RecipeError(
                f'{kind} use = "{self.use}": is no datagen.interfaces.Component; derive it from one'
            )
        return found

    def component(self, kind: str) -> Any:
        """The plug-in's frozen description."""
        options = dict(self.options)
        if self.weights is not None:
            options["weights"] = self.weights.source
        return decode(self.described(kind), options, f'{kind} use = "{self.use}"')
