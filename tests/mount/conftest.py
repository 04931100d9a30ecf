import pytest

pytest.register_assert_rewrite('fixtures', 'models', 'mounting')

from fixtures import (copy_of, fuse, large, large_tensors, mount, no_reports,  # noqa: E402, F401
                      no_reports_of_a_module, plain, plain_contents, plain_original, root,
                      small_disk)
