"""One PySR search, in a process of its own: `python -m symlib.symbolic.pysr_worker`.

Only this process imports pysr, and with it starts Julia. PySR writes its files into a
temporary folder, which is removed.
"""

import sys
import tempfile

import numpy as np

from symlib.symbolic.processes import serve


def search(request: dict, arrays: dict[str, np.ndarray]) -> dict:
    """Fit PySRRegressor with the request's settings; the rows of its `equations_`."""
    from pysr import PySRRegressor

    settings = dict(request["settings"])
    constraints = settings.get("constraints") or {}
    settings["constraints"] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in constraints.items()
    }
    with tempfile.TemporaryDirectory(prefix="symlib-pysr-") as folder:
        regressor = PySRRegressor(
            **settings, output_directory=folder, temp_equation_file=False, tempdir=folder
        )
        regressor.fit(arrays["X"], arrays["y"], variable_names=list(request["names"]))
        table = regressor.equations_
        rows = [
            {
                "complexity": int(row["complexity"]),
                "loss": float(row["loss"]),
                "equation": str(row["equation"]),
            }
            for _, row in table.iterrows()
        ]
    return {"equations": rows}


if __name__ == "__main__":
    sys.exit(serve(search))
