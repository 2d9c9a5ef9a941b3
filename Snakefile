"""The grid of the paper's tables: one rule, and each cell leaves one record.

    make grid TABLE=1 PRESET=laptop

runs it on this machine; `snakemake --profile profiles/slurm --config table=1 preset=paper`
on a cluster (book/grid.md). What is on record as it would be made now is not run again; that
is judged by content, not by the age of files, and what is not gets the newest of inputs.
"""

import sys
from pathlib import Path

from symlib import choices
from symlib.papers.cranmer2020.study import cells

ROOT = Path(workflow.basedir)
PRESET = config.get("preset", "laptop")
OUT = ROOT / config.get("out", cells.default_folder(cells.preset_of_grid(PRESET)))
CACHE = ROOT / config.get("cache", "_build/cache")
ENGINE = config.get("engine", "auto")
GPUS = min(1, int(config.get("gpus", 0)))
PAPER = PRESET == "paper"
WANTED = cells.wanted(str(config.get("table", 1)), PRESET, config.get("recipe"))
RECORD = f"{OUT}/{{preset}}/{{recipe}}/{{law}}-{{dim}}-{{model}}-{{seed}}.json"
NOW = ROOT / "_build" / "grid" / "now"


workdir: ROOT / "_build" / "grid"


# A job on another machine knows what it is to do.
if workflow.is_main_process:
    retry = bool(int(config.get("retry", 0)))
    todo = {
        str(cell.path(OUT))
        for cell in WANTED
        if not cell.is_done(OUT, engine=ENGINE, retry=retry)
    }
    NOW.parent.mkdir(parents=True, exist_ok=True)
    NOW.touch()
else:
    todo = set()


def reason(wildcards):
    return [NOW] if RECORD.format(**wildcards) in todo else []


rule grid:
    input:
        [cell.path(OUT) for cell in WANTED],
    localrule: True


rule cell:
    input:
        reason,
    output:
        # An older record stays in its place until the new one takes it.
        update(RECORD),
    wildcard_constraints:
        preset="|".join(choices.RANK),
        recipe="|".join(choices.RECIPES),
        law="[^/]+",
        dim="[23]",
        model="[a-z0-9]+",
        seed="[0-9]+",
    params:
        retry="--retry" if int(config.get("retry", 0)) else "",
    threads: 1
    resources:
        mem_mb=16_000 if PAPER else 4_000,
        runtime=2 * 24 * 60 if PAPER else 120,  # minutes
        gpu=GPUS,
    shell:
        "{sys.executable} -m symlib.cli cell --law {wildcards.law} --dim {wildcards.dim}"
        " --model {wildcards.model} --seed {wildcards.seed} --preset {wildcards.preset}"
        " --recipe {wildcards.recipe}"
        " --engine {ENGINE} --out {OUT} --cache {CACHE} {params.retry} --quiet"
