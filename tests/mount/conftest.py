import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, os.fspath(Path(__file__).resolve().parent.parent))
pytest.register_assert_rewrite('fixtures', 'models', 'mounting', 'training')

from fixtures import (beat, copy_of, fuse, large, large_tensors, m, mount,  # noqa: E402, F401
                      no_reports, no_reports_of_a_module, plain, plain_contents,
                      plain_original, root, small_disk, training)
