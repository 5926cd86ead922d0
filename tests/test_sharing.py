"""Batches of learning are shared out: whoever works, and whatever happens to them, same bits."""

import os
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from brokers import Server, Worker, free_port, wait_for
from faulty import WORLD, write_recipe

from datagen import pipeline, recipe
from datagen.derivation import sample_prior
from datagen.errors import InputError
from datagen.jobs.broker import Broker
from datagen.jobs.conduct import conduct
from datagen.jobs.ledger import Jobs, State
from datagen.jobs.queue import Counts, Queue
from datagen.jobs.roster import Presence
from datagen.learning import job as learning
from datagen.learning.attributes.moments import LawTrainee
from datagen.learning.attributes.moving import new_transformer
from datagen.learning.attributes.scenery import Scenery, viewer
from datagen.learning.attributes.training import AttributeTrainee
from datagen.learning.extraction import extractor
from datagen.learning.measuring import (
    ATTRIBUTES,
    MEASURE,
    Origin,
    measuring,
    shared_measure,
    shared_see,
)
from datagen.learning.painting import opened_painter
from datagen.learning.run import opened_run
from datagen.learning.sharing import Shares, helpers
from datagen.learning.spec import Spec
from datagen.learning.strings import prior_strings
from datagen.learning.weights import save_model
from datagen.placement import expand
from datagen.rendering import opened_renderers
from datagen.settings.attributes import AttributeLearning, Moments

SETTINGS = """
count = 12
[learn]
helpers = 0
hidden = 8
embedding = 4
stages = ["attributes", "structure", "attributes"]
[learn.features]
use = "pixels"
[learn.pretraining]
steps = 2
batch = 16
[learn.reinforcement]
iterations = 2
batch = 130
fresh = 130
[learn.attributes]
steps = 2
batch = 32
leaps = 0
hidden = 4
"""
LEFT = ("metrics.jsonl", "model.safetensors")


def write(folder, **renderer):
    """A recipe of a small world whose cars can be moved, drawn by the faulty renderer."""
    path = write_recipe(folder, SETTINGS, **renderer)
    (folder / "small.scene").write_text(WORLD.replace("32) px", "32) px mutable"))
    return recipe.load(path)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A recipe, pictures to learn from, and a run that one process made alone."""
    folder = tmp_path_factory.mktemp("sharing")
    made = write(folder / "r")
    pipeline.generate(made, folder / "photos")
    learning.learn(made, folder / "photos", folder / "alone")
    return SimpleNamespace(folder=folder, recipe=made, photos=folder / "photos")


def assert_same(place, run):
    for name in LEFT:
        assert (run / name).read_bytes() == (place.folder / "alone" / name).read_bytes(), name


# -------------------------------------------------------------------------- attributes by helpers


@contextmanager
def opened(place, folder):
    """A run folder, and what sees scenes there."""
    learn = place.recipe.learn
    with ExitStack() as stack:
        run = stack.enter_context(
            opened_run(folder, spec=Spec(place.recipe, "", ""), resume=folder.exists())
        )
        extract = stack.enter_context(extractor(learn.attributes.features, run.path).open())
        render = stack.enter_context(opened_renderers(place.recipe, frozenset()))
        origin = Origin.of(run.path, learn.attributes.features)
        yield origin, viewer(render, extract, learn.seed)


def trainees(grammar, see):
    """Every way to learn attributes, each with more than a chunk of pictures a step."""
    scenery = Scenery.of(
        grammar,
        0,
        lambda count, rng: [sample_prior(grammar, rng) for _ in range(count)],
        lambda derivation, rng: expand(grammar, derivation, rng),
        see,
    )
    rng = np.random.Generator(np.random.PCG64(0))
    batch = scenery.batch(1 << 30, 70, rng)
    real = see(batch.scenes, batch.numbers)
    for gradient in ("differences", "score"):
        chosen = {"steps": 1, "leaps": 0, "batch": 34, "hidden": 4, "gradient": gradient}
        settings = AttributeLearning.model_validate(chosen)
        yield AttributeTrainee(scenery, settings, new_transformer(grammar, 4, 0), real)
    settings = Moments(rounds=1, scenes=70)
    yield LawTrainee(scenery, settings, new_transformer(grammar, 4, 0), real)


def learned(grammar, see):
    """The weights that each of them comes to."""
    found = []
    for one in trainees(grammar, see):
        one.begin(0)
        for k in range(one.steps):
            one.step(k)
        found.append(one.transformer.state_dict())
    return found


def test_attributes_learn_the_same_with_any_number_of_helpers(place, tmp_path):
    grammar, found = place.recipe.world(), []
    with opened(place, tmp_path / "run") as (origin, see):
        before = new_transformer(grammar, 4, 0).state_dict()
        for number in (0, 1, 2):
            with helpers(number).open(MEASURE) as hands:
                found.append(learned(grammar, shared_see(Shares(hands), origin, see)))
                assert hands.others == number
    for alone, *others in zip(*found, strict=True):
        assert any(not torch.equal(alone[name], before[name]) for name in before)
        for other in others:
            assert all(torch.equal(alone[name], other[name]) for name in before)


# -------------------------------------------------------------------- what a share depends on


def measured(place, run, hands):
    """Features of a batch, as the process that asks finds them, and as it is told them."""
    learn = place.recipe.learn
    strings = prior_strings(place.recipe.world(), 0, 0, 130)
    with (
        opened_painter(place.recipe) as paint,
        extractor(learn.features.part, run).open() as extract,
    ):
        origin = Origin.of(run, learn.features.part)
        measure = shared_measure(Shares(hands), origin, paint, extract)
        return extract(paint(strings, 0)), measure(strings, 0)


def test_a_helper_that_finds_another_run_folder_is_not_believed(place, tmp_path, caplog):
    run = tmp_path / "run"
    with opened(place, run), helpers(1).open(MEASURE) as hands:
        ours, told = measured(place, run, hands)
        assert np.array_equal(ours, told)
        assert caplog.text == ""
        text = (run / "meta.json").read_text()
        (run / "meta.json").write_text(text.replace('"seed": 0', '"seed": 1'))
        mine = Origin.of(run, place.recipe.learn.features.part)
        (run / "meta.json").write_text(text)
        with opened_painter(place.recipe) as paint:
            extract = lambda images: images.reshape(len(images), -1)[:, :9].astype(np.float32)  # noqa: E731
            measure = shared_measure(Shares(hands), mine, paint, extract)
            strings = prior_strings(place.recipe.world(), 0, 0, 130)
            for _ in range(2):
                assert np.array_equal(measure(strings, 0), extract(paint(strings, 0)))
        assert hands.others == 1
    assert caplog.text.count("is not what the run has there") == 1


def test_a_worker_opens_again_what_has_changed_and_nothing_else(place, tmp_path, monkeypatch):
    from datagen.learning import measuring as module

    opened_files, load = [], module.load_moved
    monkeypatch.setattr(
        module, "load_moved", lambda *given: opened_files.append(given[0]) or load(*given)
    )
    run, part = tmp_path / "run", place.recipe.learn.features.part
    grammar, learn = place.recipe.world(), place.recipe.learn
    string = list(prior_strings(grammar, 0, 0, 1)[0])
    pictures = {"derivations": [string], "arrangements": [], "first": 0}
    found = []
    with opened(place, run), measuring() as work:
        for seed in (0, 0, 1):
            transformer = new_transformer(grammar, learn.attributes.hidden, seed)
            with torch.no_grad():
                transformer.laws.fill_(float(seed))
            save_model(run / ATTRIBUTES, grammar, learn, None, transformer)
            origin = Origin.of(run, part, ATTRIBUTES)
            job = {**origin.to_json(), "start": 0, "pictures": pictures}
            found.append(work(job, lambda done: None)["features"])
        assert found[0] == found[1]
        assert len(opened_files) == 2
        job["reads"] = {**job["reads"], ATTRIBUTES: "0" * 64}
        with pytest.raises(InputError, match="is it shared"):
            work(job, lambda done: None)
        for name in ("../meta.json", "/etc/passwd"):
            job["reads"] = {name: "0" * 64}
            with pytest.raises(InputError, match="holds no"):
                work(job, lambda done: None)


# ------------------------------------------------------------------------------------ by the queue


@pytest.fixture(scope="module")
def queue(tmp_path_factory):
    """A Redis, a jobs folder, and a worker with two processes that says it is there."""
    folder = tmp_path_factory.mktemp("queue")
    server = Server(folder)
    server.start()
    jobs = Jobs(folder / "jobs")
    jobs.folder.mkdir()
    worker = Worker(server.url, jobs.folder, folder / "worker.log")
    about = {"broker": Broker(server.url).name, "duties": ["render"], "processes": 2}
    presence = Presence(jobs.folder, about)
    yield SimpleNamespace(url=server.url, jobs=jobs, worker=worker, presence=presence)
    worker.stop()
    server.kill()


class Conducted:
    """A job of learning, carried out with the workers of `queue`."""

    def __init__(self, queue, made, photos, out, url=None):
        order = learning.order(made, photos, out)
        order.claim()
        self.job = queue.jobs.make(order.verb, order.arguments, None)
        self.told, self.counts, self.most = [], Counts(), 0
        queue.presence.renew()

        def executor(progress):
            def seen(payload, done):
                self.most = max(self.most, self.counts.workers)
                progress(payload, done)

            given = self.job.id, seen, self.told.append, self.counts
            return Queue(url or queue.url, queue.jobs.folder, *given)

        with self.job.held():
            conduct(self.job, executor)
        assert self.job.standing().state is State.DONE, self.job.standing()


def test_workers_of_a_queue_learn_the_same(queue, place, tmp_path):
    wait_for(lambda: len(queue.worker.children()) >= 2)
    # On a busy machine the learner has done everything before they have loaded what they need.
    for k in range(3):
        run = Conducted(queue, place.recipe, place.photos, tmp_path / f"run{k}")
        assert_same(place, tmp_path / f"run{k}")
        assert run.counts.failures == 0
        if run.most > 0:
            break
    else:
        pytest.fail("no worker took part in any of three runs")


def test_learning_goes_on_alone_where_no_message_arrives(queue, place, tmp_path):
    """Redis is away; workers are said to be there."""
    url = f"redis://127.0.0.1:{free_port()}/0"
    about = {"broker": Broker(url).name, "duties": ["render"], "processes": 2}
    presence = Presence(queue.jobs.folder, {**about, "pid": os.getpid() + 1})
    presence.renew()
    try:
        run = Conducted(queue, place.recipe, place.photos, tmp_path / "run", url)
    finally:
        presence.end()
    assert_same(place, tmp_path / "run")
    assert "does not answer" in run.told[0]
    assert len(run.told) < 10
