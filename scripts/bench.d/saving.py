"""The rows of writing into a mount, and of writing a model back.

A commit begins when the edits are made: to write them into the mount is another row.
"""

import itertools
import os
import statistics

import checkpoints
from counts import Count
from measure import GIB, MIB, duration, interleave, slowness, speed, timed
from mounts import Mount

CHUNK = checkpoints.BLOCK * (MIB // checkpoints.BLOCK_SIZE)
SMALL = 64 << 10  # bytes of a small tensor


def write(path, size, flags=0, sync=False):
    """Writes a file's bytes as `cp` or `dd conv=notrunc` does."""
    fd = os.open(path, os.O_WRONLY | flags, 0o644)
    for done in range(0, size, len(CHUNK)):
        os.write(fd, CHUNK[:size - done])
    if sync:
        os.fsync(fd)
    os.close(fd)


def overwriting(bench):
    """write a tensor, new and overwrite"""
    target = bench.path('written')
    with Mount(bench, bench.one) as mount:
        path = mount.file('big')

        def forget():
            target.unlink(missing_ok=True)

        def counted(written, flags):
            before = mount.written()
            taken = timed(lambda: write(path, bench.size, flags))()
            written.append((mount.written() - before) / bench.size)
            return taken
        new_bytes, over_bytes = [], []
        times = interleave(
            bench.rounds,
            timed(lambda: write(target, bench.size, os.O_CREAT), forget),
            timed(lambda: write(target, bench.size)),
            lambda: mount.fresh() or counted(new_bytes, os.O_TRUNC),
            lambda: counted(over_bytes, 0))
    forget()
    native_new, native_over, new, over = times
    yield speed(f'write {bench.size // MIB} MiB, new', native_new, new, 0.17,
                [Count(max(new_bytes), 'of its bytes written', 1.01)])
    yield speed(f'write {bench.size // MIB} MiB, overwrite', native_over, over, 0.15,
                [Count(max(over_bytes), 'of its bytes written', 1.01)])


def edit(path):
    """Changes 4 KiB in the middle."""
    with open(path, 'r+b', buffering=0) as file:
        os.pwrite(file.fileno(), bytes(range(256)) * 16, 8192)


def small_commit(bench):
    """commit of a 4 KiB edit

    Natively: a new file with the bytes of the tensor, synced. It tells how fast the disk syncs.
    """
    numbers, written, target = itertools.count(), [], bench.path('written')
    flags = os.O_CREAT | os.O_TRUNC
    with Mount(bench, bench.large) as mount:
        def commit():
            before = mount.written()
            edit(mount.file(f'small/{next(numbers) % 64:02}'))
            taken = timed(mount.commit)()
            written.append(mount.written() - before)
            return taken
        native, ours = interleave(
            3 * bench.rounds, timed(lambda: write(target, SMALL, flags, sync=True)), commit)
    target.unlink()
    yield duration(f'commit of 4 KiB in a model of {4 * bench.size // GIB} GiB', native, ours,
                   0.020, [Count(statistics.median(written) / MIB, 'MiB written', 1)])


def large_commit(bench):
    """commit of a rewritten tensor"""
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
        native, ours = interleave(bench.rounds, natively,
                                  lambda: os.sync() or commit())
    bench.forget('written')
    yield slowness(f'commit of a rewritten tensor of {bench.size // MIB} MiB', native, ours, 1.25,
                   [Count(max(written) / bench.size, 'of its bytes written', 1.01)])
