"""What a logged model says about itself."""

from framesweep.system.checksums import dump_json
from framesweep.tracking.models.description import (
    PREDICTOR_FILE,
    describe_model,
    read_summary,
    write_summary,
)


def summarize(folder, **metrics):
    write_summary(
        folder,
        corpus="demo",
        frames={"train": 119_616, "dev": 18_457},
        widths=(1024, 512),
        num_params=4_753_991,
        context=25,
        epoch=5,
        metrics={"dev/accuracy": 0.76144, **metrics},
    )


def write_predictor(folder, featurization):
    content = {
        "feature_dim": 40,
        "phones": ["SIL", "AA"],
        "frame_shift_ms": 10.0,
        "featurization": featurization,
        "digest": "ab12",
    }
    (folder / PREDICTOR_FILE).write_text(dump_json(content))


AUDIO = {"features": "fbank", "window_ms": 25.0, "shift_ms": 10.0, "sample_rate": 16_000}


def test_the_description_names_corpus_network_metrics_features_and_phones(tmp_path):
    summarize(tmp_path)
    write_predictor(tmp_path, AUDIO)
    text, metadata = describe_model(tmp_path)
    for part in (
        "**Trained on** demo: train 119,616 frames, dev 18,457 frames.",
        "1024-512, 4,753,991 parameters, 25 frames of context",
        "**Metrics** of epoch 5: dev/accuracy 0.7614.",
        "40 per frame (fbank), 25 ms windows, 10 ms shift, of audio at 16,000 Hz.",
        "**2 phones:** SIL AA",
    ):
        assert part in text
    assert metadata["phones"] == ["SIL", "AA"]
    assert metadata["metrics"] == {"dev/accuracy": 0.76144}
    assert metadata["featurization"]["sample_rate"] == 16_000


def test_a_model_of_features_says_that_it_cannot_label_audio(tmp_path):
    summarize(tmp_path)
    write_predictor(tmp_path, None)
    assert (
        "from files of features, so that audio cannot be labelled"
        in describe_model(tmp_path)[0]
    )


def test_the_speed_of_a_training_does_not_make_another_model(tmp_path):
    summarize(tmp_path, **{"train/frames_per_second": 1.0})
    first = (tmp_path / "summary.json").read_bytes()
    summarize(tmp_path, **{"train/frames_per_second": 2.0})
    assert (tmp_path / "summary.json").read_bytes() == first


def test_a_model_without_a_summary_is_described_as_far_as_it_is_known(tmp_path):
    assert read_summary(tmp_path) == {}
    text, metadata = describe_model(tmp_path)
    assert text.startswith("Frame-level phone classifier")
    assert metadata == {}
    write_predictor(tmp_path, AUDIO)
    assert "**2 phones:**" in describe_model(tmp_path)[0]
