"""What the tests of mounts share, here and in tests/oracle."""

import os
import random
import shutil

import pytest

from bundle import FLOAT, INT32, UINT8, Sparse, write_bundle
from mounting import DATA, LIVE, Mount, reports, run
from training import Run

CI = os.environ.get('CI') == 'true'


def skip_or_fail(why):
    """Only where nobody counts on the result may a test be skipped."""
    (pytest.fail if CI else pytest.skip)(why)


@pytest.fixture(scope='session', autouse=True)
def fuse():
    try:
        os.close(os.open('/dev/fuse', os.O_RDWR))
    except OSError as error:
        skip_or_fail(f'/dev/fuse: {error.strerror}')
    if not shutil.which('fusermount3'):
        skip_or_fail('there is no fusermount3')


@pytest.fixture
def root():
    if os.geteuid():
        skip_or_fail('only root can do this')


@pytest.fixture(scope='module', autouse=True)
def no_reports_of_a_module():
    yield
    fail_on_reports()


@pytest.fixture(autouse=True)
def no_reports():
    yield
    fail_on_reports()


@pytest.fixture(autouse=True)
def beat():
    """Mounts may be shared by many tests."""
    for mounted in LIVE:
        mounted.beat()


def fail_on_reports():
    found = reports.take() if reports else ''
    if found:
        pytest.fail(f'a sanitizer has found something:\n{found}', pytrace=False)


@pytest.fixture
def copy_of(tmp_path):
    """Copies a model of tests/data, with its times; the argument for a mount: NAME[/PREFIX]."""
    def copy(argument):
        name = argument.split('/')[0]
        shutil.copytree(DATA / name, tmp_path / name)
        return tmp_path / argument
    return copy


def random_tensors():
    rng = random.Random(1)
    return {
        'bytes': (UINT8, (10007,), rng.randbytes(10007)),
        'empty': (FLOAT, (0, 3), b''),
        'large': (UINT8, (1_250_005,), rng.randbytes(1_250_005)),
        'page': (FLOAT, (32, 32), rng.randbytes(4096)),
        'pages': (FLOAT, (4, 1024), rng.randbytes(16384)),
        'tiny': (INT32, (5,), rng.randbytes(20)),
    }


@pytest.fixture(scope='session')
def plain_contents():
    return {name: content for name, (_, _, content) in random_tensors().items()}


@pytest.fixture(scope='session')
def plain_original(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp('plain') / 'plain', random_tensors())


@pytest.fixture
def plain(plain_original, tmp_path):
    """A checkpoint of random bytes, in tensors of many sizes; its prefix."""
    shutil.copytree(plain_original.parent, tmp_path / 'plain')
    return tmp_path / 'plain/plain'


@pytest.fixture
def mount(plain):
    """The same, mounted."""
    with Mount(plain) as mounted:
        yield mounted


@pytest.fixture(scope='session')
def large_tensors():
    """66 MiB, as many tensors; over 64 MiB a commit adds a shard and copies none."""
    rng = random.Random(2)
    return {f'block/{i:02d}': (FLOAT, (256, 1024), Sparse(rng.randbytes(500), (1 << 20) - 1000,
                                                          rng.randbytes(500)))
            for i in range(66)}


@pytest.fixture
def large(large_tensors, tmp_path):
    (tmp_path / 'large').mkdir()
    return write_bundle(tmp_path / 'large/large', large_tensors)


@pytest.fixture
def small_disk(tmp_path, root):
    """A function: a file system of so many KiB; another call changes its size."""
    folder = tmp_path / 'disk'
    folder.mkdir()

    def mount(kib):
        remount = 'remount,' if os.path.ismount(folder) else ''
        done = run('mount', '-t', 'tmpfs', '-o', f'{remount}size={kib}k', 'tmpfs', folder)
        assert done.returncode == 0, done.stderr
        return folder

    yield mount
    run('umount', '-l', folder)


@pytest.fixture
def training(tmp_path):
    """Three checkpoints, and what is in them."""
    beside = Run(tmp_path / 'run')
    beside.contents = {name: beside.save(name) for name in ('ckpt-1', 'ckpt-2', 'ckpt-3')}
    return beside


@pytest.fixture
def m(training):
    """Its folder, mounted."""
    with Mount(training.folder) as mounted:
        yield mounted
