"""A key that does not exist is refused instead of being ignored."""

import re

import pytest

from hydra_plugins.framesweep_sweeper._errors import SweepError
from hydra_plugins.framesweep_sweeper.sweep._known_keys import KNOWN, check_keys


def test_all_keys_of_the_schema_are_known():
    check_keys(KNOWN)


@pytest.mark.parametrize(
    ("key", "fix"),
    [
        ("n_trails", "Type hydra.sweeper.n_trials"),
        ("search_space", "Type hydra.sweeper.params"),
        ("zzz", "The keys are constraints custom_search_space "),
    ],
)
def test_an_unknown_key_is_named_with_what_to_type(key, fix):
    line = f"hydra.sweeper.{key}: no such key. {fix}"
    with pytest.raises(SweepError, match=f"^{re.escape(line)}"):
        check_keys(["n_trials", key])
