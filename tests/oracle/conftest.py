import json
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
pytest.register_assert_rewrite('fixtures', 'models', 'mounting')
sys.path[:0] = [os.fspath(HERE), os.fspath(HERE.parent / 'mount'), os.fspath(HERE.parent)]

from fixtures import (beat, copy_of, fuse, large, large_tensors,  # noqa: E402, F401
                      no_reports, no_reports_of_a_module)
from layers import MODELS  # noqa: E402

LIMIT = 200  # seconds
# The other one has TensorFlow 2.15, whose Keras is the last of the second generation.
PYTHONS = {'this': sys.executable, 'old': os.environ.get('WEIGHTFS_OLD_TF_PYTHON')}


class Saved:
    """A folder with all models of make_layers.py, the truth about them, and who made them."""

    def __init__(self, python, folder):
        self.python, self.folder = python, folder
        self.run(HERE.parent / 'data/make_layers.py', folder)
        self.truth = json.loads((folder / 'layers.json').read_text())
        assert self.truth.keys() == set(MODELS)

    def run(self, *arguments, **options):
        return subprocess.run([self.python, *arguments], check=True, capture_output=True,
                              **options)


@pytest.fixture(scope='session', params=[name for name, path in PYTHONS.items() if path])
def saved(request, tmp_path_factory):
    return Saved(PYTHONS[request.param], tmp_path_factory.mktemp('keras'))


class TensorFlow:
    """Another process, with TensorFlow in it: one that crashes or hangs costs one test."""

    def __init__(self):
        self.pool = None

    def __getattr__(self, name):
        return lambda *arguments: self.call(name, *arguments)

    def call(self, name, *arguments):
        """Runs a function of loads.py there."""
        if not self.pool:
            self.pool = ProcessPoolExecutor(1, multiprocessing.get_context('spawn'))
        try:
            return self.pool.submit(run_load, name, arguments).result(LIMIT)
        except Exception:
            self.stop()
            raise

    def stop(self):
        if self.pool:
            for process in self.pool._processes.values():
                process.kill()
            self.pool.shutdown()
        self.pool = None


def run_load(name, arguments):
    import loads
    return getattr(loads, name)(*arguments)


@pytest.fixture(scope='session')
def tensorflow():
    process = TensorFlow()
    yield process
    process.stop()
