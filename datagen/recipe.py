"""A recipe: everything that decides a dataset, frozen so that it can be made again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from datagen import digest, freezing, motion, plugins, taught
from datagen.dataset.folders import is_evaluation, is_train_run, is_unfinished_run
from datagen.decoding import decode, override, parse_json, parse_toml, read_text
from datagen.errors import RecipeError
from datagen.frame import Frame
from datagen.grammar import Grammar
from datagen.interfaces import Component
from datagen.parts import Part, Source
from datagen.scene import Scene
from datagen.settings.clips import Clips
from datagen.settings.learn import TRAINED
from datagen.settings.learn import Learn as Learn
from datagen.settings.train import Train
from datagen.threads import one_thread

TEXT_CAP = 1_000_000  # bytes of a recipe as a person writes it
FROZEN_CAP = 4_000_000  # bytes of recipe.json, which holds the grammar as well
COUNT_CAP = 10_000_000  # images


Side = Annotated[int, Field(ge=8, le=8192)]  # of a picture, px


class GrammarText(Component):
    name: str
    text: str


class Recipe(Component):
    """A recipe at rest: it holds the grammar's text, and absolute paths with their sha256."""

    grammar: GrammarText
    canvas: tuple[Side, Side] | None = None  # width and height, px; None: the grammar's
    count: int = Field(1000, ge=0, le=COUNT_CAP)  # images
    seed: int = Field(0, ge=0, lt=2**63)
    image_format: Literal["png", "jpg"] = "png"
    clips: Clips | None = None  # images are frames of clips; None: each is by itself
    passes: tuple[Literal["instance", "class", "depth", "amodal", "normals", "flow"], ...] = ()
    shard_size: int = Field(64, ge=1, le=10_000)  # images in one folder and one unit of work
    generator: Part = Part(use="prior")
    renderers: tuple[Part, ...] = (Part(use="raster"),)
    assets: dict[str, Source] = Field(default_factory=dict)
    learn: Learn = Field(default_factory=lambda: Learn.model_validate({}))
    train: Train = Field(default_factory=lambda: Train.model_validate({}))

    @property
    def digest(self) -> str:
        """16 hex digits of what decides a dataset: not places, shards, nor how it was learned."""
        return digest.of_data(_content(self))[:16]

    @property
    def learn_digest(self) -> str:
        """16 hex digits of what decides a run of `learn`: neither its helpers nor its dataset."""
        data = _content(self) | {"learn": _located(self)["learn"]}
        for key in ("count", "seed", "image_format", "clips", "passes"):
            del data[key]
        for key in ("helpers", "checkpoint_every"):
            del data["learn"][key]
        for section in ("layout", "relate", "gnm"):
            del data["learn"][section]["checkpoint_every"]
        del data["learn"]["appearance"]["cache"]
        return digest.of_data(data)[:16]

    def encode(self) -> dict[str, Any]:
        return self.model_dump(mode="json")

    @classmethod
    def decode(cls, data: Mapping[str, Any], where: str = "recipe.json") -> Self:
        return decode(cls, dict(data), where)

    def world(self) -> Grammar:
        """The grammar, its assets pointing at what this recipe gives for them."""
        grammar = freezing.parsed(self.grammar.text, self.grammar.name)
        sources = {name: source.source for name, source in self.assets.items()}
        moved = {
            name: replace(asset, source=sources.get(name, asset.source))
            for name, asset in grammar.assets.items()
        }
        return replace(grammar, assets=moved, canvas=self.canvas or grammar.canvas)

    def sources(self, *, learn: bool = True) -> Iterator[tuple[str, Source]]:
        """Everything outside the recipe that it depends on, with the key that names it.

        Without `learn`: only what a dataset depends on. What training depends on, `train` says.
        """
        for name, source in self.assets.items():
            yield f"assets.{name}", source
        if self.generator.weights is not None:
            yield "generator.weights", self.generator.weights
        for k, part in enumerate(self.renderers):
            if part.weights is not None:
                yield f"renderers.{k}.weights", part.weights
        if learn and self.learn.features.weights is not None:
            yield "learn.features.weights", self.learn.features.weights
        features = self.learn.attributes.features
        if learn and features.weights is not None:
            yield "learn.attributes.features.weights", features.weights
        if learn and self.learn.appearance.weights is not None:
            yield "learn.appearance.weights", self.learn.appearance.weights

    def check_sources(self, *, learn: bool = True) -> None:
        if not learn:
            taught.check(self.parts)
        for name, source in self.sources(learn=learn):
            source.check(name)

    def check_worth(self) -> None:
        """Refuses a learned generator that cannot be used, or that makes nothing of worth.

        For who begins a dataset, or shows how one would begin.
        """
        if self.generator.weights is None:
            return
        self.generator.weights.check("generator.weights")
        generator, grammar = self.generator.component("generators"), self.world()
        with one_thread():
            with generator.open(grammar):
                pass
            generator.check_worth(grammar)

    @property
    def parts(self) -> dict[str, Part]:
        """Key -> what makes pictures, in order."""
        renderers = {f"renderers.{k}": part for k, part in enumerate(self.renderers)}
        return {"generator": self.generator, **renderers}

    def untaught(self) -> dict[str, taught.Section]:
        """Key of each part that has to learn first -> the section of [learn] that says how."""
        return taught.untaught(self.parts)

    def with_weights(self, weights: Mapping[taught.Section, Path]) -> Self:
        """This recipe with the weights that its parts have learned."""
        sources: dict[taught.Section, Source] = {
            section: _source(file, section) for section, file in weights.items()
        }
        generator, *renderers = taught.with_weights(self.parts, sources)
        return self.model_copy(update={"generator": generator, "renderers": tuple(renderers)})

    def learned(self, use: str, weights: Path) -> Self:
        """This recipe with scenes from a learned generator."""
        part = Part(use=use, weights=_source(weights, "structure"))
        return self.model_copy(update={"generator": part})


def _source(weights: Path, of: str) -> Source:
    found = freezing.source(str(weights), Path.cwd(), f"weights of the {of}", built_in=False)
    return Source.model_validate(found)


def load(source: str | Path, sets: Sequence[str] = (), *, allow_empty: bool = False) -> Recipe:
    """The recipe at a path, of a name in configs/, or in a run or dataset folder."""
    path = _find(source)
    return _checked(read(path, sets), str(path), allow_empty)


def of_data(
    data: dict[str, Any], where: str, sets: Sequence[str] = (), *, allow_empty: bool = False
) -> Recipe:
    """The recipe that plain data hold; errors name `where`. Relative paths count from here."""
    return _checked(_frozen(data, Path.cwd(), where, sets), where, allow_empty)


def read(path: Path, sets: Sequence[str] = ()) -> Recipe:
    """The recipe in a file; whether its plug-ins are installed is not looked at.

    Relative paths in the file count from its folder, those of `sets` from the current folder.
    """
    if path.suffix == ".json":
        data = parse_json(read_text(path, FROZEN_CAP), str(path))
    else:
        data = parse_toml(read_text(path, TEXT_CAP), str(path))
    return _frozen(data, path.resolve().parent, str(path), sets)


def _frozen(data: dict[str, Any], base: Path, where: str, sets: Sequence[str]) -> Recipe:
    recorded = freezing.recorded(data)
    override(data, sets, freezing.from_here)
    recipe = decode(Recipe, freezing.freeze(data, base, where), where)
    _hold_to(recipe, recorded)
    return recipe


def differences(before: Recipe, after: Recipe, *, learn: bool = True) -> list[str]:
    """Keys in which two recipes differ, such as "seed: 0 -> 1"; neither paths nor [train] count.

    Without `learn`: only what can change a dataset, or how it is cut.
    """
    old, new = _located(before), _located(after)
    if not learn:
        del old["learn"], new["learn"]
    return changes(old, new)


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Keys, such as "learn.seed", in which nested data differ, with both values."""
    old, new = _flat(before), _flat(after)
    return [
        f"{key}: {_short(old.get(key))} -> {_short(new.get(key))}"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


# --------------------------------------------------------------------------------------- finding


def _find(source: str | Path) -> Path:
    path = Path(source)
    try:
        if (path / "recipe.json").is_file():
            return path / "recipe.json"
        if path.is_file():
            return path
        named = str(source) in plugins.names("configs")
        if not named and path.is_dir():
            raise RecipeError(f"{path} {_instead(path)}")
    except (OSError, ValueError) as error:  # a name too long, or with a null byte
        raise RecipeError(f"cannot read the recipe {str(source)[:80]!r}: {error}") from error
    if named:
        return plugins.path_of("configs", str(source))
    if path.suffix or len(path.parts) > 1:
        raise RecipeError(f"there is no recipe {path}")
    hint = plugins.did_you_mean(str(source), plugins.names("configs"))
    raise RecipeError(
        f"`{str(source)[:80]}` is no recipe file, no folder and no name in configs{hint}"
    )


def _instead(folder: Path) -> str:
    """What a folder without a recipe is, and what to give."""
    if is_train_run(folder):
        return "is a run of `train`, no recipe; give the recipe or dataset that it learned from"
    if is_evaluation(folder):
        return "was written by `datagen evaluate`, and is no recipe; give a recipe or a dataset"
    if is_unfinished_run(folder):
        return "is a run of `learn` that has not ended; go on with --resume, as it was started"
    return "holds no recipe.json: it is no run of `learn` and no dataset"


# -------------------------------------------------------------------------------------- checking


def _checked(recipe: Recipe, where: str, allow_empty: bool) -> Recipe:
    """The recipe, whose plug-ins are there and fit together."""
    if recipe.count == 0 and not allow_empty:
        raise RecipeError(f"{where}: `count` must be a whole number from 1 to {COUNT_CAP:,}, got 0")
    _check_parts(recipe, where)
    _check_clips(recipe, where)
    return recipe


def _hold_to(recipe: Recipe, recorded: Mapping[str, str]) -> None:
    """Content that a frozen recipe has recorded may move, but not change."""
    for name, source in recipe.sources():
        expected = recorded.get(name, source.sha256)
        if source.sha256 != expected:
            Source(source=source.source, sha256=expected).check(name)


def _check_parts(recipe: Recipe, where: str) -> None:
    """The plug-ins exist, know their options, and each takes what the one before it gives."""
    given = recipe.generator.component("generators").gives
    name = recipe.generator.use
    for part in recipe.renderers:
        takes = part.component("renderers").takes
        if not issubclass(given, takes):
            drawn = "; write `renderers = []`: it is a picture" if given is Frame else ""
            raise RecipeError(
                f"{where}: renderer `{part.use}` takes a {takes.__name__}, "
                f"but `{name}` before it gives a {given.__name__}{drawn}"
            )
        given, name = Frame, part.use
    if given is not Frame:
        raise RecipeError(
            f"{where}: `{name}` gives a {given.__name__}, no picture; add a [[renderers]] section"
        )
    _check_features(recipe.learn.features.part)
    _check_moving(recipe.learn, where)


def _check_clips(recipe: Recipe, where: str) -> None:
    """Clips are whole, and what makes and draws their frames can do so as one."""
    clips = recipe.clips
    if clips is None:
        return
    if rest := recipe.count % clips.frames:
        least = recipe.count - rest
        near = f"{least} or {least + clips.frames}" if least else f"{clips.frames}"
        raise RecipeError(
            f"{where}: `count` is {recipe.count} images, no whole number of clips of "
            f"{clips.frames} frames; make it {near}"
        )
    generator = recipe.generator.component("generators")
    if generator.may_move():
        if clips.speed is not None:
            raise RecipeError(
                f"{where}: `{recipe.generator.use}` has learned how fast things are; leave "
                "clips.speed out"
            )
    elif generator.gives is not Scene:
        raise RecipeError(
            f"{where}: [clips] need scenes that move, but `{recipe.generator.use}` gives a "
            f"{generator.gives.__name__}; leave [clips] out, or take a generator of scenes"
        )
    else:
        motion.check(recipe.world(), clips, recipe.passes, where)
    for k, part in enumerate(recipe.renderers):
        if part.component("renderers").may_reject():
            raise RecipeError(
                f"{where}: renderers.{k} (`{part.use}`) turns single pictures away, which tears "
                "[clips] apart; leave its `gate` out"
            )


def _check_moving(learn: Learn, where: str) -> None:
    """Attributes are learned by features that have weights, or that the run trains anyway."""
    part = learn.attributes.features
    _check_features(part)
    if part.weights is None and part.use in TRAINED:
        trained = learn.features
        if trained.use != part.use or trained.weights is not None:
            raise RecipeError(
                f"{where}: learn.attributes.features `{part.use}` has no weights, and this run "
                "trains none; give learn.attributes.features.weights"
            )


def _check_features(part: Part) -> None:
    """The extractor exists and knows its options; one to be trained has no weights yet."""
    if part.weights is None and part.use in TRAINED:
        if not part.options:
            return  # nothing to check, and loading it would load torch
        part = part.model_copy(update={"weights": Source(source="features.safetensors")})
    part.component("features")


# --------------------------------------------------------------------------------------- content


def _located(recipe: Recipe) -> dict[str, Any]:
    """The recipe without places: content by its sha256, built-in things by name.

    Without [train], too: what a dataset is used for decides neither it nor what is learned.
    """
    data = recipe.encode()
    del data["train"]
    data["assets"] = {k: v.sha256 or v.source for k, v in recipe.assets.items()}
    for part, source in [
        (data["generator"], recipe.generator),
        *zip(data["renderers"], recipe.renderers, strict=True),
        (data["learn"]["features"], recipe.learn.features),
        (data["learn"]["attributes"]["features"], recipe.learn.attributes.features),
    ]:
        part["weights"] = source.weights.sha256 if source.weights is not None else None
    look = recipe.learn.appearance.weights
    data["learn"]["appearance"]["weights"] = look and look.sha256
    return data


def _content(recipe: Recipe) -> dict[str, Any]:
    data = _located(recipe)
    del data["shard_size"], data["learn"]
    data["grammar"] = recipe.grammar.text
    return data


def _flat(data: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(data, list):
        data = {str(k): value for k, value in enumerate(data)}
    if not isinstance(data, dict):
        return {prefix: data}
    flat: dict[str, Any] = {}
    for key, value in data.items():
        flat |= _flat(value, f"{prefix}.{key}" if prefix else key)
    return flat


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:20]}... (sha256 {digest.of_data(value)[:8]})"
