"""The rows of reading a tensor's bytes."""

import contextlib
import os
import random
import shutil
import subprocess
from pathlib import Path

from counts import of_nothing, of_reading
from measure import (MIB, Skipped, as_user, evict, interleave, numpy_python, read_at,
                     read_through, run, speed, timed)
from mounts import Mount, mounted, needs, needs_root, shard_of

OTHER_USER = 'nobody'
MAPPING = Path(__file__).with_name('mapping.py')


def reader(path, prepare=None):
    return timed(lambda: read_through(path), prepare)


def cold_reader(path):
    return reader(path, lambda: evict(path))


def bindfs(bench, stack):
    """A reader of the native copy through bindfs."""
    folder = bench.native.parent
    path = stack.enter_context(mounted(bench.path('mnt-bindfs'), 'bindfs', folder,
                                       bench.path('mnt-bindfs')))
    return cold_reader(path / bench.native.name)


def squashfuse(bench, stack):
    """A reader of the native copy in an image that is not compressed."""
    image = bench.path('image')
    if not image.exists():
        run('mksquashfs', bench.native, image, '-noI', '-noD', '-noF', '-noX', '-quiet')
    path = stack.enter_context(mounted(bench.path('mnt-squashfuse'), 'squashfuse_ll', image,
                                       bench.path('mnt-squashfuse')))
    return cold_reader(path / bench.native.name)


RIVALS = {
    'bindfs': (bindfs, 'bindfs', 1),
    'squashfuse_ll': (squashfuse, 'mksquashfs', 2),
}


def cold(bench):
    """sequential read, cold in the mount"""
    needs_root()
    missing = [name for name, (_, program, _) in RIVALS.items()
               if not (shutil.which(name) and shutil.which(program))]
    there = {name: rival for name, rival in RIVALS.items() if name not in missing}
    with Mount(bench, bench.one) as mount, contextlib.ExitStack() as stack:
        jobs = [reader(bench.native), cold_reader(mount.file('big'))]
        jobs += [rival(bench, stack) for rival, _, _ in there.values()]
        read_through(shard_of(bench.one))
        native, ours, *theirs = interleave(bench.rounds, *jobs)
        counts = of_reading(mount.pid, jobs[1], bench.size / MIB, 'MiB', 1)
    yield speed('sequential read, cold in the mount', native, ours, 0.22, counts)
    for (name, (_, _, goal)), taken in zip(there.items(), theirs, strict=True):
        yield speed(f'  against {name}', taken, ours, goal)
    if missing:
        raise Skipped(f'not against {", ".join(missing)}: not installed')


def unprivileged(bench):
    """sequential read, cold in the mount, unprivileged"""
    user = None if os.geteuid() else OTHER_USER
    needs('fusermount3')
    if user and not as_user(user, lambda: os.access('/dev/fuse', os.R_OK | os.W_OK)):
        raise Skipped(f'{user} may not open /dev/fuse')
    jobs = [reader(bench.native)]
    with Mount(bench, bench.one, user) as mount:
        jobs.append(cold_reader(mount.file('big')))

        def both():
            read_through(shard_of(bench.one))
            return interleave(bench.rounds, *jobs)

        def by_user(function):
            return as_user(user, function) if user else function()
        native, ours = by_user(both)
        counts = of_reading(by_user(lambda: mount.pid), lambda: by_user(jobs[1]),
                            bench.size / MIB, 'MiB', 8)
    yield speed('sequential read, unprivileged', native, ours, 0.14, counts)


def cold_disk(bench):
    """sequential read, cold on disk too"""
    needs_root()
    with Mount(bench, bench.one) as mount:
        def prepare():
            mount.unmount()  # what it has mapped stays in the cache
            evict(shard_of(bench.one))
            mount.mount()
        native, ours = interleave(bench.rounds, cold_reader(bench.native),
                                  reader(mount.file('big'), prepare))
    yield speed('sequential read, cold on disk too', native, ours, 0.70)


def again(bench):
    """re-read, third pass"""
    with Mount(bench, bench.one) as mount:
        path = mount.file('big')
        for _ in range(2):
            read_through(path)
        for size, name, goal in ((MIB, '1 MiB', 0.65), (4096, '4 KiB', 0.95)):
            native, ours = interleave(
                bench.rounds, timed(lambda n=size: read_through(bench.native, n)),
                timed(lambda n=size: read_through(path, n)))
            counts = of_nothing(mount.pid, lambda n=size: read_through(path, n))
            yield speed(f're-read, third pass, {name} blocks', native, ours, goal, counts)


def mapped(bench):
    """mmap and sum of floats, warm"""
    python = numpy_python()
    with Mount(bench, bench.one) as mount:
        path = mount.file('big')
        done = run(python, MAPPING, str(bench.rounds), bench.native, path, stdout=subprocess.PIPE)
        counts = of_nothing(mount.pid, lambda: run(python, MAPPING, '1', path))
    native, ours = map(float, done.stdout.split())
    yield speed('mmap and sum of floats, warm', native, ours, 0.50, counts)


def scattered(bench):
    """random 4 KiB reads"""
    pages = random.Random(1).sample(range(bench.size // 4096), bench.size // 4096 // 8)
    offsets = [page * 4096 for page in pages]
    with Mount(bench, bench.one) as mount:
        path = mount.file('big')

        def random_reader(which, prepare=None):
            return timed(lambda: read_at(which, offsets), prepare)
        read_through(bench.native)
        native, ours = interleave(bench.rounds, random_reader(bench.native),
                                  random_reader(path, lambda: evict(path)))
        evict(path)
        few = offsets[:4096]
        counts = of_reading(mount.pid, lambda: read_at(path, few), len(few), 'block', 1)
        yield speed('random 4 KiB reads, cold', native, ours, 0.08, counts)
        read_through(path)
        native, ours = interleave(bench.rounds, random_reader(bench.native), random_reader(path))
        counts = of_nothing(mount.pid, random_reader(path))
        yield speed('random 4 KiB reads, warm', native, ours, 0.75, counts)
