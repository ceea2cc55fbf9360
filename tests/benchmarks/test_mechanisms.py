"""The table of what methods take from their sources is what their docstrings say, and no method of a paper is without."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks import mechanisms  # noqa: E402

#: Of the literature, as docs and scenarios speak of them.
OF_PAPERS = {"chord", "diet", "duet", "forward-ofa", "cocorrrec", "cda4rec", "dccl", "otaro", "chai", "fedavg", "qat-k", "static-mixed"}


def test_the_page_says_what_the_docstrings_say():
    before, _, after = mechanisms.PAGE.read_text().partition(mechanisms.TITLE)
    assert f"{mechanisms.TITLE}{after}" == mechanisms.section(), "run python -m benchmarks.mechanisms"
    assert before.strip()


def test_every_method_of_a_paper_says_what_is_published_and_what_is_inferred():
    found = {name: parts for names, parts in mechanisms.told().values() for name in names}
    assert {name for name, parts in found.items() if "Source" in parts} >= OF_PAPERS
    for name in OF_PAPERS:
        assert {"Published", "Inference"} <= set(found[name]), name
        code = "authors' code" in found[name]["Source"]
        assert not code or "Differs from official code" in found[name], (
            f"{name}: read in its authors' code, and does not say how it differs"
        )


def test_a_paragraph_ends_at_the_next_label_or_an_empty_line():
    text = "Spec.\n\nSource: a paper\nof two lines.\nPublished: this | that.\n\nMore: words. Source: none.\n"
    assert mechanisms.paragraphs(text) == {"Source": "a paper of two lines.", "Published": "this \\| that."}
