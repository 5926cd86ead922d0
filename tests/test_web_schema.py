"""Whatever a client sends that has the form of the API's own description: never a server error."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from servers import server

EXAMPLES = 8  # of each operation


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with server(tmp_path_factory.mktemp("schema"), "--workers", "0") as one:
        yield one.url


def test_nothing_of_the_form_that_is_described_is_a_server_error(url):
    schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) >= 10
    for operation in operations:
        # The same examples each time: a test that fails now and then says nothing.
        @settings(max_examples=EXAMPLES, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def attack(case: schemathesis.Case) -> None:
            case.call_and_validate(base_url=url, checks=[not_a_server_error], timeout=30)

        attack()
