from framesweep.commands.compare import align, build_rows, select_differing


def test_only_what_differs():
    columns = [{"a": "1", "b": "2"}, {"a": "1", "b": "3", "c": "4"}]
    assert build_rows(columns) == [["a", "1", "1"], ["b", "2", "3"], ["c", "-", "4"]]
    assert select_differing(columns) == [["b", "2", "3"], ["c", "-", "4"]]


def test_lines_are_aligned_and_cut():
    lines = align([["a", "1"], [], ["long", "x" * 99]])
    assert lines == ["a     1", "", "long  " + "x" * 39 + "…"]
