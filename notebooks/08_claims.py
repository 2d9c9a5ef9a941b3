# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,-all
#     formats: ipynb,py:percent
#     notebook_metadata_filter: jupytext,kernelspec,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The paper's claims, one by one
#
# **Overview.** The scoreboard has cells. This page has claims: what the paper says, which records
# test it, what they measured, and whether it reproduced. Verdicts come from code and change with
# the records.
#
# - **In the paper:** all of {cite:t}`cranmer2020discovering`
# - **You need:** {doc}`the scoreboard <05_tables>`, which says what the three recipes are and how
#   cells are marked
# - **Time to read:** 8 minutes. **Time to run:** seconds, since this page only reads records

# %% tags=["parameters"]
preset = "ci"  # nothing is run here: what is shown are records
seed = 0
engine = "auto"

# %% tags=["hide-input"]
from IPython.display import Markdown

from symlib.book.building import record_metrics
from symlib.papers.cranmer2020.pages import claims

found, problems = claims.read_claims()

# %% [markdown]
# ## In short
#
# A claim about the paper's networks is tested by `reference` and by `plain`, one verdict each. What
# `fast` measures, which is told more than the paper's networks, stands below and decides nothing.
# *Reproduced* means that everything looked at is as the paper says; otherwise the verdict says how
# many are.

# %% tags=["hide-input"]
Markdown(claims.overview(found))

# %% [markdown]
# ## In full
#
# Where cells are counted, each is the mean over its seeds, at the largest preset on record; a
# dagger says that some of the records are of an earlier version of a stage or of the recipe. An
# asterisk in the name of a file stands for anything.

# %% tags=["hide-input"]
Markdown(claims.in_full(found))

# %% [markdown]
# ## The records behind it

# %% tags=["hide-input"]
Markdown("\n".join(f"- {one}" for one in problems) or "All could be read.")

# %% [markdown]
# ## Summary
#
# - Sparse messages, and the laws in them, are tested by recipes that are told no more than the
#   paper's, the standard model as their control.
# - What our universe can say about the halos is how formulas and network stand to each other, not
#   the paper's numbers.
# - What nobody can test here is named as that.
#
# Works cited are listed under {doc}`../book/references`.

# %% tags=["remove-cell"]
tally = claims.tally(found)
record_metrics(
    "08_claims",
    {"claims": len(found), "unreadable records": len(problems), **tally},
)
