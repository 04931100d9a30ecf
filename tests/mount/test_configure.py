"""A build folder has the tests in C, whatever it was before."""

import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def configure(folder):
    return subprocess.run([ROOT / 'scripts/configure', folder, '-Dtests=enabled'], text=True,
                          capture_output=True, check=False)


def without_tests(folder):
    subprocess.run(['meson', 'setup', folder, ROOT, '-Dtests=disabled'], check=True,
                   stdout=subprocess.DEVNULL)


def half_made(folder):
    (folder / 'meson-private').mkdir(parents=True)
    (folder / 'meson-private/coredata.dat').write_bytes(b'not pickled')


@pytest.mark.parametrize('before', [without_tests, half_made])
def test_whatever_it_was(before, tmp_path):
    before(tmp_path / 'build')
    assert configure(tmp_path / 'build').returncode == 0
    listed = subprocess.run(['meson', 'introspect', '--tests', tmp_path / 'build'], check=True,
                            stdout=subprocess.PIPE).stdout
    programs = {Path(test['cmd'][0]).name for test in json.loads(listed)}
    assert {path.stem for path in (ROOT / 'tests').glob('*/test_*.c')} <= programs


def test_a_folder_of_somebody_else(tmp_path):
    (tmp_path / 'thesis').write_text('all of it')
    done = configure(tmp_path)
    assert done.returncode == 1
    assert 'no build folder' in done.stderr
    assert (tmp_path / 'thesis').exists()
