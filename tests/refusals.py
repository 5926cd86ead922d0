"""What tests ask of every refusal."""

from contextlib import contextmanager

import pytest

from datagen.errors import InputError


@contextmanager
def refused(*words):
    """What is done within is refused in one line that holds all of these."""
    with pytest.raises(InputError) as caught:
        yield
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message
