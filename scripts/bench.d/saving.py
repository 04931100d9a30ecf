"""The rows of writing into a mount, and of writing a model back."""

import itertools
import os
import statistics

import bundle
from measure import (GIB, MIB, Row, duration, interleave, show_bytes, slowness, speed, timed,
                     volume)
from mounts import Mount

CHUNK = bundle.BLOCK * (MIB // bundle.BLOCK_SIZE)


def write(path, size, flags=0, sync=False):
    """Writes a file's bytes as `cp` or `dd conv=notrunc` does."""
    fd = os.open(path, os.O_WRONLY | flags, 0o644)
    for _ in range(size // len(CHUNK)):
        os.write(fd, CHUNK)
    if sync:
        os.fsync(fd)
    os.close(fd)


def overwriting(bench):
    """write 1 GiB, new / overwrite"""
    target = bench.path('written')
    with Mount(bench, bench.one) as mount:
        path = mount.file('big')

        def forget():
            target.unlink(missing_ok=True)
        times = interleave(
            bench.rounds,
            timed(lambda: write(target, bench.size, os.O_CREAT), forget),
            timed(lambda: write(target, bench.size)),
            timed(lambda: write(path, bench.size, os.O_TRUNC), mount.fresh),
            timed(lambda: write(path, bench.size)))
    forget()
    native_new, native_over, new, over = times
    yield speed(f'write {bench.size // MIB} MiB, new', native_new, new, 0.17)
    yield speed(f'write {bench.size // MIB} MiB, overwrite', native_over, over, 0.15)


def edit(path):
    """Changes 4 KiB in the middle."""
    with open(path, 'r+b', buffering=0) as file:
        os.pwrite(file.fileno(), bytes(range(256)) * 16, 8192)


def small_commit(bench):
    """commit of a 4 KiB edit"""
    numbers, written = itertools.count(), []
    with Mount(bench, bench.large) as mount:
        def commit():
            before = mount.written()
            edit(mount.file(f'small/{next(numbers):02}'))
            taken = timed(mount.commit)()
            written.append(mount.written() - before)
            return taken
        taken, = interleave(3 * bench.rounds, commit)
    name = f'commit of 4 KiB in a model of {4 * bench.size // GIB or 1} GiB'
    yield duration(name, taken, 0.020)
    yield volume('  what it wrote', None, statistics.median(written), MIB)


def large_commit(bench):
    """commit of a rewritten 1 GiB tensor"""
    target, written = bench.path('written'), []
    flags = os.O_CREAT | os.O_TRUNC
    with Mount(bench, bench.large) as mount:
        def commit():
            before = mount.written()
            write(mount.file('big/1'), bench.size, os.O_TRUNC)
            taken = timed(mount.commit)()
            written.append(mount.written() - before)
            return taken

        def natively():
            target.unlink(missing_ok=True)
            os.sync()
            return timed(lambda: write(target, bench.size, flags, sync=True))()
        native, ours = interleave(max(3, bench.rounds - 2), natively,
                                  lambda: os.sync() or commit())
    bench.forget('written')
    yield slowness(f'commit of a rewritten tensor of {bench.size // MIB} MiB', native, ours, 1.15)
    yield Row('  what that wrote, of its size', '-', show_bytes(max(written)),
              max(written) / bench.size, 1.01, at_most=True)
