from fixtures import (copy_of, fuse, large, large_tensors, mount, no_reports,  # noqa: F401
                      no_reports_of_mounts_of_a_module, plain, plain_contents, plain_original,
                      root, small_disk)
