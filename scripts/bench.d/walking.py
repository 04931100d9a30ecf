"""The rows of walking a tree of many tensors, of mounting, and of the daemon's memory."""

import os

from measure import MIB, duration, interleave, read_through, slowness, spawn, timed, volume
from mounts import Mount

BASE_MEMORY, TENSOR_MEMORY = 24 * MIB, 500


def walk(bench, command, name, goals):
    """Rows of a program that walks a tree; command(ROOT): its words."""
    with Mount(bench, bench.many) as mount:
        natively = timed(lambda: spawn(*command(bench.tree)))
        through = timed(lambda: spawn(*command(mount.path / 'variables')))
        native, ours = interleave(bench.rounds, natively,
                                  lambda: mount.remount() or through())
        yield slowness(f'{name}, {bench.tensors:,} tensors, cold', native, ours, goals[0])
        through()
        native, ours = interleave(bench.rounds, natively, through)
        yield slowness(f'{name}, {bench.tensors:,} tensors, warm', native, ours, goals[1])


def find(bench):
    """find -size"""
    yield from walk(bench, lambda root: ('find', root, '-size', '+1M'), 'find -size', (2.8, 1.7))


def listing(bench):
    """ls -lR"""
    yield from walk(bench, lambda root: ('ls', '-lR', root), 'ls -lR', (1.35, 1.05))


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
