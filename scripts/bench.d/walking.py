"""The rows of walking a tree of many tensors, of mounting, and of the daemon's memory."""

import os
import shutil

from counts import of_walking
from measure import (MIB, Skipped, duration, interleave, read_through, slowness, spawn, speed,
                     timed, volume)
from mounts import Mount, mounted

BASE_MEMORY, TENSOR_MEMORY = 24 * MIB, 500


def through_bindfs(bench, walk_in):
    """Jobs that walk the native tree through bindfs, cold and warm."""
    path = bench.path('mnt-bindfs')

    def mounted_after(walks):
        with mounted(path, 'bindfs', bench.tree, path):
            for _ in range(walks):
                walk_in(path)
            return timed(lambda: walk_in(path))()
    return [lambda: mounted_after(0), lambda: mounted_after(1)]


def walk(bench, command, name, goals, requests):
    """Rows of a program that walks a tree, cold and warm; command(ROOT): its words."""
    def walk_in(root):
        spawn(*command(root))
    with Mount(bench, bench.many) as mount:
        natively = timed(lambda: walk_in(bench.tree))
        through = timed(lambda: walk_in(mount.path / 'variables'))
        ours = [lambda: mount.remount() or through(), through]
        rivals = through_bindfs(bench, walk_in) if shutil.which('bindfs') else []
        for i, state in enumerate(('cold', 'warm')):
            native, taken, *theirs = interleave(bench.rounds, natively, ours[i], *rivals[i:i + 1])
            if state == 'cold':
                mount.remount()
            counts = of_walking(mount.pid, through, bench.tensors, requests[i])
            yield slowness(f'{name}, {bench.tensors:,} tensors, {state}', native, taken, goals[i],
                           counts)
            for other in theirs:
                yield speed('  against bindfs', other, taken, 1)
    if not rivals:
        raise Skipped('not against bindfs: not installed')


def find(bench):
    """find -size"""
    yield from walk(bench, lambda root: ('find', root, '-size', '+1M'), 'find -size', (4, 1.7),
                    (50, 0))


def listing(bench):
    """ls -lR"""
    yield from walk(bench, lambda root: ('ls', '-lR', root), 'ls -lR', (1.8, 1.05), (50, 0))


def start(bench):
    """exec to first ls done; -u of a clean mount"""
    with Mount(bench, bench.tiny) as mount:
        def mount_and_list():
            spawn(*mount.command())
            spawn('ls', mount.path)
        mount.unmount()
        started, ended = interleave(
            3 * bench.rounds, timed(mount_and_list),
            timed(lambda: spawn(bench.build / 'weightfs', '-u', mount.path)))
        mount.mount()
    yield duration('exec to first ls done', None, started, 0.015)
    yield duration('-u of a clean mount', None, ended, 0.015)
    yield from start_of_many(bench)


def start_of_many(bench):
    with Mount(bench, bench.many) as mount, Mount(bench, bench.tiny) as other:
        many, few = interleave(
            bench.rounds, timed(lambda: spawn(*mount.command()), mount.unmount),
            timed(lambda: spawn(*other.command()), other.unmount))
    yield duration(f'the index of {bench.tensors:,} tensors', None, many - few,
                   bench.tensors * 2e-6)


def memory(bench):
    """memory of the daemon"""
    with Mount(bench, bench.many) as mount:
        root = mount.path / 'variables'
        spawn('ls', '-lR', mount.path)
        for name in bench.names()[::100]:
            read_through(root / name)
        yield volume(f'memory, {bench.tensors:,} tensors', None, mount.anonymous(),
                     BASE_MEMORY + TENSOR_MEMORY * bench.tensors)
    with Mount(bench, bench.one) as mount:
        read_through(mount.file('big'))
        size = os.stat(mount.file('big')).st_size // MIB
        yield volume(f'memory, a tensor of {size} MiB', None, mount.anonymous(), BASE_MEMORY)
