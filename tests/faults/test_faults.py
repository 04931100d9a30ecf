"""Some hundreds of the faults of scripts/faults."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
BUILD = os.environ.get('WEIGHTFS_BUILD', os.fspath(HERE.parent.parent / 'build'))


@pytest.mark.skipif(os.environ.get('WEIGHTFS_SANITIZED') == '1',
                    reason='what is preloaded must not come before a sanitizer')
def test_no_fault_loses_anything():
    done = subprocess.run([sys.executable, HERE / 'run.py', '--build', BUILD, '--quick'],
                          capture_output=True, text=True, timeout=600)
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr
    assert done.stdout.splitlines()[-1].endswith(' passed, 0 failed')
