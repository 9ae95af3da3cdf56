"""The description of a sweep's parent, in Markdown."""

from framesweep.sweeps.notes import MAX_LENGTH, MAX_ROWS, Entry, build_note


def entries(count: int, **params: object) -> list[Entry]:
    return [Entry(f"run {i}", {"dev/accuracy": 1 / (i + 1)}, params) for i in range(count)]


def test_a_note_has_the_summary_the_command_and_a_table():
    note = build_note("Two runs.", entries(2, lr=0.25), "python train.py optim.lr=0.25")
    assert note == (
        "Two runs.\n\nTrain the best one again:\n\n"
        "````console\n$ python train.py optim.lr=0.25\n````\n\n"
        "| run | dev/accuracy | lr |\n| --- | --- | --- |\n"
        "| run 0 | 1 | 0.25 |\n| run 1 | 0.5 | 0.25 |"
    )


def test_a_sweep_without_results_has_no_table_and_no_command():
    assert build_note("No runs.", [], None) == "No runs."


def test_long_tables_are_cut_and_say_so():
    note = build_note("Many.", entries(100), "train")
    assert note.count("\n| run") == MAX_ROWS + 1
    assert note.endswith("80 more are in the list of runs.")


def test_a_note_fits_into_a_tag_of_mlflow():
    wide = entries(20, **{f"key{i}": "x" * 100 for i in range(20)})
    note = build_note("Wide.", wide, "train")
    assert len(note) <= MAX_LENGTH + 50
    assert "more are in the list of runs." in note


def test_names_from_anybody_are_neither_markup_nor_credentials():
    evil = Entry("<img src=x onerror=alert(1)>|[a](b)`", {"m": 1.0}, {"u": "http://u:pw@h/x\n"})
    note = build_note("# <script>", [evil], None)
    assert "<img" not in note.replace("\\<", "")
    assert "<script" not in note.replace("\\<", "")
    assert "pw" not in note
    assert len(note.splitlines()) == 5
