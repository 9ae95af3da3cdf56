from framesweep.config.composition import compose, register
from framesweep.data.store.run_store import find_cache

register()


def test_prepared_corpora_are_in_outputs_unless_the_config_says_otherwise():
    assert str(find_cache(compose(["outputs=/out"]))) == "/out/cache"
    assert str(find_cache(compose(["outputs=/out", "data.cache=/cache"]))) == "/cache"
