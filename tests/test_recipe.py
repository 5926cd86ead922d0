"""Recipes: what is accepted, what is refused and how, and what the digest depends on."""

import json
import subprocess
import sys

import pytest
from faulty import ROOT, WORLD, write_recipe

from datagen import plugins, recipe
from datagen.errors import InputError, RecipeError
from datagen.recipe import Recipe

SPRITES = WORLD.replace(
    "start Scene",
    'start Scene\nasset digits: sprites "strokes"\nasset leaves: sprites "leaves.png"',
)


@pytest.fixture
def with_assets(tmp_path):
    path = write_recipe(tmp_path / "r")
    (path.parent / "small.scene").write_text(SPRITES)
    (path.parent / "leaves.png").write_bytes(b"leaves")
    return path


@pytest.mark.parametrize("name", plugins.names("configs"))
def test_every_shipped_recipe_loads_and_survives_a_round_trip(name):
    loaded = recipe.load(name)
    again = Recipe.decode(json.loads(json.dumps(loaded.encode())))
    assert again == loaded
    assert again.digest == loaded.digest
    assert again.world() == loaded.world()


def test_a_recipe_holds_the_text_of_its_grammar(tmp_path):
    path = write_recipe(tmp_path)
    loaded = recipe.load(path)
    (tmp_path / "small.scene").unlink()
    assert loaded.world().canvas == (32, 24)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sead = 3", ["unknown key `sead`", "did you mean `seed`?"]),
        ("count = -1", ["`count` must be a whole number", "10,000,000", "-1"]),
        ("count = 0", ["`count` must be a whole number from 1 to 10,000,000"]),
        ("count = 1e18", ["`count` must be a whole number", "1e+18"]),
        ("count = nan", ["`count` must be a whole number"]),
        ("count = 3.0", ["`count`"]),
        ('count = "3"', ["`count`", '"3"']),
        ("seed = -1", ["`seed`"]),
        ('image_format = "gif"', ["`image_format`", "png"]),
        ('passes = ["depht"]', ["`passes` must be a list of any of `instance`", '"depht" in it']),
        ("[learn]\nstages = []", ["`learn.stages` must be a list of one or more of `structure`"]),
        ("[learn]\nstages = ['structur']", ["of `structure`, `attributes`", '"structur" in it']),
        ("[learn]\nmax_steps = 1", ["must be a whole number from 2 to 4,096, got 1"]),
        ("[learn.reinforcement]\nscales = []", ["a list of one or more numbers above 0, got []"]),
        ("[learn.reinforcement]\nscales = [-1]", ["numbers above 0, got -1 in it"]),
        ("[learn.reinforcement]\nprior_weight = [1]", ["a list of 2 numbers from 0 up, got [1]"]),
        ("[learn.reinforcement]\nreward = 'kd'", ["must be `kde` or `witness` or `mmd`"]),
        ("[learn.reinforcement]\nstop_at_floor = 1", ["must be true or false"]),
        ("[learn.attributes]\ntask = 'foo'", ['must be text such as "package.module:Class"']),
        ("[learn.features]\nuse = 'json:JSONDecoder'", ["is no datagen.interfaces.Component"]),
        ("[learn.gnm]\nbackground = 3", ["`learn.gnm`: a background needs alpha = true"]),
        ("[learn.appearance]\nstyle = 0", ["`learn.appearance`: with style = 0", "or draws = 1"]),
        ("shard_size = 0", ["`shard_size` must be a whole number from 1 to 10,000"]),
        ("count = 1979-05-27", ["`count`"]),
        ("count = ", ["is not TOML"]),
        ("[learn]\nhiden = 3", ["unknown key `learn.hiden`", "`hidden`"]),
        ("[learn.features]\nbach = 3", ["unknown key `learn.features.bach`", "`batch`"]),
        ("[learn.features]\nuse = 'squeeznet'", ["did you mean `squeezenet`?"]),
        ("[learn.features]\nuse = 'squeezenet'\noptions = {layr = 'pool'}", ["`layr`", "`layer`"]),
        ("[learn.features]\noptions = {size = 3}", ['use = "counts"', "unknown key `size`"]),
        ("[learn.features]\nweights = 'gone.pth'", ["learn.features.weights", "gone.pth"]),
        ("[learn.features]\nweights = 3", ["learn.features.weights must be the path", "got 3"]),
        ("[learn]\nfeatures = 3", ["learn.features"]),
        ('generator = "prior"', ["`generator`"]),
        ("[generator]\nuse = 'prier'", ["`prier`", "did you mean `prior`?"]),
        ("[generator]\nuse = 'prior'\nspeed = 3", ['use = "prior"', "unknown key `speed`"]),
        ("[generator]\nuse = 'no_such.module:Cls'", ["no module `no_such`"]),
        ("[generator]\nuse = 'faulty:Rendere'", ["no class `Rendere`", "`Renderer`"]),
        ("[generator]\nuse = 'prior'\nweights = 'gone.safetensors'", ["generator.weights", "gone"]),
        ("[assets]\ndigits = 'x'", ["assets.digits", "no such asset"]),
    ],
)
def test_a_fault_is_named_with_its_place_and_remedy(tmp_path, line, words):
    path = write_recipe(tmp_path, line)
    with pytest.raises(RecipeError) as caught:
        recipe.load(path)
    for word in words:
        assert word in str(caught.value)


def test_a_recipe_without_grammar_is_refused(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text("count = 3\n")
    with pytest.raises(RecipeError, match="`grammar` is missing"):
        recipe.load(path)


def test_a_renderer_must_take_what_the_generator_gives(tmp_path):
    path = write_recipe(tmp_path, "[generator]\nuse = 'faulty_generator:Generator'")
    (tmp_path / "faulty_generator.py").write_text(
        "from datagen.frame import Layout\nfrom datagen.generators.prior import Generator as P\n"
        "class Generator(P):\n    gives = Layout\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        with pytest.raises(RecipeError, match="takes a Scene, but `faulty_generator:Generator`"):
            recipe.load(path)


def test_a_recipe_without_renderer_has_no_picture(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text('grammar = "aerial"\nrenderers = []\n')
    with pytest.raises(RecipeError, match="no picture"):
        recipe.load(path)


def test_zero_images_are_accepted_only_when_asked_for(tmp_path):
    path = write_recipe(tmp_path, "count = 0")
    assert recipe.load(path, allow_empty=True).count == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"x" * 1_000_001, "1,000,000 bytes"),
        (b'grammar = "\xff"', "not UTF-8"),
        (b"a = " + b"[" * 100_000, "not TOML|nested too deeply"),
        (b'grammar = "aerial"\n' + b"a." * 1000 + b"a = 1", "nested too deeply"),
        (b'grammar = "aerial"\n' + b"a." * 500 + b"a = 1", "nested too deeply"),
        (b"count = " + b"1" * 5000, "is not TOML.*5000 digits"),
        (b'grammar: !!python/object/apply:os.system ["true"]', "not TOML"),
    ],
)
def test_text_that_no_person_wrote_is_refused(tmp_path, text, words):
    path = tmp_path / "r.toml"
    path.write_bytes(text)
    with pytest.raises(InputError, match=words):
        recipe.load(path)


def test_an_unknown_name_is_answered_with_the_nearest_config():
    with pytest.raises(RecipeError, match="did you mean `aerial`"):
        recipe.load("arial")


@pytest.mark.parametrize("name", ["no/such.toml", "x" * 5000, "a\0b"])
def test_a_path_that_is_not_there_is_refused(name):
    with pytest.raises(RecipeError):
        recipe.load(name)


def test_a_folder_without_recipe_json_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="no run of `learn` and no dataset"):
        recipe.load(tmp_path)


def test_set_overrides_values_lists_and_sections(tmp_path):
    path = write_recipe(tmp_path)
    sets = ["seed=7", "image_format=jpg", 'passes=["depth"]', "learn.seed=3", "renderers.0.pause=1"]
    loaded = recipe.load(path, sets)
    assert (loaded.seed, loaded.image_format, loaded.passes) == (7, "jpg", ("depth",))
    assert loaded.learn.seed == 3
    assert loaded.renderers[0].options["pause"] == 1


@pytest.mark.parametrize("text", ["seed", "=3", "seed.x=3", "renderers.7.use=raster", "sede=3"])
def test_a_set_that_fits_nothing_is_refused(tmp_path, text):
    path = write_recipe(tmp_path, "seed = 1")
    with pytest.raises(RecipeError):
        recipe.load(path, [text])


def test_the_digest_is_of_the_content_and_not_of_the_place(tmp_path):
    one = recipe.load(write_recipe(tmp_path / "a"))
    two = recipe.load(write_recipe(tmp_path / "b"))
    assert one.digest == two.digest
    assert len(one.digest) == 16
    assert recipe.differences(one, two) == []


@pytest.mark.parametrize("change", ["seed=1", "count=999", "passes=['depth']", "renderers.0.at=1"])
def test_the_digest_depends_on_whatever_decides_content(tmp_path, change):
    path = write_recipe(tmp_path)
    assert recipe.load(path).digest != recipe.load(path, [change]).digest


@pytest.mark.parametrize("change", ["shard_size=7", "learn.seed=3"])
def test_the_digest_does_not_depend_on_how_the_dataset_is_cut_or_learned(tmp_path, change):
    path = write_recipe(tmp_path)
    assert recipe.load(path).digest == recipe.load(path, [change]).digest


def test_the_digest_of_a_changed_copy_is_its_own(tmp_path):
    loaded = recipe.load(write_recipe(tmp_path))
    before = loaded.digest
    assert loaded.model_copy(update={"seed": 5}).digest != before


def test_the_digest_of_learning_depends_on_what_decides_it(tmp_path):
    path = write_recipe(tmp_path)
    before = recipe.load(path).learn_digest
    for same in ("count=7", "seed=3", "learn.helpers=4", "learn.checkpoint_every=7"):
        assert recipe.load(path, [same]).learn_digest == before, same
    for other in ("learn.seed=3", "learn.features.images=300", "renderers.0.at=1"):
        assert recipe.load(path, [other]).learn_digest != before, other


def test_paths_of_set_count_from_here_and_those_of_a_recipe_from_its_folder(
    with_assets, tmp_path, monkeypatch
):
    here = tmp_path / "here"
    here.mkdir()
    (here / "pack.png").write_bytes(b"here")
    (here / "other.scene").write_text(SPRITES.replace("32 x 24", "64 x 24"))
    (here / "leaves.png").write_bytes(b"leaves here")
    (with_assets.parent / "pack.png").write_bytes(b"there")
    monkeypatch.chdir(here)
    with_assets.write_text(with_assets.read_text() + '[assets]\nleaves = "pack.png"\n')
    assert recipe.load(with_assets).assets["leaves"].source == str(with_assets.parent / "pack.png")
    for text in ("assets.leaves=pack.png", 'assets={leaves="pack.png"}'):
        loaded = recipe.load(with_assets, [text])
        assert loaded.assets["leaves"].source == str(here / "pack.png"), text
    assert recipe.load(with_assets, ["assets.digits=strokes"]).assets["digits"].sha256 is None
    assert recipe.load(with_assets, ["grammar=other.scene"]).world().canvas == (64, 24)
    with pytest.raises(RecipeError, match=f"there is no file or folder {here}/no.png"):
        recipe.load(with_assets, ["assets.leaves=no.png"])


def test_weights_of_set_count_from_here(tmp_path, monkeypatch):
    path = write_recipe(tmp_path / "r", "[generator]\nuse = 'metasim2'\nweights = 'w'")
    (tmp_path / "r/w").write_bytes(b"there")
    (tmp_path / "w").write_bytes(b"here")
    monkeypatch.chdir(tmp_path)
    weights = recipe.load(path, ["generator.weights=w"]).generator.weights
    assert weights is not None
    assert weights.source == str(tmp_path / "w")


def test_a_grammar_is_read_as_the_language_reads_it(tmp_path):
    path = write_recipe(tmp_path)
    before = recipe.load(path).digest
    scene = tmp_path / "small.scene"
    text = scene.read_bytes()
    scene.write_bytes(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))
    assert recipe.load(path).digest == before
    scene.write_bytes(text + b"#" * (256 * 1024 - len(text)))
    recipe.load(path)
    scene.write_bytes(text + b"#" * (256 * 1024 + 1 - len(text)))
    with pytest.raises(InputError, match="larger than 256 kB"):
        recipe.load(path)


def test_assets_are_found_beside_their_grammar_and_built_in_ones_stay(with_assets):
    loaded = recipe.load(with_assets)
    assert loaded.assets["digits"].source == "strokes"
    assert loaded.assets["digits"].sha256 is None
    assert loaded.assets["leaves"].source == str(with_assets.parent / "leaves.png")
    assert loaded.world().assets["leaves"].source == loaded.assets["leaves"].source


def test_a_recipe_points_an_asset_elsewhere(with_assets, tmp_path):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "a.png").write_bytes(b"a")
    with_assets.write_text(with_assets.read_text() + '[assets]\ndigits = "../pack"\n')
    loaded = recipe.load(with_assets)
    assert loaded.world().assets["digits"].source == str(tmp_path / "pack")


def test_the_digest_of_an_asset_folder_sees_names_and_bytes(with_assets, tmp_path):
    digests = set()
    for name, data in [("a", b"1"), ("b", b"1"), ("b", b"2")]:
        folder = tmp_path / f"{name}{data.decode()}"
        folder.mkdir()
        (folder / name).write_bytes(data)
        digests.add(recipe.load(with_assets, [f"assets.digits={folder}"]).digest)
    assert len(digests) == 3


def test_an_asset_may_move_but_not_change(with_assets, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    before = recipe.load(with_assets)
    (run / "recipe.json").write_text(json.dumps(before.encode()))
    moved = (with_assets.parent / "leaves.png").rename(tmp_path / "moved.png")
    with pytest.raises(RecipeError, match="--set assets.leaves=PATH"):
        recipe.load(run).check_sources()
    after = recipe.load(run, [f"assets.leaves={moved}"])
    after.check_sources()
    assert after.digest == before.digest
    moved.write_bytes(b"other leaves")
    with pytest.raises(RecipeError, match="is not what this recipe was made with"):
        recipe.load(run, [f"assets.leaves={moved}"])


def test_a_missing_asset_is_named(with_assets):
    (with_assets.parent / "leaves.png").unlink()
    with pytest.raises(
        RecipeError, match=r"assets.leaves: there is no file or folder .*leaves.png"
    ):
        recipe.load(with_assets)


def test_the_weights_of_a_run_folder_are_relative_and_part_of_the_digest(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "learned.py").write_text(
        "from datagen.generators.prior import Generator as Prior\n"
        "class Generator(Prior):\n    weights: str\n"
    )
    data = recipe.load(write_recipe(tmp_path)).encode()
    data["generator"] = {"use": "learned:Generator", "weights": "model.safetensors"}
    digests = set()
    for name, content in [("one", b"1"), ("same", b"1"), ("two", b"2")]:
        run = tmp_path / name
        run.mkdir()
        (run / "model.safetensors").write_bytes(content)
        (run / "recipe.json").write_text(json.dumps(data))
        loaded = recipe.load(run)
        assert loaded.generator.component("generators").weights == str(run / "model.safetensors")
        digests.add(loaded.digest)
    assert len(digests) == 2


def test_differences_are_told_by_key_and_value(tmp_path):
    path = write_recipe(tmp_path)
    changed = recipe.differences(recipe.load(path), recipe.load(path, ["seed=4", "learn.hidden=8"]))
    assert changed == ["learn.hidden: 64 -> 8", "seed: 0 -> 4"]
    before, after = recipe.load(path), recipe.load(path, ["seed=4", "learn.hidden=8"])
    assert recipe.differences(before, after, learn=False) == ["seed: 0 -> 4"]


# -------------------------------------------------------------------------------------- features


def with_weights(folder, content=b"weights"):
    """A recipe whose features come from a file beside it."""
    path = write_recipe(folder, "[learn.features]\nuse = 'squeezenet'\nweights = 'w.pth'\n")
    (path.parent / "w.pth").write_bytes(content)
    return path


def test_the_weights_of_features_are_frozen_like_others(tmp_path):
    loaded = recipe.load(with_weights(tmp_path))
    weights = loaded.learn.features.weights
    assert weights is not None and weights.sha256 is not None
    assert weights.source == str(tmp_path / "w.pth")
    assert dict(loaded.sources())["learn.features.weights"] == weights
    component = loaded.learn.features.part.component("features")
    assert (component.weights, component.layer) == (weights.source, "pool")
    assert Recipe.decode(json.loads(json.dumps(loaded.encode()))) == loaded


def test_learning_depends_on_what_the_weights_are_and_not_on_where(tmp_path):
    one, two, three = (
        recipe.load(with_weights(tmp_path / name, content))
        for name, content in [("a", b"1"), ("b", b"1"), ("c", b"2")]
    )
    assert one.learn_digest == two.learn_digest != three.learn_digest
    assert recipe.differences(one, two) == []
    assert len(recipe.differences(one, three)) == 1
    assert one.digest == three.digest


@pytest.mark.parametrize(
    "text",
    [
        "learn.features.weights=w.pth",
        'learn.features={use="squeezenet", weights="w.pth"}',
        'learn={features={use="squeezenet", weights={source="w.pth"}}}',
    ],
)
def test_the_weights_of_features_on_the_command_line_count_from_here(tmp_path, monkeypatch, text):
    path = with_weights(tmp_path / "there")
    (tmp_path / "w.pth").write_bytes(b"here")
    monkeypatch.chdir(tmp_path)
    weights = recipe.load(path, [text]).learn.features.weights
    assert weights is not None
    assert weights.source == str(tmp_path / "w.pth")


def test_a_dataset_can_be_made_where_the_weights_of_its_learning_are_gone(tmp_path):
    path = with_weights(tmp_path / "r")
    (tmp_path / "recipe.json").write_text(json.dumps(recipe.load(path).encode()))
    (tmp_path / "r" / "w.pth").unlink()
    loaded = recipe.load(tmp_path)
    loaded.check_sources(learn=False)
    with pytest.raises(RecipeError, match="--set learn.features.weights=PATH"):
        loaded.check_sources()
    (tmp_path / "other.pth").write_bytes(b"other")
    with pytest.raises(RecipeError, match="is not what this recipe was made with"):
        recipe.load(tmp_path, [f"learn.features.weights={tmp_path / 'other.pth'}"])


@pytest.mark.parametrize("use", ["counts", "squeezenet"])
def test_loading_a_recipe_loads_no_network_library(use):
    code = (
        "import sys; from datagen import recipe\n"
        f"recipe.load('aerial', ['learn.features.use={use}'])\n"
        "print({'torch', 'torchvision'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr
