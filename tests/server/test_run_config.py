"""Keys of a Flower run config of another kind are a mistake that names the key, before anything is loaded."""

import pytest
from flwr.app import Context, RecordDict

from chordsim.errors import ScenarioError
from server import app


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("seed", "abc", "seed = 'abc': must be a whole number"),
        ("seed", True, "seed = True: must be a whole number"),
        ("seed", 1.5, "seed = 1.5: must be a whole number"),
        ("resume", "no", "resume = 'no': must be true or false"),
        ("out", 3, "out = 3: must be a text"),
        ("scenario", False, "scenario = False: must be a text"),
    ],
)
def test_a_value_of_another_kind_is_named(key, value, says):
    context = Context(run_id=1, node_id=1, node_config={}, state=RecordDict(), run_config={key: value})
    with pytest.raises(ScenarioError, match=f"^run config: {says}"):
        app._run(None, context, None)
