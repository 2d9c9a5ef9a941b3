"""What the aids of the search are worth: the trials, and one of them run."""

from symlib.papers.cranmer2020.study import search_aids
from symlib.papers.cranmer2020.study.search_aids import SearchTrial, search_trials
from symlib.records.reading import read_records
from symlib.symbolic.search.budget import AIDS


def test_each_trial_leaves_out_what_it_says():
    whole = list(search_trials("laptop", range(2)))
    assert len(set(whole)) == len(whole) == 2 * 8 * len(search_aids.TRIALS)
    assert [one.seed for one in whole] == sorted(one.seed for one in whole)
    budgets = {one.trial: one.budget() for one in whole}
    for name, budget in budgets.items():
        left = {*AIDS} if name in ("all", "rows") else {*AIDS} - {name}
        assert {*budget.aids} == (set() if name == "none" else left)
        assert budget.rows == (5000 if name in ("rows", "none") else 1000)
    assert len({one.key() for one in whole}) == len(whole)


def test_a_message_is_searched_with_and_without_aids_and_judged(tmp_path):
    for name in ("all", "none"):
        trial = SearchTrial("charge", 2, "bottleneck", name, 0, "smoke")
        found, new = trial.run(tmp_path / "search_aids", cache=tmp_path / "cache", progress=False)
        assert new and trial.is_done(tmp_path / "search_aids") and "verdict" in found
        assert "law not recovered" in search_aids.line(found)
    records, problems = read_records(tmp_path, "search_aids/*.json", "search_trial")
    assert len(records) == 2 and not problems
    # The network of the second came from the cache.
    assert len([*(tmp_path / "cache").glob("*.safetensors")]) == 1
